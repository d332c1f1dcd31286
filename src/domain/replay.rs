//! Replays: a person's wish to decide or send once more.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{DeliveryId, EventId, ReplayId, TenantId};

/// What is wished for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(const_into_str)]
pub enum ReplayKind {
    /// Decide the event again with today's rules.
    #[strum(serialize = "replay_event")]
    Event,
    /// Send the stored text to the stored address again.
    #[strum(serialize = "replay_delivery")]
    Delivery,
}

impl ReplayKind {
    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A stored replay.
#[derive(Debug, Clone)]
pub struct Replay {
    pub id: ReplayId,
    pub tenant: TenantId,
    pub kind: ReplayKind,
    pub event: EventId,
    /// The delivery to send again; `None` when the event is replayed.
    pub delivery: Option<DeliveryId>,
    /// Makes a double click one replay.
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
