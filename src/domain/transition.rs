//! What a body tells: folding it into the document, naming the transition, claiming it once.
//!
//! Pure: the document and its claims go in, the next state and the new claims come out. The store
//! commits them only if the document's version is still the one that was read, so two workers that
//! classify two bodies of one document never both win.

mod claim;
mod progress;
mod step;

use chrono::{DateTime, TimeDelta, Utc};

use self::claim::Ledger;
use self::progress::Progress;
use self::step::{Step, discriminator, steps};
use super::document::{Applied, Document, ParsedDocument};
use super::event::EventType;
use super::ids::EventId;
use super::states::{self, Calendar};

pub use self::claim::{Claim, ClaimKind, with_claims};

/// A document first heard of later than this after its creation is only a baseline.
const NEWS_FOR: TimeDelta = TimeDelta::hours(24);

/// How far ahead of us a provider's clock may be before its time counts as the time of receipt.
const CLOCK_SLACK: TimeDelta = TimeDelta::minutes(10);

/// What we knew of the document before this body.
#[derive(Debug, Clone)]
pub struct Known {
    pub document: Document,
    /// The event that last set the state.
    pub last_event: EventId,
    /// The oldest first.
    pub claims: Vec<Claim>,
}

/// One body, with all that decides what it tells.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    pub event: EventId,
    pub parsed: &'a ParsedDocument,
    /// The event type in the path, if any.
    pub typed: Option<EventType>,
    /// The label in the path; `<n>d` gives the offset of a reminder.
    pub label: &'a str,
    pub received_at: DateTime<Utc>,
    /// The day of receipt in the tenant's zone.
    pub calendar: Calendar,
    /// What payments left open of the document.
    pub applied: &'a [Applied],
    /// Midnight of the document's `date` in the tenant's zone, when it has one.
    pub dated_at: Option<DateTime<Utc>>,
}

/// What comes of an event as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The rules are asked.
    Tell,
    /// Another event claimed the same transition first.
    AlreadyHandled { by: EventId, kind: ClaimKind },
    /// First sight of a document that is no news.
    Baseline,
    /// Older than what we know, or nothing that was not told.
    NothingNew(String),
    /// The path says one thing, the state another.
    Contradiction(String),
}

/// What one event turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classification {
    /// The type of the event, once classified; `None` when the body shows no transition at all.
    pub event_type: Option<EventType>,
    pub outcome: Outcome,
    /// The document's next state; `None` leaves it as it is.
    pub document: Option<Document>,
    /// New claims, all by this event.
    pub claims: Vec<Claim>,
    /// Steps that were passed over and may still be told, the latest first: where no rule is about the
    /// event's type, those about the first of these are asked.
    pub passed_over: Vec<EventType>,
}

/// Classifies one event against what is known of its document.
pub fn classify(known: Option<&Known>, seen: &Observation<'_>) -> Classification {
    if let Some(typed) = seen.typed
        && typed.document() != seen.parsed.kind
    {
        return Classification {
            event_type: Some(typed),
            outcome: Outcome::Contradiction(format!(
                "the web address says {typed}, but the body is a {}",
                seen.parsed.kind
            )),
            document: None,
            claims: Vec::new(),
            passed_over: Vec::new(),
        };
    }
    let (state, is_newer) = fold(known, seen);
    let progress = Progress::of(&state, seen);
    let no_news = known.is_none() && is_old(seen);
    let ledger = Ledger {
        event: seen.event,
        known: known.map_or(&[][..], |k| &k.claims),
    };
    let mut passed_over = Vec::new();
    let (event_type, outcome, claims) = match seen.typed {
        Some(typed) => {
            let change = Change { known, is_newer };
            classify_typed(typed, seen, change, (&state, &progress), no_news, &ledger)
        }
        None if !is_newer => classify_older(seen, state.round),
        None => {
            passed_over = progress.passed_over(&ledger);
            classify_untyped(known, seen, &progress, no_news, &ledger)
        }
    };
    if outcome != Outcome::Tell {
        passed_over.clear();
    }
    Classification {
        event_type,
        outcome,
        document: is_newer.then_some(state),
        claims,
        passed_over,
    }
}

type Classified = (Option<EventType>, Outcome, Vec<Claim>);

/// Where a body stands in the progress of its document.
#[derive(Clone, Copy)]
struct Change<'a> {
    known: Option<&'a Known>,
    is_newer: bool,
}

fn classify_typed(
    typed: EventType,
    seen: &Observation<'_>,
    Change { known, is_newer }: Change<'_>,
    (state, progress): (&Document, &Progress),
    no_news: bool,
    ledger: &Ledger<'_>,
) -> Classified {
    let wanted = Step {
        event_type: typed,
        discriminator: discriminator(typed, seen, state),
    };
    let others = || progress.claimable().iter().filter(|s| **s != wanted);
    // The rest of what an old document shows is no news either, whatever becomes of the typed one.
    let mut claims = if no_news {
        ledger.claim(others(), ClaimKind::Baseline)
    } else {
        Vec::new()
    };
    if is_newer && paid_before(known, seen, ledger).is_some() {
        claims.extend(ledger.claim(others(), ClaimKind::PassedOver));
    }
    if let Some(by) = ledger.holder(&wanted) {
        let outcome = Outcome::AlreadyHandled {
            by: by.event,
            kind: by.kind,
        };
        return (Some(typed), outcome, claims);
    }
    let current = state.with_applied(seen.applied);
    if let Some(why) = states::forbids(typed, &current, seen.calendar) {
        let why = format!("the web address says {}, but {why}", typed.label());
        return (Some(typed), Outcome::Contradiction(why), claims);
    }
    let needs_news = matches!(
        typed,
        EventType::InvoiceCreated
            | EventType::InvoiceSent
            | EventType::BillCreated
            | EventType::PurchaseOrderCreated
    );
    if no_news && needs_news {
        claims.extend(ledger.claim([&wanted], ClaimKind::Baseline));
        return (Some(typed), Outcome::Baseline, claims);
    }
    claims.extend(ledger.claim([&wanted], ClaimKind::AsItself));
    (Some(typed), Outcome::Tell, claims)
}

