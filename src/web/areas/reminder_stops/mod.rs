//! Where a reader stops reminders.

pub(in crate::web) mod handlers;
pub mod page;
