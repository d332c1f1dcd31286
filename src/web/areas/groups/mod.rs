//! Groups of people whom messages go to.

pub(in crate::web) mod handlers;
pub mod page;
pub(in crate::web) mod people_lines;
