//! `/healthz`, `/readyz` and `/metrics`.

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};

use super::on_main;
use crate::app::App;
use crate::telemetry::Metrics;

/// The addresses for machines that watch us.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/healthz", web::get().to(alive))
        .route("/readyz", web::get().to(ready))
        .route("/metrics", web::get().to(metrics));
}

async fn alive() -> impl Responder {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body("alive\n")
}

/// Able to serve: the database answers.
async fn ready(app: Data<App>) -> impl Responder {
    let asked = on_main(&app, |app| async move {
        Ok(app.store().platform().ping().await?)
    })
    .await;
    match asked {
        Ok(()) => HttpResponse::Ok()
            .content_type("text/plain; charset=utf-8")
            .body("ready\n"),
        Err(error) => {
            tracing::warn!(%error, "Not ready: the database does not answer");
            HttpResponse::ServiceUnavailable()
                .content_type("text/plain; charset=utf-8")
                .body("not ready: the database does not answer\n")
        }
    }
}

async fn metrics(metrics: Option<Data<Metrics>>) -> impl Responder {
    match metrics {
        Some(metrics) => HttpResponse::Ok()
            .content_type("text/plain; version=0.0.4; charset=utf-8")
            .body(metrics.render()),
        None => HttpResponse::NotFound().finish(),
    }
}
