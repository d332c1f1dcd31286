//! What messages come from.

pub(in crate::web) mod handlers;
pub mod page;
