//! What was read or written a moment ago, so that a busy tenant's rows are not read again for each event.
//!
//! Nothing here is the truth: whatever is decided or claimed by it is checked by the statement that
//! commits it, and refused when it is out of date. Then the rows themselves are read.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache;

use super::pipeline::{RoutingContext, StoredEvent};
use super::sending::SendingContext;
use super::sending::receipts::Reporter;
use super::{App, AppError};
use crate::domain::delivery::{Channel, Message};
use crate::domain::document::Document;
use crate::domain::ids::{DeliveryId, EventId, TenantId};

/// How long something is believed that another process may have edited.
const BELIEVED: Duration = Duration::from_secs(1);

/// Tenants, or addresses, of which something is remembered.
const KEYS: u64 = 10_000;

/// Bytes of bodies that are remembered until they are routed.
const BODIES: u64 = 16 << 20;

/// Messages that are remembered until they are sent.
const DELIVERIES: u64 = 10_000;

/// How long an event or a message is remembered that somebody else deals with.
const FRESH: Duration = Duration::from_secs(20);

/// A document as it is known, with what payments have applied to it.
#[derive(Debug, Clone)]
pub(super) struct SeenDocument {
    /// The version of its row: raised by whatever changes it.
    pub(super) version: i64,
    pub(super) document: Document,
    /// The event whose body last set its state.
    pub(super) last_event: EventId,
}

/// A message, and the document that it tells of.
#[derive(Clone)]
pub(super) struct KeptDelivery {
    pub(super) message: Message,
    pub(super) document: Option<SeenDocument>,
}

/// All that this process remembers of its work.
pub(super) struct Recent {
    pub(super) routing: TtlCache<TenantId, RoutingContext>,
    pub(super) sending_contexts: TtlCache<(TenantId, Channel), SendingContext>,
    pub(super) reporters: TtlCache<String, Option<Reporter>>,
    events: Cache<EventId, Arc<StoredEvent>>,
    deliveries: Cache<DeliveryId, Arc<KeptDelivery>>,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self {
            routing: TtlCache::new(),
            sending_contexts: TtlCache::new(),
            reporters: TtlCache::new(),
            events: Cache::builder()
                .max_capacity(BODIES)
                .weigher(|_, kept: &Arc<StoredEvent>| {
                    let body = kept.body.as_ref().map_or(0, |b| b.bytes.len());
                    u32::try_from(body + 500).unwrap_or(u32::MAX)
                })
                .time_to_live(FRESH)
                .build(),
            deliveries: Cache::builder()
                .max_capacity(DELIVERIES)
                .time_to_live(FRESH)
                .build(),
        }
    }

    /// Remembers an event that was kept just now.
    pub(super) fn keep_event(&self, kept: StoredEvent) {
        self.events.insert(kept.event.id, Arc::new(kept));
    }

    /// An event as it was kept, once.
    pub(super) fn take_event(&self, id: EventId) -> Option<Arc<StoredEvent>> {
        self.events.remove(&id)
    }

    /// Remembers a message that was queued just now.
    pub(super) fn keep_delivery(&self, kept: KeptDelivery) {
        self.deliveries
            .insert(kept.message.delivery.id, Arc::new(kept));
    }

    /// A message as it was queued, once.
    pub(super) fn take_delivery(&self, id: DeliveryId) -> Option<KeptDelivery> {
        self.deliveries.remove(&id).map(Arc::unwrap_or_clone)
    }
}

/// How current something must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AsOf {
    /// It may be a second old, but not older than any edit of this process.
    Lately,
    Now,
}

/// Something of each tenant or address, with how many edits this process had seen, and when it was read.
pub(super) struct TtlCache<K, T>(Cache<K, (u64, DateTime<Utc>, Arc<T>)>);

impl<K, T> TtlCache<K, T>
where
    K: Hash + Eq + Send + Sync + 'static,
    T: Send + Sync + 'static,
{
    fn new() -> Self {
        // The app's clock tells the age; should it be set back, the machine's is the bound.
        let cache = Cache::builder().max_capacity(KEYS).time_to_live(BELIEVED);
        Self(cache.build())
    }

    pub(super) async fn get(
        &self,
        app: &App,
        key: K,
        as_of: AsOf,
        read: impl Future<Output = Result<T, AppError>>,
    ) -> Result<Arc<T>, AppError> {
        if as_of == AsOf::Lately
            && let Some(value) = self.remembered(app, &key)
        {
            return Ok(value);
        }
        // Both before the first row is read: an entry is as old as what was read for it.
        let (edits, now) = (app.store().edits(), app.now());
        let value = Arc::new(read.await?);
        self.0.insert(key, (edits, now, value.clone()));
        Ok(value)
    }

    pub(super) fn remembered(&self, app: &App, key: &K) -> Option<Arc<T>> {
        let (seen, since, value) = self.0.get(key)?;
        let age = app.now() - since;
        let is_young = age < TimeDelta::from_std(BELIEVED).unwrap_or_default();
        (is_young && seen == app.store().edits()).then_some(value)
    }
}
