//! What a reader of a reminder sees who follows *stop reminders here*.
//!
//! Nobody is signed in, and a mail program posts without having seen the page (RFC 8058): the link is
//! the token of its forms. Scanners follow links, so only a form changes anything.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template as _;

use crate::app::accounts::throttle::{Gate, Tried};
use crate::app::reminder_stops::{LONGEST, PATH, ReminderStop};
use crate::app::{App, AppError};
use crate::web::areas::error::{self, PageError};
use crate::web::areas::reminder_stops::page::{NoReminderStopPage, ReminderStopPage};
use crate::web::extract::client_addr::ClientAddr;
use crate::web::on_main;

const ROBOTS: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-robots-tag"),
    HeaderValue::from_static("noindex, nofollow"),
);

/// The addresses below `/stop`.
pub(in crate::web) fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope(PATH)
            .route("/{link}", web::get().to(show))
            .route("/{link}", web::post().to(stop))
            .route("/{link}/taking-back", web::post().to(take_back))
            .wrap(from_fn(error::show)),
    );
}

async fn show(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, PageError> {
    let asked = ask(&request, &app, |app, link| async move {
        app.reminder_stop(&link).await
    });
    page(&request, asked.await?)
}

async fn stop(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, PageError> {
    let asked = ask(&request, &app, |app, link| async move {
        app.stop_reminders(&link).await
    });
    page(&request, asked.await?)
}

async fn take_back(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, PageError> {
    let asked = ask(&request, &app, |app, link| async move {
        app.resume_reminders(&link).await
    });
    page(&request, asked.await?)
}

async fn ask<F, Fut>(
    request: &HttpRequest,
    app: &App,
    then: F,
) -> Result<Option<ReminderStop>, PageError>
where
    F: FnOnce(App, String) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Option<ReminderStop>, AppError>> + Send + 'static,
{
    let link = link(request).to_owned();
    if link.len() > LONGEST {
        return Ok(None);
    }
    let client = ClientAddr::apart(request).map(|client| client.0);
    let asked = on_main(app, move |app| async move {
        let tried = app.admit(Gate::StopReminders, client, &link).await?;
        if tried == Tried::Admitted {
            then(app, link).await.map(Some)
        } else {
            Ok(None)
        }
    });
    asked.await?.ok_or(PageError::TooMany)
}

fn link(request: &HttpRequest) -> &str {
    request.match_info().query("link")
}

fn page(request: &HttpRequest, about: Option<ReminderStop>) -> Result<HttpResponse, PageError> {
    let (status, html) = match about {
        Some(about) => {
            let action = format!("{PATH}/{}", link(request));
            let page = ReminderStopPage { about, action };
            (StatusCode::OK, page.render()?)
        }
        None => (StatusCode::NOT_FOUND, NoReminderStopPage.render()?),
    };
    Ok(HttpResponse::build(status)
        .insert_header(ROBOTS)
        .content_type("text/html; charset=utf-8")
        .body(html))
}
