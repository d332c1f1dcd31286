//! Why addresses may be written to.

pub(in crate::web) mod handlers;
pub mod page;
