//! An event with its body, as it is kept; for a moment after it came, this process need not read it again.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::app::AppError;
use crate::app::cache::TtlCache;
use crate::domain::document::ParsedDocument;
use crate::domain::event::{Body, Event};
use crate::domain::ids::EventId;
use crate::store::TenantStore;
use crate::zoho::wire;

/// Bytes of events that are remembered until they are routed.
const BYTES: u64 = 16 << 20;

/// What an event needs beside its body, in bytes.
const WITHOUT_BODY: usize = 500;

/// How long an event is remembered that somebody else routes.
const FRESH: Duration = Duration::from_secs(20);

/// An event with its body, as far as that is kept.
pub(in crate::app) struct StoredEvent {
    pub(in crate::app) event: Event,
    pub(in crate::app) body: Option<Body>,
}

impl StoredEvent {
    /// Reads an event of this tenant.
    pub(super) async fn read(store: &TenantStore, id: EventId) -> Result<Option<Self>, AppError> {
        let read = store.whole_event(id).await?;
        Ok(read.map(|(event, body)| Self { event, body }))
    }

    /// What the body says; or why it cannot be understood.
    pub(super) fn parse(&self) -> Result<ParsedDocument, String> {
        let Some(body) = &self.body else {
            return Err("the body is no longer kept".to_owned());
        };
        let content_type = (!body.content_type.is_empty()).then_some(body.content_type.as_str());
        wire::read(&body.bytes, content_type, self.event.path_type).map_err(|e| e.to_string())
    }
}

impl StoredEvent {
    fn bytes(&self) -> u32 {
        let body = self.body.as_ref().map_or(0, |b| b.bytes.len());
        u32::try_from(body + WITHOUT_BODY).unwrap_or(u32::MAX)
    }
}

/// Events that this process kept a moment ago; each is given away once.
pub(in crate::app) struct FreshEvents(TtlCache<EventId, Arc<StoredEvent>>);

impl FreshEvents {
    pub(in crate::app) fn new() -> Self {
        let bytes = |stored: &Arc<StoredEvent>| stored.bytes();
        Self(TtlCache::weighing(BYTES, FRESH, bytes))
    }

    pub(super) fn keep(&self, stored: StoredEvent, now: DateTime<Utc>) {
        self.0.insert(stored.event.id, Arc::new(stored), now);
    }

    pub(super) fn take(&self, id: EventId) -> Option<Arc<StoredEvent>> {
        self.0.take(&id)
    }
}
