//! `/books/v3/…`: organisations, records, payment links.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::fault::{ZohoOn, bad_value, daily_limit, minute_limit, refuse, unauthorised};
use super::kind::Kind;
use super::list::{self, get};
use super::{Organization, State, Zoho, rate_headers};
use crate::sandbox::log::lock;

type Pairs = Vec<(String, String)>;

pub(super) fn mount(app: &mut web::ServiceConfig) {
    app.service(
        web::scope("/books/v3")
            .route("/organizations", web::get().to(organizations))
            .route("/share/paymentlink", web::get().to(payment_link))
            .route(
                "/contacts/{id}/contactpersons",
                web::get().to(contact_persons),
            )
            .route("/{kind}", web::get().to(records))
            .route("/{kind}/{id}", web::get().to(record))
            .default_service(web::to(unknown)),
    );
}

async fn unknown() -> HttpResponse {
    refuse(404, 5, "Invalid URL Passed")
}

async fn organizations(request: HttpRequest, zoho: web::Data<Zoho>) -> HttpResponse {
    if let Some(answer) = begin(&request, &zoho).await {
        return answer;
    }
    let state = lock(&zoho.0.state);
    let Some(client_id) = bearer(&state, &request, "settings", zoho.0.clock.now()) else {
        return unauthorised();
    };
    let visible: Vec<&Value> = state
        .clients
        .get(&client_id)
        .into_iter()
        .flat_map(|client| &client.organizations)
        .filter_map(|id| state.organizations.get(id))
        .map(|organization| &organization.shown)
        .collect();
    HttpResponse::Ok().json(json!({
        "code": 0,
        "message": "success",
        "organizations": visible,
    }))
}

async fn records(
    request: HttpRequest,
    path: web::Path<String>,
    zoho: web::Data<Zoho>,
) -> HttpResponse {
    let Some(kind) = Kind::from_path(&path) else {
        return unknown().await;
    };
    within(&request, &zoho, kind.path(), |organization, query| {
        let rows: Vec<&Map<String, Value>> = organization
            .records
            .get(&kind)
            .into_iter()
            .flat_map(|rows| rows.values())
            .collect();
        list::answer(kind, &rows, query)
    })
    .await
}

async fn record(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    zoho: web::Data<Zoho>,
) -> HttpResponse {
    let (kind, id) = path.into_inner();
    let Some(kind) = Kind::from_path(&kind) else {
        return unknown().await;
    };
    within(
        &request,
        &zoho,
        kind.path(),
        |organization, _| match organization.find(kind, &id) {
            Some(record) => HttpResponse::Ok().json(json!({
                "code": 0,
                "message": "success",
                kind.envelope(): record,
            })),
            None => does_not_exist(kind),
        },
    )
    .await
}

async fn contact_persons(
    request: HttpRequest,
    path: web::Path<String>,
    zoho: web::Data<Zoho>,
) -> HttpResponse {
    within(&request, &zoho, "contacts", |organization, query| {
        let Some(contact) = organization.find(Kind::Contacts, &path) else {
            return does_not_exist(Kind::Contacts);
        };
        let persons = contact.get("contact_persons").and_then(Value::as_array);
        match list::cut(persons.cloned().unwrap_or_default(), query) {
            Err(parameter) => bad_value(&parameter),
            Ok((rows, mut context)) => {
                context.insert("sort_column".to_owned(), "contact_person_id".into());
                context.insert("sort_order".to_owned(), "A".into());
                HttpResponse::Ok().json(json!({
                    "code": 0,
                    "message": "success",
                    "contact_persons": rows,
                    "page_context": context,
                }))
            }
        }
    })
    .await
}

