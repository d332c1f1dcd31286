//! The e-mails that the sandbox has taken: one for each recipient, and the operations that sent them.

use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::error::Refusal;
use super::plan::{self, EmailPlan, EmailRule};
use super::request::{Address, Request};
use super::{EmailSettings, liquid};

/// Twilio forgets after this.
const KEPT: TimeDelta = TimeDelta::days(7);

/// How many bytes of texts are kept; the oldest lose theirs first.
const TEXTS: usize = 256 << 20;

/// One e-mail as taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Email {
    /// `comms_email_…`.
    pub id: String,
    /// `comms_operation_…`.
    pub operation_id: String,
    /// The owner.
    pub account_sid: String,
    pub from: String,
    pub from_name: String,
    pub to: String,
    pub subject: String,
    pub html: String,
    pub text: String,
    pub tags: BTreeMap<String, String>,
    /// Twilio's word at the moment.
    pub status: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Which e-mails to show.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct EmailFilter {
    /// Of this account.
    pub account_sid: Option<String>,
    /// To exactly this recipient.
    pub to: Option<String>,
    /// In this state.
    pub status: Option<String>,
    /// With this in the subject.
    pub subject_contains: Option<String>,
}

impl EmailFilter {
    pub(super) fn shows(&self, email: &Email) -> bool {
        let is = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        let in_subject = |part: &String| email.subject.contains(part);
        is(&self.account_sid, &email.account_sid)
            && is(&self.to, &email.to)
            && is(&self.status, &email.status)
            && self.subject_contains.as_ref().is_none_or(in_subject)
    }
}

/// An e-mail and how it goes on.
#[derive(Debug)]
pub(super) struct Kept {
    email: Email,
    to_name: Option<String>,
    plan: EmailPlan,
}

impl Kept {
    /// As it stands at this moment.
    pub(super) fn shown(&self, now: DateTime<Utc>) -> Email {
        let (status, updated_at) = self.state(now);
        Email {
            status: status.to_owned(),
            updated_at,
            ..self.email.clone()
        }
    }

    fn state(&self, now: DateTime<Utc>) -> (&str, DateTime<Utc>) {
        let (status, since) = self.plan.at((now - self.email.created_at).num_seconds());
        let since = TimeDelta::seconds(since.into());
        (status, self.email.created_at + since)
    }

    fn is_shown_to(&self, account: &str, now: DateTime<Utc>) -> bool {
        self.email.account_sid == account && now - self.email.created_at <= KEPT
    }

