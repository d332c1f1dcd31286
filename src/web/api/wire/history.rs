//! Events, decisions and deliveries.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{json, some};
use crate::app::history::Timeline;
use crate::domain::decision::Ruling;
use crate::domain::delivery;
use crate::domain::document::DocumentKind;
use crate::domain::event;
use crate::domain::ids::{
    AttemptId, ConnectionId, DeliveryId, EventId, ReceiptId, ReplayId, RuleId, StepId,
};
use crate::domain::money::Amount;
use crate::domain::replay;
use crate::domain::rule::MetValue;

/// Which events to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// `received`, `matched`, `unmatched`, `settled` or `unrecognised`.
    pub state: Option<String>,
    /// Such as `invoice.overdue`.
    pub event_type: Option<String>,
    /// Zoho's id of the record.
    pub document: Option<String>,
    /// Zoho's id of the customer or vendor.
    pub customer: Option<String>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// Rows of a page: 1 to 100, 50 by default.
    pub limit: Option<String>,
}

/// Which deliveries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryQuery {
    /// Such as `unknown`.
    pub state: Option<String>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// Rows of a page: 1 to 100, 50 by default.
    pub limit: Option<String>,
}

/// One thing that happened in Zoho Books.
#[derive(Debug, Serialize, ToSchema)]
pub struct Event {
    #[schema(value_type = String)]
    pub id: EventId,
    /// Such as `invoice.overdue`; `null` until it is told from the document.
    pub event_type: Option<&'static str>,
    pub state: &'static str,
    /// `webhook`, `sweep`, `schedule` or `test`.
    pub source: &'static str,
    #[schema(value_type = String)]
    pub connection_id: ConnectionId,
    /// The label in the webhook's address.
    pub label: Option<String>,
    pub document_kind: Option<&'static str>,
    pub document_id: Option<String>,
    pub document_number: Option<String>,
    /// The customer or vendor.
    pub customer_id: Option<String>,
    pub customer_name: Option<String>,
    /// A decimal, such as `1350.00`.
    pub amount: Option<String>,
    pub currency: Option<String>,
    /// How many active rules are of other types.
    pub rules_not_asked: i64,
    pub received_at: DateTime<Utc>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
}

impl From<event::Event> for Event {
    fn from(e: event::Event) -> Self {
        Self {
            id: e.id,
            event_type: e.event_type.or(e.path_type).map(event::EventType::as_str),
            state: e.state.as_str(),
            source: e.source.as_str(),
            connection_id: e.connection,
            label: some(e.label),
            document_kind: e.document_kind.map(DocumentKind::as_str),
            document_id: some(e.document_id),
            document_number: some(e.document_number),
            customer_id: some(e.party_id),
            customer_name: some(e.party_name),
            amount: e.amount.map(Amount::to_decimal_text),
            currency: some(e.currency),
            rules_not_asked: e.rules_not_asked,
            received_at: e.received_at,
            decided_at: e.routed_at,
        }
    }
}

/// An event with all that came of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventStory {
    #[serde(flatten)]
    pub event: Event,
    pub decisions: Vec<Decision>,
    pub deliveries: Vec<DeliveryStory>,
    pub replays: Vec<Replay>,
}

impl From<Timeline> for EventStory {
    fn from(story: Timeline) -> Self {
        let deliveries = story.deliveries.iter();
        Self {
            deliveries: deliveries
                .map(|d| DeliveryStory::of(d.clone(), &story))
                .collect(),
            event: story.event.into(),
            decisions: story.rulings.into_iter().flat_map(decisions).collect(),
            replays: story.replays.into_iter().map(Replay::from).collect(),
        }
    }
}

/// What one rule, or routing as a whole, said about an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decision {
    /// `null` when it is about the event as a whole.
    #[schema(value_type = Option<String>)]
    pub rule_id: Option<RuleId>,
    pub rule_name: Option<String>,
    pub rule_version: Option<i64>,
    pub matched: bool,
    pub kind: &'static str,
    /// In words.
    pub reason: String,
    /// The values met: a list of `field`, `op`, `expected`, `met`.
    #[schema(value_type = Vec<Object>)]
    pub values: Vec<MetValue>,
    /// The replay that asked.
    #[schema(value_type = Option<String>)]
    pub replay_id: Option<ReplayId>,
    pub decided_at: DateTime<Utc>,
}

