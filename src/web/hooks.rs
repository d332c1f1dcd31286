//! Webhooks in, status reports in: find the hook, check length and type, read the raw bytes, hand
//! them to the app. Nothing else happens in the request.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{self, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Scope};

use super::extract::client_addr::ClientAddr;
use super::intake::{self, Broken, IntakeBudget, Room};
use super::middleware::bodies::RETRY_AFTER;
use super::on_main;
use super::problem::Problem;
use crate::app::pipeline::{Hook, HookRequest, Received};
use crate::app::sending::receipts::ReportAnswer;
use crate::app::{App, AppError};
use crate::domain::connection::Provider;
use crate::domain::event::{EventSource, EventType};
use crate::store::StoreError;
use crate::transport::SignedRequest;
use crate::twilio;
use crate::twilio::inbound::SILENCE;
use crate::zoho;
use crate::zoho::content::{ContentKind, is_encoded};
use crate::zoho::webhook::SIGNATURE_HEADER;

/// The largest body that is taken: an invoice of one line has about 16 KB.
const LARGEST_BODY: usize = 1024 * 1024;

/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// How long the hook itself may be looked for.
const FIND_WITHIN: Duration = Duration::from_secs(2);

/// How long a request that has arrived may take to be stored or refused: whoever posts hears within 10 s,
/// whatever the database does.
const STORE_WITHIN: Duration = Duration::from_millis(7_500);

/// The most pairs of a query and a form together. Zoho sends a handful; each costs far more memory than
/// the two bytes that it has on the way, and all of them are sorted before the signature can be checked.
const MOST_PAIRS: usize = 1000;

/// When a suspended account's webhook is worth another try.
const SUSPENDED_RETRY: Duration = Duration::from_hours(1);

/// The longest label of a path.
const LONGEST_LABEL: usize = 40;

/// Status reports are small forms.
const LARGEST_REPORT: usize = 64 * 1024;

/// The addresses that providers call.
pub fn routes(config: &mut ServiceConfig) {
    config.service(zoho_routes()).service(twilio_routes());
}

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
fn zoho_routes() -> Scope {
    web::scope(ZOHO).default_service(web::to(zoho))
}

