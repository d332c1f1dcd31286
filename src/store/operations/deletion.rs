//! Deleting a tenant: gone for people and providers at once, and then row by row.
//!
//! ```text
//!  begin_deletion   one transaction, alone: the tenant is nobody's any more, the platform's log and
//!        │          the owners' mails are written
//!        ▼
//!  is_quiet         a minute later, when no event can come any more; `deletion_waits` while a message
//!        │          that was claimed before is on its way: its outcome finds its rows
//!        ▼
//!  delete_fingerprints   one walk, while the events are there to tell whose they are
//!        ▼
//!  delete_some      a few hundred rows at a time, until nothing is left; again from the start after a
//!        │          crash. What comes late (a request that had begun) is found by the next round
//!        ▼
//!  end_deletion     an hour later, when nothing can come any more: the last round asks every table
//!                   without an index, then the tenant's own row goes
//! ```

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::Value;
use serde_json::json;
use uuid::Uuid;

use crate::domain::actor::Actor;
use crate::domain::ids::TenantId;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::TenantDb;
use crate::store::engine::sql::{micros, placeholders, values};
use crate::store::engine::writer::work;
use crate::store::mails::{MAIL, StoredMail, insert_mail};
use crate::store::pipeline::index_predicates::MOVING;
use crate::store::{Platform, StoreError, TenantStore};

/// How many events one transaction removes, with all that belongs to them.
const EVENTS_AT_ONCE: u64 = 100;

/// How many rows of one other table it removes.
const ROWS_AT_ONCE: u64 = 500;

/// How many fingerprints one query goes through.
const FINGERPRINTS_AT_ONCE: u64 = 5000;

/// How long events may still come: another process believes in a hook for five seconds, and a request
/// that had begun may take twenty more.
const STRAGGLE: TimeDelta = TimeDelta::minutes(1);

/// How long a deleted tenant's row stays, so that what had begun before finds that it is gone: longer
/// than a call may take, and longer than other processes believe in a hook.
const LINGERS: TimeDelta = TimeDelta::hours(1);

/// Tables of the history, by event; `events` itself comes last.
const OF_EVENTS: [&str; 8] = [
    "bodies",
    "decisions",
    "contents",
    "attempts",
    "delivery_steps",
    "receipts",
    "deliveries",
    "events",
];

/// Every other table with a tenant's rows: its key, and what finds the rows by an index where
/// `tenant_id` alone does not.
const OF_TENANT: [(&str, &str, &str); 28] = [
    ("delivery_counts", "hour, part", ""),
    ("replays", "id", ""),
    (
        "documents",
        "connection_id, kind, document_id",
        BY_CONNECTION,
    ),
    (
        "people",
        "connection_id, party_id, person_id",
        BY_CONNECTION,
    ),
    ("provider_messages", "account, sid", BY_ACCOUNT),
    ("account_figures", "connection_id", BY_CONNECTION),
    ("sender_rests", "connection_id, sender, code", BY_CONNECTION),
    ("secrets", "id", BY_CONNECTION),
    ("hooks", "token", BY_CONNECTION),
    ("rule_versions", "rule_id, version", BY_RULE),
    ("rules", "id", ""),
    ("senders", "id", ""),
    ("group_members", "id", ""),
    ("groups", "id", ""),
    ("logos", "hash", ""),
    ("brands", "tenant_id", ""),
    ("bank_details", "id", ""),
    ("consents", "id", ""),
    ("suppressions", "channel, address_hash", ""),
    ("permissions", "channel, address_hash, basis", ""),
    ("rejected_requests", "id", ""),
    ("replies", "account, sid", ""),
    ("api_tokens", "id", ""),
    ("invitations", "id", ""),
    ("mails", "id", ""),
    ("members", "user_id", ""),
    ("audit_entries", "id", ""),
    ("connections", "id", ""),
];

/// Whose log the service's own is.
const NOBODY: TenantId = TenantId::from_uuid(Uuid::nil());

const BY_CONNECTION: &str =
    " AND connection_id IN (SELECT id FROM connections WHERE tenant_id = $1)";
const BY_ACCOUNT: &str =
    " AND account IN (SELECT account FROM connections WHERE tenant_id = $1 AND account <> '')";
const BY_RULE: &str = " AND rule_id IN (SELECT id FROM rules WHERE tenant_id = $1)";

/// How much a tenant has; what counts to a hundred thousand stops there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holdings {
    pub events: u64,
    pub deliveries: u64,
    pub rules: u64,
    pub members: u64,
    pub tokens: u64,
    pub suppressions: u64,
}

/// Where counting stops.
pub const COUNTED_TO: u64 = 100_000;

/// A tenant whose rows are being removed.
#[derive(Debug, Clone, Copy)]
pub struct Deleting {
    pub tenant: TenantId,
    pub since: DateTime<Utc>,
}