fn decisions(ruling: Ruling) -> impl Iterator<Item = Decision> {
    let (replay_id, decided_at) = (replay_id(ruling.replay), ruling.decided_at);
    ruling.decisions.into_iter().map(move |d| Decision {
        rule_id: d.rule,
        rule_version: d.rule.map(|_| d.rule_version),
        rule_name: some(d.rule_name),
        matched: d.is_match,
        kind: d.kind.as_str(),
        reason: d.reason,
        values: d.met,
        replay_id,
        decided_at,
    })
}

/// One message to one address.
#[derive(Debug, Serialize, ToSchema)]
pub struct Delivery {
    #[schema(value_type = String)]
    pub id: DeliveryId,
    #[schema(value_type = String)]
    pub event: EventId,
    pub state: &'static str,
    /// Why it is in this state, in words.
    pub reason: Option<String>,
    /// What it waits for: `stopped`, `no_connection`, `broken`, `suspended`, `rehearsal`,
    /// `own_number`, `hours` or `person`.
    pub hold: Option<&'static str>,
    pub channel: &'static str,
    /// `null` when no address could be found.
    pub to: Option<String>,
    /// Whom it goes to, in words.
    pub recipient: Option<String>,
    /// In a rehearsal `to` and `recipient` are whom it was meant for; `null` when it is none.
    pub rehearsal: Option<Rehearsal>,
    #[schema(value_type = String)]
    pub rule_id: RuleId,
    pub rule_name: String,
    pub rule_version: i64,
    /// The replay that asked for it.
    #[schema(value_type = Option<String>)]
    pub replay_id: Option<ReplayId>,
    /// The delivery that this one sends again.
    #[schema(value_type = Option<String>)]
    pub replay_of: Option<DeliveryId>,
    /// The provider's account and name of the message.
    pub account: Option<String>,
    pub sid: Option<String>,
    pub error_code: Option<i64>,
    /// When something happens next without a person.
    pub due_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    /// When a person dealt with its failure: sent it again, or said that there is nothing more to do.
    pub dealt_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
}

/// A message that went to the owner instead.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rehearsal {
    /// The owner's own number; `null` while none is confirmed.
    pub to: Option<String>,
}

impl From<delivery::Delivery> for Delivery {
    fn from(d: delivery::Delivery) -> Self {
        Self {
            rehearsal: d.is_rehearsal.then(|| Rehearsal {
                to: some(d.rehearsal_to),
            }),
            id: d.id,
            event: d.id.event,
            state: d.state.as_str(),
            reason: some(d.reason),
            hold: d.hold.map(delivery::Hold::as_str),
            channel: d.channel.as_str(),
            to: some(d.address),
            recipient: some(d.recipient),
            rule_id: d.rule,
            rule_name: d.rule_name,
            rule_version: d.rule_version,
            replay_id: replay_id(d.replay),
            replay_of: d.replay_of,
            account: some(d.account),
            sid: some(d.sid),
            error_code: (d.error_code != 0).then_some(d.error_code),
            due_at: d.due_at,
            expires_at: d.expires_at,
            created_at: d.created_at,
            dealt_at: d.dealt_at,
            updated_at: d.updated_at,
        }
    }
}

/// A delivery with its attempts, its steps and what the provider said later.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryStory {
    #[serde(flatten)]
    pub delivery: Delivery,
    /// What it says, of an e-mail its text part: in a rehearsal with the mark of whom it was meant for.
    pub body: String,
    /// Of an e-mail only.
    pub subject: Option<String>,
    /// Of an e-mail only.
    pub html: Option<String>,
    pub attempts: Vec<Attempt>,
    pub receipts: Vec<Receipt>,
    /// Everything that happened to it, oldest first.
    pub steps: Vec<Step>,
}

