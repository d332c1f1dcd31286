//! The security log: audit entries, appended with the change that they tell of, and read by page.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::Value;
use serde_json::json;

use crate::domain::actor::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{AuditId, floor_v7};
use crate::domain::page::{Cursor, Page};
use crate::store::engine::db::TenantDb;
use crate::store::engine::db::bulk::record;
use crate::store::engine::keyset::{Keyset, SCANNED};
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::{StoreError, TenantStore};

/// One line of a tenant's history, to be appended with the change that it tells of.
#[derive(Debug, Clone)]
pub(in crate::store) struct AuditLine {
    pub(in crate::store) actor: Actor,
    pub(in crate::store) action: &'static str,
    pub(in crate::store) subject: String,
    /// JSON: `old` and `new` where there is an old value; never a secret.
    pub(in crate::store) detail: String,
}

impl AuditLine {
    /// A line about something that has a name of its own.
    pub(in crate::store) fn new(
        actor: Actor,
        action: &'static str,
        subject: impl Into<String>,
        detail: &serde_json::Value,
    ) -> Self {
        Self {
            actor,
            action,
            subject: subject.into(),
            detail: detail.to_string(),
        }
    }
}

/// Which entries to list.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only what this person or token did.
    pub actor: Option<String>,
    /// Only actions like one of these, where `%` stands for anything; none means any.
    pub kinds: &'static [&'static str],
}

/// How many people are offered as a filter.
const MOST_ACTORS: u64 = 20;

impl TenantStore {
    /// A page of entries, newest first.
    pub async fn audit_entries(
        &self,
        filter: &AuditFilter,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<AuditEntry>, StoreError> {
        let mut list = Keyset::new(self.db(), "audit_entries", cursor);
        if let Some(actor) = &filter.actor {
            list.keep(values![actor.clone()], |n| format!("actor = ${n}"));
        }
        if !filter.kinds.is_empty() {
            let kinds = filter.kinds.iter().map(|kind| Value::from(*kind));
            list.keep(kinds.collect(), |first| {
                let each = (first..).take(filter.kinds.len());
                let each: Vec<_> = each.map(|n| format!("action LIKE ${n}")).collect();
                format!("({})", each.join(" OR "))
            });
        }
        list.page(limit, entry, |e| e.id.uuid()).await
    }

    /// Who stands in the newest entries, by name.
    pub async fn audit_actors(&self) -> Result<Vec<String>, StoreError> {
        let query = "SELECT DISTINCT actor FROM (SELECT actor FROM audit_entries \
                     WHERE tenant_id = $1 ORDER BY id DESC LIMIT $2) newest ORDER BY actor LIMIT $3";
        let bound = values![SCANNED, MOST_ACTORS];
        let rows = self.db().all(query, bound).await?;
        rows.iter().map(|r| r.get("actor")).collect()
    }

    /// Notes that somebody of the service looked at the tenant, once a day for each of them.
    pub async fn note_look(&self, actor: Actor, now: DateTime<Utc>) -> Result<(), StoreError> {
        let midnight = now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        let seen = "SELECT id FROM audit_entries WHERE tenant_id = $1 AND id >= $2 \
                    AND actor = $3 AND action = 'operator.looked' LIMIT 1";
        let bound = || values![floor_v7(midnight), actor.name.clone()];
        if self.db().one(seen, bound()).await?.is_some() {
            return Ok(());
        }
        self.writer()
            .edit(work!([actor], async |tx| {
                let key = values![floor_v7(midnight), actor.name.clone()];
                if tx.one(seen, key).await?.is_some() {
                    return Ok(());
                }
                let line = AuditLine::new(actor, "operator.looked", "", &json!({}));
                audit(tx, line, now).await
            }))
            .await
    }
}

/// Whether a tenant had as many entries of actions like this within a day as it may: asked within the
/// transaction that adds one, which runs alone within the tenant.
pub(in crate::store) async fn is_full_day(
    tx: TenantDb<'_>,
    like: &str,
    most: i64,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let last = "SELECT 1 AS one FROM audit_entries WHERE tenant_id = $1 AND id >= $2 \
                AND action LIKE $3 LIMIT 1 OFFSET $4";
    let since = floor_v7(now - TimeDelta::days(1));
    let bound = values![since, like, most - 1];
    Ok(tx.one(last, bound).await?.is_some())
}

/// Appends an audit entry within the transaction of the change.
pub(in crate::store) async fn audit(
    tx: TenantDb<'_>,
    line: AuditLine,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let entry = record![
        id: AuditId::new(now).uuid(),
        at: micros(now),
        actor: line.actor.name,
        address: line.actor.address,
        action: line.action,
        subject: line.subject,
        detail: line.detail,
    ];
    tx.insert("audit_entries", entry, "").await.map(drop)
}

fn entry(row: &Row) -> Result<AuditEntry, StoreError> {
    let detail: String = row.get("detail")?;
    Ok(AuditEntry {
        id: AuditId::from_uuid(row.get("id")?),
        at: row.time("at")?,
        actor: row.get("actor")?,
        address: row.get("address")?,
        action: row.get("action")?,
        subject: row.get("subject")?,
        // A damaged detail must not take the log down.
        detail: serde_json::from_str(&detail).unwrap_or(serde_json::Value::Null),
    })
}
