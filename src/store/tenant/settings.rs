//! A tenant's own row, its stop switch, suspension and rehearsal.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use sea_orm::DatabaseConnection;
use uuid::Uuid;

use super::permissions;
use crate::domain::actor::Actor;
use crate::domain::address::{Email, OwnAddresses};
use crate::domain::day::DateFormat;
use crate::domain::ids::{EventId, TenantId};
use crate::domain::phone::Phone;
use crate::domain::tenant::Tenant;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::BatchDb;
use crate::store::engine::db::bulk::{Bulk, record};
use crate::store::engine::look_ups::LookUps;
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::{StoreError, TenantStore};

/// Tenants by id.
pub(in crate::store) type Tenants = LookUps<Uuid, Tenant>;

pub(in crate::store) fn look_ups(db: &DatabaseConnection) -> Tenants {
    LookUps::start(db, |db, ids| tenants(db, ids).boxed())
}

async fn tenants(
    db: BatchDb<'_>,
    ids: &BTreeSet<&Uuid>,
) -> Result<BTreeMap<Uuid, Tenant>, StoreError> {
    let select = Bulk::Joined(
        "SELECT t.* FROM v JOIN tenants t ON t.id = v.tenant_id AND t.deleted_at IS NULL",
    );
    let ids = ids.iter().map(|id| record![tenant_id: **id]).collect();
    let rows = select.all(db, ids).await?;
    let tenants = rows.iter().map(tenant);
    tenants.map(|t| t.map(|t| (t.id.uuid(), t))).collect()
}

impl TenantStore {
    /// The tenant's own row; none for one that is being deleted.
    pub async fn tenant(&self) -> Result<Option<Tenant>, StoreError> {
        self.store.look_ups.tenants.ask(self.id.uuid()).await
    }

    /// Changes name, country, zone, currency and hours. What waits for the hour is looked at again
    /// at once.
    pub async fn update_settings(
        &self,
        tenant: Tenant,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.writer()
            .edit(work!([tenant, actor], async |tx| {
                let query = "SELECT * FROM tenants WHERE id = $1 AND deleted_at IS NULL";
                let Some(old) = tx.one(query, vec![]).await? else {
                    return Ok(());
                };
                let old = self::tenant(&old)?;
                let detail = serde_json::json!({ "old": shown(&old), "new": shown(&tenant) });
                let hours = hours_text(&tenant);
                tx.exec(
                    "UPDATE tenants SET name = $2, country = $3, zone = $4, currency = $5, \
                     hours = $6, date_format = $7, rule_set = rule_set + 1 WHERE id = $1",
                    values![
                        tenant.name,
                        tenant.country,
                        tenant.zone.name(),
                        tenant.currency,
                        hours,
                        tenant.date_format.as_str()
                    ],
                )
                .await?;
                if (old.hours, old.zone) != (tenant.hours, tenant.zone) {
                    let wake = "UPDATE deliveries SET due_at = $2 WHERE tenant_id = $1 \
                                AND state = 'queued' AND hold = 'hours'";
                    tx.exec(wake, values![micros(now)]).await?;
                }
                let line = AuditLine {
                    actor,
                    action: "settings.changed",
                    subject: String::new(),
                    detail: detail.to_string(),
                };
                audit(tx, line, now).await
            }))
            .await
    }

