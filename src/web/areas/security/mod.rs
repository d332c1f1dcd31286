//! Who did what.

pub(in crate::web) mod handlers;
pub mod page;
pub mod words;
