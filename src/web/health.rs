//! `/healthz`, `/readyz` and `/metrics`.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};

use super::on_main;
use crate::app::App;
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

/// Able to serve: the database answers. A process whose queue does not answer can still keep events,
/// so it stays in the load balancer and only says so.
async fn ready(app: Data<App>) -> impl Responder {
    let asked = on_main(&app, |app| async move {
        let platform = app.store().platform();
        let ping = tokio::time::timeout(DATABASE_PATIENCE, platform.ping());
        let (database, queue) = tokio::join!(ping, app.queue_answers());
        let database = match database {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        Ok(database.map(|()| queue))
    })
    .await;
    match asked.map_err(|error| error.to_string()).flatten() {
        Ok(true) => ready_but(&app, "ready\n"),
        Ok(false) => ready_but(
            &app,
            "ready, but the queue does not answer: events are kept, and work goes on when it \
             returns\n",
        ),
        Err(error) => {
            tracing::warn!(error, "Not ready: the database does not answer");
            text(
                StatusCode::SERVICE_UNAVAILABLE,
                "not ready: the database does not answer\n",
            )
        }
    }
}

/// A process whose machine has a wrong clock works by the database's, so it stays as well.
fn ready_but(app: &App, says: &'static str) -> HttpResponse {
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
