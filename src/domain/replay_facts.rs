//! The facts of a replay, as a person reads them before they confirm.

use chrono::{DateTime, Utc};

use crate::domain::decision::Decision;
use crate::domain::delivery::{Delivery, DeliveryState, NewDelivery};
use crate::domain::document::Document;
use crate::domain::event::{Event, EventType};
use crate::domain::ids::DeliveryId;

/// The facts of a replay.
#[derive(Debug, Clone)]
pub struct ReplayFacts {
    /// The name of these facts: what is confirmed.
    pub fingerprint: String,
    pub event: Event,
    /// The message to send again; `None` when the event is decided again.
    pub delivery: Option<Delivery>,
    pub recipients: Vec<ReplayRecipient>,
    /// What today's rules say.
    pub decisions: Vec<Decision>,
    pub document: Option<DocumentToday>,
    /// Why the document's state forbids the message.
    pub forbidden: Option<String>,
    /// Why the body cannot be read.
    pub unreadable: Option<String>,
    /// A message that is still on its way, so that nothing can be sent again.
    pub open: Option<Delivery>,
    /// What it is owed now is not what the text says.
    pub is_balance_changed: bool,
    /// The name of what would be sent.
    pub plan: String,
    pub replays_before: usize,
}

/// Somebody who would be written to.
#[derive(Debug, Clone)]
pub struct ReplayRecipient {
    /// The name that they are chosen by.
    pub key: String,
    pub message: NewDelivery,
    /// Why nothing can be sent to them.
    pub refused: Option<String>,
    pub is_preselected: bool,
    /// What they have had about the document, newest first.
    pub had: Vec<Had>,
}

/// An earlier message about the same document to the same address.
#[derive(Debug, Clone)]
pub struct Had {
    pub delivery: DeliveryId,
    pub event_type: Option<EventType>,
    pub state: DeliveryState,
    pub is_rehearsal: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A document as we know it today.
#[derive(Debug, Clone)]
pub struct DocumentToday {
    pub document: Document,
    /// When a body about it last came.
    pub heard_at: Option<DateTime<Utc>>,
}
