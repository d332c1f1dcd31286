//! What a body tells: folding it into the document, naming the transition, claiming it once.
//!
//! Pure: the document and its claims go in, the next state and the new claims come out. The store
//! commits them only if the document's version is still the one that was read, so two workers that
//! settle two bodies of one document never both win.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::document::{Document, DocumentKind, Reading};
use super::event::EventType;
use super::ids::EventId;

/// A document first heard of later than this after its creation is only a baseline.
const NEWS_FOR: TimeDelta = TimeDelta::hours(24);

/// How far ahead of us a provider's clock may be before its time counts as the time of receipt.
const CLOCK_SLACK: TimeDelta = TimeDelta::minutes(10);

/// A transition that an earlier event claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub event_type: EventType,
    /// Tells one occurrence from the next: a round, an offset and due date, a payment's id.
    pub discriminator: String,
    pub event: EventId,
    pub told: Told,
}

/// How a transition was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// As itself.
    AsItself,
    /// Passed over: a further transition was told instead.
    PassedOver,
    /// Shown by the first body of a document that was no news.
    Baseline,
}

impl Told {
    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AsItself => "told",
            Self::PassedOver => "passed_over",
            Self::Baseline => "baseline",
        }
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::AsItself, Self::PassedOver, Self::Baseline]
            .into_iter()
            .find(|t| t.as_str() == text)
    }
}

/// What we knew of the document before this body.
#[derive(Debug, Clone)]
pub struct Known {
    pub document: Document,
    /// The event that last set the state.
    pub last_event: EventId,
    pub claims: Vec<Claim>,
}

/// One body, with all that decides what it tells.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    pub event: EventId,
    pub reading: &'a Reading,
    /// The event type in the path, if any.
    pub typed: Option<EventType>,
    /// The label in the path; `<n>d` gives the offset of a reminder.
    pub label: &'a str,
    pub received_at: DateTime<Utc>,
    /// The day of receipt in the tenant's zone.
    pub today: NaiveDate,
    /// Midnight of the document's `date` in the tenant's zone, when it has one.
    pub dated_at: Option<DateTime<Utc>>,
}

/// What comes of an event as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The rules are asked.
    Tell,
    /// Another event claimed the same transition first.
    AlreadyHandled { by: EventId, told: Told },
    /// First sight of a document that is no news.
    Baseline,
    /// Older than what we know, or nothing that was not told.
    NothingNew(String),
    /// The path says one thing, the state another.
    Contradiction(String),
}

/// The result of settling one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The type of the event, once settled; `None` when the body shows no transition at all.
    pub event_type: Option<EventType>,
    pub outcome: Outcome,
    /// The document's next state; `None` leaves it as it is.
    pub document: Option<Document>,
    /// New claims, all by this event.
    pub claims: Vec<Claim>,
}

/// Settles one event against what is known of its document.
pub fn settle(known: Option<&Known>, seen: &Observation<'_>) -> Settlement {
    if let Some(typed) = seen.typed
        && typed.document() != seen.reading.kind
    {
        return Settlement {
            event_type: Some(typed),
            outcome: Outcome::Contradiction(format!(
                "the web address says {typed}, but the body is a {}",
                seen.reading.kind
            )),
            document: None,
            claims: Vec::new(),
        };
    }
    let (state, is_newer) = fold(known, seen);
    let shown = shown(&state);
    let no_news = known.is_none() && is_old(seen);
    let ledger = Ledger {
        event: seen.event,
        known: known.map_or(&[][..], |k| &k.claims),
    };
    let (event_type, outcome, claims) = match seen.typed {
        Some(typed) => {
            let change = Change { known, is_newer };
            settle_typed(typed, seen, change, (&state, &shown), no_news, &ledger)
        }
        None if !is_newer => settle_older(seen, state.round),
        None => settle_untyped(known, seen, &shown, no_news, &ledger),
    };
    Settlement {
        event_type,
        outcome,
        document: is_newer.then_some(state),
        claims,
    }
}

/// The claims so far and the event that wants more.
struct Ledger<'a> {
    event: EventId,
    known: &'a [Claim],
}

impl Ledger<'_> {
    fn holder(&self, of: &Shown) -> Option<&Claim> {
        self.known
            .iter()
            .find(|c| c.event_type == of.event_type && c.discriminator == of.discriminator)
    }

    /// Claims for those of `shown` that nobody holds.
    fn claim<'s>(&self, shown: impl IntoIterator<Item = &'s Shown>, told: Told) -> Vec<Claim> {
        shown
            .into_iter()
            .filter(|s| self.holder(s).is_none())
            .map(|s| Claim {
                event_type: s.event_type,
                discriminator: s.discriminator.clone(),
                event: self.event,
                told,
            })
            .collect()
    }
}

/// A transition that a state shows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    event_type: EventType,
    discriminator: String,
}

type Settled = (Option<EventType>, Outcome, Vec<Claim>);

