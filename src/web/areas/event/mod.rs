//! One event: what was decided about it, and what became of its messages.

pub(in crate::web) mod handlers;
pub mod page;
pub mod steps;
pub(in crate::web) mod view;
