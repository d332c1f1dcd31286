//! The stand-in for Zoho Books: OAuth and the reading half of the API.
//!
//! Records are put in from outside and shown as they are; nothing is worked out from them (an
//! invoice past its due date is `overdue` only when it was put in so).

mod books;
mod fault;
mod kind;
mod list;
mod oauth;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, NaiveDate, Timelike as _, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::{Host, Url};

pub use self::fault::{ZohoFaultKind, ZohoFaultOrder, ZohoOn};
pub use self::kind::Kind;

use self::oauth::{hex, is_region, keep_refresh};
use super::log::{Bounded, LoggedRequest, lock};
use super::{BadOrder, SandboxConfig};
use crate::domain::clock::SharedClock;

/// The stand-in for Zoho; a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub struct Zoho(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: SharedClock,
    state: Mutex<State>,
    requests: Bounded<LoggedRequest>,
}

#[derive(Debug, Default)]
struct State {
    clients: HashMap<String, Client>,
    organizations: HashMap<String, Organization>,
    codes: HashMap<String, Code>,
    refresh_tokens: HashMap<String, Refresh>,
    access_tokens: HashMap<String, Access>,
    faults: VecDeque<ZohoFaultOrder>,
}

#[derive(Debug, Clone)]
struct Client {
    id: String,
    secret: String,
    region: String,
    redirect_uris: Vec<String>,
    organizations: Vec<String>,
    auto_consent: bool,
    throttle: bool,
    consented: bool,
    /// Oldest first.
    refresh_tokens: Vec<String>,
}

#[derive(Debug, Clone)]
struct Code {
    client_id: String,
    redirect_uri: Option<String>,
    scopes: Option<Vec<String>>,
    expires: Option<DateTime<Utc>>,
    offline: bool,
}

#[derive(Debug)]
struct Refresh {
    client_id: String,
    /// None: everything.
    scopes: Option<Vec<String>>,
    /// When access tokens were issued, within the throttle's window.
    issued: Vec<DateTime<Utc>>,
    /// Live access tokens, oldest first.
    live: Vec<String>,
}

#[derive(Debug)]
struct Access {
    client_id: String,
    scopes: Option<Vec<String>>,
    expires: Option<DateTime<Utc>>,
}

#[derive(Debug)]
struct Organization {
    shown: Value,
    limits: Limits,
    records: BTreeMap<Kind, BTreeMap<String, Map<String, Value>>>,
    this_minute: (DateTime<Utc>, u32),
    today: (NaiveDate, u32),
}

/// An organisation's share of the API; no limit where none is given.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Beyond it 429 code 44.
    pub per_minute: Option<u32>,
    /// Beyond it 429 code 45; also sends the `X-Rate-Limit-…` headers.
    pub per_day: Option<u32>,
}

/// A client and the user who uses it. What is left out is made up.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewZohoAccount {
    /// The client's id.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<String>,
    /// `us`, `eu` ...; `us` when left out.
    pub region: Option<String>,
    /// Redirect addresses, compared exactly. None: any on this machine.
    pub redirect_uris: Vec<String>,
    /// The user's organisations: at least `organization_id`, the rest is filled in.
    pub organizations: Vec<Map<String, Value>>,
    /// The share of the API of each of these organisations.
    pub limits: Limits,
    /// Self-client codes, good once.
    pub codes: Vec<String>,
    /// Refresh tokens with every scope. One is made up when left out.
    pub refresh_tokens: Option<Vec<String>>,
    /// Access tokens with every scope that do not expire.
    pub access_tokens: Vec<String>,
    /// Go back with a code at once, without the consent page.
    pub auto_consent: bool,
    /// Give any number of access tokens, not 10 in 10 minutes.
    pub unthrottled: bool,
}

/// Everything needed to act as a registered client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ZohoCredentials {
    /// The client's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Its data centre.
    pub region: String,
    /// The organisations its user sees.
    pub organization_ids: Vec<String>,
    /// Self-client codes.
    pub codes: Vec<String>,
    /// Refresh tokens.
    pub refresh_tokens: Vec<String>,
    /// Access tokens.
    pub access_tokens: Vec<String>,
}

/// Records to put in, replacing those with the same id.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRecords {
    /// Where.
    pub organization_id: String,
    /// Of which kind.
    pub kind: Kind,
    /// Records, bare or in their envelope (`{"invoice": {…}}`).
    pub records: Vec<Map<String, Value>>,
}

impl Zoho {
    pub(super) fn new(config: &SandboxConfig) -> Self {
        Self(Arc::new(Inner {
            clock: config.clock.clone(),
            state: Mutex::default(),
            requests: Bounded::new(config.log_cap),
        }))
    }