/// Where a body stands in the story of its document.
#[derive(Clone, Copy)]
struct Change<'a> {
    known: Option<&'a Known>,
    is_newer: bool,
}

fn settle_typed(
    typed: EventType,
    seen: &Observation<'_>,
    Change { known, is_newer }: Change<'_>,
    (state, shown): (&Document, &[Shown]),
    no_news: bool,
    ledger: &Ledger<'_>,
) -> Settled {
    let wanted = Shown {
        event_type: typed,
        discriminator: discriminator(typed, seen, state),
    };
    let others = || shown.iter().filter(|s| **s != wanted);
    // The rest of what an old document shows is no news either, whatever becomes of the typed one.
    let mut claims = if no_news {
        ledger.claim(others(), Told::Baseline)
    } else {
        Vec::new()
    };
    if is_newer && paid_before(known, seen, ledger).is_some() {
        claims.extend(ledger.claim(others(), Told::PassedOver));
    }
    if let Some(by) = ledger.holder(&wanted) {
        let outcome = Outcome::AlreadyHandled {
            by: by.event,
            told: by.told,
        };
        return (Some(typed), outcome, claims);
    }
    if let Some(why) = contradiction(typed, state) {
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
        claims.extend(ledger.claim([&wanted], Told::Baseline));
        return (Some(typed), Outcome::Baseline, claims);
    }
    claims.extend(ledger.claim([&wanted], Told::AsItself));
    (Some(typed), Outcome::Tell, claims)
}

/// An older body tells nothing; its type is what it shows itself, since a replay reads that type
/// together with this body.
fn settle_older(seen: &Observation<'_>, round: i64) -> Settled {
    let event_type = shown(&state_of(seen, round)).last().map(|s| s.event_type);
    let name = name(seen.reading);
    let why = format!("nothing new: this body of {name} is older than what we already know");
    (event_type, Outcome::NothingNew(why), Vec::new())
}

fn settle_untyped(
    known: Option<&Known>,
    seen: &Observation<'_>,
    shown: &[Shown],
    no_news: bool,
    ledger: &Ledger<'_>,
) -> Settled {
    let name = name(seen.reading);
    let Some((furthest, nearer)) = shown.split_last() else {
        let status = seen.reading.status.as_deref().unwrap_or("without a status");
        return (
            None,
            Outcome::NothingNew(format!("nothing new: {name} is {status}")),
            Vec::new(),
        );
    };
    let event_type = Some(furthest.event_type);
    if no_news {
        return (
            event_type,
            Outcome::Baseline,
            ledger.claim(shown, Told::Baseline),
        );
    }
    if let Some(by) = paid_before(known, seen, ledger) {
        let why = format!("nothing new: that {name} was paid is already told by {by}");
        let claims = ledger.claim(shown, Told::PassedOver);
        return (event_type, Outcome::NothingNew(why), claims);
    }
    // Once the furthest is told, the nearer ones would be old news.
    let mut claims = ledger.claim(nearer, Told::PassedOver);
    if let Some(by) = ledger.holder(furthest) {
        let why = format!(
            "nothing new: that this {} was already known from {}",
            furthest.event_type.words(),
            by.event
        );
        return (event_type, Outcome::NothingNew(why), claims);
    }
    claims.extend(ledger.claim([furthest], Told::AsItself));
    (event_type, Outcome::Tell, claims)
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
    let status = seen.reading.status.as_deref();
    // A draft shows its creation only, which is of no round.
    let in_this_round =
        before.round == 0 || before.status.as_deref() == Some("paid") || status == Some("draft");
    let paid = Shown {
        event_type: EventType::InvoicePaid,
        discriminator: String::new(),
    };
    let by = ledger.holder(&paid)?;
    (status != Some("paid") && in_this_round && by.told == Told::AsItself).then_some(by.event)
}

/// The state after this body, and whether the body changed it: an older one does not.
fn fold(known: Option<&Known>, seen: &Observation<'_>) -> (Document, bool) {
    let modified_at = modified_at(seen);
    let mut round = 0;
    if let Some(known) = known {
        let had = known.document.modified_at.unwrap_or(DateTime::UNIX_EPOCH);
        let is_newer = modified_at > had || (modified_at == had && seen.event > known.last_event);
        if !is_newer {
            return (known.document.clone(), false);
        }
        let back = is_withdrawn(seen.reading.status.as_deref())
            && !is_withdrawn(known.document.status.as_deref());
        round = known.document.round + i64::from(back);
    }
    (state_of(seen, round), true)
}

/// The state that this body shows.
fn state_of(seen: &Observation<'_>, round: i64) -> Document {
    let reading = seen.reading;
    Document {
        kind: reading.kind,
        id: reading.id.clone(),
        number: reading.number.clone(),
        status: reading.status.clone(),
        due_date: reading.due_date,
        total: reading.total,
        balance: reading.balance,
        currency: reading.currency.clone(),
        party: reading.party.clone(),
        modified_at: Some(modified_at(seen)),
        round,
    }
}

