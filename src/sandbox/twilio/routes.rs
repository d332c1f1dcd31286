//! Twilio's addresses, all under one base: `/2010-04-01/…` and `/v1/Services`.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::rt::time::sleep;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::account::{Account, InFlight, Permission, basic, random_sid};
use super::create::Form;
use super::error::Refusal;
use super::fault::{Fault, FaultKind, On};
use super::message::ListFilter;
use super::{LoggedRequest, Twilio};
use crate::sandbox::line;
use crate::sandbox::log::lock;

const HANG: Duration = Duration::from_secs(60);
const PAGE: &str = "<html><head><title>Bad gateway</title></head><body>nginx</body></html>";

/// Mounts the addresses.
pub(in crate::sandbox) fn mount(app: &mut web::ServiceConfig) {
    let messages = "/2010-04-01/Accounts/{account}/Messages";
    app.service(
        web::resource(format!("{messages}.json"))
            .route(web::post().to(create))
            .route(web::get().to(list))
            .default_service(web::to(method_not_allowed)),
    )
    .service(read_only(
        &format!("{messages}/{{message}}.json"),
        web::get().to(fetch),
    ))
    .service(read_only(
        "/2010-04-01/Accounts/{account}/Balance.json",
        web::get().to(balance),
    ))
    .service(read_only(
        "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json",
        web::get().to(numbers),
    ))
    .service(read_only(
        "/2010-04-01/Accounts/{account}.json",
        web::get().to(account),
    ))
    .service(read_only("/v1/Services", web::get().to(services)))
    .service(web::scope("/2010-04-01").default_service(web::to(
        |request: HttpRequest| async move { Refusal::not_found(request.path()).response() },
    )));
}

fn read_only(path: &str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path)
        .route(route)
        .default_service(web::to(method_not_allowed))
}

async fn method_not_allowed(request: HttpRequest) -> HttpResponse {
    let message = format!("{} is not allowed for {}", request.method(), request.path());
    Refusal::new(405, 20004, message).response()
}

async fn create(
    request: HttpRequest,
    body: web::Bytes,
    path: web::Path<String>,
    twilio: web::Data<Twilio>,
) -> HttpResponse {
    twilio.note(&request, &body);
    let content_type = header_of(&request, &header::CONTENT_TYPE).unwrap_or_default();
    let form = Form::from_body(content_type, &body);
    let fault = twilio.fault(On::Create, form.get("To"));
    let entry = twilio.enter(&request, Some(path.as_str()), Permission::MessagesCreate);
    let twilio = twilio.get_ref().clone();
    let taker = twilio.clone();
    answer(&twilio, &request, fault, entry, 201, move |account| {
        taker.take(account, &form)
    })
    .await
}

async fn list(
    request: HttpRequest,
    path: web::Path<String>,
    twilio: web::Data<Twilio>,
) -> HttpResponse {
    twilio.note(&request, b"");
    let query = query(&request);
    let fault = twilio.fault(On::List, find(&query, "To"));
    let entry = twilio.enter(&request, Some(path.as_str()), Permission::MessagesRead);
    let reader = twilio.get_ref().clone();
    answer(&twilio, &request, fault, entry, 200, move |account| {
        reader.page(account, &query)
    })
    .await
}

async fn fetch(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    twilio: web::Data<Twilio>,
) -> HttpResponse {
    twilio.note(&request, b"");
    let (sid, message) = path.into_inner();
    let fault = twilio.fault(On::Fetch, None);
    let entry = twilio.enter(&request, Some(&sid), Permission::MessagesRead);
    let reader = twilio.get_ref().clone();
    let address = request.path().to_owned();
    answer(&twilio, &request, fault, entry, 200, move |account| {
        let state = lock(&reader.0.state);
        let found = state
            .ledger
            .get(&message)
            .filter(|found| found.account_sid == account.sid);
        found
            .map(super::Message::json)
            .ok_or_else(|| Refusal::not_found(&address))
    })
    .await
}

async fn account(
    request: HttpRequest,
    path: web::Path<String>,
    twilio: web::Data<Twilio>,
) -> HttpResponse {
    other(
        &request,
        &twilio,
        Some(&path),
        Permission::Account,
        |account| {
            json!({
                "sid": account.sid,
                "friendly_name": account.friendly_name,
                "status": account.status,
                "type": account.kind,
                // Twilio really shows it: a client must neither log nor keep this body.
                "auth_token": account.auth_token,
                "owner_account_sid": account.sid,
                "date_created": "Thu, 30 Jul 2020 20:00:00 +0000",
                "date_updated": "Thu, 30 Jul 2020 20:00:00 +0000",
                "uri": format!("/2010-04-01/Accounts/{}.json", account.sid),
                "subresource_uris": {
                    "messages": format!("/2010-04-01/Accounts/{}/Messages.json", account.sid),
                },
            })
        },
    )
    .await
}