    pub(super) fn mount(app: &mut web::ServiceConfig) {
        oauth::mount(app);
        books::mount(app);
    }

    /// Registers a client, its user's organisations and tokens. Organisations that are there
    /// already keep their records.
    ///
    /// # Errors
    /// Names an unknown region, or an organisation without an id.
    pub fn register(&self, new: NewZohoAccount) -> Result<ZohoCredentials, BadOrder> {
        let region = new.region.unwrap_or_else(|| "us".to_owned());
        if !is_region(&region) {
            return Err(format!("`{region}` is not a data centre of Zoho's").into());
        }
        let mut shown = Vec::new();
        for organization in new.organizations {
            shown.push(organization_json(organization)?);
        }
        let credentials = ZohoCredentials {
            client_id: new
                .client_id
                .unwrap_or_else(|| format!("1000.{}", hex().to_uppercase())),
            client_secret: new.client_secret.unwrap_or_else(hex),
            region,
            organization_ids: shown.iter().map(|(id, _)| id.clone()).collect(),
            codes: new.codes,
            refresh_tokens: new
                .refresh_tokens
                .unwrap_or_else(|| vec![format!("1000.{}.{}", hex(), hex())]),
            access_tokens: new.access_tokens,
        };
        let client = Client {
            id: credentials.client_id.clone(),
            secret: credentials.client_secret.clone(),
            region: credentials.region.clone(),
            redirect_uris: new.redirect_uris,
            organizations: credentials.organization_ids.clone(),
            auto_consent: new.auto_consent,
            throttle: !new.unthrottled,
            consented: false,
            refresh_tokens: Vec::new(),
        };
        let mut state = lock(&self.0.state);
        for (id, shown) in shown {
            let kept = state.organizations.remove(&id);
            let records = kept.map(|kept| kept.records).unwrap_or_default();
            state
                .organizations
                .insert(id, Organization::new(shown, new.limits, records));
        }
        let client_id = &credentials.client_id;
        state.clients.insert(client_id.clone(), client);
        for code in &credentials.codes {
            let code_row = Code {
                client_id: client_id.clone(),
                redirect_uri: None,
                scopes: None,
                expires: None,
                offline: true,
            };
            state.codes.insert(code.clone(), code_row);
        }
        for token in &credentials.refresh_tokens {
            keep_refresh(&mut state, token.clone(), Refresh::new(client_id, None));
        }
        for token in &credentials.access_tokens {
            let access = Access {
                client_id: client_id.clone(),
                scopes: None,
                expires: None,
            };
            state.access_tokens.insert(token.clone(), access);
        }
        Ok(credentials)
    }

    /// Puts records in.
    ///
    /// # Errors
    /// Says which organisation is unknown, or which id is missing; then nothing is put in.
    pub fn put(&self, new: NewRecords) -> Result<usize, BadOrder> {
        let kind = new.kind;
        let mut rows = Vec::new();
        for mut record in new.records {
            if let Some(Value::Object(inner)) = record.remove(kind.envelope()) {
                record = inner;
            }
            let field = kind.id_field();
            let id = record.get(field).and_then(id_text);
            let id = id.ok_or_else(|| format!("a record of {} has no `{field}`", kind.path()))?;
            record.insert(field.to_owned(), id.clone().into());
            rows.push((id, record));
        }
        let mut state = lock(&self.0.state);
        let organization = state
            .organizations
            .get_mut(&new.organization_id)
            .ok_or_else(|| format!("there is no organisation `{}`", new.organization_id))?;
        let count = rows.len();
        organization.records.entry(kind).or_default().extend(rows);
        Ok(count)
    }

    /// Takes a record away; false when there was none.
    pub fn remove(&self, organization_id: &str, kind: Kind, id: &str) -> bool {
        let mut state = lock(&self.0.state);
        let rows = state
            .organizations
            .get_mut(organization_id)
            .and_then(|organization| organization.records.get_mut(&kind));
        rows.is_some_and(|rows| rows.remove(id).is_some())
    }

    /// Orders a fault for the next answers.
    ///
    /// # Errors
    /// Says which detail is missing.
    pub fn next(&self, order: ZohoFaultOrder) -> Result<(), BadOrder> {
        order.check()?;
        if order.count > 0 {
            lock(&self.0.state).faults.push_back(order);
        }
        Ok(())
    }

    /// Ends every access token at once, as an eviction by Zoho would.
    pub fn expire_access_tokens(&self) {
        lock(&self.0.state).access_tokens.clear();
    }

