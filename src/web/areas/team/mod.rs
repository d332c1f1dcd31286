//! Who works here.

pub(in crate::web) mod handlers;
pub mod page;
