//! A company and its tokens.

pub(in crate::web) mod company;
pub(in crate::web) mod deletion;
pub(in crate::web) mod handlers;
pub mod page;
pub(in crate::web) mod tokens;