impl Deleting {
    /// Whether no event can come any more.
    pub fn is_quiet(&self, now: DateTime<Utc>) -> bool {
        now - self.since >= STRAGGLE
    }

    /// Whether nothing that began before can come any more.
    pub fn is_settled(&self, now: DateTime<Utc>) -> bool {
        now - self.since >= LINGERS
    }
}

/// How far a walk over the fingerprints has come; the beginning is empty.
pub type FingerprintCursor = Vec<u8>;

impl TenantStore {
    /// What would go with the tenant.
    pub async fn holdings(&self) -> Result<Holdings, StoreError> {
        let count = async |such: &str| {
            let query = format!(
                "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM {such} LIMIT {COUNTED_TO}) counted"
            );
            let row = self.db().one(&query, vec![]).await?;
            let n: i64 = row.map_or(Ok(0), |r| r.get("n"))?;
            Ok::<_, StoreError>(u64::try_from(n).unwrap_or(0))
        };
        Ok(Holdings {
            events: count("events WHERE tenant_id = $1").await?,
            deliveries: count("deliveries WHERE tenant_id = $1").await?,
            rules: count("rules WHERE tenant_id = $1 AND deleted_at IS NULL").await?,
            members: count("members WHERE tenant_id = $1").await?,
            tokens: count("api_tokens WHERE tenant_id = $1 AND revoked_at IS NULL").await?,
            suppressions: count("suppressions WHERE tenant_id = $1").await?,
        })
    }

    /// Takes the tenant out of everybody's hands: no pages, no hooks, no claims from here on. Its name
    /// goes at once; the platform's log keeps who did it, and the id. `false` when it is gone already.
    pub async fn begin_deletion(
        &self,
        farewells: Vec<StoredMail>,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let id = self.tenant_id();
        self.writer()
            .edit(work!([farewells, actor], async |tx| {
                // The number of the rule set stops whatever is being decided just now.
                let end = "UPDATE tenants SET status = 'deleting', deleted_at = $2, \
                           slug = $3, name = '', suspended_for = '', stopped_by = '', \
                           rule_set = rule_set + 1 WHERE id = $1 AND deleted_at IS NULL";
                let gone = values![micros(now), id.to_string()];
                if tx.exec(end, gone).await? == 0 {
                    return Ok(false);
                }
                let leave = "DELETE FROM members WHERE tenant_id = $1";
                tx.exec(leave, vec![]).await?;
                for mail in farewells {
                    insert_mail(tx.unscoped(MAIL), mail, now).await?;
                }
                let line = AuditLine::new(actor, "tenant.deleted", id.to_string(), &json!({}));
                let log = tx.unscoped("the log of the service is nobody's").of(NOBODY);
                audit(log, line, now).await?;
                Ok(true)
            }))
            .await
    }

    /// Whether a message is still on its way that was claimed before.
    pub async fn deletion_waits(&self, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let query = format!(
            "SELECT id FROM deliveries WHERE tenant_id = $1 AND state = 'sending' AND {MOVING} \
             AND lease_until > $2 LIMIT 1"
        );
        let bound = values![micros(now)];
        Ok(self.db().one(&query, bound).await?.is_some())
    }

    /// Goes on through the fingerprints from `cursor`, which must come before the events go, since only
    /// they tell whose a fingerprint is; how many were removed, and whether there are more.
    pub async fn delete_fingerprints(
        &self,
        cursor: &mut FingerprintCursor,
    ) -> Result<(u64, bool), StoreError> {
        let query = "SELECT d.fingerprint, e.id AS ours FROM (SELECT fingerprint, event_id FROM fingerprints \
                     WHERE fingerprint > $2 ORDER BY fingerprint LIMIT $3) d \
                     LEFT JOIN events e ON e.id = d.event_id AND e.tenant_id = $1 \
                     ORDER BY d.fingerprint";
        let bound = values![cursor.clone(), FINGERPRINTS_AT_ONCE];
        let rows = self.db().all(query, bound).await?;
        let mut ours = Vec::new();
        for row in &rows {
            *cursor = row.get("fingerprint")?;
            if row.get::<Option<Uuid>>("ours")?.is_some() {
                ours.push(cursor.clone());
            }
        }
        let mut removed = 0;
        for some in ours.chunks(500) {
            let some = some.to_vec();
            let work = self.writer().edit_unlocked(work!([some], async |tx| {
                let tx = tx.unscoped("a fingerprint bears no tenant");
                let marks = placeholders(some.len(), 1);
                let forget = format!("DELETE FROM fingerprints WHERE fingerprint IN ({marks})");
                let some = some.into_iter().map(Value::from).collect();
                tx.exec(&forget, some).await
            }));
            removed += work.await?;
        }
        Ok((removed, rows.len() as u64 == FINGERPRINTS_AT_ONCE))
    }

