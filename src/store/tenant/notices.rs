//! What owners are told of: refused connections, bursts of forged requests, silent hooks, mornings.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::Value;
use uuid::Uuid;

use super::account_figures::sum;
use crate::domain::account_figures::Sum;
use crate::domain::actor::Actor;
use crate::domain::connection::Provider;
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::{ConnectionId, TenantId, UserId, floor_v7};
use crate::domain::tenant::Tenant;
use crate::store::accounts::users::user;
use crate::store::engine::db::TenantDb;
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::history::audit::{AuditLine, audit};
use crate::store::operations::platform::tenant;
use crate::store::{Platform, StoreError, TenantStore, User};

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

/// How many forged requests are a burst, and within which time.
const BURST: i64 = 5;
const BURST_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// A burst is over when nothing forged has come for so long.
const BURST_QUIET: TimeDelta = TimeDelta::hours(1);

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
    /// last morning letter that was written.
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

/// Who gets the morning letter: by their own word, and without one, owners.
const WANTS_MORNING: &str = "COALESCE(m.morning_mail, m.role = 'owner')";

impl TenantStore {
    /// The tenant's owners.
    pub async fn owners(&self) -> Result<Vec<User>, StoreError> {
        self.members_such("m.role = 'owner'").await
    }

    /// Members who get the morning letter.
    pub async fn morning_readers(&self) -> Result<Vec<User>, StoreError> {
        self.members_such(WANTS_MORNING).await
    }

    async fn members_such(&self, such: &str) -> Result<Vec<User>, StoreError> {
        let query = format!(
            "SELECT u.* FROM members m JOIN users u ON u.id = m.user_id \
             WHERE m.tenant_id = $1 AND {such} ORDER BY u.id LIMIT 200"
        );
        let rows = self.db().all(&query, vec![]).await?;
        rows.iter().map(user).collect()
    }

    /// Whether a member gets the morning letter; `None` for who is no member.
    pub async fn wants_morning(&self, of: UserId) -> Result<Option<bool>, StoreError> {
        let query = format!(
            "SELECT {WANTS_MORNING} AS wants FROM members m \
             WHERE m.tenant_id = $1 AND m.user_id = $2"
        );
        let row = self.db().one(&query, values![of.uuid()]).await?;
        row.map(|r| r.get("wants")).transpose()
    }

    /// Switches a member's morning letter; `false` for who is no member.
    pub async fn switch_morning(
        &self,
        of: UserId,
        wants: bool,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer()
            .record(work!([actor], async |tx| {
                let switch = "UPDATE members SET morning_mail = $3 \
                              WHERE tenant_id = $1 AND user_id = $2";
                if tx.exec(switch, values![of.uuid(), wants]).await? == 0 {
                    return Ok(false);
                }
                let line = AuditLine {
                    subject: actor.name.clone(),
                    actor,
                    action: "morning_mail.switched",
                    detail: serde_json::json!({ "old": !wants, "new": wants }).to_string(),
                };
                audit(tx, line, now).await?;
                Ok(true)
            }))
            .await
    }

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

    /// Notes that the morning letters of a day are written.
    pub async fn mark_morning(&self, day: String) -> Result<(), StoreError> {
        self.writer()
            .record(work!([day], async |tx| {
                let mark = "UPDATE tenants SET morning_on = $2 WHERE id = $1";
                tx.exec(mark, values![day]).await.map(drop)
            }))
            .await
    }
}

/// Counts a forged request that was just written down; whether a burst begins with it.
pub(in crate::store) async fn note_forged(
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
