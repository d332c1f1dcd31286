//! What handlers ask of a request.

pub mod client_addr;
