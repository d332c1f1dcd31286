//! Door one: HTTP.

pub mod extract;
pub mod middleware;
pub mod problem;