    /// As Twilio shows it.
    fn json(&self, now: DateTime<Utc>, hides_tags: bool) -> Value {
        let (status, updated_at) = self.state(now);
        let of = &self.email;
        let none = BTreeMap::new();
        json!({
            "id": of.id,
            "from": { "address": of.from, "name": of.from_name },
            "to": [{ "address": of.to, "name": self.to_name }],
            "status": status,
            "related": [{ "name": "Operation", "id": of.operation_id }],
            "tags": if hides_tags { &none } else { &of.tags },
            "scheduledFor": null,
            "createdAt": instant(of.created_at),
            "updatedAt": instant(updated_at),
            "deletedAt": null,
        })
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// All e-mails, up to a bound.
#[derive(Debug)]
pub(in crate::sandbox::twilio) struct Emails {
    cap: usize,
    all: VecDeque<Kept>,
    /// How many are forgotten; with that, where an e-mail stands, and the first one of an operation.
    gone: usize,
    places: HashMap<String, usize>,
    /// Bytes of the texts that are kept, and which e-mail is the next to lose its own.
    bytes: usize,
    emptied: usize,
    pub(super) plans: Vec<EmailRule>,
}

impl Emails {
    pub(in crate::sandbox::twilio) fn new(cap: usize) -> Self {
        Self {
            cap: cap.max(1),
            all: VecDeque::new(),
            gone: 0,
            places: HashMap::new(),
            bytes: 0,
            emptied: 0,
            plans: Vec::new(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.all.iter()
    }

    /// Takes a request; its operation, and how many e-mails it makes.
    pub(super) fn take(
        &mut self,
        account: &str,
        request: &Request,
        now: DateTime<Utc>,
    ) -> Result<(String, u64), Refusal> {
        let operation = format!("comms_operation_{}", random_id());
        let mut made = Vec::with_capacity(request.to.len());
        for recipient in &request.to {
            let render = |template: &str| filled_in(template, &recipient.variables);
            made.push(Kept {
                plan: plan::of(&self.plans, &recipient.to.address),
                to_name: recipient.to.name.clone(),
                email: Email {
                    id: format!("comms_email_{}", random_id()),
                    operation_id: operation.clone(),
                    account_sid: account.to_owned(),
                    to: recipient.to.address.clone(),
                    subject: render(&request.subject)?,
                    html: render(&request.html)?,
                    text: request.text.as_deref().map_or(Ok(String::new()), render)?,
                    tags: tags(request, &recipient.variables)?,
                    status: "QUEUED".to_owned(),
                    created_at: now,
                    updated_at: now,
                    ..sender(&request.from)
                },
            });
        }
        let count = made.len() as u64;
        for kept in made {
            self.push(kept);
        }
        Ok((operation, count))
    }

    fn push(&mut self, kept: Kept) {
        if self.all.len() == self.cap
            && let Some(gone) = self.all.pop_front()
        {
            self.bytes -= size(&gone.email);
            self.emptied = self.emptied.saturating_sub(1);
            self.places.remove(&gone.email.id);
            self.places.remove(&gone.email.operation_id);
            self.gone += 1;
        }
        let place = self.gone + self.all.len();
        self.places.insert(kept.email.id.clone(), place);
        let operation = kept.email.operation_id.clone();
        self.places.entry(operation).or_insert(place);
        self.bytes += size(&kept.email);
        self.all.push_back(kept);
        while self.bytes > TEXTS {
            let Some(oldest) = self.all.get_mut(self.emptied) else {
                return;
            };
            self.bytes -= size(&oldest.email);
            oldest.email.html = String::new();
            oldest.email.text = String::new();
            self.emptied += 1;
        }
    }

    /// From the e-mail of this name on, or from the first one of this operation.
    fn from(&self, id: &str) -> impl Iterator<Item = &Kept> {
        let place = self.places.get(id).map(|place| place - self.gone);
        place.into_iter().flat_map(|place| self.all.range(place..))
    }

    /// An e-mail as Twilio shows it.
    pub(super) fn email(&self, account: &str, id: &str, now: DateTime<Utc>) -> Option<Value> {
        let found = self.from(id).next()?;
        found
            .is_shown_to(account, now)
            .then(|| found.json(now, false))
    }

    /// An operation as Twilio shows it: statistics of all its e-mails.
    pub(super) fn operation(&self, account: &str, id: &str, now: DateTime<Utc>) -> Option<Value> {
        let of_it = self
            .from(id)
            .take_while(|kept| kept.email.operation_id == id);
        let emails: Vec<&Kept> = of_it
            .filter(|kept| kept.is_shown_to(account, now))
            .collect();
        let created_at = emails.first()?.email.created_at;
        let each: Vec<(&str, DateTime<Utc>)> = emails.iter().map(|kept| kept.state(now)).collect();
        let count = |status: &str| each.iter().filter(|(is, _)| *is == status).count();
        let waiting = count("QUEUED") + count("SCHEDULED");
        let is_canceled = count("CANCELED") == emails.len();
        let status = match (waiting, is_canceled) {
            (0, true) => "CANCELED",
            (0, false) => "COMPLETED",
            _ => "PROCESSING",
        };
        let updated_at = each.iter().map(|(_, at)| *at).max().unwrap_or(created_at);
        Some(json!({
            "id": id,
            "status": status,
            "stats": {
                "total": emails.len(),
                "queued": count("QUEUED"),
                "sent": count("SENT"),
                "scheduled": count("SCHEDULED"),
                "delivered": count("DELIVERED"),
                "opened": count("OPENED"),
                "undelivered": count("UNDELIVERED"),
                "failed": count("FAILED"),
                "canceled": count("CANCELED"),
            },
            "createdAt": instant(created_at),
            "updatedAt": instant(updated_at),
        }))
    }

    /// One page of a list, newest first.
    pub(super) fn list(
        &self,
        account: &str,
        query: &[(String, String)],
        settings: &EmailSettings,
        now: DateTime<Utc>,
    ) -> Result<Value, Refusal> {
        let filter = ListFilter::read(query)?;
        let lag = TimeDelta::seconds(settings.list_lag_s.into());
        let is_listed = |kept: &&Kept| {
            kept.is_shown_to(account, now)
                && (lag.is_zero() || now - kept.email.created_at >= lag)
                && filter.shows(kept, settings, now)
        };
        let mut found = self.all.iter().rev().filter(is_listed);
        if let Some(last) = &filter.after {
            found.find(|kept| kept.email.id == *last);
        }
        let page: Vec<&Kept> = found.by_ref().take(filter.size).collect();
        let next = found.next().and(page.last()).map(|last| &last.email.id);
        let shown: Vec<Value> = page
            .iter()
            .map(|kept| kept.json(now, settings.hides_tags))
            .collect();
        Ok(json!({ settings.list_key.as_str(): shown, "nextPageToken": next }))
    }
}

fn filled_in(template: &str, variables: &Map<String, Value>) -> Result<String, Refusal> {
    let rendered = liquid::render(template, variables);
    rendered.map_err(|why| Refusal::bad(20001, format!("Liquid error: {why}")))
}

fn tags(
    request: &Request,
    variables: &Map<String, Value>,
) -> Result<BTreeMap<String, String>, Refusal> {
    let render = |(key, value): (&String, &String)| Ok((key.clone(), filled_in(value, variables)?));
    request.tags.iter().map(render).collect()
}

/// An e-mail that has nothing but its sender.
fn sender(from: &Address) -> Email {
    Email {
        id: String::new(),
        operation_id: String::new(),
        account_sid: String::new(),
        from: from.address.clone(),
        from_name: from.name.clone().unwrap_or_default(),
        to: String::new(),
        subject: String::new(),
        html: String::new(),
        text: String::new(),
        tags: BTreeMap::new(),
        status: String::new(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn size(email: &Email) -> usize {
    email.html.len() + email.text.len()
}

/// 26 signs as of a ULID in Crockford's alphabet, in small letters.
fn random_id() -> String {
    const SIGNS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bits = Uuid::new_v4().as_u128();
    let mut id = String::with_capacity(26);
    for at in 0..26 {
        // The first is of three bits only.
        let mask = if at == 0 { 7 } else { 31 };
        id.push(char::from(SIGNS[(bits & mask) as usize]));
        bits >>= if at == 0 { 3 } else { 5 };
    }
    id
}

/// What a list shows.
#[derive(Debug, Default)]
struct ListFilter {
    operation: Option<String>,
    status: Option<String>,
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
    tags: Vec<(String, String)>,
    after: Option<String>,
    size: usize,
}

impl ListFilter {
    fn read(query: &[(String, String)]) -> Result<Self, Refusal> {
        let mut filter = Self {
            size: 50,
            ..Self::default()
        };
        let bad = |name: &str, value: &str| Refusal::bad(20001, format!("Invalid {name}: {value}"));
        for (name, value) in query {
            let date = || {
                let date = DateTime::parse_from_rfc3339(value);
                date.map(|at| at.to_utc()).map_err(|_| bad(name, value))
            };
            match name.as_str() {
                "operationId" => filter.operation = Some(value.clone()),
                "status" => filter.status = Some(value.clone()),
                "startDate" => filter.start = Some(date()?),
                "endDate" => filter.end = Some(date()?),
                "pageToken" => filter.after = Some(value.clone()),
                "pageSize" => {
                    let size: usize = value.parse().map_err(|_| bad(name, value))?;
                    filter.size = size.clamp(1, 1_000);
                }
                "tags" => {
                    for pair in value.split(';').filter(|pair| !pair.is_empty()) {
                        let pair = pair.split_once(':').ok_or_else(|| bad(name, value))?;
                        filter.tags.push((pair.0.to_owned(), pair.1.to_owned()));
                    }
                }
                _ => {}
            }
        }
        Ok(filter)
    }

    fn shows(&self, kept: &Kept, settings: &EmailSettings, now: DateTime<Utc>) -> bool {
        let of = &kept.email;
        let has = |(key, value): &(String, String)| of.tags.get(key) == Some(value);
        let is_tagged = if settings.ignores_tag_filter {
            self.tags.is_empty()
        } else {
            self.tags.iter().all(has)
        };
        is_tagged
            && self
                .operation
                .as_ref()
                .is_none_or(|id| *id == of.operation_id)
            && self
                .status
                .as_ref()
                .is_none_or(|status| status == kept.state(now).0)
            && self.start.is_none_or(|start| of.created_at >= start)
            && self.end.is_none_or(|end| of.created_at <= end)
    }
}
