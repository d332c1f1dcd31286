//! Webhooks of Zoho Books: find the hook, check length and type, read the raw bytes, hand them to the app.
//! Nothing else happens in the request.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, Scope};

use super::answers::{astray, not_stored, note_stray, unknown_hook, wrong_method};
use super::{BODY_WITHIN, FIND_WITHIN, STORE_WITHIN, bounded, header_text, in_time};
use crate::app::pipeline::{
    ContentKind, Hook, HookRequest, Received, SIGNATURE_HEADER, is_encoded,
};
use crate::app::{App, AppError};
use crate::domain::event::{EventSource, EventType};
use crate::web::RETRY_AFTER;
use crate::web::extract::client_addr::ClientAddr;
use crate::web::intake::{self, Broken, IntakeBudget, Room};
use crate::web::on_main;
use crate::web::problem::Problem;
use crate::web::providers;

/// The largest body that is taken: an invoice of one line has about 16 KB.
const LARGEST_BODY: usize = 1024 * 1024;

/// The most pairs of a query and a form together. Zoho sends a handful; each costs far more memory than
/// the two bytes that it has on the way, and all of them are sorted before the signature can be checked.
const MOST_PAIRS: usize = 1000;

/// When a suspended account's webhook is worth another try.
const SUSPENDED_RETRY: Duration = Duration::from_hours(1);

/// The longest label of a path.
const LONGEST_LABEL: usize = 40;

/// Where the addresses for Zoho Books begin.
pub const ZOHO: &str = "/hooks/zoho";

/// Whether an address is one for Zoho Books.
pub fn is_of_zoho(path: &str) -> bool {
    below_zoho(path).is_some()
}

fn below_zoho(path: &str) -> Option<&str> {
    path.strip_prefix(ZOHO)?.strip_prefix('/')
}

/// What follows is read by hand: patterns would cost the busiest of all addresses a fifth of its effort.
pub(super) fn routes() -> Scope {
    web::scope(ZOHO).default_service(web::to(webhook))
}

/// A web address for Zoho Books: the hook, then an event type and a label, each of them optional.
struct HookPath {
    hook: String,
    event_type: String,
    label: String,
}

impl HookPath {
    /// None where more stands there. A slash at the end is easily copied along.
    fn of(request: &HttpRequest) -> Option<Self> {
        let path = below_zoho(request.path())?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut parts = path.split('/').map(str::to_owned);
        let path = Self {
            hook: parts.next()?,
            event_type: parts.next().unwrap_or_default(),
            label: parts.next().unwrap_or_default(),
        };
        parts.next().is_none().then_some(path)
    }
}

/// A webhook of Zoho Books.
async fn webhook(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
    budget: Data<IntakeBudget>,
) -> HttpResponse {
    let Some(path) = HookPath::of(&request) else {
        return leads_nowhere(&request, &app).await;
    };
    if ![Method::POST, Method::PUT].contains(request.method()) {
        return only_post_and_put(&request, &app).await;
    }
    let token = path.hook.clone();
    let found = if let Some(hook) = app.remembered_hook(&token) {
        Ok(Some(hook))
    } else {
        let look = on_main(&app, |app| async move { app.hook(&token).await });
        in_time(FIND_WITHIN, look).await
    };
    let hook = match found {
        Ok(Some(hook)) => hook,
        Ok(None) => return unknown_hook(),
        Err(error) => return not_stored(&error),
    };
    if hook.target.is_suspended {
        return refuse(&request, &path, &app, hook, suspended()).await;
    }
    let mut room = budget.of_hook(hook.target.tenant, hook.target.connection);
    match read_request(&request, &path, payload, &mut room).await {
        Ok(read) => {
            let received =
                in_time(STORE_WITHIN, app.receive(EventSource::Webhook, &hook, read)).await;
            drop(room);
            answer(received)
        }
        Err(refusal) => refuse(&request, &path, &app, hook, refusal).await,
    }
}

fn answer(received: Result<Received, AppError>) -> HttpResponse {
    match received {
        Ok(Received::Kept(kept)) => HttpResponse::Ok().json(serde_json::json!({
            "event": kept.event,
            "duplicate": kept.is_duplicate,
        })),
        Ok(Received::Rejected(rejection)) => Problem::new(
            StatusCode::UNAUTHORIZED,
            "signature",
            "The signature is missing or wrong",
            rejection.problem.to_string(),
        )
        .into_response(),
        Err(error) => not_stored(&error),
    }
}

/// Why a request is refused before its signature is looked at.
struct Refusal {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    detail: String,
    compared: serde_json::Value,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn new(status: StatusCode, slug: &'static str, title: &'static str, detail: &str) -> Box<Self> {
        Box::new(Self {
            status,
            slug,
            title,
            detail: detail.to_owned(),
            compared: serde_json::json!({}),
            retry_after: None,
        })
    }
}

