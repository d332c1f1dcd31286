//! `/healthz`, `/readyz` and `/metrics`.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};

use super::middleware::draining::Draining;
use super::on_main;
use crate::app::App;
use crate::app::write_health::Failing;
use crate::telemetry::Metrics;

/// A probe gives up after a few seconds, and so do we.
const DATABASE_PATIENCE: Duration = Duration::from_secs(3);

/// The addresses for machines that watch us.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/healthz", web::get().to(alive))
        .route("/readyz", web::get().to(ready))
        .route("/metrics", web::get().to(metrics));
}

async fn alive() -> impl Responder {
    text(StatusCode::OK, "alive\n")
}

/// Able to serve: the database answers, and writes come back. A process whose queue is out of order can
/// still keep events and have them done, so it stays in the load balancer and only says so. One that is
/// about to end leaves it first.
async fn ready(app: Data<App>, draining: Data<Draining>) -> impl Responder {
    if draining.has_begun() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    let asked = on_main(&app, |app| async move {
        let platform = app.store().platform();
        let ping = tokio::time::timeout(DATABASE_PATIENCE, platform.ping());
        let (database, queue, failing) =
            tokio::join!(ping, app.queue_answers(), app.failing_writes());
        Ok(match (database, failing) {
            (_, Some(Failing { fault, span })) => Err(format!(
                "writes do not come back: {fault} (for {} s)",
                span.as_secs()
            )),
            (Ok(Ok(())), None) => Ok(queue),
            (Ok(Err(error)), None) => Err(error.to_string()),
            (Err(_), None) => Err("the database does not answer in time".to_owned()),
        })
    })
    .await;
    match asked.map_err(|error| error.to_string()).flatten() {
        Ok(Ok(())) => ready_but(&app, "ready\n".to_owned()),
        Ok(Err(degraded)) => ready_but(
            &app,
            format!("ready, but {degraded}; workers look into the database themselves\n"),
        ),
        Err(error) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {error}\n"),
        ),
    }
}

/// A process whose machine has a wrong clock works by the database's, so it stays as well.
fn ready_but(app: &App, says: String) -> HttpResponse {
    match app.clock_trouble() {
        Some(trouble) => text(StatusCode::OK, format!("{says}{trouble}\n")),
        None => text(StatusCode::OK, says),
    }
}

fn text(status: StatusCode, says: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/plain; charset=utf-8")
        .body(says.into())
}

async fn metrics(metrics: Option<Data<Metrics>>) -> impl Responder {
    match metrics {
        Some(metrics) => HttpResponse::Ok()
            .content_type("text/plain; version=0.0.4; charset=utf-8")
            .body(metrics.render()),
        None => HttpResponse::NotFound().finish(),
    }
}
