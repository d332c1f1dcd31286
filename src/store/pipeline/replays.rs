//! Replays: a person's wishes to decide or send once more, made once per nonce.

use uuid::Uuid;

use super::new_deliveries::insert_delivery;
use crate::domain::actor::Actor;
use crate::domain::address::key_of;
use crate::domain::address_hash::AddressHash;
use crate::domain::delivery::{Channel, Delivery, DeliveryState, NewDelivery};
use crate::domain::event::{Event, EventType};
use crate::domain::ids::{DeliveryId, EventId, ReplayId, TenantId};
use crate::domain::replay::{Replay, ReplayKind};
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::TenantDb;
use crate::store::engine::db::bulk::record;
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::pipeline::dealt::deal_messages;
use crate::store::{StoreError, TenantStore};

/// A wish to decide or send once more.
#[derive(Debug, Clone)]
pub struct NewReplay {
    /// The network address that the wish came from, for the security log.
    pub address: String,
    pub replay: Replay,
    /// How many replays of the event there were when its facts were read; another number means other facts.
    pub replays_before: Option<usize>,
    /// For the replay of a delivery: the new, linked delivery.
    pub delivery: Option<NewDelivery>,
}

/// How a replay ended.
#[derive(Debug, Clone)]
pub enum ReplayResult {
    Made,
    /// The nonce was used before, or a replay of the event is still to be decided: this is it.
    Repeated(Replay),
    /// A delivery of the same event (and address) is still open.
    Blocked(DeliveryId),
    /// The address must not be written to.
    Suppressed(String),
    /// The rehearsal began or ended since the delivery was made up, or another replay came first.
    Stale,
}

impl TenantStore {
    /// Keeps a replay, and its delivery, unless the nonce was used or something stands against it.
    pub async fn create_replay(&self, new: NewReplay) -> Result<ReplayResult, StoreError> {
        let to = new.delivery.as_ref();
        let to = to
            .map(|d| Ok::<_, StoreError>(self.hasher()?.hash(d.channel, &d.address)))
            .transpose()?;
        self.writer()
            .edit(work!([new], async |tx| { run(tx, &new, to).await }))
            .await
    }

    /// A replay by id.
    pub async fn replay(&self, id: ReplayId) -> Result<Option<Replay>, StoreError> {
        let query = "SELECT * FROM replays WHERE tenant_id = $1 AND id = $2";
        let row = self.db().one(query, values![id.uuid()]).await?;
        row.map(|r| replay(&r)).transpose()
    }

    /// The replay that a nonce was used for.
    pub async fn replay_named(&self, nonce: &str) -> Result<Option<Replay>, StoreError> {
        let query = "SELECT * FROM replays WHERE tenant_id = $1 AND nonce = $2";
        let row = self.db().one(query, values![nonce]).await?;
        row.map(|r| replay(&r)).transpose()
    }

    /// The newest messages about the document of an event, with the event that each tells of; where no document
    /// is known, those of the event itself.
    pub async fn told_about(
        &self,
        event: &Event,
    ) -> Result<Vec<(Delivery, Option<EventType>)>, StoreError> {
        let (which, bound) = match event.document_kind {
            Some(kind) if !event.document_id.is_empty() => (
                "e.tenant_id = $1 AND e.document_id = $2 AND e.document_id <> '' \
                 AND e.connection_id = $3 AND e.document_kind = $4",
                values![
                    event.document_id.clone(),
                    event.connection.uuid(),
                    kind.as_str()
                ],
            ),
            _ => ("e.tenant_id = $1 AND e.id = $2", values![event.id.uuid()]),
        };
        let query = format!(
            "SELECT d.*, e.event_type AS told_type FROM events e JOIN deliveries d ON d.event_id = e.id \
             WHERE {which} AND (d.tenant_id = $1) IS TRUE ORDER BY d.event_id DESC, d.id DESC LIMIT 300"
        );
        let rows = self.db().all(&query, bound).await?;
        rows.iter()
            .map(|row| {
                let told: String = row.get("told_type")?;
                Ok((super::deliveries::delivery(row)?, told.parse().ok()))
            })
            .collect()
    }

    /// The replays of an event, oldest first.
    pub async fn replays_of(&self, event: EventId) -> Result<Vec<Replay>, StoreError> {
        let query =
            "SELECT * FROM replays WHERE event_id = $2 AND tenant_id = $1 ORDER BY id LIMIT 200";
        let rows = self.db().all(query, values![event.uuid()]).await?;
        rows.iter().map(replay).collect()
    }
}

