//! What handlers ask of a request.

pub mod ability;
pub mod client_addr;
pub mod csrf_form;
pub mod home;
pub mod signed_in;
pub mod tenant;