    /// Kills a refresh token and its access tokens; false when it is unknown.
    pub fn revoke_refresh_token(&self, token: &str) -> bool {
        lock(&self.0.state).forget_refresh(token)
    }

    /// The requests received, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.0.requests.all()
    }

    /// Forgets everything, clients too.
    pub fn reset(&self) {
        *lock(&self.0.state) = State::default();
        self.0.requests.clear();
    }

    fn note(&self, request: &HttpRequest, body: &[u8]) {
        self.0
            .requests
            .push(LoggedRequest::of(request, body, self.0.clock.now()));
    }

    fn fault(&self, on: ZohoOn, path: &str) -> Option<ZohoFaultOrder> {
        let mut state = lock(&self.0.state);
        let meets = |order: &ZohoFaultOrder| {
            order.on == on
                && order
                    .path_contains
                    .as_ref()
                    .is_none_or(|part| path.contains(part))
        };
        let index = state.faults.iter().position(meets)?;
        let order = state.faults.get_mut(index)?;
        order.count -= 1;
        let taken = order.clone();
        if order.count == 0 {
            state.faults.remove(index);
        }
        Some(taken)
    }
}

impl State {
    fn forget_refresh(&mut self, name: &str) -> bool {
        let Some(token) = self.refresh_tokens.remove(name) else {
            return false;
        };
        for access in token.live {
            self.access_tokens.remove(&access);
        }
        if let Some(client) = self.clients.get_mut(&token.client_id) {
            client.refresh_tokens.retain(|kept| kept != name);
        }
        true
    }
}

impl Client {
    fn redirects_to(&self, uri: &str) -> bool {
        if !self.redirect_uris.is_empty() {
            return self.redirect_uris.iter().any(|kept| kept == uri);
        }
        let Ok(url) = Url::parse(uri) else {
            return false;
        };
        match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }
}

impl Refresh {
    fn new(client_id: &str, scopes: Option<Vec<String>>) -> Self {
        Self {
            client_id: client_id.to_owned(),
            scopes,
            issued: Vec::new(),
            live: Vec::new(),
        }
    }
}

impl Organization {
    fn new(
        shown: Value,
        limits: Limits,
        records: BTreeMap<Kind, BTreeMap<String, Map<String, Value>>>,
    ) -> Self {
        Self {
            shown,
            limits,
            records,
            this_minute: (DateTime::UNIX_EPOCH, 0),
            today: (NaiveDate::MIN, 0),
        }
    }

    fn find(&self, kind: Kind, id: &str) -> Option<&Map<String, Value>> {
        self.records.get(&kind)?.get(id)
    }

    /// Counts a request in its minute and its day.
    fn count(&mut self, now: DateTime<Utc>) {
        let minute = now
            .with_second(0)
            .and_then(|now| now.with_nanosecond(0))
            .unwrap_or(now);
        if self.this_minute.0 != minute {
            self.this_minute = (minute, 0);
        }
        if self.today.0 != now.date_naive() {
            self.today = (now.date_naive(), 0);
        }
        self.this_minute.1 += 1;
        self.today.1 += 1;
    }
}

/// The headers seen in 2019 with daily figures (facts 5).
fn rate_headers(response: &mut HttpResponse, limit: u32, used: u32) {
    for (name, value) in [
        ("x-rate-limit-limit", limit),
        ("x-rate-limit-remaining", limit.saturating_sub(used)),
    ] {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

/// An organisation as listed; what was given wins over what is filled in.
fn organization_json(given: Map<String, Value>) -> Result<(String, Value), String> {
    let id = given.get("organization_id").and_then(id_text);
    let id = id.ok_or("an organisation has no `organization_id`")?;
    let mut shown = json!({
        "organization_id": id,
        "name": "Zillum Inc",
        "contact_name": "John Smith",
        "email": "owner@example.com",
        "is_default_org": true,
        "plan_type": 130,
        "plan_name": "PROFESSIONAL",
        "plan_period": "Monthly",
        "language_code": "en",
        "fiscal_year_start_month": "january",
        "account_created_date": "2012-02-15",
        "time_zone": "PST",
        "is_org_active": true,
        "currency_id": "982000000000190",
        "currency_code": "USD",
        "currency_symbol": "$",
        "currency_format": "###,##0.00",
        "price_precision": 2,
    });
    if let Value::Object(fields) = &mut shown {
        fields.extend(given);
        fields.insert("organization_id".to_owned(), id.clone().into());
    }
    Ok((id, shown))
}

/// An id as text, whether it was given as text or as a number.
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
