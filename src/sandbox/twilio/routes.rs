//! Twilio's addresses, all under one base: `/2010-04-01/…` and `/v1/Services`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::Twilio;
use super::account::{Account, Permission, Service};
use super::answer::{answer, header_of};
use super::create::Form;
use super::error::{Refusal, method_not_allowed};
use super::fault::On;
use super::message::ListFilter;
use super::query::{find, page_number, page_size, query};
use crate::sandbox::log::lock;

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
        "/2010-04-01/Accounts/{account}/Usage/Records/ThisMonth.json",
        web::get().to(super::usage::this_month),
    ))
    .service(read_only(
        "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json",
        web::get().to(numbers),
    ))
    .service(read_only(
        "/2010-04-01/Accounts/{account}.json",
        web::get().to(account),
    ))
    .service(read_only(
        "/2010-04-01/Accounts/{account}/SMS/ShortCodes.json",
        web::get().to(short_codes),
    ))
    .configure(super::email::mount)
    .service(read_only("/v1/Services", web::get().to(services)))
    .service(read_only("/v1/Services/{service}", web::get().to(service)))
    .service(web::scope("/2010-04-01").default_service(web::to(
        |request: HttpRequest| async move { Refusal::not_found(request.path()).response() },
    )));
}

fn read_only(path: &str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path)
        .route(route)
        .default_service(web::to(method_not_allowed))
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
            .or_else(|| state.received.get(&message))
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
    let figures = lock(&twilio.0.state).figures.get(path.as_str()).cloned();
    let ordered = figures.and_then(|ordered| ordered.balance);
    other(
        &request,
        &twilio,
        Some(&path),
        Permission::Balance,
        |account| {
            let balance = ordered.unwrap_or_else(|| account.balance.clone());
            json!({ "account_sid": account.sid, "balance": balance, "currency": "USD" })
        },
    )
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
            // Only real numbers are listed: neither alphanumeric ids nor channel senders. As at
            // Twilio, the filter is a part of the number.
            let part = find(&query, "PhoneNumber").unwrap_or_default();
            let all = account
                .numbers
                .iter()
                .filter(|number| number.starts_with('+') && number.contains(part));
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

async fn short_codes(
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
            let wanted = find(&query, "ShortCode").unwrap_or_default();
            let is_code = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit());
            let rows: Vec<Value> = account
                .numbers
                .iter()
                .filter(|number| is_code(number) && number.contains(wanted))
                .map(|code| {
                    json!({
                        "account_sid": account.sid,
                        "short_code": code,
                        "friendly_name": code,
                        "sms_url": account.inbound_url,
                    })
                })
                .collect();
            json!({ "short_codes": rows, "page": 0, "next_page_uri": null })
        },
    )
    .await
}

/// Where Messaging Services live, as the caller sees it.
fn services_base(request: &HttpRequest) -> String {
    let info = request.connection_info();
    format!("{}://{}/v1/Services", info.scheme(), info.host())
}

async fn service(
    request: HttpRequest,
    path: web::Path<String>,
    twilio: web::Data<Twilio>,
) -> HttpResponse {
    twilio.note(&request, b"");
    let fault = twilio.fault(On::Other, None);
    let entry = twilio.enter(&request, None, Permission::ServicesRead);
    let (base, address) = (services_base(&request), request.path().to_owned());
    answer(&twilio, &request, fault, entry, 200, move |account| {
        let mut services = account.services.iter();
        let found = services.find(|service| service.sid == *path);
        found
            .map(|service| service_json(account, service, &base))
            .ok_or_else(|| Refusal::not_found(&address))
    })
    .await
}

fn service_json(account: &Account, service: &Service, base: &str) -> Value {
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
}

async fn services(request: HttpRequest, twilio: web::Data<Twilio>) -> HttpResponse {
    let query = query(&request);
    let base = services_base(&request);
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
                .map(|service| service_json(account, service, &base))
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

impl Twilio {
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
