//! An event becomes decisions and deliveries.

pub mod decide;
pub mod receive;
mod recipients;
mod renew;
pub mod replay;
pub mod route;
