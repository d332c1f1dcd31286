//! Trying everything on oneself, and going live.

pub(in crate::web) mod handlers;
pub mod page;
