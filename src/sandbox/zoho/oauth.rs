//! OAuth 2.0 with data centres: consent, tokens, revocation.
//!
//! Every address of every data centre is this one base; the region is only data in the answers,
//! with Zoho's real host names.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{DOCTYPE, html};
use serde_json::{Value, json};
use uuid::Uuid;

use super::fault::{ZohoOn, throttled, token_error};
use super::list::get;
use super::{Access, Client, Code, Refresh, State, Zoho};
use crate::sandbox::log::lock;

/// `location`, accounts server and API root of each data centre (facts 4.1).
const REGIONS: [(&str, &str, &str); 10] = [
    (
        "us",
        "https://accounts.zoho.com",
        "https://www.zohoapis.com",
    ),
    ("eu", "https://accounts.zoho.eu", "https://www.zohoapis.eu"),
    ("in", "https://accounts.zoho.in", "https://www.zohoapis.in"),
    (
        "au",
        "https://accounts.zoho.com.au",
        "https://www.zohoapis.com.au",
    ),
    ("jp", "https://accounts.zoho.jp", "https://www.zohoapis.jp"),
    (
        "ca",
        "https://accounts.zohocloud.ca",
        "https://www.zohoapis.ca",
    ),
    (
        "cn",
        "https://accounts.zoho.com.cn",
        "https://www.zohoapis.com.cn",
    ),
    ("sa", "https://accounts.zoho.sa", "https://www.zohoapis.sa"),
    ("uk", "https://accounts.zoho.uk", "https://www.zohoapis.uk"),
    ("ae", "https://accounts.zoho.ae", "https://www.zohoapis.ae"),
];
const ACCESS_LIFE: TimeDelta = TimeDelta::seconds(3_600);
const CODE_LIFE: TimeDelta = TimeDelta::minutes(2);
const THROTTLE_WINDOW: TimeDelta = TimeDelta::minutes(10);
const TOKENS_PER_WINDOW: usize = 10;
const REFRESH_TOKENS_PER_USER: usize = 20;
const ACCESS_TOKENS_KEPT: usize = 15;

type Pairs = Vec<(String, String)>;

pub(super) fn mount(app: &mut web::ServiceConfig) {
    app.service(
        web::resource("/oauth/v2/auth")
            .route(web::get().to(ask))
            .route(web::post().to(consent)),
    )
    .service(web::resource("/oauth/v2/token").route(web::post().to(token)))
    .service(web::resource("/oauth/v2/token/revoke").route(web::post().to(revoke)));
}

/// Whether the region is in the table.
pub(super) fn is_region(region: &str) -> bool {
    REGIONS.iter().any(|(location, ..)| *location == region)
}

fn hosts(region: &str) -> (&'static str, &'static str) {
    let found = REGIONS.iter().find(|(location, ..)| *location == region);
    found.map_or((REGIONS[0].1, REGIONS[0].2), |(_, accounts, api)| {
        (*accounts, *api)
    })
}

async fn ask(request: HttpRequest, zoho: web::Data<Zoho>) -> HttpResponse {
    zoho.note(&request, b"");
    let asked = pairs(request.query_string().as_bytes());
    let mut state = lock(&zoho.0.state);
    let client = match checked(&state, &asked) {
        Ok(client) => client,
        Err(word) => return refused_page(word),
    };
    if client.auto_consent {
        return grant(&mut state, &asked, zoho.0.clock.now());
    }
    let scopes: Vec<&str> = get(&asked, "scope")
        .unwrap_or_default()
        .split(',')
        .collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Sandbox Zoho: allow access?" } }
            body {
                h1 { "Sandbox Zoho" }
                p { "The client " code { (client.id) } " would like to read:" }
                ul { @for scope in scopes { li { (scope) } } }
                form method="post" action="/oauth/v2/auth" {
                    @for (name, value) in &asked {
                        input type="hidden" name=(name) value=(value);
                    }
                    button name="decision" value="accept" { "Accept" }
                    " "
                    button name="decision" value="reject" { "Reject" }
                }
            }
        }
    };
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(page.into_string())
}

async fn consent(request: HttpRequest, body: web::Bytes, zoho: web::Data<Zoho>) -> HttpResponse {
    zoho.note(&request, &body);
    let asked = pairs(&body);
    let mut state = lock(&zoho.0.state);
    if let Err(word) = checked(&state, &asked) {
        return refused_page(word);
    }
    if get(&asked, "decision") == Some("accept") {
        return grant(&mut state, &asked, zoho.0.clock.now());
    }
    back(&asked, &[("error", "access_denied")])
}

