//! The JSON API under `/api/v1`: bearer tokens in, problem+json out.

use actix_web::web::ServiceConfig;

/// The API's addresses.
pub fn routes(_config: &mut ServiceConfig) {}
