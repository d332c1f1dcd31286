//! What an event tells, and of which state of its document: told from the body when it is folded, from what is
//! known already when it is kept.

use chrono::{DateTime, NaiveTime, TimeZone as _, Utc};

use super::context::{RoutingContext, RoutingInput};
use crate::domain::day;
use crate::domain::decision::DecisionKind;
use crate::domain::document::{Document, ParsedDocument};
use crate::domain::event::{Event, EventType};
use crate::domain::ids::EventId;
use crate::domain::states::Calendar;
use crate::domain::tenant::Tenant;
use crate::domain::transition::{
    ClaimKind, Classification, Known, Observation, Outcome, classify, state_shown,
};
use crate::store::KnownDocument;

/// What an event tells.
pub(super) struct Assessment {
    /// The type whose rules are asked; or why none is.
    pub(super) asks: Result<EventType, Unasked>,
    /// Steps that it passed over and that may be told, the latest first.
    pub(super) passed_over: Vec<EventType>,
    /// The document as it is known with this event.
    pub(super) document: Document,
    /// The event whose body last set its state.
    pub(super) last_event: EventId,
    /// The version of its row once the event is routed; `None` where nothing is told of it.
    pub(super) version: Option<i64>,
    /// What the event changes; `None` when it is kept.
    pub(super) classification: Option<Classification>,
}

/// Why no rule is asked.
pub(super) struct Unasked {
    pub(super) kind: DecisionKind,
    pub(super) reason: String,
}

/// Assesses an event by its body and by what is known of its document.
pub(super) fn assess(
    context: &RoutingContext,
    input: &RoutingInput<'_>,
    parsed: &ParsedDocument,
    row: Option<&KnownDocument>,
) -> Assessment {
    let seen = SeenEvent {
        event: &input.stored.event,
        parsed,
        row,
        known: row.and_then(|r| r.known.as_ref()),
    };
    if input.is_folded() {
        seen.fold(&context.tenant)
    } else {
        seen.keep()
    }
}

/// An event beside what is known of its document.
struct SeenEvent<'a> {
    event: &'a Event,
    parsed: &'a ParsedDocument,
    row: Option<&'a KnownDocument>,
    /// What `row` says; `None` while only payments have named the document.
    known: Option<&'a Known>,
}

impl SeenEvent<'_> {
    /// Folds the body into the document and claims what it shows.
    fn fold(&self, tenant: &Tenant) -> Assessment {
        let event = self.event;
        let seen = Observation {
            event: event.id,
            parsed: self.parsed,
            typed: event.path_type,
            label: &event.label,
            received_at: event.received_at,
            calendar: Calendar::at(event.received_at, tenant.zone),
            applied: self.row.map_or(&[], |r| &r.applied),
            dated_at: dated_at(tenant, self.parsed),
        };
        let classification = classify(self.known, &seen);
        let (state, last_event) = match (&classification.document, self.known) {
            (Some(state), _) => (state.clone(), event.id),
            (None, Some(known)) => (known.document.clone(), known.last_event),
            (None, None) => (self.state_shown(), event.id),
        };
        Assessment {
            asks: match (&classification.outcome, classification.event_type) {
                (Outcome::Tell, Some(event_type)) => Ok(event_type),
                (outcome, _) => Err(unasked(outcome, self.parsed)),
            },
            passed_over: classification.passed_over.clone(),
            document: state.with_applied(seen.applied).into_owned(),
            last_event,
            // The commit raises the version, whatever it writes.
            version: Some(self.row.map_or(0, |r| r.version) + 1),
            classification: Some(classification),
        }
    }

    /// Leaves the document as it is and claims nothing: a loser or a baseline is decided as if it were the
    /// first, because a person asked.
    fn keep(&self) -> Assessment {
        let event = self.event;
        let today = self.row.and_then(KnownDocument::current);
        let event_type = event
            .event_type
            .filter(|t| t.document() == self.parsed.kind);
        Assessment {
            asks: event_type.ok_or_else(|| Unasked {
                kind: DecisionKind::NothingNew,
                reason: "this body shows nothing that a rule could tell".to_owned(),
            }),
            passed_over: passed_over(self.known, event.id),
            document: today.unwrap_or_else(|| self.state_shown()),
            last_event: self.known.map_or(event.id, |k| k.last_event),
            version: event_type.and(self.row).map(|r| r.version),
            classification: None,
        }
    }

    /// The document as the body alone shows it.
    fn state_shown(&self) -> Document {
        state_shown(self.parsed, self.event.received_at, 0)
    }
}