/// The client that asks, if everything about the request is right.
fn checked<'a>(state: &'a State, asked: &Pairs) -> Result<&'a Client, &'static str> {
    let client = get(asked, "client_id")
        .and_then(|id| state.clients.get(id))
        .ok_or("invalid_client")?;
    let redirect = get(asked, "redirect_uri").ok_or("invalid_redirect_uri")?;
    if !client.redirects_to(redirect) {
        return Err("invalid_redirect_uri");
    }
    if get(asked, "response_type") != Some("code") {
        return Err("invalid_response_type");
    }
    let scope = get(asked, "scope").unwrap_or_default();
    // Scopes are separated by commas; blanks, as in other OAuth servers, are refused.
    if scope.is_empty() || scope.contains(' ') {
        return Err("invalid_oauthscope");
    }
    Ok(client)
}

fn refused_page(word: &str) -> HttpResponse {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Sandbox Zoho: error" } }
            body { h1 { "An error occurred" } p { (word) } }
        }
    };
    HttpResponse::BadRequest()
        .content_type("text/html; charset=utf-8")
        .body(page.into_string())
}

/// Issues a code and goes back with it.
fn grant(state: &mut State, asked: &Pairs, now: DateTime<Utc>) -> HttpResponse {
    let value = |name| get(asked, name).unwrap_or_default().to_owned();
    let Some(client) = state.clients.get_mut(&value("client_id")) else {
        return refused_page("invalid_client");
    };
    // Without `prompt=consent` Zoho gives a refresh token only for the first consent.
    let first = !std::mem::replace(&mut client.consented, true);
    let offline = value("access_type") == "offline";
    let (server, _) = hosts(&client.region);
    let region = client.region.clone();
    let name = format!("1000.{}.{}", hex(), hex());
    let code = Code {
        client_id: value("client_id"),
        redirect_uri: Some(value("redirect_uri")),
        scopes: Some(value("scope").split(',').map(str::to_owned).collect()),
        expires: Some(now + CODE_LIFE),
        offline: offline && (first || value("prompt") == "consent"),
    };
    state.codes.insert(name.clone(), code);
    back(
        asked,
        &[
            ("code", &name),
            ("location", &region),
            ("accounts-server", server),
        ],
    )
}

fn back(asked: &Pairs, answer: &[(&str, &str)]) -> HttpResponse {
    let target = get(asked, "redirect_uri").unwrap_or_default();
    let mut answers = form_urlencoded::Serializer::new(String::new());
    if let Some(state) = get(asked, "state") {
        answers.append_pair("state", state);
    }
    answers.extend_pairs(answer);
    let joint = if target.contains('?') { '&' } else { '?' };
    let location = format!("{target}{joint}{}", answers.finish());
    HttpResponse::Found()
        .insert_header((header::LOCATION, location))
        .finish()
}

async fn token(request: HttpRequest, body: web::Bytes, zoho: web::Data<Zoho>) -> HttpResponse {
    zoho.note(&request, &body);
    if let Some(fault) = zoho.fault(ZohoOn::Token, request.path())
        && let Some(answer) = fault.answer(&request).await
    {
        return answer;
    }
    let mut asked = pairs(request.query_string().as_bytes());
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    match kind {
        // Values sent as JSON are not seen (facts 4.6).
        Some(kind) if kind.starts_with("application/json") => {
            return token_error("invalid_client");
        }
        Some(kind) if kind.starts_with("application/x-www-form-urlencoded") => {
            asked.extend(pairs(&body));
        }
        _ => {}
    }
    let mut state = lock(&zoho.0.state);
    let Some(client) = get(&asked, "client_id").and_then(|id| state.clients.get(id)) else {
        return token_error("invalid_client");
    };
    if get(&asked, "client_secret") != Some(&client.secret) {
        return token_error("invalid_client_secret");
    }
    let client = client.clone();
    let now = zoho.0.clock.now();
    match get(&asked, "grant_type") {
        Some("authorization_code") => exchange(&mut state, &client, &asked, now),
        Some("refresh_token") => refresh(&mut state, &client, &asked, now),
        _ => token_error("unsupported_grant_type"),
    }
}

