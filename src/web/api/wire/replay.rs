//! Replays: what is asked, and the facts that are to be confirmed.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::pipeline::replay::{DocumentToday, Had, ReplayFacts, ReplayRecipient};
use crate::domain::decision::Decision;
use crate::domain::event::EventType;
use crate::domain::ids::{DeliveryId, EventId, RuleId};
use crate::domain::money::Amount;

/// What a replay is asked with.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The `fingerprint` of the facts that were seen. Without it, or with another, the answer is 409 with the
    /// facts as they are.
    pub confirm: Option<String>,
    /// The keys of those to be written to; without it all who can be.
    pub recipients: Option<Vec<String>>,
}

/// 409: the facts of a replay are not confirmed. A problem (RFC 9457) of the type
/// `urn:ml-connector:problem:confirm`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unconfirmed {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    pub facts: Facts,
}

/// What a person would see before something is sent or decided again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayFacts)]
pub struct Facts {
    /// Give it back as `confirm`.
    pub fingerprint: String,
    /// The document as it is known today.
    pub document: Option<Document>,
    /// Why the document's state forbids the message, such as "INV-3 is paid (28 Nov 2026, 14:02)". Confirmed
    /// all the same, it is sent while status, balance and due date stay as they are here.
    pub forbidden: Option<String>,
    /// Why the event's body cannot be read.
    pub unreadable: Option<String>,
    /// What today's rules say of an event; empty for a message, which is sent as it was.
    pub decisions: Vec<Said>,
    pub recipients: Vec<Recipient>,
}

/// What a rule would say.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayDecision)]
pub struct Said {
    /// `null` concerns the event as a whole.
    #[schema(value_type = Option<String>)]
    pub rule_id: Option<RuleId>,
    pub rule_name: Option<String>,
    pub matched: bool,
    pub reason: String,
}

/// Somebody who would be written to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayRecipient)]
pub struct Recipient {
    /// For `recipients`.
    pub key: String,
    pub name: Option<String>,
    pub channel: &'static str,
    /// `null` where no number is known.
    pub to: Option<String>,
    /// In a rehearsal it goes to the owner.
    pub is_rehearsal: bool,
    pub rule_name: Option<String>,
    pub body: String,
    /// Why nothing can be sent to them.
    pub refused: Option<String>,
    /// Whether a page would tick them.
    pub preselected: bool,
    /// What they have had about the document, newest first.
    pub had: Vec<Earlier>,
}

/// An earlier message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayEarlier)]
pub struct Earlier {
    #[schema(value_type = String)]
    pub delivery: DeliveryId,
    #[schema(value_type = String)]
    pub event: EventId,
    pub event_type: Option<&'static str>,
    pub state: &'static str,
    pub is_rehearsal: bool,
    pub at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A document as it is known today.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayDocument)]
pub struct Document {
    pub kind: &'static str,
    pub number: Option<String>,
    pub status: Option<String>,
    /// A decimal.
    pub balance: Option<String>,
    pub currency: Option<String>,
    pub due_date: Option<NaiveDate>,
    /// When it was last changed in Zoho Books.
    pub changed_at: Option<DateTime<Utc>>,
    /// When Zoho Books last told us of it.
    pub heard_at: Option<DateTime<Utc>>,
}

impl From<&ReplayFacts> for Facts {
    fn from(f: &ReplayFacts) -> Self {
        Self {
            fingerprint: f.fingerprint.clone(),
            document: f.document.as_ref().map(Document::from),
            forbidden: f.forbidden.clone(),
            unreadable: f.unreadable.clone(),
            decisions: f.decisions.iter().map(Said::from).collect(),
            recipients: f.recipients.iter().map(Recipient::from).collect(),
        }
    }
}

impl From<&Decision> for Said {
    fn from(d: &Decision) -> Self {
        Self {
            rule_id: d.rule,
            rule_name: super::some(d.rule_name.clone()),
            matched: d.is_match,
            reason: d.reason.clone(),
        }
    }
}

impl From<&ReplayRecipient> for Recipient {
    fn from(r: &ReplayRecipient) -> Self {
        Self {
            key: r.key.clone(),
            name: super::some(r.message.recipient.clone()),
            channel: r.message.channel.as_str(),
            to: super::some(r.message.address.clone()),
            is_rehearsal: r.message.is_rehearsal,
            rule_name: super::some(r.message.rule_name.clone()),
            body: r.message.content.text().to_owned(),
            refused: r.refused.clone(),
            preselected: r.is_preselected,
            had: r.had.iter().map(Earlier::from).collect(),
        }
    }
}

impl From<&Had> for Earlier {
    fn from(h: &Had) -> Self {
        Self {
            delivery: h.delivery,
            event: h.delivery.event,
            event_type: h.event_type.map(EventType::as_str),
            state: h.state.as_str(),
            is_rehearsal: h.is_rehearsal,
            at: h.created_at,
            updated_at: h.updated_at,
        }
    }
}

impl From<&DocumentToday> for Document {
    fn from(d: &DocumentToday) -> Self {
        let of = &d.document;
        Self {
            kind: of.kind.as_str(),
            number: of.number.clone(),
            status: of.status.clone(),
            balance: of.balance.map(Amount::to_decimal_text),
            currency: of.currency.clone(),
            due_date: of.due_date,
            changed_at: of.modified_at,
            heard_at: d.heard_at,
        }
    }
}