async fn balance(
    request: HttpRequest,
    path: web::Path<String>,
    twilio: web::Data<Twilio>,
) -> HttpResponse {
    other(&request, &twilio, Some(&path), Permission::Balance, |account| {
        json!({ "account_sid": account.sid, "balance": account.balance, "currency": "USD" })
    })
    .await
}

async fn numbers(
    request: HttpRequest,
    path: web::Path<String>,
    twilio: web::Data<Twilio>,
) -> HttpResponse {
    let query = query(&request);
    other(
        &request,
        &twilio,
        Some(&path),
        Permission::NumbersRead,
        move |account| {
            let size = page_size(&query);
            let page = page_number(&query);
            let base = format!(
                "/2010-04-01/Accounts/{}/IncomingPhoneNumbers.json",
                account.sid
            );
            // Only real numbers are listed: neither alphanumeric ids nor channel senders.
            let all = account
                .numbers
                .iter()
                .filter(|number| number.starts_with('+'));
            let rows: Vec<Value> = all
                .clone()
                .enumerate()
                .skip(page * size)
                .take(size)
                .map(|(index, number)| number_json(account, index, number))
                .collect();
            let next = (all.count() > (page + 1) * size)
                .then(|| format!("{base}?PageSize={size}&Page={}", page + 1));
            json!({
                "incoming_phone_numbers": rows,
                "page": page,
                "page_size": size,
                "uri": format!("{base}?PageSize={size}&Page={page}"),
                "first_page_uri": format!("{base}?PageSize={size}&Page=0"),
                "next_page_uri": next,
                "previous_page_uri": null,
            })
        },
    )
    .await
}

fn number_json(account: &Account, index: usize, number: &str) -> Value {
    json!({
        "sid": format!("PN{index:032x}"),
        "account_sid": account.sid,
        "phone_number": number,
        "friendly_name": number,
        "capabilities": { "voice": true, "sms": true, "mms": true, "fax": false },
        "sms_url": account.inbound_url,
        "status": "in-use",
        "type": "local",
    })
}

async fn services(request: HttpRequest, twilio: web::Data<Twilio>) -> HttpResponse {
    let query = query(&request);
    let info = request.connection_info();
    let base = format!("{}://{}/v1/Services", info.scheme(), info.host());
    drop(info);
    other(
        &request,
        &twilio,
        None,
        Permission::ServicesRead,
        move |account| {
            let size = page_size(&query);
            let page = page_number(&query);
            let rows: Vec<Value> = account
                .services
                .iter()
                .skip(page * size)
                .take(size)
                .map(|service| {
                    json!({
                        "sid": service.sid,
                        "account_sid": account.sid,
                        "friendly_name": service.friendly_name,
                        "status_callback": service.status_callback,
                        "inbound_request_url": account.inbound_url,
                        "use_inbound_webhook_on_number": account.inbound_url.is_none(),
                        "validity_period": 14_400,
                        "usecase": "notifications",
                        "us_app_to_person_registered": true,
                        "date_created": "2020-07-30T20:00:00Z",
                        "date_updated": "2020-07-30T20:00:00Z",
                        "url": format!("{base}/{}", service.sid),
                    })
                })
                .collect();
            let next = (account.services.len() > (page + 1) * size)
                .then(|| format!("{base}?PageSize={size}&Page={}", page + 1));
            json!({
                "services": rows,
                "meta": {
                    "page": page,
                    "page_size": size,
                    "first_page_url": format!("{base}?PageSize={size}&Page=0"),
                    "previous_page_url": null,
                    "url": format!("{base}?PageSize={size}&Page={page}"),
                    "next_page_url": next,
                    "key": "services",
                },
            })
        },
    )
    .await
}

/// A read that cannot fail once it is allowed.
async fn other(
    request: &HttpRequest,
    twilio: &Twilio,
    sid: Option<&str>,
    wanted: Permission,
    show: impl FnOnce(&Account) -> Value + Send + 'static,
) -> HttpResponse {
    twilio.note(request, b"");
    let fault = twilio.fault(On::Other, None);
    let entry = twilio.enter(request, sid, wanted);
    answer(twilio, request, fault, entry, 200, |account| {
        Ok(show(account))
    })
    .await
}