fn exchange(state: &mut State, client: &Client, asked: &Pairs, now: DateTime<Utc>) -> HttpResponse {
    let Some(name) = get(asked, "code") else {
        return token_error("invalid_code");
    };
    let Some(code) = state.codes.get(name).cloned() else {
        return token_error("invalid_code");
    };
    if code.client_id != client.id || code.expires.is_some_and(|end| end < now) {
        return token_error("invalid_code");
    }
    // A self-client's code knows no redirect.
    if code
        .redirect_uri
        .as_deref()
        .is_some_and(|uri| get(asked, "redirect_uri") != Some(uri))
    {
        return token_error("invalid_redirect_uri");
    }
    state.codes.remove(name);
    let refresh = code.offline.then(|| {
        let name = format!("1000.{}.{}", hex(), hex());
        let token = Refresh::new(&client.id, code.scopes.clone());
        keep_refresh(state, name.clone(), token);
        name
    });
    let access = issue(state, client, refresh.as_deref(), code.scopes, now);
    answer(client, &access, refresh.as_deref())
}

fn refresh(state: &mut State, client: &Client, asked: &Pairs, now: DateTime<Utc>) -> HttpResponse {
    let name = get(asked, "refresh_token").unwrap_or_default().to_owned();
    let Some(token) = state.refresh_tokens.get_mut(&name) else {
        return token_error("invalid_code");
    };
    if token.client_id != client.id {
        return token_error("invalid_code");
    }
    token.issued.retain(|at| now - *at < THROTTLE_WINDOW);
    if client.throttle && token.issued.len() >= TOKENS_PER_WINDOW {
        return throttled();
    }
    token.issued.push(now);
    let scopes = token.scopes.clone();
    let access = issue(state, client, Some(&name), scopes, now);
    answer(client, &access, None)
}

/// Keeps a refresh token; a user's 21st silently kills the oldest.
pub(super) fn keep_refresh(state: &mut State, name: String, token: Refresh) {
    let client_id = token.client_id.clone();
    state.refresh_tokens.insert(name.clone(), token);
    let Some(client) = state.clients.get_mut(&client_id) else {
        return;
    };
    client.refresh_tokens.retain(|kept| *kept != name);
    client.refresh_tokens.push(name);
    if client.refresh_tokens.len() > REFRESH_TOKENS_PER_USER {
        let oldest = client.refresh_tokens.remove(0);
        state.forget_refresh(&oldest);
    }
}

fn issue(
    state: &mut State,
    client: &Client,
    refresh: Option<&str>,
    scopes: Option<Vec<String>>,
    now: DateTime<Utc>,
) -> String {
    let name = format!("1000.{}.{}", hex(), hex());
    if let Some(refresh) = refresh.and_then(|name| state.refresh_tokens.get_mut(name)) {
        refresh.live.push(name.clone());
        if refresh.live.len() > ACCESS_TOKENS_KEPT {
            let oldest = refresh.live.remove(0);
            state.access_tokens.remove(&oldest);
        }
    }
    let client_id = client.id.clone();
    let access = Access {
        client_id,
        scopes,
        expires: Some(now + ACCESS_LIFE),
    };
    state.access_tokens.insert(name.clone(), access);
    name
}

fn answer(client: &Client, access: &str, refresh: Option<&str>) -> HttpResponse {
    let mut body = json!({ "access_token": access });
    if let (Some(refresh), Value::Object(fields)) = (refresh, &mut body) {
        fields.insert("refresh_token".to_owned(), refresh.into());
    }
    if let Value::Object(fields) = &mut body {
        fields.insert("api_domain".to_owned(), hosts(&client.region).1.into());
        fields.insert("token_type".to_owned(), "Bearer".into());
        fields.insert("expires_in".to_owned(), ACCESS_LIFE.num_seconds().into());
    }
    HttpResponse::Ok().json(body)
}

async fn revoke(request: HttpRequest, body: web::Bytes, zoho: web::Data<Zoho>) -> HttpResponse {
    zoho.note(&request, &body);
    let mut asked = pairs(request.query_string().as_bytes());
    asked.extend(pairs(&body));
    let name = get(&asked, "token").unwrap_or_default();
    let mut state = lock(&zoho.0.state);
    if state.forget_refresh(name) || state.access_tokens.remove(name).is_some() {
        return HttpResponse::Ok().json(json!({ "status": "success" }));
    }
    HttpResponse::BadRequest().json(json!({ "error": "invalid_token" }))
}

fn pairs(encoded: &[u8]) -> Pairs {
    form_urlencoded::parse(encoded).into_owned().collect()
}

pub(super) fn hex() -> String {
    Uuid::new_v4().simple().to_string()
}