/// Steps that an event passed over when it was routed, the latest first.
fn passed_over(known: Option<&Known>, event: EventId) -> Vec<EventType> {
    let claims = known.map_or(&[][..], |k| &k.claims);
    let own = claims
        .iter()
        .filter(|c| c.event == event && c.kind == ClaimKind::PassedOver);
    let mut types: Vec<EventType> = own.map(|c| c.event_type).collect();
    types.sort_unstable_by(|a, b| b.cmp(a));
    types
}

/// Midnight of the document's date in the tenant's zone.
fn dated_at(tenant: &Tenant, parsed: &ParsedDocument) -> Option<DateTime<Utc>> {
    let midnight = parsed.date?.and_time(NaiveTime::MIN);
    tenant
        .zone
        .from_local_datetime(&midnight)
        .earliest()
        .map(|t| t.with_timezone(&Utc))
}

/// An outcome that asks no rule, in words.
fn unasked(outcome: &Outcome, parsed: &ParsedDocument) -> Unasked {
    let name = parsed.number.as_deref().unwrap_or(&parsed.id);
    let (kind, reason) = match outcome {
        Outcome::AlreadyHandled { by, kind } => {
            let how = match kind {
                ClaimKind::AsItself => "",
                ClaimKind::PassedOver => " (passed over: told as a later step)",
                ClaimKind::Baseline => " (known from the first time we saw it)",
            };
            let reason = format!("already handled by {by}{how}");
            (DecisionKind::AlreadyHandled, reason)
        }
        Outcome::Baseline => {
            let why = why_old(parsed);
            let reason = format!("first time we see {name}, nothing assumed: {why}");
            (DecisionKind::Baseline, reason)
        }
        Outcome::NothingNew(why) => (DecisionKind::NothingNew, why.clone()),
        Outcome::Contradiction(why) => (DecisionKind::Contradiction, why.clone()),
        Outcome::Tell => (DecisionKind::NothingNew, "nothing to tell".to_owned()),
    };
    Unasked { kind, reason }
}

/// Why a first body only sets where we start from.
fn why_old(parsed: &ParsedDocument) -> String {
    const SO: &str = "so this only sets where we start from";
    const HOW: &str = "In Zoho Books, choose “Default Payload” as the body of the webhook, or send \
                       dates as 2026-11-29";
    if parsed.created_time.is_some() || parsed.date.is_some() {
        return format!("it is older than 24 hours, {SO}");
    }
    let unread = ["created_time", "date"].iter().find_map(|field| {
        let text = parsed.fields.get(*field)?.as_str()?.trim();
        let text: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
        (!text.is_empty()).then_some((*field, text))
    });
    match unread {
        None => format!(
            "it names neither its created_time nor its date, so we cannot tell how old it is, {SO}. \
             {HOW}"
        ),
        Some((field, text)) => match day::doubtful(&text) {
            Some((one, other)) => format!(
                "its {field} “{text}” may be {} or {}, so we cannot tell how old it is, {SO}. Choose in \
                 Settings which comes first, the day or the month",
                one.format("%-d %B %Y"),
                other.format("%-d %B %Y"),
            ),
            None => format!(
                "its {field} “{text}” could not be read as a date, so we cannot tell how old it is, \
                 {SO}. {HOW}"
            ),
        },
    }
}