    /// Notes who sent a test event.
    pub async fn note_test_event(
        &self,
        event: EventId,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                let line = AuditLine {
                    actor,
                    action: "test_event.sent",
                    subject: event.to_string(),
                    detail: "{}".to_owned(),
                };
                audit(tx, line, now).await
            }))
            .await
    }

    /// Stops all sending; `false` when it was stopped already.
    pub async fn stop(&self, actor: Actor, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                let stop = "UPDATE tenants SET stopped_at = $2, stopped_by = $3 \
                            WHERE id = $1 AND stopped_at IS NULL";
                let changed = tx
                    .exec(stop, values![micros(now), actor.name.clone()])
                    .await?
                    == 1;
                if changed {
                    let line = AuditLine {
                        actor,
                        action: "sending.stopped",
                        subject: String::new(),
                        detail: "{}".to_owned(),
                    };
                    audit(tx, line, now).await?;
                }
                Ok(changed)
            }))
            .await
    }

    /// Lets sending go on; `false` when it was not stopped. Held deliveries are released apart.
    pub async fn lift_stop(&self, actor: Actor, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                let lift = "UPDATE tenants SET stopped_at = NULL, stopped_by = '' \
                            WHERE id = $1 AND stopped_at IS NOT NULL";
                let changed = tx.exec(lift, vec![]).await? == 1;
                if changed {
                    let line = AuditLine {
                        actor,
                        action: "sending.resumed",
                        subject: String::new(),
                        detail: "{}".to_owned(),
                    };
                    audit(tx, line, now).await?;
                }
                Ok(changed)
            }))
            .await
    }

    /// Suspends the tenant; `false` when it was suspended already, or is not there.
    pub async fn suspend(
        &self,
        reason: String,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([reason, actor], async |tx| {
                let suspend = "UPDATE tenants SET status = 'suspended', suspended_for = $2 \
                               WHERE id = $1 AND status = 'active'";
                let changed = tx.exec(suspend, values![reason.clone()]).await? == 1;
                if changed {
                    let line = AuditLine {
                        actor,
                        action: "tenant.suspended",
                        subject: String::new(),
                        detail: serde_json::json!({ "reason": reason }).to_string(),
                    };
                    audit(tx, line, now).await?;
                }
                Ok(changed)
            }))
            .await
    }

    /// Lets the tenant go on; `false` when it was not suspended. Held deliveries are released apart.
    pub async fn reinstate(&self, actor: Actor, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                let reinstate = "UPDATE tenants SET status = 'active', suspended_for = '' \
                                 WHERE id = $1 AND status = 'suspended'";
                let changed = tx.exec(reinstate, vec![]).await? == 1;
                if changed {
                    let line = AuditLine {
                        actor,
                        action: "tenant.reinstated",
                        subject: String::new(),
                        detail: "{}".to_owned(),
                    };
                    audit(tx, line, now).await?;
                }
                Ok(changed)
            }))
            .await
    }

    /// Where rehearsals go: the own number of the first owner who has confirmed one, and the address with
    /// which the first owner signs in.
    pub async fn rehearsal_addresses(&self) -> Result<OwnAddresses, StoreError> {
        let query = "SELECT u.id, u.email FROM members m JOIN users u ON u.id = m.user_id \
                     WHERE m.tenant_id = $1 AND m.role = 'owner' ORDER BY m.created_at, u.id LIMIT 1";
        let (phone, row) = tokio::try_join!(self.rehearsal_number(), self.db().one(query, vec![]))?;
        let email: Option<String> = row.map(|row| row.get("email")).transpose()?;
        let email = email.and_then(|email| Email::parse(&email).ok());
        Ok(OwnAddresses { phone, email })
    }

    /// The own number of the first owner who has confirmed one.
    pub async fn rehearsal_number(&self) -> Result<Option<Phone>, StoreError> {
        let query = "SELECT u.id, u.phone FROM members m JOIN users u ON u.id = m.user_id \
                     WHERE m.tenant_id = $1 AND m.role = 'owner' \
                     AND u.phone_confirmed_at IS NOT NULL ORDER BY m.created_at, u.id LIMIT 1";
        let Some(row) = self.db().one(query, vec![]).await? else {
            return Ok(None);
        };
        row.word("users", "phone", row.get("id")?, Phone::from_stored)
            .map(Some)
    }

    /// Begins the rehearsal or ends it; `false` when it is so already. The number of the rule set is
    /// raised, so that whatever is being decided meanwhile is decided anew.
    pub async fn set_rehearsal(
        &self,
        is_rehearsal: bool,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                let set = "UPDATE tenants SET is_rehearsal = $2, rule_set = rule_set + 1 \
                           WHERE id = $1 AND is_rehearsal <> $2";
                let changed = tx.exec(set, values![is_rehearsal]).await? == 1;
                if changed {
                    if !is_rehearsal {
                        permissions::attest(tx, &actor, now).await?;
                    }
                    let line = AuditLine {
                        actor,
                        action: if is_rehearsal {
                            "rehearsal.begun"
                        } else {
                            "rehearsal.ended"
                        },
                        subject: String::new(),
                        detail: "{}".to_owned(),
                    };
                    audit(tx, line, now).await?;
                }
                Ok(changed)
            }))
            .await
    }
}

/// What the security log says of a tenant's settings.
fn shown(t: &Tenant) -> serde_json::Value {
    serde_json::json!({
        "name": &t.name, "country": &t.country, "zone": t.zone.name(), "currency": &t.currency,
        "hours": hours_text(t), "date_format": t.date_format.as_str(),
    })
}

/// Hours as stored; empty for *at any time*.
fn hours_text(t: &Tenant) -> String {
    t.hours.map_or_else(String::new, |h| h.to_string())
}

pub(in crate::store) fn tenant(row: &Row) -> Result<Tenant, StoreError> {
    let id: Uuid = row.get("id")?;
    let stopped = row.time_opt("stopped_at")?;
    let stopped_by: String = row.get("stopped_by")?;
    Ok(Tenant {
        id: TenantId::from_uuid(id),
        slug: row.get("slug")?,
        name: row.get("name")?,
        is_suspended: row.get::<String>("status")? != "active",
        suspended_for: row.get("suspended_for")?,
        country: row.get("country")?,
        zone: row.word("tenants", "zone", id, |z| z.parse().ok())?,
        currency: row.get("currency")?,
        date_format: row.word("tenants", "date_format", id, DateFormat::parse)?,
        rule_set: row.get("rule_set")?,
        stopped: stopped.map(|at| (at, stopped_by)),
        is_rehearsal: row.get("is_rehearsal")?,
        hours: match row.get::<String>("hours")?.as_str() {
            "" => None,
            _ => Some(row.word("tenants", "hours", id, |h| h.parse().ok())?),
        },
        created_at: row.time("created_at")?,
    })
}
