//! The logos of tenants, for whoever reads an e-mail that shows one.
//!
//! Their address is the hash of what they are, so a mail program may keep them for ever.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, web};

use super::on_main;
use crate::app::{App, AppError};

/// Digits of a hash.
const DIGITS: usize = 64;

/// Joins `GET /logos/{hash}.png` to the application.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/logos/{name}", web::get().to(logo));
}

async fn logo(name: Path<String>, app: Data<App>) -> HttpResponse {
    let Some(hash) = name.strip_suffix(".png").filter(|hash| is_hash(hash)) else {
        return missing();
    };
    let hash = hash.to_owned();
    let found = on_main(&app, |app| async move { app.logo(&hash).await }).await;
    match found {
        Ok(Some(png)) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "image/png"))
            .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            // Mail is read on other sites.
            .insert_header((
                HeaderName::from_static("cross-origin-resource-policy"),
                "cross-origin",
            ))
            .body(png),
        Ok(None) => missing(),
        Err(error) => unavailable(&error),
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn missing() -> HttpResponse {
    HttpResponse::NotFound()
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}

fn unavailable(error: &AppError) -> HttpResponse {
    tracing::warn!(%error, "A logo could not be read");
    HttpResponse::ServiceUnavailable()
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}
