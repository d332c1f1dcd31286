//! Limits of carriers that messages of a sender ran into; written with the receipts that tell of them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::delivery::Hold;
use crate::domain::ids::ConnectionId;
use crate::domain::report::HitLimit;
use crate::domain::sender_rest::{Concerns, LimitHit, SenderRest};
use crate::store::engine::db::TenantDb;
use crate::store::engine::db::bulk::record;
use crate::store::engine::sql::{Row, for_update, micros, values};
use crate::store::pipeline::index_predicates::MOVING;
use crate::store::{StoreError, TenantStore};

/// How long one is kept that is over.
const KEPT: TimeDelta = TimeDelta::days(7);

/// How many are shown.
const SHOWN: u64 = 100;

impl TenantStore {
    /// The limits that messages over a connection ran into and that are not lifted yet, the newest first.
    pub async fn sender_rests(
        &self,
        connection: ConnectionId,
        now: DateTime<Utc>,
    ) -> Result<Vec<SenderRest>, StoreError> {
        let query = "SELECT * FROM sender_rests WHERE tenant_id = $1 AND connection_id = $2 \
                     AND until > $3 ORDER BY since DESC, sender, code LIMIT $4";
        let bound = values![connection.uuid(), micros(now), SHOWN];
        let rows = self.db().all(query, bound).await?;
        rows.iter().map(rest).collect()
    }
}

impl TenantStore {
    /// How many messages wait for the turn of their sender, by what they bear as it; counting stops at ten
    /// thousand.
    pub async fn waiting_for_turns(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let query = format!(
            "SELECT sender, COUNT(*) AS n FROM (SELECT sender FROM deliveries WHERE tenant_id = $1 \
             AND state = 'queued' AND {MOVING} AND hold = $2 LIMIT 10000) AS waiting GROUP BY sender"
        );
        let rows = self.db().all(&query, values![Hold::Turn.as_str()]).await?;
        let counted = rows
            .iter()
            .map(|row| Ok((row.get("sender")?, row.get("n")?)));
        counted.collect()
    }
}

/// Notes that a message ran into a limit. The caller is alone within the tenant.
pub(in crate::store) async fn note(
    tx: TenantDb<'_>,
    hit: &LimitHit,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let connection = hit.connection.uuid();
    let old = "DELETE FROM sender_rests WHERE tenant_id = $1 AND connection_id = $2 AND until < $3";
    tx.exec(old, values![connection, micros(now - KEPT)])
        .await?;
    let key = || values![connection, hit.sender.clone(), hit.code];
    let such = "WHERE tenant_id = $1 AND connection_id = $2 AND sender = $3 AND code = $4";
    let query = format!("SELECT * FROM sender_rests {such}{}", for_update(tx));
    let before = tx.one(&query, key()).await?;
    let next = SenderRest::after(before.map(|row| rest(&row)).transpose()?, hit, now);
    let row = record![
        connection_id: connection,
        sender: next.sender.clone(),
        code: next.code,
        concerns: next.concerns.as_str(),
        since: micros(next.since),
        until: micros(next.until),
        hits: next.hits,
        rests: next.rests,
    ];
    let delete = format!("DELETE FROM sender_rests {such}");
    tx.exec(&delete, key()).await?;
    tx.insert("sender_rests", row, "").await?;
    let column = match hit.limit {
        HitLimit::SenderRate => "senders_rest_until",
        HitLimit::AccountDay => "sms_paused_until",
        HitLimit::CarrierDay(_) => return Ok(()),
    };
    let pause = format!(
        "UPDATE connections SET {column} = $3 WHERE tenant_id = $1 AND id = $2 \
         AND ({column} IS NULL OR {column} < $3)"
    );
    let bound = values![connection, micros(next.until)];
    tx.exec(&pause, bound).await.map(drop)
}

fn rest(row: &Row) -> Result<SenderRest, StoreError> {
    let connection = row.get("connection_id")?;
    Ok(SenderRest {
        sender: row.get("sender")?,
        code: row.get("code")?,
        concerns: row.word("sender_rests", "concerns", connection, Concerns::parse)?,
        since: row.time("since")?,
        until: row.time("until")?,
        hits: row.get("hits")?,
        rests: row.get("rests")?,
    })
}
