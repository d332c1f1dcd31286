//! What owners hear of: refused connections, bursts of forged requests, silent hooks, daily summaries.

use chrono::{DateTime, Utc};
use sea_orm::Value;
use uuid::Uuid;

use super::account_figures::sum;
use crate::domain::account_figures::Sum;
use crate::domain::connection::Provider;
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::{ConnectionId, TenantId, floor_v7};
use crate::domain::tenant::Tenant;
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::tenant::settings::tenant;
use crate::store::{Platform, StoreError, TenantStore};

/// Something that a tenant's owners have to know at once.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub tenant: Tenant,
    pub connection: ConnectionId,
    pub provider: Provider,
    /// When it began; with the connection and the kind it names the occasion.
    pub begun: DateTime<Utc>,
    pub kind: TroubleKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TroubleKind {
    /// The provider refuses the credential, for this reason.
    Refused(String),
    /// Requests at the hook bear wrong signatures.
    Burst,
    /// So little is left on the account.
    LowBalance(Sum),
}

/// A condition up to an instant, the instant it began, and what it is.
type Kind = (
    &'static str,
    &'static str,
    fn(&Row) -> Result<TroubleKind, StoreError>,
);

const KINDS: [Kind; 3] = [
    ("k.state = 'broken' AND k.broken_at", "k.broken_at", |row| {
        Ok(TroubleKind::Refused(row.get("why")?))
    }),
    ("k.burst_at", "k.burst_at", |_| Ok(TroubleKind::Burst)),
    ("f.login = k.login AND f.low_at", "f.low_at", |row| {
        let balance = sum(row, "balance", "balance_currency")?;
        Ok(TroubleKind::LowBalance(balance.ok_or(
            StoreError::BadRow {
                table: "account_figures",
                column: "balance",
                row: row.get("connection_id")?,
            },
        )?))
    }),
];

impl Platform {
    /// Troubles of tenants that are not suspended, begun after `since` and not over; those of one
    /// tenant, or all.
    pub async fn troubles(
        &self,
        of: Option<TenantId>,
        since: DateTime<Utc>,
    ) -> Result<Vec<Trouble>, StoreError> {
        let mut troubles = Vec::new();
        for (condition, begun, read) in KINDS {
            let mut bound: Vec<Value> = values![micros(since)];
            let mut one = "";
            if let Some(of) = of {
                bound.push(of.uuid().into());
                one = "AND k.tenant_id = $2";
            }
            let query = format!(
                "SELECT t.*, k.id AS connection_id, k.provider AS provider, k.reason AS why, \
                 {begun} AS begun, f.balance, f.balance_currency FROM connections k \
                 JOIN tenants t ON t.id = k.tenant_id \
                 LEFT JOIN account_figures f ON f.connection_id = k.id \
                 WHERE t.status = 'active' AND {condition} > $1 {one} LIMIT 1000"
            );
            for row in self.db().all(&query, bound).await? {
                let id: Uuid = row.get("connection_id")?;
                troubles.push(Trouble {
                    tenant: tenant(&row)?,
                    connection: ConnectionId::from_uuid(id),
                    provider: row.word("connections", "provider", id, Provider::parse)?,
                    begun: row.time("begun")?,
                    kind: read(&row)?,
                });
            }
        }
        Ok(troubles)
    }

    /// Live hooks of Zoho connections behind `after`, in the order of their ids, and when each last
    /// kept a request; never heard of ones and those of suspended tenants are left out.
    pub async fn last_heard(
        &self,
        after: Uuid,
        limit: u64,
    ) -> Result<Vec<(Uuid, Option<(Tenant, DateTime<Utc>)>)>, StoreError> {
        let query = "SELECT t.*, k.id AS connection_id, (SELECT e.received_at FROM events e \
                     WHERE e.tenant_id = k.tenant_id AND e.connection_id = k.id \
                     AND e.source = 'webhook' ORDER BY e.id DESC LIMIT 1) AS heard \
                     FROM connections k JOIN tenants t ON t.id = k.tenant_id \
                     WHERE k.provider = 'zoho' AND t.status = 'active' AND k.id > $1 AND EXISTS \
                     (SELECT 1 FROM hooks h WHERE h.connection_id = k.id AND h.revoked_at IS NULL) \
                     ORDER BY k.id LIMIT $2";
        let rows = self.db().all(query, values![after, limit]).await?;
        let read = |row: &Row| {
            let heard = row.time_opt("heard")?;
            let heard = heard.map(|at| Ok::<_, StoreError>((tenant(row)?, at)));
            Ok((row.get("connection_id")?, heard.transpose()?))
        };
        rows.iter().map(read).collect()
    }

    /// Tenants that are not suspended, behind `after` in the order of their ids, and the day of the
    /// last daily summary that was written.
    pub async fn mornings(
        &self,
        after: Uuid,
        limit: u64,
    ) -> Result<Vec<(Tenant, String)>, StoreError> {
        let query =
            "SELECT * FROM tenants WHERE status = 'active' AND id > $1 ORDER BY id LIMIT $2";
        let rows = self.db().all(query, values![after, limit]).await?;
        rows.iter()
            .map(|row| Ok((tenant(row)?, row.get("morning_on")?)))
            .collect()
    }
}

impl TenantStore {
    /// Deliveries made from one instant to another, by state.
    pub async fn made_between(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<(DeliveryState, i64)>, StoreError> {
        let query = "SELECT state, COUNT(*) AS n FROM deliveries \
                     WHERE tenant_id = $1 AND id >= $2 AND id < $3 GROUP BY state";
        let from = floor_v7(from);
        let bound = values![from, floor_v7(to)];
        let rows = self.db().all(query, bound).await?;
        rows.iter()
            .map(|row| {
                let state = row.word("deliveries", "state", from, DeliveryState::parse)?;
                Ok((state, row.get("n")?))
            })
            .collect()
    }

    /// Notes that the daily summaries of a day are written.
    pub async fn mark_morning(&self, day: String) -> Result<(), StoreError> {
        self.writer()
            .record(work!([day], async |tx| {
                let mark = "UPDATE tenants SET morning_on = $2 WHERE id = $1";
                tx.exec(mark, values![day]).await.map(drop)
            }))
            .await
    }
}