/// `to` is the hash of where the new delivery goes.
async fn run(
    tx: TenantDb<'_>,
    new: &NewReplay,
    to: Option<AddressHash>,
) -> Result<ReplayResult, StoreError> {
    let o = &new.replay;
    let query = "SELECT * FROM replays WHERE tenant_id = $1 AND nonce = $2";
    if let Some(row) = tx.one(query, values![o.nonce.clone()]).await? {
        return Ok(ReplayResult::Repeated(replay(&row)?));
    }
    if o.kind == ReplayKind::Event {
        // Its deliveries are not there yet to stand in the way, but the wish is under way.
        let query = "SELECT * FROM replays WHERE tenant_id = $1 AND event_id = $2 AND kind = $3 \
                     AND routed_at IS NULL ORDER BY id LIMIT 1";
        let bound = values![o.event.uuid(), o.kind.as_str()];
        if let Some(row) = tx.one(query, bound).await? {
            return Ok(ReplayResult::Repeated(replay(&row)?));
        }
    }
    if let Some(open) = open_delivery(tx, new).await? {
        return Ok(ReplayResult::Blocked(open));
    }
    if let Some(before) = new.replays_before {
        let query = "SELECT id FROM replays WHERE event_id = $2 AND tenant_id = $1 LIMIT 200";
        let rows = tx.all(query, values![o.event.uuid()]).await?;
        if rows.len() != before {
            return Ok(ReplayResult::Stale);
        }
    }
    if let Some((delivery, to)) = new.delivery.as_ref().zip(to) {
        let query = "SELECT id FROM tenants WHERE id = $1 AND is_rehearsal = $2";
        let same = tx.one(query, values![delivery.is_rehearsal]).await?;
        if same.is_none() {
            return Ok(ReplayResult::Stale);
        }
        let query = "SELECT reason FROM suppressions WHERE tenant_id = $1 AND channel = $2 \
                     AND address_hash = $3 ORDER BY created_at, source LIMIT 1";
        let bound = values![delivery.channel.as_str(), to];
        if let Some(row) = tx.one(query, bound).await? {
            return Ok(ReplayResult::Suppressed(row.get("reason")?));
        }
    }
    let confirmed = o.confirmed.as_ref();
    let confirmed = confirmed.and_then(|c| serde_json::to_string(c).ok());
    let confirmed = confirmed.unwrap_or_default();
    let row = record![
        id: o.id.uuid(),
        kind: o.kind.as_str(),
        event_id: o.event.uuid(),
        delivery_id: o.delivery.map_or(Uuid::nil(), |d| d.own),
        nonce: o.nonce.clone(),
        requested_by: o.requested_by.clone(),
        requested_at: micros(o.requested_at),
        routed_at: o.routed_at.map(micros),
        confirmed: confirmed,
    ];
    tx.insert("replays", row, "").await?;
    // Whoever sends or decides again has dealt with what failed.
    let own = o.delivery.map(|d| d.own);
    deal_messages(tx, o.event, own, o.requested_at).await?;
    if let Some(delivery) = &new.delivery {
        insert_delivery(tx, delivery, o.requested_at).await?;
    }
    let action = match o.kind {
        ReplayKind::Event => "event.replayed",
        ReplayKind::Delivery => "delivery.replayed",
    };
    let subject = o
        .delivery
        .map_or_else(|| o.event.to_string(), |d| d.to_string());
    let line = AuditLine {
        actor: Actor::named(&o.requested_by).at(&new.address),
        action,
        subject,
        detail: serde_json::json!({ "replay": o.id }).to_string(),
    };
    audit(tx, line, o.requested_at).await?;
    Ok(ReplayResult::Made)
}

/// A delivery that is still on its way: of the same address, or of any when an event is replayed.
async fn open_delivery(
    tx: TenantDb<'_>,
    new: &NewReplay,
) -> Result<Option<DeliveryId>, StoreError> {
    let query = "SELECT id, channel, address, state FROM deliveries WHERE event_id = $2 AND (tenant_id = $1) IS TRUE";
    let event = new.replay.event;
    for row in tx.all(query, values![event.uuid()]).await? {
        let own: Uuid = row.get("id")?;
        let state = row.word("deliveries", "state", own, DeliveryState::parse)?;
        let channel = row.word("deliveries", "channel", own, Channel::parse)?;
        let address: String = row.get("address")?;
        let person = (channel, key_of(channel, &address));
        let concerned = new.delivery.as_ref().is_none_or(|d| d.person() == person);
        if state.blocks_replay() && concerned {
            return Ok(Some(DeliveryId { event, own }));
        }
    }
    Ok(None)
}

fn replay(row: &Row) -> Result<Replay, StoreError> {
    let id: Uuid = row.get("id")?;
    let event = EventId::from_uuid(row.get("event_id")?);
    let delivery: Uuid = row.get("delivery_id")?;
    let confirmed: String = row.get("confirmed")?;
    Ok(Replay {
        id: ReplayId::from_uuid(id),
        tenant: TenantId::from_uuid(row.get("tenant_id")?),
        kind: row.word("replays", "kind", id, ReplayKind::parse)?,
        event,
        delivery: (!delivery.is_nil()).then_some(DeliveryId {
            event,
            own: delivery,
        }),
        nonce: row.get("nonce")?,
        requested_by: row.get("requested_by")?,
        requested_at: row.time("requested_at")?,
        routed_at: row.time_opt("routed_at")?,
        confirmed: (!confirmed.is_empty())
            .then(|| row.word("replays", "confirmed", id, |s| serde_json::from_str(s).ok()))
            .transpose()?,
    })
}
