//! The addresses below `/v1/Emails`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use super::super::Twilio;
use super::super::account::Permission;
use super::super::answer::{answer, header_of};
use super::super::error::{Refusal, method_not_allowed};
use super::super::fault::On;
use super::super::query::query;
use crate::sandbox::log::lock;

/// Mounts the addresses.
pub(in crate::sandbox::twilio) fn mount(app: &mut web::ServiceConfig) {
    let only_read = |path: &str, route| {
        web::resource(path)
            .route(route)
            .default_service(web::to(method_not_allowed))
    };
    app.service(
        web::resource("/v1/Emails")
            .route(web::post().to(create))
            .route(web::get().to(list))
            .default_service(web::to(method_not_allowed)),
    )
    .service(only_read(
        "/v1/Emails/Operations/{operation}",
        web::get().to(operation),
    ))
    .service(only_read("/v1/Emails/{email}", web::get().to(email)));
}

async fn create(request: HttpRequest, body: web::Bytes, twilio: web::Data<Twilio>) -> HttpResponse {
    twilio.note_email(&request, &body);
    let is_json = header_of(&request, &header::CONTENT_TYPE)
        .is_some_and(|kind| kind.starts_with("application/json"));
    let fault = twilio.fault(On::Email, recipient(&body).as_deref());
    let entry = twilio.enter(&request, None, Permission::EmailsCreate);
    let taker = twilio.get_ref().clone();
    answer(&twilio, &request, fault, entry, 202, move |account| {
        if !is_json {
            return Err(Refusal::new(415, 20415, "Unsupported Media Type"));
        }
        taker.take_emails(account, &body)
    })
    .await
}

/// The first recipient, as a fault may name one.
fn recipient(body: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(json["to"][0]["address"].as_str()?.to_owned())
}

async fn list(request: HttpRequest, twilio: web::Data<Twilio>) -> HttpResponse {
    twilio.note(&request, b"");
    let query = query(&request);
    let fault = twilio.fault(On::EmailList, None);
    let entry = twilio.enter(&request, None, Permission::EmailsRead);
    let reader = twilio.get_ref().clone();
    answer(&twilio, &request, fault, entry, 200, move |account| {
        let now = reader.0.clock.now();
        let state = lock(&reader.0.state);
        let settings = &state.settings.emails;
        state.emails.list(&account.sid, &query, settings, now)
    })
    .await
}

async fn email(
    request: HttpRequest,
    path: web::Path<String>,
    twilio: web::Data<Twilio>,
) -> HttpResponse {
    fetch(&request, &twilio, move |twilio, account| {
        let now = twilio.0.clock.now();
        lock(&twilio.0.state).emails.email(account, &path, now)
    })
    .await
}

async fn operation(
    request: HttpRequest,
    path: web::Path<String>,
    twilio: web::Data<Twilio>,
) -> HttpResponse {
    fetch(&request, &twilio, move |twilio, account| {
        let now = twilio.0.clock.now();
        lock(&twilio.0.state).emails.operation(account, &path, now)
    })
    .await
}

async fn fetch(
    request: &HttpRequest,
    twilio: &web::Data<Twilio>,
    find: impl FnOnce(&Twilio, &str) -> Option<serde_json::Value> + Send + 'static,
) -> HttpResponse {
    twilio.note(request, b"");
    let fault = twilio.fault(On::EmailFetch, None);
    let entry = twilio.enter(request, None, Permission::EmailsRead);
    let reader = twilio.get_ref().clone();
    answer(twilio, request, fault, entry, 200, move |account| {
        let found = find(&reader, &account.sid);
        found.ok_or_else(|| Refusal::new(404, 20404, "The resource was not found."))
    })
    .await
}
