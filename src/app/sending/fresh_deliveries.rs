//! Messages that this process queued a moment ago, with the document that they tell of: whoever sends one at
//! once need not read it again.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::app::cache::TtlCache;
use crate::domain::delivery::Message;
use crate::domain::document::Document;
use crate::domain::ids::{DeliveryId, EventId};

/// Messages that are remembered until they are sent.
const DELIVERIES: u64 = 10_000;

/// How long a message is remembered that somebody else sends.
const FRESH: Duration = Duration::from_secs(20);

/// A document as it is known, with what payments have applied to it.
#[derive(Debug, Clone)]
pub(in crate::app) struct SeenDocument {
    /// The version of its row: raised by whatever changes it.
    pub(in crate::app) version: i64,
    pub(in crate::app) document: Document,
    /// The event whose body last set its state.
    pub(in crate::app) last_event: EventId,
}

/// A message, and the document that it tells of.
#[derive(Clone)]
pub(in crate::app) struct FreshDelivery {
    pub(in crate::app) message: Message,
    pub(in crate::app) document: Option<SeenDocument>,
}

/// Each is given away once.
pub(in crate::app) struct FreshDeliveries(TtlCache<DeliveryId, std::sync::Arc<FreshDelivery>>);

impl FreshDeliveries {
    pub(in crate::app) fn new() -> Self {
        Self(TtlCache::of_values(DELIVERIES, FRESH))
    }

    pub(in crate::app) fn keep(&self, fresh: FreshDelivery, now: DateTime<Utc>) {
        self.0.insert(fresh.message.delivery.id, fresh.into(), now);
    }

    pub(in crate::app) fn take(&self, id: DeliveryId) -> Option<FreshDelivery> {
        self.0.take(&id).map(std::sync::Arc::unwrap_or_clone)
    }
}
