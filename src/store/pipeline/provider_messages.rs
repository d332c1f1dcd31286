//! Which of the provider's messages are whose.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::Value;
use uuid::Uuid;

use crate::domain::delivery::Channel;
use crate::domain::ids::DeliveryId;
use crate::domain::report::Status;
use crate::store::StoreError;
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::db::{BatchDb, TenantDb, UnscopedDb};
use crate::store::engine::sql::{self, micros, values};

/// A message that the provider is known to have.
#[derive(Debug, Clone)]
pub struct KnownMessage {
    /// As the provider calls itself.
    pub provider: String,
    pub account: String,
    pub sid: String,
    pub channel: Channel,
    pub address: String,
    pub status: Status,
    /// No later than it was accepted: when the attempt began, not when we heard of it. A message
    /// proves that a list is recent only if it was surely made after the one that is missing.
    pub accepted_at: DateTime<Utc>,
}

/// Remembers whose message a sid is; the first to say so wins.
pub(in crate::store) async fn know_message(
    tx: TenantDb<'_>,
    delivery: DeliveryId,
    attempt_no: i64,
    m: &KnownMessage,
) -> Result<bool, StoreError> {
    let record = message_record(tx.tenant(), delivery, attempt_no, m);
    Ok(KNOW.all(tx.batch(), vec![record]).await?.len() == 1)
}

pub(super) async fn is_ours(
    tx: TenantDb<'_>,
    delivery: DeliveryId,
    m: &KnownMessage,
) -> Result<bool, StoreError> {
    let query = "SELECT delivery_id FROM provider_messages \
                 WHERE tenant_id = $1 AND account = $2 AND sid = $3 AND delivery_id = $4";
    let bound = values![m.account.clone(), m.sid.clone(), delivery.own];
    Ok(tx.one(query, bound).await?.is_some())
}

pub(super) const KNOW: Bulk<'static> = Bulk::insert(
    "provider_messages",
    " ON CONFLICT DO NOTHING RETURNING account, sid",
);

pub(super) fn message_record(
    tenant: Uuid,
    delivery: DeliveryId,
    attempt_no: i64,
    m: &KnownMessage,
) -> Record {
    record![
        account: m.account.clone(),
        sid: m.sid.clone(),
        tenant_id: tenant,
        event_id: delivery.event.uuid(),
        delivery_id: delivery.own,
        attempt_no: attempt_no,
        channel: m.channel.as_str(),
        address: m.address.clone(),
        accepted_at: micros(m.accepted_at),
    ]
}

/// Keeps whoever else works on these messages of the provider's (account, sid) waiting until our
/// transaction ends: a report that comes while the answer to the call is written must find it, or be
/// found by it. In one order everywhere, so that no two wait for each other.
pub(super) async fn hold_messages<'a>(
    tx: BatchDb<'_>,
    messages: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), StoreError> {
    if !sql::is_postgres(tx) {
        return Ok(());
    }
    let names: BTreeSet<String> = messages
        .map(|(account, sid)| format!("{account}/{sid}"))
        .collect();
    let Some(names) = sql::array(names.into_iter().map(Value::from).collect()) else {
        return Ok(());
    };
    let query = "SELECT pg_advisory_xact_lock(k) FROM (SELECT DISTINCT hashtextextended(v.name, 0) AS k \
                 FROM UNNEST($1::text[]) AS v (name) ORDER BY k) AS keys";
    let db = UnscopedDb::itself(tx);
    db.exec(query, vec![names]).await.map(drop)
}
