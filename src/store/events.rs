//! Events and their bodies.

use sea_orm::DbErr;
use uuid::Uuid;

use super::codec;
use super::ingest::PreparedEvent;
use super::sql::{self, Row, values};
use super::{Store, StoreError, TenantStore};
use crate::domain::document::DocumentKind;
use crate::domain::event::{Body, Event, EventSource, EventState, EventType, Ingested, NewEvent};
use crate::domain::ids::{ConnectionId, EventId, TenantId};
use crate::domain::money::Amount;

/// Bodies up to this many bytes are compressed by whoever brings them: 64 KiB take about 0.2 ms.
const COMPRESSED_HERE: usize = 64 * 1024;

fn prepare(event: NewEvent) -> Result<PreparedEvent, StoreError> {
    let encoded = codec::encode(&event.body.bytes)?;
    Ok(PreparedEvent {
        event,
        dictionary: encoded.dictionary,
        compressed: encoded.bytes,
    })
}

impl Store {
    /// Keeps a verified request; answers once it is on disk. The body is compressed before it
    /// reaches the writer: here, since going to another thread costs as much, or on a thread that may
    /// block when it is large.
    pub async fn ingest(&self, event: NewEvent) -> Result<Ingested, StoreError> {
        let prepared = if event.body.bytes.len() <= COMPRESSED_HERE {
            prepare(event)
        } else {
            let prepared = tokio::task::spawn_blocking(move || prepare(event)).await;
            prepared.map_err(|_| StoreError::Panicked)?
        };
        self.writer.ingest(prepared?).await
    }
}

impl TenantStore {
    /// One event.
    pub async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        let query = "SELECT * FROM events WHERE id = $1 AND tenant_id = $2";
        let row = sql::one(self.db(), query, values![id.uuid(), self.id.uuid()]).await?;
        row.map(|r| event(&r)).transpose()
    }

    /// The body of an event, as received.
    pub async fn body(&self, id: EventId) -> Result<Option<Body>, StoreError> {
        let query = "SELECT * FROM bodies WHERE event_id = $1 AND tenant_id = $2";
        let Some(row) = sql::one(self.db(), query, values![id.uuid(), self.id.uuid()]).await?
        else {
            return Ok(None);
        };
        let compressed: Vec<u8> = row.get("body")?;
        let raw_size =
            usize::try_from(row.get::<i64>("raw_size")?).map_err(|e| DbErr::Type(e.to_string()))?;
        let bytes = codec::decode(row.get("dictionary")?, &compressed, raw_size)
            .map_err(|_| StoreError::BadBody(id.uuid()))?;
        Ok(Some(Body {
            content_type: row.get("content_type")?,
            query: row.get("query")?,
            bytes: bytes.into(),
        }))
    }
}

pub(super) fn event(row: &Row) -> Result<Event, StoreError> {
    let id: Uuid = row.get("id")?;
    let event_type = |column| {
        row.word("events", column, id, |t| match t {
            "" => Some(None),
            t => t.parse::<EventType>().ok().map(Some),
        })
    };
    Ok(Event {
        id: EventId::from_uuid(id),
        tenant: TenantId::from_uuid(row.get("tenant_id")?),
        connection: ConnectionId::from_uuid(row.get("connection_id")?),
        source: row.word("events", "source", id, EventSource::parse)?,
        path_type: event_type("path_type")?,
        label: row.get("label")?,
        event_type: event_type("event_type")?,
        state: row.word("events", "state", id, EventState::parse)?,
        document_kind: row.word("events", "document_kind", id, |k| match k {
            "" => Some(None),
            k => DocumentKind::parse(k).map(Some),
        })?,
        document_id: row.get("document_id")?,
        document_number: row.get("document_number")?,
        party_id: row.get("party_id")?,
        party_name: row.get("party_name")?,
        amount: row.get::<Option<i64>>("amount")?.map(Amount),
        currency: row.get("currency")?,
        rules_not_asked: row.get("rules_not_asked")?,
        received_at: row.time("received_at")?,
        routed_at: row.time_opt("routed_at")?,
    })
}