    /// Removes the next rows: how many. None are left to be found by an index when it is 0.
    pub async fn delete_some(&self) -> Result<u64, StoreError> {
        let query = "SELECT id FROM events WHERE tenant_id = $1 ORDER BY id LIMIT $2";
        let rows = self.db().all(query, values![EVENTS_AT_ONCE]).await?;
        let events: Result<Vec<Uuid>, _> = rows.iter().map(|r| r.get("id")).collect();
        let events = events?;
        if !events.is_empty() {
            return self
                .writer()
                .edit_unlocked(work!([events], async |tx| {
                    delete_events(tx, &events).await
                }))
                .await;
        }
        for (table, key, by) in OF_TENANT {
            let removed = self.delete_rows(table, key, by).await?;
            if removed > 0 {
                return Ok(removed);
            }
        }
        Ok(0)
    }

    /// Removes what no index finds, then the tenant's own row; whether it is gone. Only once the
    /// tenant is known.
    pub async fn end_deletion(&self) -> Result<bool, StoreError> {
        let of_events = OF_EVENTS.map(|table| {
            let key = if table == "events" {
                "id"
            } else if table == "bodies" {
                "event_id"
            } else {
                "event_id, id"
            };
            (table, key, "")
        });
        let mut removed = 0;
        for (table, key, _) in of_events.into_iter().chain(OF_TENANT) {
            // A look through the whole table holds nobody up; a removal would.
            let query = format!("SELECT 1 AS one FROM {table} WHERE tenant_id = $1 LIMIT 1");
            let left = self.db().one(&query, vec![]).await?;
            if left.is_some() {
                removed += self.delete_rows(table, key, "").await?;
            }
        }
        if removed > 0 {
            return Ok(false);
        }
        self.writer()
            .edit_unlocked(work!(async |tx| {
                let end = "DELETE FROM tenants WHERE id = $1 AND deleted_at IS NOT NULL";
                tx.exec(end, vec![]).await
            }))
            .await?;
        Ok(true)
    }

    /// Removes some rows of one table.
    async fn delete_rows(
        &self,
        table: &'static str,
        key: &'static str,
        by: &'static str,
    ) -> Result<u64, StoreError> {
        self.writer()
            .edit_unlocked(work!(async |tx| {
                if table == "connections" {
                    forget_unmatched(tx).await?;
                }
                let remove = format!(
                    "DELETE FROM {table} WHERE tenant_id = $1 AND ({key}) IN \
                     (SELECT {key} FROM {table} WHERE tenant_id = $1{by} LIMIT $2)"
                );
                tx.exec(&remove, values![ROWS_AT_ONCE]).await
            }))
            .await
    }
}

impl Platform {
    /// Tenants whose rows are being removed, the oldest first.
    pub async fn deleting(&self) -> Result<Vec<Deleting>, StoreError> {
        let query = "SELECT id, deleted_at FROM tenants WHERE deleted_at IS NOT NULL \
                     ORDER BY deleted_at LIMIT 100";
        let rows = self.db().all(query, vec![]).await?;
        rows.iter()
            .map(|r| {
                Ok(Deleting {
                    tenant: TenantId::from_uuid(r.get("id")?),
                    since: r.time("deleted_at")?,
                })
            })
            .collect()
    }
}

/// Some events with all that belongs to them. What only the provider's ids or a delivery lead to goes
/// first, while they are there to lead to it.
async fn delete_events(tx: TenantDb<'_>, events: &[Uuid]) -> Result<u64, StoreError> {
    let marks = placeholders(events.len(), 2);
    let bound = || {
        let bound = events.iter().map(|e| Value::from(*e));
        bound.collect::<Vec<_>>()
    };
    let of_messages = format!(
        "DELETE FROM provider_messages WHERE tenant_id = $1 AND (account, sid) IN \
         (SELECT account, sid FROM deliveries WHERE event_id IN ({marks}) \
          AND (tenant_id = $1) IS TRUE AND sid <> '' \
          UNION SELECT account, sid FROM receipts WHERE event_id IN ({marks}) AND tenant_id = $1)"
    );
    let mut removed = tx.exec(&of_messages, bound()).await?;
    let flying = format!(
        "DELETE FROM in_flight WHERE tenant_id = $1 AND delivery_id IN \
         (SELECT id FROM deliveries WHERE (tenant_id = $1) IS TRUE AND event_id IN ({marks}))"
    );
    removed += tx.exec(&flying, bound()).await?;
    for table in OF_EVENTS {
        let key = if table == "events" { "id" } else { "event_id" };
        let remove = format!("DELETE FROM {table} WHERE tenant_id = $1 AND {key} IN ({marks})");
        removed += tx.exec(&remove, bound()).await?;
    }
    Ok(removed)
}

/// Reports that fit no message of the tenant's.
async fn forget_unmatched(tx: TenantDb<'_>) -> Result<(), StoreError> {
    let forget = "DELETE FROM unmatched_receipts WHERE tenant_id = $1";
    tx.exec(forget, vec![]).await.map(drop)
}
