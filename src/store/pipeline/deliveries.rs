//! Deliveries: reading them, and letting go of those that were held.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use sea_orm::DatabaseConnection;
use uuid::Uuid;

use crate::store::engine::db::bulk::{Bulk, record};

use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::look_ups::LookUps;

use crate::domain::address::Address;
use crate::domain::assertion::Assertion;
use crate::domain::delivery::{Channel, Delivery, DeliveryState, Hold, StepKind};
use crate::domain::document::DocumentKind;
use crate::domain::ids::{
    ConnectionId, DeliveryId, EventId, MemberId, ReplayId, RuleId, StepId, TenantId,
};
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::pipeline::index_predicates::RESTING;
use crate::store::{StoreError, TenantStore};

/// Something that waits for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Event(TenantId, EventId),
    Replay(TenantId, ReplayId),
    Delivery(TenantId, DeliveryId, DateTime<Utc>),
    /// An e-mail of the service's own, on whose behalf.
    Mail(Option<TenantId>, Uuid),
}

/// Tenant and delivery.
type Key = (Uuid, DeliveryId);

/// Deliveries that a worker goes on with.
pub(in crate::store) type Deliveries = LookUps<Key, Delivery>;

pub(in crate::store) fn look_ups(db: &DatabaseConnection) -> Deliveries {
    LookUps::start(db, |db, keys| known(db, keys).boxed())
}

async fn known(
    db: BatchDb<'_>,
    keys: &BTreeSet<&Key>,
) -> Result<BTreeMap<Key, Delivery>, StoreError> {
    let select = Bulk::Joined(
        "SELECT d.* FROM v JOIN deliveries d ON d.event_id = v.event_id AND d.id = v.id \
         AND d.tenant_id = v.tenant_id",
    );
    let records = keys
        .iter()
        .map(|(tenant, id)| record![tenant_id: *tenant, event_id: id.event.uuid(), id: id.own]);
    let rows = select.all(db, records.collect()).await?;
    let known = rows.iter().map(delivery);
    known
        .map(|d| d.map(|d| ((d.tenant.uuid(), d.id), d)))
        .collect()
}

impl TenantStore {
    /// One delivery.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let key = (self.id.uuid(), id);
        self.store.look_ups.deliveries.ask(key).await
    }

    /// The deliveries of an event, oldest first.
    pub async fn deliveries_of(&self, event: EventId) -> Result<Vec<Delivery>, StoreError> {
        let query = "SELECT * FROM deliveries WHERE event_id = $2 AND (tenant_id = $1) IS TRUE \
                     ORDER BY id LIMIT 500";
        let rows = self.db().all(query, values![event.uuid()]).await?;
        rows.iter().map(delivery).collect()
    }

    /// Gives a rehearsal that was never tried the owner's number of today; `false` when it moved on
    /// meanwhile.
    pub async fn bind_rehearsal(
        &self,
        delivery: DeliveryId,
        to: Address,
    ) -> Result<bool, StoreError> {
        self.writer()
            .record_outcome(work!([to], async |tx| {
                let bind = "UPDATE deliveries SET rehearsal_to = $4 WHERE event_id = $2 \
                            AND id = $3 AND tenant_id = $1 AND is_rehearsal = TRUE \
                            AND attempt_no = 0 AND state = 'queued'";
                let (event, own) = (delivery.event.uuid(), delivery.own);
                let bound = values![event, own, to.as_str()];
                Ok(tx.exec(bind, bound).await? == 1)
            }))
            .await
    }

    /// Held deliveries of these kinds go back to the queue, those of one channel or of all; what is due now.
    pub async fn release_held(
        &self,
        holds: Vec<Hold>,
        channel: Option<Channel>,
        sentence: String,
        now: DateTime<Utc>,
    ) -> Result<Vec<DeliveryId>, StoreError> {
        self.writer()
            .edit(work!([holds, sentence], async |tx| {
                release(tx, (&holds, channel), &sentence, now).await
            }))
            .await
    }
}

/// How many held deliveries one transaction releases; the caller asks again for the rest.
pub const RELEASE_AT_ONCE: usize = 500;