/// An authenticated request, counted while it is held.
struct Entry {
    account: Arc<Account>,
    in_flight: InFlight,
}

impl Twilio {
    fn note(&self, request: &HttpRequest, body: &[u8]) {
        self.0
            .requests
            .push(LoggedRequest::of(request, body, self.0.clock.now()));
    }

    fn fault(&self, on: On, to: Option<&str>) -> Option<Fault> {
        lock(&self.0.state).faults.pick(on, to)
    }

    /// Checks the credentials against the account of the path, or against all where the address
    /// names none, then the number of requests at once.
    fn enter(
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
        let in_flight = account.enter();
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

    /// One page of messages (facts 1.2).
    fn page(&self, account: &Account, query: &[(String, String)]) -> Result<Value, Refusal> {
        let filter = ListFilter::from_pairs(query)
            .map_err(|date| Refusal::bad(20001, format!("Invalid date: {date}")))?;
        let size = page_size(query);
        let page = page_number(query);
        let before = find(query, "PageToken").and_then(|token| token.strip_prefix("PA"));
        if page > 0 && before.is_none() {
            return Err(Refusal::bad(20006, "Page token is required for page > 0"));
        }
        let state = lock(&self.0.state);
        let (found, more) = state.ledger.list(&account.sid, &filter, before, size);
        let address = |page: usize, token: Option<&str>| {
            let mut pairs = form_urlencoded::Serializer::new(String::new());
            for (name, value) in query {
                if !matches!(name.as_str(), "PageSize" | "Page" | "PageToken") {
                    pairs.append_pair(name, value);
                }
            }
            pairs.append_pair("PageSize", &size.to_string());
            pairs.append_pair("Page", &page.to_string());
            if let Some(sid) = token {
                pairs.append_pair("PageToken", &format!("PA{sid}"));
            }
            format!(
                "/2010-04-01/Accounts/{}/Messages.json?{}",
                account.sid,
                pairs.finish()
            )
        };
        let next = more.then(|| found.last().map(|last| address(page + 1, Some(&last.sid))));
        Ok(json!({
            "messages": found.iter().map(|message| message.json()).collect::<Vec<_>>(),
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": (page * size + found.len()).saturating_sub(1),
            "uri": address(page, before),
            "first_page_uri": address(0, None),
            "next_page_uri": next.flatten(),
            "previous_page_uri": null,
        }))
    }
}

/// Does the work and answers, or lets the fault have its way.
async fn answer(
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
        None => respond(success, run(&entry, work)),
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

fn respond(success: u16, outcome: Result<Value, Refusal>) -> HttpResponse {
    match outcome {
        Ok(value) => HttpResponse::build(status(success)).json(value),
        Err(refusal) => refusal.response(),
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
            Ok(outcome) => respond(success, outcome),
            Err(_) => Refusal::new(500, 20500, "Internal Server Error").response(),
        };
    }
    let mut taken = Value::Null;
    if fault.accepts() {
        match run(&entry, work) {
            Ok(value) => taken = value,
            // A refused message has nothing to lose: it is answered as always.
            Err(refusal) => return refusal.response(),
        }
    }
    let hang = matches!(
        fault.kind,
        FaultKind::TimeoutBefore | FaultKind::TimeoutAfter
    );
    sleep(delay.unwrap_or(if hang { HANG } else { Duration::ZERO })).await;
    let refusal = |status: u16, code: u32, message: &str| {
        let mut response = Refusal::new(status, code, message).response();
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
        FaultKind::Slow => respond(success, Ok(taken)),
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

fn header_of<'a>(request: &'a HttpRequest, name: &header::HeaderName) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

fn query(request: &HttpRequest) -> Vec<(String, String)> {
    form_urlencoded::parse(request.query_string().as_bytes())
        .into_owned()
        .collect()
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// `PageSize`: 50 unless told, at most 1000.
fn page_size(query: &[(String, String)]) -> usize {
    find(query, "PageSize")
        .and_then(|size| size.parse().ok())
        .unwrap_or(50)
        .clamp(1, 1_000)
}

fn page_number(query: &[(String, String)]) -> usize {
    find(query, "Page")
        .and_then(|page| page.parse().ok())
        .unwrap_or(0)
}