impl DeliveryStory {
    /// One delivery out of the story of its event.
    pub fn of(delivery: delivery::Delivery, story: &Timeline) -> Self {
        let id = delivery.id;
        let steps: Vec<_> = story.steps.iter().filter(|s| s.delivery == id).collect();
        let attempts = story.attempts.iter().filter(|a| a.delivery == id);
        let receipts = story.receipts.iter().filter(|r| r.delivery == id);
        Self {
            body: story.text_of(&delivery).to_owned(),
            subject: story.email_of(&delivery).map(|e| e.subject.clone()),
            html: story.email_of(&delivery).map(|e| e.html.clone()),
            delivery: delivery.into(),
            attempts: attempts
                .map(|attempt| {
                    let outcome = steps.iter().filter(|s| s.attempt_no == attempt.attempt_no);
                    Attempt {
                        id: attempt.id,
                        number: attempt.attempt_no,
                        started_at: attempt.started_at,
                        request: json(attempt.request.clone()),
                        outcome: outcome.map(|s| Step::of(s)).collect(),
                    }
                })
                .collect(),
            receipts: receipts.map(Receipt::of).collect(),
            steps: steps.into_iter().map(Step::of).collect(),
        }
    }
}

/// One call to the provider, written down before it was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attempt {
    #[schema(value_type = String)]
    pub id: AttemptId,
    /// From 1 up.
    pub number: i64,
    pub started_at: DateTime<Utc>,
    /// Without credentials.
    #[schema(value_type = Object)]
    pub request: Value,
    /// What came of it; empty while it is under way.
    pub outcome: Vec<Step>,
}

/// Something that happened to a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub struct Step {
    #[schema(value_type = String)]
    pub id: StepId,
    /// The number of the attempt before it; 0 before the first.
    pub attempt: i64,
    pub kind: &'static str,
    pub sentence: String,
    /// The provider's answer, or the proof of a look.
    #[schema(value_type = Object)]
    pub detail: Value,
    pub at: DateTime<Utc>,
}

impl Step {
    fn of(s: &delivery::Step) -> Self {
        Self {
            id: s.id,
            attempt: s.attempt_no,
            kind: s.kind.as_str(),
            sentence: s.sentence.clone(),
            detail: json(s.detail.clone()),
            at: s.at,
        }
    }
}

/// What the provider said later.
#[derive(Debug, Serialize, ToSchema)]
pub struct Receipt {
    #[schema(value_type = String)]
    pub id: ReceiptId,
    pub sid: String,
    /// The provider's own word.
    pub status: String,
    pub error_code: Option<i64>,
    /// `callback`, `poll`, `look` or `answer`.
    pub source: String,
    /// Whether its signature was checked.
    pub verified: bool,
    #[schema(value_type = Object)]
    pub detail: Value,
    pub at: DateTime<Utc>,
}

impl Receipt {
    fn of(r: &delivery::Receipt) -> Self {
        Self {
            id: r.id,
            sid: r.sid.clone(),
            status: r.status.clone(),
            error_code: (r.error_code != 0).then_some(r.error_code),
            source: r.source.clone(),
            verified: r.is_verified,
            detail: json(r.detail.clone()),
            at: r.at,
        }
    }
}

/// A person's wish to decide or send once more.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replay {
    #[schema(value_type = String)]
    pub id: ReplayId,
    /// `replay_event` or `replay_delivery`.
    pub kind: &'static str,
    /// The delivery to send again.
    #[schema(value_type = Option<String>)]
    pub delivery: Option<DeliveryId>,
    pub requested_by: String,
    pub requested_at: DateTime<Utc>,
    /// `null` while it waits.
    pub decided_at: Option<DateTime<Utc>>,
}

impl From<replay::Replay> for Replay {
    fn from(o: replay::Replay) -> Self {
        Self {
            id: o.id,
            kind: o.kind.as_str(),
            delivery: o.delivery,
            requested_by: o.requested_by,
            requested_at: o.requested_at,
            decided_at: o.routed_at,
        }
    }
}

/// What a person says of a delivery that waits for one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// `arrived`, `send_again` or `cancel`.
    #[schema(required = true)]
    pub resolution: Option<String>,
}

fn replay_id(replay: ReplayId) -> Option<ReplayId> {
    (!replay.is_nil()).then_some(replay)
}

/// How much of an event a person has dealt with just now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dealt {
    /// Failed messages, and the request itself where it was not understood.
    pub count: u64,
}
