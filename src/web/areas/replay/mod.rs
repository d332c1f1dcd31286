//! Deciding events again.

pub(in crate::web) mod handlers;
pub mod page;
