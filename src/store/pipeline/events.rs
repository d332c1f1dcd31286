//! Events and their bodies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::FutureExt as _;
use sea_orm::{DatabaseConnection, DbErr};
use uuid::Uuid;

use super::ingest::PreparedEvent;
use crate::domain::document::DocumentKind;
use crate::domain::event::{Body, Event, EventSource, EventState, EventType, Ingested, NewEvent};
use crate::domain::ids::{ConnectionId, EventId, TenantId};
use crate::domain::money::Amount;
use crate::store::engine::codec;
use crate::store::engine::db::BatchDb;
use crate::store::engine::db::bulk::{Bulk, record};
use crate::store::engine::look_ups::LookUps;
use crate::store::engine::sql::{Row, values};
use crate::store::engine::writer::{WITHIN, within};
use crate::store::{Store, StoreError, TenantStore};

/// Bodies up to this many bytes are compressed by whoever brings them: 64 KiB take about 0.2 ms.
const COMPRESSED_HERE: usize = 64 * 1024;

/// Tenant and event.
type Key = (Uuid, Uuid);

/// Events with what is left of their bodies. A worker needs one for each job, unless its own process has
/// taken the event in.
pub(in crate::store) type Events = LookUps<Key, (Event, Option<PackedBody>)>;

pub(in crate::store) fn look_ups(db: &DatabaseConnection) -> Events {
    LookUps::start(db, |db, keys| whole(db, keys).boxed())
}

async fn whole(
    db: BatchDb<'_>,
    keys: &BTreeSet<&Key>,
) -> Result<BTreeMap<Key, (Event, Option<PackedBody>)>, StoreError> {
    let select = Bulk::Joined(
        "SELECT t.*, b.content_type, b.query, b.dictionary, b.raw_size, b.body FROM v \
         JOIN events t ON t.id = v.id AND t.tenant_id = v.tenant_id \
         LEFT JOIN bodies b ON b.event_id = t.id AND b.tenant_id = t.tenant_id",
    );
    let keys = keys
        .iter()
        .map(|(tenant, id)| record![tenant_id: *tenant, id: *id]);
    let mut found = BTreeMap::new();
    for row in select.all(db, keys.collect()).await? {
        let event = event(&row)?;
        let body = match row.get::<Option<Vec<u8>>>("body")? {
            Some(packed) => Some(PackedBody::of(&row, packed)?),
            None => None,
        };
        found.insert((event.tenant.uuid(), event.id.uuid()), (event, body));
    }
    Ok(found)
}

/// A body as it is stored.
#[derive(Debug, Clone)]
pub(in crate::store) struct PackedBody {
    content_type: String,
    query: String,
    dictionary: i16,
    raw_size: usize,
    packed: Vec<u8>,
}

impl PackedBody {
    fn of(row: &Row, packed: Vec<u8>) -> Result<Self, StoreError> {
        let raw_size = usize::try_from(row.get::<i64>("raw_size")?);
        Ok(Self {
            content_type: row.get("content_type")?,
            query: row.get("query")?,
            dictionary: row.get("dictionary")?,
            raw_size: raw_size.map_err(|e| DbErr::Type(e.to_string()))?,
            packed,
        })
    }

    fn unpack(self, event: EventId) -> Result<Body, StoreError> {
        let bytes = codec::decode(self.dictionary, &self.packed, self.raw_size)
            .map_err(|_| StoreError::BadBody(event.uuid()))?;
        Ok(Body {
            content_type: self.content_type,
            query: self.query,
            bytes: bytes.into(),
        })
    }
}

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
        within(WITHIN, self.commands.events.submit(Arc::new(prepared?))).await
    }
}

impl TenantStore {
    /// One event.
    pub async fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        let query = "SELECT * FROM events WHERE id = $2 AND tenant_id = $1";
        let row = self.db().one(query, values![id.uuid()]).await?;
        row.map(|r| event(&r)).transpose()
    }

    /// The body of an event, as received.
    pub async fn body(&self, id: EventId) -> Result<Option<Body>, StoreError> {
        let query = "SELECT * FROM bodies WHERE event_id = $2 AND tenant_id = $1";
        let row = self.db().one(query, values![id.uuid()]).await?;
        let packed = row.map(|row| PackedBody::of(&row, row.get("body")?));
        packed.transpose()?.map(|body| body.unpack(id)).transpose()
    }

    /// An event and its body, as far as that is kept.
    pub async fn whole_event(
        &self,
        id: EventId,
    ) -> Result<Option<(Event, Option<Body>)>, StoreError> {
        let key = (self.id.uuid(), id.uuid());
        let Some((event, body)) = self.store.look_ups.events.ask(key).await? else {
            return Ok(None);
        };
        let body = body.map(|body| body.unpack(id)).transpose()?;
        Ok(Some((event, body)))
    }
}

pub(in crate::store) fn event(row: &Row) -> Result<Event, StoreError> {
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
        dealt_at: row.time_opt("dealt_at")?,
    })
}