async fn release(
    tx: TenantDb<'_>,
    (holds, channel): (&[Hold], Option<Channel>),
    sentence: &str,
    now: DateTime<Utc>,
) -> Result<Vec<DeliveryId>, StoreError> {
    let mut released = Vec::new();
    for hold in holds {
        let query = format!(
            "UPDATE deliveries SET state = 'queued', hold = '', reason = $3, due_at = $4, \
             updated_at = $4 WHERE tenant_id = $1 AND state = 'held' AND id IN \
             (SELECT id FROM deliveries WHERE tenant_id = $1 AND state = 'held' AND {RESTING} \
              AND hold = $2 AND ($6 = '' OR channel = $6) ORDER BY id LIMIT $5) RETURNING event_id, id, attempt_no"
        );
        let bound = values![
            hold.as_str(),
            sentence,
            micros(now),
            i64::try_from(RELEASE_AT_ONCE).unwrap_or(i64::MAX),
            channel.map_or("", Channel::as_str)
        ];
        let mut rows = Vec::with_capacity(RELEASE_AT_ONCE);
        for row in tx.all(&query, bound).await? {
            let id = delivery_id(&row)?;
            rows.push((id, row.get("attempt_no")?, StepId::new(now)));
            released.push(id);
        }
        let step = super::steps::NewStep {
            kind: StepKind::Released,
            sentence: sentence.to_owned(),
            detail: "{}".to_owned(),
        };
        super::steps::insert_steps(tx, &rows, &step, now).await?;
    }
    Ok(released)
}

pub(in crate::store) fn due(row: &Row) -> Result<Due, StoreError> {
    let tenant = TenantId::from_uuid(row.get("tenant_id")?);
    Ok(Due::Delivery(
        tenant,
        delivery_id(row)?,
        row.time("due_at")?,
    ))
}

pub(in crate::store) fn delivery_id(row: &Row) -> Result<DeliveryId, StoreError> {
    Ok(DeliveryId {
        event: EventId::from_uuid(row.get("event_id")?),
        own: row.get("id")?,
    })
}

pub(in crate::store) fn delivery(row: &Row) -> Result<Delivery, StoreError> {
    let id = delivery_id(row)?;
    let replay_of: Uuid = row.get("replay_of")?;
    Ok(Delivery {
        id,
        tenant: TenantId::from_uuid(row.get("tenant_id")?),
        rule: RuleId::from_uuid(row.get("rule_id")?),
        rule_version: row.get("rule_version")?,
        rule_name: row.get("rule_name")?,
        replay: ReplayId::from_uuid(row.get("replay_id")?),
        replay_of: (!replay_of.is_nil()).then_some(DeliveryId {
            event: id.event,
            own: replay_of,
        }),
        channel: row.word("deliveries", "channel", id.own, Channel::parse)?,
        address: row.get("address")?,
        recipient: row.get("recipient")?,
        is_to_contact: row.get("is_to_contact")?,
        member: MemberId::from_uuid(row.get("member_id")?),
        asserts: asserts(row, id)?,
        is_rehearsal: row.get("is_rehearsal")?,
        rehearsal_to: row.get("rehearsal_to")?,
        sender: row.get("sender")?,
        fingerprint: row.get("fingerprint")?,
        state: row.word("deliveries", "state", id.own, DeliveryState::parse)?,
        reason: row.get("reason")?,
        hold: Hold::parse(&row.get::<String>("hold")?),
        due_at: row.time_opt("due_at")?,
        expires_at: row.time("expires_at")?,
        connection: ConnectionId::from_uuid(row.get("connection_id")?),
        account: row.get("account")?,
        lease_owner: row.get("lease_owner")?,
        lease_until: row.time_opt("lease_until")?,
        attempt_no: row.get("attempt_no")?,
        tries: row.get("tries")?,
        absents: row.get("absents")?,
        looks: row.get("looks")?,
        sid: row.get("sid")?,
        provider_rank: row.get("provider_rank")?,
        error_code: row.get("error_code")?,
        dealt_at: row.time_opt("dealt_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// What a delivery says of its document.
fn asserts(row: &Row, id: DeliveryId) -> Result<Option<Assertion>, StoreError> {
    let says: String = row.get("says")?;
    if says.is_empty() {
        return Ok(None);
    }
    Ok(Some(Assertion {
        source: ConnectionId::from_uuid(row.get("source_connection_id")?),
        kind: row.word("deliveries", "document_kind", id.own, DocumentKind::parse)?,
        document: row.get("document_id")?,
        says: row.word("deliveries", "says", id.own, |s| {
            serde_json::from_str(s).ok()
        })?,
    }))
}
