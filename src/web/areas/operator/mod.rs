//! What the operator of an instance sees.

pub(in crate::web) mod handlers;
pub mod page;
