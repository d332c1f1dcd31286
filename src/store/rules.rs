//! Rules: ordered, versioned; every edit raises the number of the tenant's rule set.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::settings::{AuditLine, audit};
use super::sql::{self, Row, micros, values};
use super::writer::{Lane, Tx};
use super::{StoreError, TenantStore};
use crate::domain::actor::Actor;
use crate::domain::ids::RuleId;
use crate::domain::rule::{Rule, RuleDefinition};

/// Joins a rule to its current version.
const CURRENT: &str = "SELECT r.id, r.position, r.enabled, r.version, v.definition FROM rules r \
                       JOIN rule_versions v ON v.rule_id = r.id AND v.version = r.version \
                       WHERE r.tenant_id = $1 AND r.deleted_at IS NULL";

impl TenantStore {
    /// Every rule, in order.
    pub async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        let query = format!("{CURRENT} ORDER BY r.position, r.id LIMIT 1000");
        let rows = sql::all(self.db(), &query, values![self.id.uuid()]).await?;
        rows.iter().map(rule).collect()
    }

    /// One rule.
    pub async fn rule(&self, id: RuleId) -> Result<Option<Rule>, StoreError> {
        let query = format!("{CURRENT} AND r.id = $2");
        let row = sql::one(self.db(), &query, values![self.id.uuid(), id.uuid()]).await?;
        row.map(|r| rule(&r)).transpose()
    }

    /// Adds a rule, at the end unless its position is given.
    pub async fn create_rule(
        &self,
        new: Rule,
        at_end: bool,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenant = self.id.uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let (new, actor) = (new.clone(), actor.clone());
                Box::pin(async move {
                    raise_rule_set(tx, tenant).await?;
                    let position = if at_end {
                        let last = "SELECT COALESCE(MAX(position), 0) AS last FROM rules \
                                    WHERE tenant_id = $1 AND deleted_at IS NULL";
                        let row = sql::one(tx, last, values![tenant]).await?;
                        row.map_or(Ok(0), |r| r.get::<i64>("last"))? + 1
                    } else {
                        new.position
                    };
                    sql::exec(
                        tx,
                        "INSERT INTO rules (id, tenant_id, position, enabled, version, created_at) \
                         VALUES ($1, $2, $3, $4, $5, $6)",
                        values![
                            new.id.uuid(),
                            tenant,
                            position,
                            new.enabled,
                            new.version,
                            micros(now)
                        ],
                    )
                    .await?;
                    insert_version(tx, tenant, &new, &actor, now).await?;
                    audit(tx, tenant, line(actor, "rule.created", &new), now).await
                })
            })
            .await
    }

    /// Replaces a rule's definition, and switch and position where they are given: what somebody
    /// switches off meanwhile stays off. `false` when it is gone.
    pub async fn update_rule(
        &self,
        changed: Rule,
        (enabled, position): (Option<bool>, Option<i64>),
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let tenant = self.id.uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let (mut changed, actor) = (changed.clone(), actor.clone());
                Box::pin(async move {
                    raise_rule_set(tx, tenant).await?;
                    let update = "UPDATE rules SET position = COALESCE($3, position), \
                                  enabled = COALESCE($4, enabled), version = version + 1 \
                                  WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL \
                                  RETURNING version";
                    let bound = values![tenant, changed.id.uuid(), position, enabled];
                    let Some(row) = sql::one(tx, update, bound).await? else {
                        return Ok(false);
                    };
                    changed.version = row.get("version")?;
                    insert_version(tx, tenant, &changed, &actor, now).await?;
                    audit(tx, tenant, line(actor, "rule.changed", &changed), now).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Switches a rule on or off; `false` when it is gone.
    pub async fn switch_rule(
        &self,
        id: RuleId,
        enabled: bool,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let tenant = self.id.uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let actor = actor.clone();
                Box::pin(async move {
                    raise_rule_set(tx, tenant).await?;
                    let switch = "UPDATE rules SET enabled = $3 \
                                  WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL";
                    let done =
                        sql::exec(tx, switch, values![tenant, id.uuid(), enabled]).await? == 1;
                    let action = if enabled {
                        "rule.activated"
                    } else {
                        "rule.deactivated"
                    };
                    let line = AuditLine {
                        actor,
                        action,
                        subject: id.to_string(),
                        detail: "{}".to_owned(),
                    };
                    audit(tx, tenant, line, now).await?;
                    Ok(done)
                })
            })
            .await
    }

    /// Puts the rules into this order; ids that are not the tenant's are passed over.
    pub async fn order_rules(&self, ids: Vec<RuleId>) -> Result<(), StoreError> {
        let tenant = self.id.uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let ids = ids.clone();
                Box::pin(async move {
                    raise_rule_set(tx, tenant).await?;
                    for (position, id) in (1_i64..).zip(&ids) {
                        let put = "UPDATE rules SET position = $3 WHERE tenant_id = $1 AND id = $2";
                        sql::exec(tx, put, values![tenant, id.uuid(), position]).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Takes a rule away; its versions stay, for the decisions that name them.
    pub async fn delete_rule(
        &self,
        id: RuleId,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let tenant = self.id.uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let actor = actor.clone();
                Box::pin(async move {
                    raise_rule_set(tx, tenant).await?;
                    let delete = "UPDATE rules SET deleted_at = $3, enabled = FALSE \
                                  WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL";
                    let gone =
                        sql::exec(tx, delete, values![tenant, id.uuid(), micros(now)]).await?;
                    let line = AuditLine {
                        actor,
                        action: "rule.deleted",
                        subject: id.to_string(),
                        detail: "{}".to_owned(),
                    };
                    audit(tx, tenant, line, now).await?;
                    Ok(gone == 1)
                })
            })
            .await
    }
}

fn line(actor: Actor, action: &'static str, rule: &Rule) -> AuditLine {
    AuditLine {
        actor,
        action,
        subject: rule.id.to_string(),
        detail: serde_json::to_string(&rule.definition).unwrap_or_default(),
    }
}

async fn raise_rule_set(tx: &Tx, tenant: Uuid) -> Result<(), StoreError> {
    let raise = "UPDATE tenants SET rule_set = rule_set + 1 WHERE id = $1";
    sql::exec(tx, raise, values![tenant]).await.map(drop)
}

async fn insert_version(
    tx: &Tx,
    tenant: Uuid,
    rule: &Rule,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::exec(
        tx,
        "INSERT INTO rule_versions (rule_id, version, tenant_id, definition, created_by, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        values![rule.id.uuid(), rule.version, tenant,
            serde_json::to_string(&rule.definition).unwrap_or_default(), actor.name.clone(), micros(now)],
    )
    .await
    .map(drop)
}

fn rule(row: &Row) -> Result<Rule, StoreError> {
    let id: Uuid = row.get("id")?;
    Ok(Rule {
        id: RuleId::from_uuid(id),
        version: row.get("version")?,
        position: row.get("position")?,
        enabled: row.get("enabled")?,
        definition: row.word("rule_versions", "definition", id, |d| {
            serde_json::from_str::<RuleDefinition>(d).ok()
        })?,
    })
}
