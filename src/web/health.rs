//! `/healthz`, `/readyz` and `/metrics`.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};

use super::middleware::draining::Draining;
use super::on_main;
use crate::app::App;
use crate::app::operator::Degraded;
use crate::app::write_health::Failing;
use crate::telemetry::Metrics;

/// A probe gives up after a few seconds, and so do we.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);

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
async fn ready(app: Data<App>, draining: Option<Data<Draining>>) -> impl Responder {
    if draining.is_some_and(|draining| draining.has_begun()) {
        return text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    let asked = on_main(&app, |app| async move {
        // Known without asking, so that a database which says nothing delays no answer.
        if let Some(failing) = app.failing_writes().await {
            return Ok(Err(why_writes_fail(&app, failing)));
        }
        let platform = app.store().platform();
        let ping = tokio::time::timeout(DATABASE_PATIENCE, platform.ping());
        let (database, queue) = tokio::join!(ping, app.queue_answers());
        Ok(match database {
            Ok(Ok(())) => Ok(remarks(&app, queue).await),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the database does not answer in time".to_owned()),
        })
    })
    .await;
    match asked.map_err(|error| error.to_string()).flatten() {
        Ok(remarks) if remarks.is_empty() => text(StatusCode::OK, "ready\n"),
        Ok(remarks) => text(
            StatusCode::OK,
            format!("ready, but {}\n", remarks.join("\n")),
        ),
        Err(error) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {error}\n"),
        ),
    }
}

/// In the words of the server's own state where that tells it, for it is the more exact.
fn why_writes_fail(app: &App, failing: Failing) -> String {
    let Failing { fault, span } = failing;
    let troubles = app.store().server_troubles();
    let told = troubles.iter().find(|trouble| trouble.stops_writing());
    let why = match told {
        Some(trouble) => format!("{trouble}; {}", trouble.advice()),
        None => fault.to_string(),
    };
    format!("writes do not come back: {why} (for {} s)", span.as_secs())
}

/// What is wrong although work goes on: such a process stays in the load balancer.
async fn remarks(app: &App, queue: Result<(), Degraded>) -> Vec<String> {
    let degraded = queue
        .err()
        .map(|degraded| format!("{degraded}; workers look into the database themselves"));
    let troubles = app.store().server_troubles();
    let troubles = troubles
        .into_iter()
        .map(|trouble| format!("{trouble}; {}", trouble.advice()));
    let months = app.store().missing_months(app.now());
    let months = tokio::time::timeout(DATABASE_PATIENCE, months).await;
    let months = months.map_or_else(|_| Vec::new(), Result::unwrap_or_default);
    let months = months.into_iter().map(|(month, table)| {
        format!("the month {month} of the table {table} is not made; run `ml-connector check`")
    });
    degraded
        .into_iter()
        .chain(app.clock_trouble())
        .chain(troubles)
        .chain(months)
        .collect()
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
