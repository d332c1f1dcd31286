//! The history: lists and searches.

pub(in crate::web) mod handlers;
pub mod page;
