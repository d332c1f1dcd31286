//! The first page of a tenant, and the checklist of its first days.

pub(in crate::web) mod checklist;
pub(in crate::web) mod handlers;
pub mod page;
