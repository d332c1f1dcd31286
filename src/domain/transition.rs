//! What a body tells: folding it into the document, naming the transition, claiming it once.
//!
//! Pure: the document and its claims go in, the next state and the new claims come out. The store
//! commits them only if the document's version is still the one that was read, so two workers that
//! classify two bodies of one document never both win.

use chrono::{DateTime, TimeDelta, Utc};

use super::document::{Applied, Document, DocumentKind, ParsedDocument};
use super::event::EventType;
use super::ids::EventId;
use super::states::{self, Calendar};

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
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Told {
    /// As itself.
    #[strum(serialize = "told")]
    AsItself,
    /// Passed over: a further transition was told instead.
    PassedOver,
    /// Shown by the first body of a document that was no news.
    Baseline,
}

impl Told {
    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// How many claims of one document are kept; only reminders come again and again.
const MOST_CLAIMS: usize = 256;

/// The claims of a document with these added. Where they are too many, the oldest reminders go first.
pub fn with_claims(known: &[Claim], new: &[Claim]) -> Vec<Claim> {
    let mut all = [known, new].concat();
    let mut excess = all.len().saturating_sub(MOST_CLAIMS);
    all.retain(|claim| {
        let goes = excess > 0 && claim.event_type.is_reminder();
        excess -= usize::from(goes);
        !goes
    });
    all.drain(..excess);
    all
}

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
    AlreadyHandled { by: EventId, told: Told },
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
    let story = Story::of(&state, seen);
    let no_news = known.is_none() && is_old(seen);
    let ledger = Ledger {
        event: seen.event,
        known: known.map_or(&[][..], |k| &k.claims),
    };
    let mut passed_over = Vec::new();
    let (event_type, outcome, claims) = match seen.typed {
        Some(typed) => {
            let change = Change { known, is_newer };
            classify_typed(typed, seen, change, (&state, &story), no_news, &ledger)
        }
        None if !is_newer => classify_older(seen, state.round),
        None => {
            passed_over = story.passed_over(&ledger);
            classify_untyped(known, seen, &story, no_news, &ledger)
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

/// A step that a document has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    event_type: EventType,
    discriminator: String,
}

/// The steps that a document has come to, nearest first.
struct Story {
    steps: Vec<Shown>,
    /// Which of them may be told.
    tellable: Vec<bool>,
    /// Why the last must not be told.
    denial: Option<String>,
}

impl Story {
    fn of(state: &Document, seen: &Observation<'_>) -> Self {
        let steps = steps(state);
        let current = state.with_applied(seen.applied);
        let forbids = |s: &Shown| states::forbids(s.event_type, &current, seen.calendar);
        Self {
            denial: steps.last().and_then(forbids),
            tellable: steps.iter().map(|s| forbids(s).is_none()).collect(),
            steps,
        }
    }

    /// The furthest step that may be told, and where it stands.
    fn furthest(&self) -> Option<(usize, &Shown)> {
        let at = self.tellable.iter().rposition(|t| *t)?;
        Some((at, &self.steps[at]))
    }

    /// What may be claimed: a last step that must not be told may become true later.
    fn claimable(&self) -> &[Shown] {
        let untold = usize::from(self.denial.is_some());
        &self.steps[..self.steps.len() - untold]
    }

    /// The steps before the furthest that may be told and were not, the latest first.
    fn passed_over(&self, ledger: &Ledger<'_>) -> Vec<EventType> {
        let furthest = self.furthest().map_or(0, |(at, _)| at);
        let nearer = self.steps.iter().zip(&self.tellable).take(furthest).rev();
        let untold = nearer.filter(|(s, tellable)| **tellable && ledger.holder(s).is_none());
        untold.map(|(s, _)| s.event_type).collect()
    }
}

type Classified = (Option<EventType>, Outcome, Vec<Claim>);

/// Where a body stands in the story of its document.
#[derive(Clone, Copy)]
struct Change<'a> {
    known: Option<&'a Known>,
    is_newer: bool,
}

fn classify_typed(
    typed: EventType,
    seen: &Observation<'_>,
    Change { known, is_newer }: Change<'_>,
    (state, story): (&Document, &Story),
    no_news: bool,
    ledger: &Ledger<'_>,
) -> Classified {
    let wanted = Shown {
        event_type: typed,
        discriminator: discriminator(typed, seen, state),
    };
    let others = || story.claimable().iter().filter(|s| **s != wanted);
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
        claims.extend(ledger.claim([&wanted], Told::Baseline));
        return (Some(typed), Outcome::Baseline, claims);
    }
    claims.extend(ledger.claim([&wanted], Told::AsItself));
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
    story: &Story,
    no_news: bool,
    ledger: &Ledger<'_>,
) -> Classified {
    let name = name(seen.parsed);
    let last = story.steps.last().map(|s| s.event_type);
    if no_news {
        let claims = ledger.claim(story.claimable(), Told::Baseline);
        return (last, Outcome::Baseline, claims);
    }
    if let Some(by) = paid_before(known, seen, ledger) {
        let why = format!("nothing new: that {name} was paid is already told by {by}");
        let claims = ledger.claim(story.claimable(), Told::PassedOver);
        return (last, Outcome::NothingNew(why), claims);
    }
    let furthest = story.furthest().map(|(_, step)| step);
    // Once the furthest is told, the others would be old news.
    let others = story.claimable().iter().filter(|s| Some(*s) != furthest);
    let mut claims = ledger.claim(others, Told::PassedOver);
    let holder = furthest.and_then(|f| ledger.holder(f));
    match (furthest, &story.denial) {
        (Some(furthest), _) if holder.is_none() => {
            claims.extend(ledger.claim([furthest], Told::AsItself));
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
    let paid = Shown {
        event_type: EventType::InvoicePaid,
        discriminator: String::new(),
    };
    let by = ledger.holder(&paid)?;
    (status != Some("paid") && in_this_round && by.told == Told::AsItself).then_some(by.event)
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

/// The steps that a document in this state has come to, nearest first, whether or not they may be told.
fn steps(state: &Document) -> Vec<Shown> {
    let status = state.status.as_deref().unwrap_or("");
    let types: &[EventType] = match state.kind {
        DocumentKind::Invoice => match status {
            "paid" | "write_off" | "written_off" => &[
                EventType::InvoiceCreated,
                EventType::InvoiceSent,
                EventType::InvoicePaid,
            ],
            "sent" | "overdue" | "viewed" | "unpaid" | "partially_paid" => {
                &[EventType::InvoiceCreated, EventType::InvoiceSent]
            }
            _ => &[EventType::InvoiceCreated],
        },
        DocumentKind::CustomerPayment => &[EventType::PaymentReceived],
        DocumentKind::VendorPayment => &[EventType::VendorPaymentSent],
        DocumentKind::Bill => &[EventType::BillCreated],
        DocumentKind::PurchaseOrder => match status {
            "open" | "issued" | "accepted" | "billed" | "partially_billed" | "received"
            | "partially_received" | "closed" => &[
                EventType::PurchaseOrderCreated,
                EventType::PurchaseOrderIssued,
            ],
            _ => &[EventType::PurchaseOrderCreated],
        },
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

fn discriminator(typed: EventType, seen: &Observation<'_>, state: &Document) -> String {
    if !typed.is_reminder() {
        return plain_discriminator(typed, state);
    }
    // The body's own due date: an older body speaks of the date that it knew.
    let due = seen.parsed.due_date;
    let offset = label_days(seen.label).or_else(|| {
        let days = (due? - seen.calendar.today).num_days();
        let soon = matches!(typed, EventType::InvoiceDueSoon | EventType::BillDueSoon);
        Some(if soon { days } else { -days })
    });
    let offset = offset.map_or_else(|| "-".to_owned(), |d| d.to_string());
    // Without a due date that can be read, each day's reminder is one of its own; a label of days
    // tells one from the next by itself.
    let due = match due {
        Some(due) => due.to_string(),
        None if label_days(seen.label).is_some() => "-".to_owned(),
        None => format!("received {}", seen.calendar.today),
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

fn name(parsed: &ParsedDocument) -> &str {
    parsed.number.as_deref().unwrap_or(&parsed.id)
}

#[cfg(test)]
mod tests;