/// The body's own time; the time of receipt when it has none or is too far ahead of us.
fn modified_at(seen: &Observation<'_>) -> DateTime<Utc> {
    match seen.reading.last_modified_time {
        Some(at) if at <= seen.received_at + CLOCK_SLACK => at,
        _ => seen.received_at,
    }
}

/// Whether the document was created more than a day before its first body came.
fn is_old(seen: &Observation<'_>) -> bool {
    let created = seen.reading.created_time.or(seen.dated_at);
    created.is_none_or(|at| seen.received_at - at > NEWS_FOR)
}

fn is_withdrawn(status: Option<&str>) -> bool {
    matches!(status, Some("draft" | "void"))
}

/// The transitions that a state shows, nearest first.
fn shown(state: &Document) -> Vec<Shown> {
    let status = state.status.as_deref().unwrap_or("");
    let types: &[EventType] = match state.kind {
        DocumentKind::Invoice => match status {
            "void" => &[],
            "paid" => &[
                EventType::InvoiceCreated,
                EventType::InvoiceSent,
                EventType::InvoicePaid,
            ],
            "sent" | "overdue" | "viewed" | "unpaid" | "partially_paid" => {
                &[EventType::InvoiceCreated, EventType::InvoiceSent]
            }
            _ => &[EventType::InvoiceCreated],
        },
        DocumentKind::CustomerPayment | DocumentKind::VendorPayment
            if is_failed_payment(status) =>
        {
            &[]
        }
        DocumentKind::CustomerPayment => &[EventType::PaymentReceived],
        DocumentKind::VendorPayment => &[EventType::VendorPaymentSent],
        DocumentKind::Bill if matches!(status, "void" | "rejected") => &[],
        DocumentKind::Bill => &[EventType::BillCreated],
        DocumentKind::PurchaseOrder if matches!(status, "cancelled" | "rejected") => &[],
        DocumentKind::PurchaseOrder => &[EventType::PurchaseOrderCreated],
        DocumentKind::Expense => &[EventType::ExpenseRecorded],
    };
    types
        .iter()
        .map(|&event_type| Shown {
            event_type,
            discriminator: plain_discriminator(event_type, state),
        })
        .collect()
}

fn is_failed_payment(status: &str) -> bool {
    matches!(status, "failed" | "failure" | "void" | "voided")
}

fn discriminator(typed: EventType, seen: &Observation<'_>, state: &Document) -> String {
    if !typed.is_reminder() {
        return plain_discriminator(typed, state);
    }
    // The body's own due date: an older body speaks of the date that it knew.
    let due = seen.reading.due_date;
    let offset = label_days(seen.label).or_else(|| {
        let days = (due? - seen.today).num_days();
        let soon = matches!(typed, EventType::InvoiceDueSoon | EventType::BillDueSoon);
        Some(if soon { days } else { -days })
    });
    let offset = offset.map_or_else(|| "-".to_owned(), |d| d.to_string());
    // Without a due date that can be read, each day's reminder is one of its own; a label of days
    // tells one from the next by itself.
    let due = match due {
        Some(due) => due.to_string(),
        None if label_days(seen.label).is_some() => "-".to_owned(),
        None => format!("received {}", seen.today),
    };
    format!("{offset}@{due}")
}

fn plain_discriminator(event_type: EventType, state: &Document) -> String {
    match event_type {
        EventType::PaymentReceived | EventType::VendorPaymentSent => state.id.clone(),
        EventType::InvoiceSent => state.round.to_string(),
        _ => String::new(),
    }
}

/// `14d` is 14; any other label says nothing about days.
fn label_days(label: &str) -> Option<i64> {
    let digits = label.strip_suffix('d')?;
    let plain =
        !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Why a typed path cannot be true of this state.
fn contradiction(typed: EventType, state: &Document) -> Option<String> {
    let status = state.status.as_deref().unwrap_or("");
    let name = state.number.as_deref().unwrap_or("the document");
    let settled = status == "paid" || status == "void";
    let says = match typed {
        EventType::InvoiceOverdue
        | EventType::InvoiceDueSoon
        | EventType::BillOverdue
        | EventType::BillDueSoon => settled || status == "draft",
        EventType::InvoiceSent => is_withdrawn(Some(status)) || status == "pending_approval",
        EventType::InvoicePaid => {
            let owed = state.balance.is_none_or(|b| b.0 > 0);
            !status.is_empty() && status != "paid" && owed
        }
        EventType::InvoiceCreated | EventType::BillCreated => status == "void",
        _ => false,
    };
    says.then(|| {
        format!(
            "the web address says {}, but {name} is {status}",
            typed.words()
        )
    })
}

fn name(reading: &Reading) -> &str {
    reading.number.as_deref().unwrap_or(&reading.id)
}

#[cfg(test)]
mod tests;
