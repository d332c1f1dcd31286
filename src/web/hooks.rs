//! Webhooks and callbacks.
use actix_web::web::ServiceConfig;
/// The hooks.
pub fn routes(_config: &mut ServiceConfig) {}
