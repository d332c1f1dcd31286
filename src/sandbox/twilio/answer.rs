//! How a request is let in and answered, rightly or as a fault wants it.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::rt::time::sleep;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::account::{Account, InFlight, Permission, basic, random_sid};
use super::error::Refusal;
use super::fault::{Fault, FaultKind, On};
use super::{LoggedRequest, Twilio};
use crate::sandbox::line;
use crate::sandbox::log::lock;

const HANG: Duration = Duration::from_mins(1);
const PAGE: &str = "<html><head><title>Bad gateway</title></head><body>nginx</body></html>";

/// An authenticated request, counted while it is held.
pub(super) struct Entry {
    account: Arc<Account>,
    in_flight: InFlight,
}

impl Twilio {
    /// Logs a request to send an e-mail, in a log of its own: they are large.
    pub(super) fn note_email(&self, request: &HttpRequest, body: &[u8]) {
        self.0
            .email_requests
            .push(LoggedRequest::of(request, body, self.0.clock.now()));
    }

    /// Logs a request.
    pub(super) fn note(&self, request: &HttpRequest, body: &[u8]) {
        self.0
            .requests
            .push(LoggedRequest::of(request, body, self.0.clock.now()));
    }

    /// The fault that meets a request, if any.
    pub(super) fn fault(&self, on: On, to: Option<&str>) -> Option<Fault> {
        lock(&self.0.state).faults.pick(on, to)
    }

    /// Checks the credentials against the account of the path, or against all where the address
    /// names none, then the number of requests at once.
    pub(super) fn enter(
        &self,
        request: &HttpRequest,
        sid: Option<&str>,
        wanted: Permission,
    ) -> Result<Entry, Refusal> {
        let (user, password) = basic(header_of(request, &header::AUTHORIZATION))?;
        let state = lock(&self.0.state);
        let owner = || {
            state
                .accounts
                .values()
                .find(|account| account.knows(&user, &password))
        };
        let account = match sid {
            None => owner().ok_or_else(Refusal::unauthorised)?,
            Some(sid) => match state.accounts.get(sid) {
                Some(account) => account,
                // Good credentials with a wrong sid in the path.
                None if owner().is_some() => return Err(Refusal::not_found(request.path())),
                None => return Err(Refusal::unauthorised()),
            },
        };
        account.admit(&user, &password, wanted)?;
        let mut in_flight = account.enter();
        in_flight.count += state.settings.other_requests;
        let limit = account
            .concurrency_limit
            .unwrap_or(state.settings.concurrency_limit);
        if in_flight.count > limit {
            return Err(Refusal::too_many());
        }
        Ok(Entry {
            account: Arc::clone(account),
            in_flight,
        })
    }
}

/// Does the work and answers, or lets the fault have its way.
pub(super) async fn answer(
    twilio: &Twilio,
    request: &HttpRequest,
    fault: Option<Fault>,
    entry: Result<Entry, Refusal>,
    success: u16,
    work: impl FnOnce(&Account) -> Result<Value, Refusal> + Send + 'static,
) -> HttpResponse {
    let latency = lock(&twilio.0.state).settings.latency_ms;
    if latency > 0 {
        sleep(Duration::from_millis(latency)).await;
    }
    let count = entry.as_ref().map_or(0, |entry| entry.in_flight.count);
    let mut response = match fault {
        None => respond(request, success, run(&entry, work)),
        Some(fault) => faulty(twilio, request, &fault, entry, success, work).await,
    };
    for (name, value) in [
        ("twilio-concurrent-requests", count.to_string()),
        ("twilio-request-id", random_sid("RQ")),
    ] {
        if let Ok(value) = header::HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .insert(header::HeaderName::from_static(name), value);
        }
    }
    response
}

fn run(
    entry: &Result<Entry, Refusal>,
    work: impl FnOnce(&Account) -> Result<Value, Refusal>,
) -> Result<Value, Refusal> {
    entry
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|entry| work(&entry.account))
}

fn respond(request: &HttpRequest, success: u16, outcome: Result<Value, Refusal>) -> HttpResponse {
    match outcome {
        Ok(value) => HttpResponse::build(status(success)).json(value),
        Err(refusal) => refusal.response_to(request),
    }
}

async fn faulty(
    twilio: &Twilio,
    request: &HttpRequest,
    fault: &Fault,
    entry: Result<Entry, Refusal>,
    success: u16,
    work: impl FnOnce(&Account) -> Result<Value, Refusal> + Send + 'static,
) -> HttpResponse {
    let delay = fault.delay_ms.map(Duration::from_millis);
    if fault.kind == FaultKind::Slow && !fault.accepts() {
        // A task of its own: Twilio does not notice that a client has gone.
        let late = twilio.0.runtime.spawn(async move {
            tokio::time::sleep(delay.unwrap_or_default()).await;
            run(&entry, work)
        });
        return match late.await {
            Ok(outcome) => respond(request, success, outcome),
            Err(_) => Refusal::new(500, 20500, "Internal Server Error").response_to(request),
        };
    }
    let mut taken = Value::Null;
    if fault.accepts() {
        match run(&entry, work) {
            Ok(value) => taken = value,
            // A refused message has nothing to lose: it is answered as always.
            Err(refusal) => return refusal.response_to(request),
        }
    }
    let hang = matches!(
        fault.kind,
        FaultKind::TimeoutBefore | FaultKind::TimeoutAfter
    );
    sleep(delay.unwrap_or(if hang { HANG } else { Duration::ZERO })).await;
    let refusal = |status: u16, code: u32, message: &str| {
        let mut response = Refusal::new(status, code, message).response_to(request);
        if let Some(seconds) = fault.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        response
    };
    match fault.kind {
        FaultKind::TooMany => refusal(429, 20429, "Too Many Requests"),
        FaultKind::InternalError if fault.html => page(500),
        FaultKind::InternalError => refusal(500, 20500, "Internal Server Error"),
        FaultKind::Unavailable if fault.html => page(503),
        FaultKind::Unavailable => refusal(503, 20503, "Service Unavailable"),
        FaultKind::ErrorCode => {
            let message = fault.message.as_deref().unwrap_or("Ordered by the sandbox");
            refusal(
                fault.status.unwrap_or(400),
                fault.code.unwrap_or_default(),
                message,
            )
        }
        FaultKind::Garbage => HttpResponse::build(status(success))
            .content_type("application/json")
            .body("{\"sid\": \"SM0123\", \"sta\u{0}\u{1}"),
        FaultKind::Empty => HttpResponse::build(status(success))
            .content_type("application/json")
            .finish(),
        FaultKind::Html => page(200),
        FaultKind::Slow => respond(request, success, Ok(taken)),
        FaultKind::FailedAtOnce => {
            if let Value::Object(message) = &mut taken {
                message.insert("status".to_owned(), "failed".into());
                message.insert("error_code".to_owned(), fault.code.into());
                message.insert("error_message".to_owned(), fault.message.clone().into());
            }
            respond(request, success, Ok(taken))
        }
        FaultKind::TimeoutBefore
        | FaultKind::TimeoutAfter
        | FaultKind::DropBefore
        | FaultKind::DropAfter => line::cut(request),
    }
}

fn page(code: u16) -> HttpResponse {
    HttpResponse::build(status(code))
        .content_type("text/html")
        .body(PAGE)
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

pub(super) fn header_of<'a>(
    request: &'a HttpRequest,
    name: &header::HeaderName,
) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}