/// Reads what may be read: path, headers, and the raw bytes within bounds of size and time.
async fn read_request(
    request: &HttpRequest,
    path: &HookPath,
    payload: Payload,
    room: &mut Room,
) -> Result<HookRequest, Box<Refusal>> {
    let path_type = match path.event_type.as_str() {
        "" => None,
        text => Some(text.parse::<EventType>().map_err(|e| {
            let title = "No such event type";
            Refusal::new(StatusCode::NOT_FOUND, "event-type", title, &e.to_string())
        })?),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if path.label.len() > LONGEST_LABEL || !path.label.chars().all(plain) {
        let detail =
            "A label has at most 40 letters, digits, dots and dashes, as in …/invoice.overdue/14d";
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "label",
            "No such label",
            detail,
        ));
    }
    let content_type = header_text(request, header::CONTENT_TYPE.as_str());
    check_kind(request, content_type.as_deref())?;
    let announced = announced_length(request);
    let arriving = intake::read(payload, announced, LARGEST_BODY, room);
    let body = match tokio::time::timeout(BODY_WITHIN, arriving).await {
        Ok(Ok(body)) => body,
        Ok(Err(Broken::NoRoom)) => {
            let mut refusal = Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too many requests at once",
                "More webhooks arrive at this address than can be stored at the moment; send this \
                 one again",
            );
            refusal.retry_after = Some(RETRY_AFTER);
            return Err(refusal);
        }
        Ok(Err(Broken::TooLarge)) => return Err(too_large(announced)),
        Ok(Err(Broken::Off)) => {
            let detail = "The connection ended before the whole body had arrived";
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "body",
                "Incomplete body",
                detail,
            ));
        }
        Err(_) => {
            let detail = "The body did not arrive within 10 s";
            return Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "slow",
                "Too slow",
                detail,
            ));
        }
    };
    if pairs(request.query_string(), content_type.as_deref(), &body) > MOST_PAIRS {
        return Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-many-pairs",
            "Too many parameters",
            "The query and the form have more than 1000 parameters. Choose fewer in Zoho Books",
        ));
    }
    let signature = request
        .headers()
        .get(SIGNATURE_HEADER)
        .map(|v| v.as_bytes().to_vec());
    let read = HookRequest {
        path_type,
        label: path.label.clone(),
        query: request.query_string().to_owned(),
        content_type,
        signature,
        body,
        client: ClientAddr::of(request).0,
    };
    Ok(read)
}

/// How many pairs the signature would cover.
fn pairs(query: &str, content_type: Option<&str>, body: &[u8]) -> usize {
    let in_form = match ContentKind::of_body(content_type, body) {
        ContentKind::Form => body,
        _ => &[],
    };
    let apart = |bytes: &[u8]| bytes.split(|byte| *byte == b'&').count() - 1;
    apart(query.as_bytes()) + apart(in_form)
}

/// A body would only fill the disk of somebody whom the operator has shut out; Zoho may try again.
fn suspended() -> Box<Refusal> {
    let mut refusal = Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "suspended",
        "This account is suspended",
        "This account is suspended, so nothing was stored. Ask the operator of this service",
    );
    refusal.retry_after = Some(SUSPENDED_RETRY);
    refusal
}

fn check_kind(request: &HttpRequest, content_type: Option<&str>) -> Result<(), Box<Refusal>> {
    let unsupported = |detail: &str| {
        let title = "This kind of body is not taken";
        let mut refusal = Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
            title,
            detail,
        );
        refusal.compared = serde_json::json!({ "content_type": content_type.map(bounded) });
        refusal
    };
    if ContentKind::of(content_type) == ContentKind::Multipart {
        return Err(unsupported(
            "Zoho's signature is not defined for multipart bodies. In Zoho Books choose the default \
             payload (JSON), raw JSON or form-urlencoded for this webhook",
        ));
    }
    if is_encoded(header_text(request, header::CONTENT_ENCODING.as_str()).as_deref()) {
        return Err(unsupported(
            "Compressed bodies are not taken: send the body as it is",
        ));
    }
    Ok(())
}

fn announced_length(request: &HttpRequest) -> Option<usize> {
    header_text(request, header::CONTENT_LENGTH.as_str())?
        .trim()
        .parse()
        .ok()
}

fn too_large(announced: Option<usize>) -> Box<Refusal> {
    let detail = "The body has more than 1 MiB. Choose fewer fields in Zoho Books";
    let mut refusal = Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        "Too large",
        detail,
    );
    refusal.compared = serde_json::json!({ "body_bytes": announced });
    refusal
}

/// Answers a refusal and leaves a line under *rejected requests*.
async fn refuse(
    request: &HttpRequest,
    path: &HookPath,
    app: &App,
    hook: Arc<Hook>,
    refusal: Box<Refusal>,
) -> HttpResponse {
    let client = ClientAddr::of(request).0;
    let shown = [path.event_type.as_str(), path.label.as_str()].join("/");
    let shown = bounded(shown.trim_end_matches('/'));
    let Refusal {
        status,
        slug,
        title,
        detail,
        compared,
        retry_after,
    } = *refusal;
    let reason = detail.clone();
    let noted = on_main(app, |app| async move {
        app.reject(hook.target.clone(), shown, client, reason, compared)
            .await;
        Ok(())
    });
    drop(noted.await);
    let problem = Problem::new(status, slug, title, detail);
    match retry_after {
        Some(wait) => problem.with_retry_after(wait).into_response(),
        None => problem.into_response(),
    }
}

async fn only_post_and_put(request: &HttpRequest, app: &App) -> HttpResponse {
    let reason = format!(
        "The request came as {}. In Zoho Books, set the method of this webhook to POST",
        bounded(request.method().as_str())
    );
    note_stray(request, app, providers::ZOHO, reason).await;
    wrong_method("POST, PUT")
}

async fn leads_nowhere(request: &HttpRequest, app: &App) -> HttpResponse {
    let remedy = "behind the hook come an event type and a label at most, as in \
                  …/invoice.overdue/14d";
    astray(request, app, providers::ZOHO, remedy).await
}
