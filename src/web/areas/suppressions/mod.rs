//! Addresses that are not written to.

pub(in crate::web) mod handlers;
pub mod page;
