//! `/_sandbox/…`: the control endpoint, behind a bearer token.
//!
//! Each address mirrors one method of [`super::Twilio`] or [`super::Zoho`]; orders that cannot be
//! read are refused with the reason, never ignored.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::twilio::{EmailFilter, MessageFilter, Twilio, email_counts, text_counts};
use super::zoho::{Kind, Zoho};
use super::{BadOrder, Reset};

/// The bearer token that the control endpoint asks for.
pub(super) struct ControlToken(pub(super) String);

type Answer = Result<HttpResponse, actix_web::Error>;

pub(super) fn mount(app: &mut web::ServiceConfig) {
    app.service(
        web::scope("/_sandbox")
            .wrap(from_fn(guard))
            .route("", web::delete().to(reset))
            .route("/twilio/accounts", web::post().to(twilio_account))
            .route("/twilio/next", web::post().to(twilio_next))
            .route("/twilio/faults", web::post().to(twilio_faults))
            .route("/twilio/callbacks", web::post().to(twilio_plan))
            .route("/twilio/callbacks", web::get().to(twilio_callbacks))
            .route("/twilio/optouts", web::post().to(twilio_opt_out))
            .route("/twilio/settings", web::post().to(twilio_settings))
            .route("/twilio/figures", web::post().to(twilio_figures))
            .route("/twilio/inbound", web::post().to(twilio_inbound))
            .route("/twilio/messages", web::get().to(twilio_messages))
            .route("/twilio/taken", web::get().to(twilio_taken))
            .route(
                "/twilio/messages/{sid}/status",
                web::post().to(twilio_status),
            )
            .route("/twilio/emails", web::get().to(twilio_emails))
            .route("/twilio/emails/plans", web::post().to(twilio_email_plan))
            .route(
                "/twilio/emails/domains",
                web::post().to(twilio_email_domain),
            )
            .route(
                "/twilio/emails/domains",
                web::get().to(twilio_email_domains),
            )
            .route("/twilio/emails/{id}/html", web::get().to(twilio_email_html))
            .route("/twilio/requests", web::get().to(twilio_requests))
            .route("/zoho/accounts", web::post().to(zoho_account))
            .route("/zoho/records", web::post().to(zoho_records))
            .route(
                "/zoho/records/{organization}/{kind}/{id}",
                web::delete().to(zoho_remove),
            )
            .route("/zoho/next", web::post().to(zoho_next))
            .route("/zoho/tokens/expire", web::post().to(zoho_expire))
            .route("/zoho/tokens/revoke", web::post().to(zoho_revoke))
            .route("/zoho/requests", web::get().to(zoho_requests))
            .default_service(web::to(|| async {
                HttpResponse::NotFound().json(json!({ "error": "no such control address" }))
            })),
    );
}

async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    let wanted = request.app_data::<web::Data<ControlToken>>();
    let right = wanted.is_some_and(|token| bool::from(token.0.as_bytes().ct_eq(given.as_bytes())));
    if right {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let refusal = HttpResponse::Unauthorized()
        .insert_header((header::WWW_AUTHENTICATE, "Bearer"))
        .json(json!({ "error": "the control token is missing or wrong" }));
    Ok(request.into_response(refusal).map_into_right_body())
}

async fn reset(all: web::Data<Reset>) -> HttpResponse {
    all.run();
    HttpResponse::NoContent().finish()
}

async fn twilio_account(body: web::Bytes, twilio: web::Data<Twilio>) -> Answer {
    let credentials = twilio.register(parse(&body)?).map_err(bad)?;
    Ok(HttpResponse::Created().json(credentials))
}

async fn twilio_next(body: web::Bytes, twilio: web::Data<Twilio>) -> Answer {
    done(twilio.next(parse(&body)?))
}

async fn twilio_faults(body: web::Bytes, twilio: web::Data<Twilio>) -> Answer {
    done(twilio.fault_plan(parse(&body)?))
}

async fn twilio_plan(body: web::Bytes, twilio: web::Data<Twilio>) -> Answer {
    done(twilio.plan(parse(&body)?))
}

async fn twilio_callbacks(twilio: web::Data<Twilio>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "callbacks": twilio.callbacks() }))
}

async fn twilio_opt_out(body: web::Bytes, twilio: web::Data<Twilio>) -> Answer {
    twilio.opt_out(parse(&body)?);
    done(Ok(()))
}

async fn twilio_settings(body: web::Bytes, twilio: web::Data<Twilio>) -> Answer {
    twilio.set(parse(&body)?);
    done(Ok(()))
}

async fn twilio_figures(body: web::Bytes, twilio: web::Data<Twilio>) -> Answer {
    twilio.set_figures(parse(&body)?);
    done(Ok(()))
}

async fn twilio_inbound(body: web::Bytes, twilio: web::Data<Twilio>) -> Answer {
    let posted = twilio.receive(parse(&body)?).await.map_err(bad)?;
    Ok(HttpResponse::Ok().json(posted))
}

#[derive(Deserialize)]
struct Show {
    /// At most so many messages, the newest; counts are always of all.
    limit: Option<usize>,
}

