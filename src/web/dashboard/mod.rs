//! The dashboard: sign-in and the pages of a tenant.

use actix_web::web::ServiceConfig;

/// The dashboard's addresses.
pub fn routes(_config: &mut ServiceConfig) {}
