//! Orders: a person's wish to decide or send once more.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{DeliveryId, EventId, OrderId, TenantId};

/// What is wished for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKind {
    /// Decide the event again with today's rules.
    ReplayEvent,
    /// Send the stored text to the stored address again.
    ReplayDelivery,
}

impl OrderKind {
    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReplayEvent => "replay_event",
            Self::ReplayDelivery => "replay_delivery",
        }
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::ReplayEvent, Self::ReplayDelivery]
            .into_iter()
            .find(|k| k.as_str() == text)
    }
}

/// A stored order.
#[derive(Debug, Clone)]
pub struct Order {
    pub id: OrderId,
    pub tenant: TenantId,
    pub kind: OrderKind,
    pub event: EventId,
    /// The delivery to send again; `None` when the event is replayed.
    pub delivery: Option<DeliveryId>,
    /// Makes a double click one order.
    pub nonce: String,
    pub requested_by: String,
    pub requested_at: DateTime<Utc>,
    pub routed_at: Option<DateTime<Utc>>,
    /// What the person saw of an event's replay before they wanted it.
    pub confirmed: Option<Confirmed>,
}

/// What was confirmed of deciding an event again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// The fingerprint of the messages that it would make and of the document's state.
    pub plan: String,
    /// The keys of those messages that are wanted.
    pub chosen: Vec<String>,
}
