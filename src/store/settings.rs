//! A tenant's own row, its stop switch, suspension, suppressions, rejected requests and audit entries.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::sql::{self, micros, values};
use super::writer::{Lane, Tx};
use super::{StoreError, TenantStore};
use crate::domain::actor::Actor;
use crate::domain::delivery::Channel;
use crate::domain::ids::{AuditId, EventId};
use crate::domain::tenant::Tenant;

/// One line of a tenant's history, to be appended with the change that it tells of.
#[derive(Debug, Clone)]
pub(super) struct AuditLine {
    pub(super) actor: Actor,
    pub(super) action: &'static str,
    pub(super) subject: String,
    pub(super) detail: String,
}

impl TenantStore {
    /// The tenant's own row.
    pub async fn tenant(&self) -> Result<Option<Tenant>, StoreError> {
        let query = "SELECT * FROM tenants WHERE id = $1";
        let row = sql::one(self.db(), query, values![self.id.uuid()]).await?;
        row.map(|r| super::platform::tenant(&r)).transpose()
    }

    /// Changes name, country, zone and currency.
    pub async fn update_settings(
        &self,
        tenant: Tenant,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let id = self.id.uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let (t, actor) = (tenant.clone(), actor.clone());
                Box::pin(async move {
                    let detail = serde_json::json!({
                        "name": &t.name, "country": &t.country,
                        "zone": t.zone.name(), "currency": &t.currency,
                    });
                    sql::exec(
                        tx,
                        "UPDATE tenants SET name = $2, country = $3, zone = $4, currency = $5, \
                         rule_set = rule_set + 1 WHERE id = $1",
                        values![id, t.name, t.country, t.zone.name(), t.currency],
                    )
                    .await?;
                    let line = AuditLine {
                        actor,
                        action: "settings.changed",
                        subject: String::new(),
                        detail: detail.to_string(),
                    };
                    audit(tx, id, line, now).await
                })
            })
            .await
    }

    /// Notes who sent a test event.
    pub async fn note_test_event(
        &self,
        event: EventId,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let id = self.id.uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let line = AuditLine {
                    actor: actor.clone(),
                    action: "test_event.sent",
                    subject: event.to_string(),
                    detail: "{}".to_owned(),
                };
                Box::pin(async move { audit(tx, id, line, now).await })
            })
            .await
    }

    /// Stops all sending; `false` when it was stopped already.
    pub async fn stop(&self, actor: Actor, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let id = self.id.uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let actor = actor.clone();
                Box::pin(async move {
                    let stop = "UPDATE tenants SET stopped_at = $2, stopped_by = $3 \
                                WHERE id = $1 AND stopped_at IS NULL";
                    let changed = sql::exec(tx, stop, values![id, micros(now), actor.name.clone()])
                        .await?
                        == 1;
                    if changed {
                        let line = AuditLine {
                            actor,
                            action: "sending.stopped",
                            subject: String::new(),
                            detail: "{}".to_owned(),
                        };
                        audit(tx, id, line, now).await?;
                    }
                    Ok(changed)
                })
            })
            .await
    }

    /// Lets sending go on; `false` when it was not stopped. Held deliveries are released apart.
    pub async fn lift_stop(&self, actor: Actor, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let id = self.id.uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let actor = actor.clone();
                Box::pin(async move {
                    let lift = "UPDATE tenants SET stopped_at = NULL, stopped_by = '' \
                                WHERE id = $1 AND stopped_at IS NOT NULL";
                    let changed = sql::exec(tx, lift, values![id]).await? == 1;
                    if changed {
                        let line = AuditLine {
                            actor,
                            action: "sending.resumed",
                            subject: String::new(),
                            detail: "{}".to_owned(),
                        };
                        audit(tx, id, line, now).await?;
                    }
                    Ok(changed)
                })
            })
            .await
    }

    /// Suspends the tenant; `false` when it was suspended already, or is not there.
    pub async fn suspend(
        &self,
        reason: String,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let id = self.id.uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let (reason, actor) = (reason.clone(), actor.clone());
                Box::pin(async move {
                    let suspend = "UPDATE tenants SET status = 'suspended', suspended_for = $2 \
                                   WHERE id = $1 AND status = 'active'";
                    let changed = sql::exec(tx, suspend, values![id, reason.clone()]).await? == 1;
                    if changed {
                        let line = AuditLine {
                            actor,
                            action: "tenant.suspended",
                            subject: String::new(),
                            detail: serde_json::json!({ "reason": reason }).to_string(),
                        };
                        audit(tx, id, line, now).await?;
                    }
                    Ok(changed)
                })
            })
            .await
    }

    /// Lets the tenant go on; `false` when it was not suspended. Held deliveries are released apart.
    pub async fn reinstate(&self, actor: Actor, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let id = self.id.uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let actor = actor.clone();
                Box::pin(async move {
                    let reinstate = "UPDATE tenants SET status = 'active', suspended_for = '' \
                                     WHERE id = $1 AND status = 'suspended'";
                    let changed = sql::exec(tx, reinstate, values![id]).await? == 1;
                    if changed {
                        let line = AuditLine {
                            actor,
                            action: "tenant.reinstated",
                            subject: String::new(),
                            detail: "{}".to_owned(),
                        };
                        audit(tx, id, line, now).await?;
                    }
                    Ok(changed)
                })
            })
            .await
    }

    /// Why an address must not be written to, if so.
    pub async fn suppression(
        &self,
        channel: Channel,
        address: &str,
    ) -> Result<Option<String>, StoreError> {
        let query = "SELECT reason FROM suppressions \
                     WHERE tenant_id = $1 AND channel = $2 AND address = $3";
        let found = values![self.id.uuid(), channel.as_str(), address];
        sql::one(self.db(), query, found)
            .await?
            .map(|r| r.get("reason"))
            .transpose()
    }
}

/// Appends an audit entry within the transaction of the change.
pub(super) async fn audit(
    tx: &Tx,
    tenant: Uuid,
    line: AuditLine,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::exec(
        tx,
        "INSERT INTO audit_entries (id, tenant_id, at, actor, address, action, subject, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        values![
            AuditId::new(now).uuid(),
            tenant,
            micros(now),
            line.actor.name,
            line.actor.address,
            line.action,
            line.subject,
            line.detail
        ],
    )
    .await
    .map(drop)
}

/// Keeps an address from being written to again.
pub(super) async fn suppress(
    tx: &Tx,
    tenant: Uuid,
    channel: Channel,
    address: &str,
    why: (&str, &str),
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::exec(
        tx,
        "INSERT INTO suppressions (tenant_id, channel, address, source, reason, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        values![tenant, channel.as_str(), address, why.0, why.1, micros(now)],
    )
    .await
    .map(drop)
}