fn twilio_routes() -> Scope {
    // A slash at the end is easily copied along.
    let slashed = |path: &str| [path.to_owned(), format!("{path}/")];
    web::scope("/hooks/twilio")
        .service(
            web::resource(slashed("/{token}/status"))
                .route(web::post().to(twilio_status))
                .default_service(web::to(only_post)),
        )
        .service(
            web::resource(slashed("/{token}/inbound"))
                .route(web::post().to(twilio_inbound))
                .default_service(web::to(only_post)),
        )
        .service(
            web::resource(["/{token}", "/{token}/{rest:.*}"])
                .default_service(web::to(twilio_astray)),
        )
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
async fn zoho(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
    budget: Data<IntakeBudget>,
) -> HttpResponse {
    let Some(path) = HookPath::of(&request) else {
        return zoho_astray(&request, &app).await;
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

/// What has not ended in time may still be stored, which its repeat will find.
async fn in_time<T>(
    span: Duration,
    done: impl Future<Output = Result<T, AppError>>,
) -> Result<T, AppError> {
    tokio::time::timeout(span, done)
        .await
        .unwrap_or(Err(AppError::Store(StoreError::Late)))
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

/// A status report of Twilio.
async fn twilio_status(
    request: HttpRequest,
    token: Path<String>,
    payload: Payload,
    app: Data<App>,
) -> HttpResponse {
    let Some(signed) = signed_request(&request, payload).await else {
        return unreadable("A status report has at most 64 KiB and arrives within 10 s");
    };
    let (provider, token) = (twilio::PROVIDER, token.into_inner());
    let answered = in_time(STORE_WITHIN, async {
        match app.receive_plain_report(provider, &token, &signed).await {
            Some(answered) => answered,
            None => {
                on_main(&app, |app| async move {
                    app.receive_reports(provider, &token, signed).await
                })
                .await
            }
        }
    });
    match answered.await {
        Ok(ReportAnswer::Kept) => HttpResponse::NoContent().finish(),
        Ok(refused) => refused_by(refused),
        Err(error) => not_stored(&error),
    }
}

/// A message of a recipient. Twilio asks what to answer: nothing, since it answers STOP, START and
/// HELP itself.
async fn twilio_inbound(
    request: HttpRequest,
    token: Path<String>,
    payload: Payload,
    app: Data<App>,
) -> HttpResponse {
    let Some(signed) = signed_request(&request, payload).await else {
        return unreadable("A message has at most 64 KiB and arrives within 10 s");
    };
    let token = token.into_inner();
    let answered = on_main(&app, |app| async move {
        app.receive_inbound(twilio::PROVIDER, &token, signed).await
    });
    match in_time(STORE_WITHIN, answered).await {
        Ok(ReportAnswer::Kept) => HttpResponse::Ok()
            .content_type("text/xml; charset=utf-8")
            .body(SILENCE),
        Ok(refused) => refused_by(refused),
        Err(error) => not_stored(&error),
    }
}

/// What a request of Twilio's is checked by; `None` when its body is too large or too slow.
async fn signed_request(request: &HttpRequest, payload: Payload) -> Option<SignedRequest> {
    let arriving = payload.to_bytes_limited(LARGEST_REPORT);
    let Ok(Ok(Ok(body))) = tokio::time::timeout(BODY_WITHIN, arriving).await else {
        return None;
    };
    let path_and_query = request.uri().path_and_query();
    Some(SignedRequest {
        path_and_query: path_and_query.map_or("/", |p| p.as_str()).to_owned(),
        body,
        signature: header_text(request, "x-twilio-signature"),
        client: ClientAddr::of(request).0,
    })
}

fn refused_by(answer: ReportAnswer) -> HttpResponse {
    match answer {
        ReportAnswer::Kept | ReportAnswer::UnknownHook => unknown_hook(),
        ReportAnswer::Forged => {
            let detail = "The signature does not match this account's Auth Token";
            Problem::new(
                StatusCode::FORBIDDEN,
                "signature",
                "Not signed by Twilio",
                detail,
            )
            .into_response()
        }
        ReportAnswer::Unreadable => unreadable("This names no message of Twilio's"),
    }
}

fn unreadable(detail: &str) -> HttpResponse {
    Problem::new(StatusCode::BAD_REQUEST, "body", "Unreadable body", detail).into_response()
}

fn unknown_hook() -> HttpResponse {
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
fn not_stored(error: &AppError) -> HttpResponse {
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

async fn only_post_and_put(request: &HttpRequest, app: &App) -> HttpResponse {
    let reason = format!(
        "The request came as {}. In Zoho Books, set the method of this webhook to POST",
        bounded(request.method().as_str())
    );
    note_stray(request, app, zoho::PROVIDER, reason).await;
    wrong_method("POST, PUT")
}

async fn only_post(request: HttpRequest, app: Data<App>) -> HttpResponse {
    let reason = format!(
        "The request came as {}. At Twilio, set the method beside this web address to HTTP POST",
        bounded(request.method().as_str())
    );
    note_stray(&request, &app, twilio::PROVIDER, reason).await;
    wrong_method("POST")
}

/// An address of a hook with something behind it that leads nowhere.
async fn zoho_astray(request: &HttpRequest, app: &App) -> HttpResponse {
    let remedy = "behind the hook come an event type and a label at most, as in \
                  …/invoice.overdue/14d";
    astray(request, app, zoho::PROVIDER, remedy).await
}

async fn twilio_astray(request: HttpRequest, app: Data<App>) -> HttpResponse {
    let remedy = "it ends in /inbound for messages, and in /status for status reports";
    astray(&request, &app, twilio::PROVIDER, remedy).await
}

async fn astray(
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
async fn note_stray(request: &HttpRequest, app: &App, provider: Provider, reason: String) {
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

fn wrong_method(allowed: &'static str) -> HttpResponse {
    let detail = format!("This address takes {allowed}");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut answer = Problem::new(status, "method", "Wrong method", detail).into_response();
    answer
        .headers_mut()
        .insert(header::ALLOW, header::HeaderValue::from_static(allowed));
    answer
}

fn header_text(request: &HttpRequest, name: &str) -> Option<String> {
    request
        .headers()
        .get(name)
        .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
}

/// Text from outside, short and printable.
fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
