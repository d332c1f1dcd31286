//! How e-mails look, and the bank details that they may show.

pub(in crate::web) mod handlers;
pub mod page;
