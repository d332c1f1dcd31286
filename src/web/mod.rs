//! Door one: HTTP.
//!
//! A handler extracts, calls one `app` function, then renders or redirects. Pages are askama structs
//! under `pages`, components are maud functions under `ui`, and one typed filter joins them.

pub mod api;
pub mod areas;
pub mod assets;
pub mod chrome;
pub mod connections;
pub mod extract;
pub mod form;
pub mod health;
pub mod hooks;
pub mod intake;
pub mod logos;
pub mod middleware;
pub mod problem;
mod providers;
pub mod samples;
pub mod ui;

use actix_web::web::ServiceConfig;

use crate::app::{App, AppError};

/// When there may be room again for a request that was turned away.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(5);

/// Every address of the service.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(health::routes)
        .configure(hooks::routes)
        .configure(assets::routes)
        .configure(logos::routes)
        .configure(api::routes)
        .configure(areas::reminder_stops::handlers::routes)
        .configure(areas::routes);
}

/// Runs a use case on the runtime of the database and provider clients: actix's workers are
/// single-thread runtimes of their own, on which those clients would be cut off from their sockets.
pub async fn on_main<T, F, Fut>(app: &App, work: F) -> Result<T, AppError>
where
    T: Send + 'static,
    F: FnOnce(App) -> Fut,
    Fut: Future<Output = Result<T, AppError>> + Send + 'static,
{
    app.on_runtime(work).await
}