/// An older body tells nothing; its type is what it shows itself, since a replay reads that type
/// together with this body.
fn classify_older(seen: &Observation<'_>, round: i64) -> Classified {
    let event_type = steps(&state_of(seen, round)).last().map(|s| s.event_type);
    let name = name(seen.parsed);
    let why = format!("nothing new: this body of {name} is older than what we already know");
    (event_type, Outcome::NothingNew(why), Vec::new())
}

fn classify_untyped(
    known: Option<&Known>,
    seen: &Observation<'_>,
    progress: &Progress,
    no_news: bool,
    ledger: &Ledger<'_>,
) -> Classified {
    let name = name(seen.parsed);
    let last = progress.steps.last().map(|s| s.event_type);
    if no_news {
        let claims = ledger.claim(progress.claimable(), ClaimKind::Baseline);
        return (last, Outcome::Baseline, claims);
    }
    if let Some(by) = paid_before(known, seen, ledger) {
        let why = format!("nothing new: that {name} was paid is already told by {by}");
        let claims = ledger.claim(progress.claimable(), ClaimKind::PassedOver);
        return (last, Outcome::NothingNew(why), claims);
    }
    let furthest = progress.furthest().map(|(_, step)| step);
    // Once the furthest is told, the others would be old news.
    let others = progress.claimable().iter().filter(|s| Some(*s) != furthest);
    let mut claims = ledger.claim(others, ClaimKind::PassedOver);
    let holder = furthest.and_then(|f| ledger.holder(f));
    match (furthest, &progress.denial) {
        (Some(furthest), _) if holder.is_none() => {
            claims.extend(ledger.claim([furthest], ClaimKind::AsItself));
            (Some(furthest.event_type), Outcome::Tell, claims)
        }
        (_, Some(why)) => {
            let why = format!("nothing new: {why}");
            (last, Outcome::NothingNew(why), claims)
        }
        _ => {
            let what = last.map_or("document", EventType::label);
            let from = holder.map_or(String::new(), |by| format!(" from {}", by.event));
            let why = format!("nothing new: that this {what} was already known{from}");
            (last, Outcome::NothingNew(why), claims)
        }
    }
}

/// The event that told of the payment in this round, when the invoice is owed again since: a payment
/// that was taken back makes no old step news. A typed path may have told it, which passes over
/// nothing.
fn paid_before(
    known: Option<&Known>,
    seen: &Observation<'_>,
    ledger: &Ledger<'_>,
) -> Option<EventId> {
    let before = &known?.document;
    let status = seen.parsed.status.as_deref();
    // A draft shows its creation only, which is of no round.
    let in_this_round =
        before.round == 0 || before.status.as_deref() == Some("paid") || status == Some("draft");
    let paid = Step {
        event_type: EventType::InvoicePaid,
        discriminator: String::new(),
    };
    let by = ledger.holder(&paid)?;
    (status != Some("paid") && in_this_round && by.kind == ClaimKind::AsItself).then_some(by.event)
}

/// The state after this body, and whether the body changed it: an older one does not.
fn fold(known: Option<&Known>, seen: &Observation<'_>) -> (Document, bool) {
    let modified_at = changed_at(seen.parsed, seen.received_at);
    let mut round = 0;
    if let Some(known) = known {
        let had = known.document.modified_at.unwrap_or(DateTime::UNIX_EPOCH);
        let is_newer = modified_at > had || (modified_at == had && seen.event > known.last_event);
        if !is_newer {
            return (known.document.clone(), false);
        }
        let back = is_withdrawn(seen.parsed.status.as_deref())
            && !is_withdrawn(known.document.status.as_deref());
        round = known.document.round + i64::from(back);
    }
    (state_of(seen, round), true)
}

/// The state that this body shows.
fn state_of(seen: &Observation<'_>, round: i64) -> Document {
    state_shown(seen.parsed, seen.received_at, round)
}

/// The state that a body shows.
pub fn state_shown(parsed: &ParsedDocument, received_at: DateTime<Utc>, round: i64) -> Document {
    Document {
        kind: parsed.kind,
        id: parsed.id.clone(),
        number: parsed.number.clone(),
        status: parsed.status.clone(),
        due_date: parsed.due_date,
        total: parsed.total,
        balance: parsed.balance,
        currency: parsed.currency.clone(),
        party: parsed.party.clone(),
        modified_at: Some(changed_at(parsed, received_at)),
        round,
        clearing: parsed.clearing,
    }
}

/// The body's own time; the time of receipt when it has none or is too far ahead of us.
pub fn changed_at(parsed: &ParsedDocument, received_at: DateTime<Utc>) -> DateTime<Utc> {
    match parsed.last_modified_time {
        Some(at) if at <= received_at + CLOCK_SLACK => at,
        _ => received_at,
    }
}

/// Whether the document was created more than a day before its first body came.
fn is_old(seen: &Observation<'_>) -> bool {
    let created = seen.parsed.created_time.or(seen.dated_at);
    created.is_none_or(|at| seen.received_at - at > NEWS_FOR)
}

fn is_withdrawn(status: Option<&str>) -> bool {
    matches!(status, Some("draft" | "void"))
}

fn name(parsed: &ParsedDocument) -> &str {
    parsed.number.as_deref().unwrap_or(&parsed.id)
}

#[cfg(test)]
mod tests;