/// How many messages were taken so far, and nothing else: cheap to ask often.
async fn twilio_taken(twilio: web::Data<Twilio>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "taken": twilio.taken() }))
}

async fn twilio_messages(
    filter: web::Query<MessageFilter>,
    show: web::Query<Show>,
    twilio: web::Data<Twilio>,
) -> HttpResponse {
    let messages = twilio.messages(&filter);
    let skipped = messages.len().saturating_sub(show.limit.unwrap_or(1_000));
    HttpResponse::Ok().json(json!({
        "taken": twilio.taken(),
        "shown": messages.len() - skipped,
        "matching": messages.len(),
        "messages": &messages[skipped..],
        "counts": text_counts(&messages),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tell {
    status: String,
    #[serde(default)]
    error_code: Option<u32>,
}

async fn twilio_status(
    path: web::Path<String>,
    body: web::Bytes,
    twilio: web::Data<Twilio>,
) -> Answer {
    let tell: Tell = parse(&body)?;
    match twilio.tell(&path, &tell.status, tell.error_code).await {
        Some(posted) => Ok(HttpResponse::Ok().json(json!({ "callback": posted }))),
        None => Ok(HttpResponse::NotFound().json(json!({ "error": "no such message" }))),
    }
}

async fn twilio_emails(
    filter: web::Query<EmailFilter>,
    show: web::Query<Show>,
    twilio: web::Data<Twilio>,
) -> HttpResponse {
    let emails = twilio.emails(&filter);
    let skipped = emails.len().saturating_sub(show.limit.unwrap_or(100));
    HttpResponse::Ok().json(json!({
        "taken": twilio.emails_taken(),
        "shown": emails.len() - skipped,
        "matching": emails.len(),
        "emails": &emails[skipped..],
        "counts": email_counts(&emails),
    }))
}

/// An e-mail as its recipient sees it.
async fn twilio_email_html(path: web::Path<String>, twilio: web::Data<Twilio>) -> HttpResponse {
    let all = twilio.emails(&EmailFilter::default());
    match all.into_iter().find(|email| email.id == *path) {
        Some(email) => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((
                header::CONTENT_SECURITY_POLICY,
                "sandbox; script-src 'none'",
            ))
            .body(email.html),
        None => HttpResponse::NotFound().json(json!({ "error": "no such e-mail" })),
    }
}

async fn twilio_email_plan(body: web::Bytes, twilio: web::Data<Twilio>) -> Answer {
    done(twilio.plan_emails(parse(&body)?))
}

async fn twilio_email_domain(body: web::Bytes, twilio: web::Data<Twilio>) -> Answer {
    twilio.verify_domain(&parse(&body)?);
    done(Ok(()))
}

/// Every domain may send but these.
async fn twilio_email_domains(twilio: web::Data<Twilio>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "unverified": twilio.settings().emails.unverified }))
}

async fn twilio_requests(twilio: web::Data<Twilio>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "requests": twilio.requests() }))
}

async fn zoho_account(body: web::Bytes, zoho: web::Data<Zoho>) -> Answer {
    let credentials = zoho.register(parse(&body)?).map_err(bad)?;
    Ok(HttpResponse::Created().json(credentials))
}

async fn zoho_records(body: web::Bytes, zoho: web::Data<Zoho>) -> Answer {
    let count = zoho.put(parse(&body)?).map_err(bad)?;
    Ok(HttpResponse::Ok().json(json!({ "records": count })))
}

async fn zoho_remove(
    path: web::Path<(String, String, String)>,
    zoho: web::Data<Zoho>,
) -> HttpResponse {
    let (organization, kind, id) = path.into_inner();
    match Kind::from_path(&kind) {
        Some(kind) if zoho.remove(&organization, kind, &id) => HttpResponse::NoContent().finish(),
        _ => HttpResponse::NotFound().json(json!({ "error": "no such record" })),
    }
}

async fn zoho_next(body: web::Bytes, zoho: web::Data<Zoho>) -> Answer {
    done(zoho.next(parse(&body)?))
}

async fn zoho_expire(zoho: web::Data<Zoho>) -> Answer {
    zoho.expire_access_tokens();
    done(Ok(()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    refresh_token: String,
}

async fn zoho_revoke(body: web::Bytes, zoho: web::Data<Zoho>) -> Answer {
    let revoke: Revoke = parse(&body)?;
    if zoho.revoke_refresh_token(&revoke.refresh_token) {
        return done(Ok(()));
    }
    Err(bad("no such refresh token".into()))
}

async fn zoho_requests(zoho: web::Data<Zoho>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "requests": zoho.requests() }))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, actix_web::Error> {
    serde_json::from_slice(body).map_err(|error| bad(BadOrder(error.to_string())))
}

fn bad(reason: BadOrder) -> actix_web::Error {
    let answer = HttpResponse::BadRequest().json(json!({ "error": reason.0 }));
    actix_web::error::InternalError::from_response(reason, answer).into()
}

fn done(outcome: Result<(), BadOrder>) -> Answer {
    outcome.map_err(bad)?;
    Ok(HttpResponse::Ok().json(json!({ "ok": true })))
}
