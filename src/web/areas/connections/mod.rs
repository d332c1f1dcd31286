//! What a tenant is connected to, and how Zoho Books and Twilio are set up.

pub(in crate::web) mod handlers;
pub mod limits_page;
pub mod page;
pub(in crate::web) mod webhook_guide;
pub mod webhook_guide_page;
pub(in crate::web) mod zoho_connection;
pub mod zoho_connection_page;
