//! What the operator sees of all tenants: figures, never what was written to whom.

use chrono::{DateTime, Utc};
use sea_orm::Value;
use uuid::Uuid;

use crate::domain::connection::{Pauses, Provider};
use crate::domain::ids::{ConnectionId, TenantId, floor_v7};
use crate::domain::page::{Cursor, Page};
use crate::domain::tenant::Tenant;
use crate::store::engine::keyset::paged;
use crate::store::engine::sql::{self, Row, micros, values};
use crate::store::tenant::settings::tenant;
use crate::store::{Platform, StoreError};

/// A tenant with its figures.
#[derive(Debug, Clone)]
pub struct TenantSummary {
    pub tenant: Tenant,
    /// It is being deleted; there is no way back.
    pub is_deleting: bool,
    /// The e-mail of an owner; empty when there is none.
    pub owner: String,
    pub members: i64,
    /// Since the given instant.
    pub events: i64,
    pub messages: i64,
}

/// What waits in the database of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// `events`, `replays`, `deliveries` or `mails`.
    pub table: &'static str,
    /// Due and not taken; counted to a hundred thousand.
    pub due: u64,
    /// Since when the oldest waits.
    pub oldest: Option<DateTime<Utc>>,
}

impl Platform {
    /// A page of tenants, the newest first, whose name, slug or owner's address contains `search`.
    pub async fn tenant_summaries(
        &self,
        search: &str,
        since: DateTime<Utc>,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<TenantSummary>, StoreError> {
        let mut wheres = Vec::new();
        let mut bound: Vec<Value> = values![floor_v7(since)];
        if !search.is_empty() {
            let (like, pattern) = sql::anywhere(self.db(), search);
            bound.push(pattern.into());
            wheres.push(format!(
                "(t.name {like} $2 OR t.slug {like} $2 OR EXISTS (SELECT 1 FROM members m \
                 JOIN users u ON u.id = m.user_id WHERE m.tenant_id = t.id AND m.role = 'owner' \
                 AND u.email {like} $2))"
            ));
        }
        let (side, order) = match cursor {
            Cursor::Newest => (None, "DESC"),
            Cursor::Before(id) => (Some(("<", id)), "DESC"),
            Cursor::After(id) => (Some((">", id)), "ASC"),
        };
        if let Some((operator, id)) = side {
            bound.push(id.into());
            wheres.push(format!("t.id {operator} ${}", bound.len()));
        }
        bound.push((limit + 1).into());
        let such = if wheres.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", wheres.join(" AND "))
        };
        let query = format!(
            "{SUMMARY} {such} ORDER BY t.id {order} LIMIT ${}",
            bound.len()
        );
        let rows = self.db().all(&query, bound).await?;
        let rows = rows.iter().map(summary).collect::<Result<Vec<_>, _>>()?;
        Ok(paged(rows, cursor, limit, |s| s.tenant.id.uuid()))
    }

    /// One tenant with its figures.
    pub async fn tenant_summary(
        &self,
        of: TenantId,
        since: DateTime<Utc>,
    ) -> Result<Option<TenantSummary>, StoreError> {
        let query = format!("{SUMMARY} WHERE t.id = $2");
        let row = self
            .db()
            .one(&query, values![floor_v7(since), of.uuid()])
            .await?;
        row.as_ref().map(summary).transpose()
    }

    /// What is due in the database and not taken.
    pub async fn backlogs(&self, now: DateTime<Utc>) -> Result<Vec<Backlog>, StoreError> {
        let due = "due_at IS NOT NULL AND due_at <= $1";
        let unrouted = "routed_at IS NULL AND $1 IS NOT NULL";
        let mut backlogs = Vec::new();
        for (table, since, such) in [
            ("events", "received_at", unrouted),
            ("replays", "requested_at", unrouted),
            ("deliveries", "due_at", due),
            ("mails", "due_at", due),
        ] {
            let query = format!(
                "SELECT COUNT(*) AS n, MIN(since) AS oldest FROM \
                 (SELECT {since} AS since FROM {table} WHERE {such} LIMIT 100000) waiting"
            );
            let row = self.db().one(&query, values![micros(now)]).await?;
            let (count, oldest) = match row {
                Some(row) => (row.get::<i64>("n")?, row.time_opt("oldest")?),
                None => (0, None),
            };
            backlogs.push(Backlog {
                table,
                due: count.unsigned_abs(),
                oldest,
            });
        }
        Ok(backlogs)
    }

    /// Connections in use that messages go through, those changed last first: the tenant's name, and until
    /// when calls wait.
    pub async fn transport_connections(
        &self,
        limit: u64,
    ) -> Result<Vec<BrakedConnection>, StoreError> {
        let query = "SELECT k.id, k.provider, k.state, k.sms_paused_until, k.email_paused_until, k.senders_rest_until, t.name AS tenant, t.id AS tenant_id \
                     FROM connections k JOIN tenants t ON t.id = k.tenant_id \
                     WHERE k.channels <> '' AND t.status = 'active' \
                     ORDER BY k.updated_at DESC, k.id LIMIT $1";
        let rows = self.db().all(query, values![limit]).await?;
        rows.iter()
            .map(|row| {
                let id: Uuid = row.get("id")?;
                Ok(BrakedConnection {
                    id: ConnectionId::from_uuid(id),
                    provider: row.word("connections", "provider", id, Provider::parse)?,
                    tenant: TenantId::from_uuid(row.get("tenant_id")?),
                    tenant_name: row.get("tenant")?,
                    is_broken: row.get::<String>("state")? == "broken",
                    pauses: crate::store::tenant::connections::pauses(row)?,
                })
            })
            .collect()
    }

    /// The names of tenants, for lists of a few.
    pub async fn tenant_names(&self, of: &[Uuid]) -> Result<Vec<(Uuid, String)>, StoreError> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let query = format!(
            "SELECT id, name FROM tenants WHERE id IN ({})",
            sql::placeholders(of.len(), 1)
        );
        let bound = of.iter().map(|id| Value::from(*id)).collect();
        let rows = self.db().all(&query, bound).await?;
        rows.iter()
            .map(|row| Ok((row.get("id")?, row.get("name")?)))
            .collect()
    }
}

/// A connection that may be slowed down.
#[derive(Debug, Clone)]
pub struct BrakedConnection {
    pub id: ConnectionId,
    pub provider: Provider,
    pub tenant: TenantId,
    pub tenant_name: String,
    /// The provider refuses the credentials.
    pub is_broken: bool,
    pub pauses: Pauses,
}

const SUMMARY: &str = "SELECT t.*, \
    (SELECT COUNT(*) FROM members m WHERE m.tenant_id = t.id) AS members, \
    COALESCE((SELECT u.email FROM members m JOIN users u ON u.id = m.user_id \
    WHERE m.tenant_id = t.id AND m.role = 'owner' ORDER BY u.id LIMIT 1), '') AS owner, \
    (SELECT COUNT(*) FROM events e WHERE e.tenant_id = t.id AND e.id >= $1) AS events, \
    (SELECT COUNT(*) FROM deliveries d WHERE d.tenant_id = t.id AND d.id >= $1) AS messages \
    FROM tenants t";

fn summary(row: &Row) -> Result<TenantSummary, StoreError> {
    let status: String = row.get("status")?;
    Ok(TenantSummary {
        tenant: tenant(row)?,
        is_deleting: status == "deleting",
        owner: row.get("owner")?,
        members: row.get("members")?,
        events: row.get("events")?,
        messages: row.get("messages")?,
    })
}
