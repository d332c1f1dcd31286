//! What the operator runs the service by.

pub(in crate::store) mod deletion;
pub(in crate::store) mod operator;
pub(in crate::store) mod platform;
pub(in crate::store) mod processes;
pub(in crate::store) mod sealed;
