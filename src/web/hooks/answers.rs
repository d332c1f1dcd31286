//! What whoever calls is answered when nothing is kept.

use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};

use super::{FIND_WITHIN, bounded, in_time};
use crate::app::{App, AppError};
use crate::domain::connection::Provider;
use crate::web::extract::client_addr::ClientAddr;
use crate::web::on_main;
use crate::web::problem::Problem;

pub(super) fn unreadable(detail: &str) -> HttpResponse {
    Problem::new(StatusCode::BAD_REQUEST, "body", "Unreadable body", detail).into_response()
}

pub(super) fn unknown_hook() -> HttpResponse {
    let detail = "No connection has this web address. Copy it again from the Connections page";
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-hook",
        "Unknown web address",
        detail,
    )
    .into_response()
}

/// Nothing was kept, and the sender should know.
pub(super) fn not_stored(error: &AppError) -> HttpResponse {
    let cause = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    // Told once by whoever watches the writer, not for each of thousands.
    if matches!(error, AppError::Store(error) if error.fault().is_some()) {
        tracing::debug!(%error, cause, "A request could not be stored");
    } else {
        tracing::error!(%error, cause, "A request could not be stored");
    }
    let detail = "The request could not be stored. Send it again";
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not-stored",
        "Not stored",
        detail,
    )
    .with_retry_after(Duration::from_secs(10))
    .into_response()
}

/// An address of a hook with something behind it that leads nowhere.
pub(super) async fn astray(
    request: &HttpRequest,
    app: &App,
    provider: Provider,
    remedy: &str,
) -> HttpResponse {
    let reason = format!(
        "This web address leads nowhere: {remedy}. Copy it again from the Connections page"
    );
    note_stray(request, app, provider, reason).await;
    unknown_hook()
}

/// Leaves a line under *rejected requests* of whoever has the hook that the request was meant for.
pub(super) async fn note_stray(
    request: &HttpRequest,
    app: &App,
    provider: Provider,
    reason: String,
) {
    let path = request.path().trim_start_matches("/hooks/");
    let mut parts = path.splitn(3, '/').skip(1);
    let token = parts.next().unwrap_or_default().to_owned();
    let shown = bounded(parts.next().unwrap_or_default().trim_matches('/'));
    let compared = serde_json::json!({ "method": bounded(request.method().as_str()) });
    let client = ClientAddr::of(request).0;
    let noted = on_main(app, |app| async move {
        if let Some(target) = app.hook_target(provider, &token).await? {
            app.reject(target, shown, client, reason, compared).await;
        }
        Ok(())
    });
    drop(in_time(FIND_WITHIN, noted).await);
}

pub(super) fn wrong_method(allowed: &'static str) -> HttpResponse {
    let detail = format!("This address takes {allowed}");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut answer = Problem::new(status, "method", "Wrong method", detail).into_response();
    answer
        .headers_mut()
        .insert(header::ALLOW, header::HeaderValue::from_static(allowed));
    answer
}
