//! Figures for the overview: how many went out, failed, or were refused.

use chrono::{DateTime, Utc};
use sea_orm::Value;

use crate::domain::delivery::DeliveryState;
use crate::domain::ids::floor_v7;
use crate::store::engine::sql::{from_micros, micros, placeholders, values};
use crate::store::pipeline::index_predicates::{self, MOVING, RESTING};
use crate::store::{StoreError, TenantStore};

/// What became of the deliveries that were made within one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourTally {
    pub starts_at: DateTime<Utc>,
    /// The provider has them, or the recipient.
    pub sent: u64,
    pub failed: u64,
}

impl TenantStore {
    /// How many deliveries are in one of these states; counting stops at `most`.
    pub async fn count_deliveries(
        &self,
        states: &[DeliveryState],
        most: u64,
    ) -> Result<u64, StoreError> {
        // Each part by its own index.
        let mut n = 0;
        for part in [MOVING, RESTING] {
            let states = states
                .iter()
                .filter(|s| index_predicates::of_delivery(**s) == part);
            let bound: Vec<Value> = states.map(|s| s.as_str().into()).collect();
            if !bound.is_empty() && n < most {
                let query = format!(
                    "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM deliveries \
                     WHERE tenant_id = $1 AND state IN ({}) AND {part} LIMIT {}) counted",
                    placeholders(bound.len(), 2),
                    most - n
                );
                n += self.number(&query, bound).await?;
            }
        }
        Ok(n)
    }

    /// How many requests were refused since then, counting those that were not kept one by one.
    pub async fn count_rejected(&self, since: DateTime<Utc>) -> Result<u64, StoreError> {
        let query = "SELECT CAST(COALESCE(SUM(1 + like_it), 0) AS BIGINT) AS n \
                     FROM rejected_requests WHERE tenant_id = $1 AND id >= $2";
        self.number(query, values![floor_v7(since)]).await
    }

    pub(super) async fn number(&self, query: &str, bound: Vec<Value>) -> Result<u64, StoreError> {
        let row = self.db().one(query, bound).await?;
        let n: i64 = row.map(|r| r.get("n")).transpose()?.unwrap_or(0);
        Ok(u64::try_from(n).unwrap_or(0))
    }

    /// How many messages went out and failed since the hour of an instant, oldest first; hours in
    /// which nothing did are left out. Triggers of the schema keep these figures.
    pub async fn tally(&self, since: DateTime<Utc>) -> Result<Vec<HourTally>, StoreError> {
        let query = "SELECT hour, CAST(SUM(sent) AS BIGINT) AS sent, \
                     CAST(SUM(failed) AS BIGINT) AS failed FROM delivery_counts \
                     WHERE tenant_id = $1 AND hour >= $2 GROUP BY hour ORDER BY hour";
        let bound = values![micros(since) / HOUR];
        let rows = self.db().all(query, bound).await?;
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        rows.iter()
            .map(|r| {
                Ok(HourTally {
                    starts_at: from_micros(r.get::<i64>("hour")? * HOUR),
                    sent: number(r.get("sent")?),
                    failed: number(r.get("failed")?),
                })
            })
            .collect()
    }
}

/// In microseconds.
const HOUR: i64 = 3_600_000_000;