async fn payment_link(request: HttpRequest, zoho: web::Data<Zoho>) -> HttpResponse {
    within(&request, &zoho, "settings", |organization, query| {
        let known = |name: &str, words: &[&str]| {
            get(query, name).is_some_and(|value| words.contains(&value))
        };
        if !known("transaction_type", &["invoice"]) {
            return bad_value("transaction_type");
        }
        if !known("link_type", &["public", "private"]) {
            return bad_value("link_type");
        }
        let expiry = get(query, "expiry_time").map(str::parse::<chrono::NaiveDate>);
        if !matches!(expiry, Some(Ok(_))) {
            return bad_value("expiry_time");
        }
        let Some(id) = get(query, "transaction_id") else {
            return bad_value("transaction_id");
        };
        let Some(invoice) = organization.find(Kind::Invoices, id) else {
            return does_not_exist(Kind::Invoices);
        };
        let url = invoice
            .get("invoice_url")
            .and_then(Value::as_str)
            .map_or_else(
                // Zoho's links end in a blank.
                || format!("https://zohosecurepay.com/books/sandbox/secure?CInvoiceID=2-{id} "),
                str::to_owned,
            );
        let data = json!({ "share_link": url });
        HttpResponse::Ok().json(json!({ "code": 0, "message": "success", "data": data }))
    })
    .await
}

fn does_not_exist(kind: Kind) -> HttpResponse {
    refuse(404, 1002, &format!("{} does not exist.", kind.noun()))
}

/// Logs the request and lets an ordered fault have its way.
async fn begin(request: &HttpRequest, zoho: &Zoho) -> Option<HttpResponse> {
    zoho.note(request, b"");
    zoho.fault(ZohoOn::Api, request.path())?
        .answer(request)
        .await
}

/// Checks token, scope, organisation and limits, then shows.
async fn within(
    request: &HttpRequest,
    zoho: &Zoho,
    area: &str,
    show: impl FnOnce(&Organization, &Pairs) -> HttpResponse,
) -> HttpResponse {
    if let Some(answer) = begin(request, zoho).await {
        return answer;
    }
    let now = zoho.0.clock.now();
    let query: Pairs = form_urlencoded::parse(request.query_string().as_bytes())
        .into_owned()
        .collect();
    let mut state = lock(&zoho.0.state);
    let Some(client_id) = bearer(&state, request, area, now) else {
        return unauthorised();
    };
    let id = get(&query, "organization_id")
        .unwrap_or_default()
        .to_owned();
    let visible = state
        .clients
        .get(&client_id)
        .is_some_and(|client| client.organizations.contains(&id));
    let Some(organization) = state.organizations.get_mut(&id).filter(|_| visible) else {
        let message = format!("This user is not associated with the CompanyID/CompanyName:{id}.");
        return refuse(400, 6041, &message);
    };
    organization.count(now);
    if organization
        .limits
        .per_minute
        .is_some_and(|limit| organization.this_minute.1 > limit)
    {
        return minute_limit();
    }
    if let Some(limit) = organization.limits.per_day
        && organization.today.1 > limit
    {
        return daily_limit(limit);
    }
    let mut response = show(organization, &query);
    if let Some(limit) = organization.limits.per_day {
        rate_headers(&mut response, limit, organization.today.1);
    }
    response
}

/// The client of a live token that may read `area`. Only Zoho's own scheme is known.
fn bearer(state: &State, request: &HttpRequest, area: &str, now: DateTime<Utc>) -> Option<String> {
    let header = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let token = header.strip_prefix("Zoho-oauthtoken ")?;
    let access = state.access_tokens.get(token)?;
    if access.expires.is_some_and(|end| end <= now) {
        return None;
    }
    let may = access.scopes.as_ref().is_none_or(|scopes| {
        let wanted = [
            format!("ZohoBooks.{area}.READ"),
            format!("ZohoBooks.{area}.ALL"),
            "ZohoBooks.fullaccess.all".to_owned(),
        ];
        scopes
            .iter()
            .any(|scope| wanted.iter().any(|one| one.eq_ignore_ascii_case(scope)))
    });
    may.then(|| access.client_id.clone())
}
