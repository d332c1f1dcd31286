//! Rejected requests: a bounded list of what could not be verified, and why.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::domain::ids::{ConnectionId, RejectedId, TenantId, floor_v7};
use crate::store::engine::db::TenantDb;
use crate::store::engine::db::bulk::record;
use crate::store::engine::sql::{micros, values};
use crate::store::engine::writer::work;
use crate::store::{StoreError, TenantStore};

/// A request that could not be verified.
#[derive(Debug, Clone)]
pub struct RejectedRequest {
    pub id: RejectedId,
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub path: String,
    /// The client's address.
    pub address: String,
    pub reason: String,
    /// JSON: lengths, content type, whether a query was present, first digits of the digests.
    pub compared: String,
    /// Whether its signature was missing or wrong; other requests are refused for what they hold.
    pub is_forged: bool,
    /// How many requests like it were counted and not kept.
    pub like_it: i64,
    pub at: DateTime<Utc>,
}

/// How many rejected requests of a tenant are kept.
const REJECTED_KEPT: i64 = 200;

/// How many forged requests are a burst, and within which time.
const BURST: i64 = 5;
const BURST_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// A burst is over when nothing forged has come for so long.
const BURST_QUIET: TimeDelta = TimeDelta::hours(1);

impl TenantStore {
    /// Keeps a rejected request, and only the newest few hundred of them; whether a burst of forged
    /// ones begins with it.
    pub async fn reject(&self, rejected: RejectedRequest) -> Result<bool, StoreError> {
        self.writer()
            .record(work!([rejected], async |tx| {
                let row = record![
                    id: rejected.id.uuid(),
                    connection_id: rejected.connection.uuid(),
                    path: rejected.path,
                    address: rejected.address,
                    reason: rejected.reason,
                    compared: rejected.compared,
                    like_it: rejected.like_it,
                    at: micros(rejected.at),
                    is_forged: rejected.is_forged,
                ];
                tx.insert("rejected_requests", row, "").await?;
                let trim = "DELETE FROM rejected_requests WHERE tenant_id = $1 AND id < \
                            (SELECT id FROM rejected_requests WHERE tenant_id = $1 \
                             ORDER BY id DESC LIMIT 1 OFFSET $2)";
                tx.exec(trim, values![REJECTED_KEPT]).await?;
                if !rejected.is_forged {
                    return Ok(false);
                }
                note_forged(tx, rejected.connection.uuid(), rejected.at).await
            }))
            .await
    }

    /// The rejected requests that are kept, newest first.
    pub async fn rejected(&self, limit: u64) -> Result<Vec<RejectedRequest>, StoreError> {
        let query =
            "SELECT * FROM rejected_requests WHERE tenant_id = $1 ORDER BY id DESC LIMIT $2";
        let rows = self.db().all(query, values![limit]).await?;
        rows.iter()
            .map(|r| {
                Ok(RejectedRequest {
                    id: RejectedId::from_uuid(r.get("id")?),
                    tenant: self.id,
                    connection: ConnectionId::from_uuid(r.get("connection_id")?),
                    path: r.get("path")?,
                    address: r.get("address")?,
                    reason: r.get("reason")?,
                    compared: r.get("compared")?,
                    is_forged: r.get("is_forged")?,
                    like_it: r.get("like_it")?,
                    at: r.time("at")?,
                })
            })
            .collect()
    }
}

/// Counts a forged request that was just written down; whether a burst begins with it.
async fn note_forged(
    tx: TenantDb<'_>,
    connection: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let over = "UPDATE connections SET burst_at = NULL \
                WHERE tenant_id = $1 AND id = $2 AND rejected_at <= $3";
    let quiet = micros(now - BURST_QUIET);
    tx.exec(over, values![connection, quiet]).await?;
    let begin = "UPDATE connections SET burst_at = $3 WHERE tenant_id = $1 AND id = $2 \
                 AND burst_at IS NULL AND (SELECT COALESCE(SUM(1 + r.like_it), 0) \
                 FROM rejected_requests r WHERE r.tenant_id = $1 AND r.id >= $4 \
                 AND r.connection_id = $2 AND r.is_forged) >= $5";
    let within = floor_v7(now - BURST_WITHIN);
    let bound = values![connection, micros(now), within, BURST];
    let begins = tx.exec(begin, bound).await? == 1;
    let last = "UPDATE connections SET rejected_at = $3 WHERE tenant_id = $1 AND id = $2";
    tx.exec(last, values![connection, micros(now)]).await?;
    Ok(begins)
}
