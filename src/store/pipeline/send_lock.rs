//! The lock that lets equal messages go one at a time: same scope, channel, address and fingerprint.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::claims::{Claiming, Firsts};
use super::deliveries::delivery_id;
use crate::domain::address_hash::AddressHash;
use crate::domain::delivery::Channel;
use crate::domain::ids::DeliveryId;
use crate::store::StoreError;
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::sql::{Row, micros, values};

/// Scope, channel, address and fingerprint: what makes two messages equal.
pub(super) type Equal = (String, Channel, AddressHash, Vec<u8>);

/// Takes the equal-text locks that are free.
pub(super) async fn take_send_locks(
    tx: BatchDb<'_>,
    firsts: &Firsts<'_>,
) -> Result<BTreeSet<DeliveryId>, StoreError> {
    // In one order everywhere, so that two batches do not wait for each other.
    let mut records: BTreeMap<Equal, Record> = BTreeMap::new();
    for (id, c) in firsts {
        let (scope, channel, to, fingerprint) = c.equal();
        records.entry(c.equal()).or_insert_with(|| {
            record![
                scope: scope,
                channel: channel.as_str(),
                address_hash: to,
                fingerprint: fingerprint,
                tenant_id: c.tenant.uuid(),
                event_id: id.event.uuid(),
                delivery_id: id.own,
                since: micros(c.claim.now),
            ]
        });
    }
    let take = Bulk::insert(
        "in_flight",
        " ON CONFLICT DO NOTHING RETURNING event_id, delivery_id AS id",
    );
    let rows = take.all(tx, records.into_values().collect()).await?;
    rows.iter().map(delivery_id).collect()
}

/// Who has a lock.
pub(super) struct Holder {
    pub(super) tenant: Uuid,
    pub(super) delivery: DeliveryId,
}

fn holder(row: &Row) -> Result<Holder, StoreError> {
    Ok(Holder {
        tenant: row.get("tenant_id")?,
        delivery: delivery_id(row)?,
    })
}

/// Who has the locks that were not free.
pub(super) async fn holders(
    tx: BatchDb<'_>,
    firsts: &Firsts<'_>,
    taken: &BTreeSet<DeliveryId>,
) -> Result<HashMap<Equal, Holder>, StoreError> {
    let tx = tx.unscoped("equal messages of one account wait for each other, whose they are");
    let mut holders = HashMap::new();
    for claiming in firsts.values().filter(|c| !taken.contains(&c.delivery())) {
        let equal = claiming.equal();
        if holders.contains_key(&equal) {
            continue;
        }
        let query = "SELECT tenant_id, event_id, delivery_id AS id FROM in_flight \
                     WHERE scope = $1 AND channel = $2 AND address_hash = $3 AND fingerprint = $4";
        let (scope, channel, to, fingerprint) = equal.clone();
        let bound = values![scope, channel.as_str(), to, fingerprint];
        if let Some(row) = tx.one(query, bound).await? {
            holders.insert(equal, holder(&row)?);
        }
    }
    Ok(holders)
}

/// An equal message of the same tenant, from when its lock was taken in the other scope.
pub(super) async fn holder_elsewhere(
    tx: BatchDb<'_>,
    claiming: &Claiming,
) -> Result<Option<Holder>, StoreError> {
    let query = "SELECT tenant_id, event_id, delivery_id AS id FROM in_flight WHERE scope = $2 \
                 AND channel = $3 AND address_hash = $4 AND fingerprint = $5 AND tenant_id = $1 \
                 AND delivery_id <> $6";
    let bound = values![
        claiming.other_scope(),
        claiming.claim.channel.as_str(),
        claiming.to,
        claiming.claim.fingerprint.clone(),
        claiming.delivery().own
    ];
    let row = tx.of(claiming.tenant).one(query, bound).await?;
    row.as_ref().map(holder).transpose()
}

/// Lets the next equal message go.
pub(in crate::store) async fn release_send_lock(
    tx: TenantDb<'_>,
    delivery: DeliveryId,
) -> Result<(), StoreError> {
    release_send_locks(tx.batch(), std::iter::once((tx.tenant(), delivery))).await
}

/// The same for many deliveries, each with its tenant.
pub(in crate::store) async fn release_send_locks(
    tx: BatchDb<'_>,
    deliveries: impl Iterator<Item = (Uuid, DeliveryId)>,
) -> Result<(), StoreError> {
    let leave = Bulk::Joined(
        "DELETE FROM in_flight WHERE (tenant_id, delivery_id) IN \
         (SELECT tenant_id, delivery_id FROM v)",
    );
    let records = deliveries.map(|(tenant, d)| record![delivery_id: d.own, tenant_id: tenant]);
    leave.exec(tx, records.collect()).await.map(drop)
}
