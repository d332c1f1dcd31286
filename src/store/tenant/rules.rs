//! Rules: ordered, versioned; every edit raises the number of the tenant's rule set.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use sea_orm::DatabaseConnection;
use serde_json::json;
use uuid::Uuid;

use crate::domain::actor::Actor;
use crate::domain::ids::RuleId;
use crate::domain::rule::{Rule, RuleDefinition};
use crate::store::audit::{AuditLine, audit, is_full_day};
use crate::store::engine::db::bulk::{Bulk, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::look_ups::LookUps;
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::{StoreError, TenantStore};

/// How many rules a tenant may have.
pub const MOST_RULES: i64 = 200;

/// How often a tenant's rules may be changed within a day: each change is kept permanently, as a version and
/// in the security log.
pub const MOST_RULE_EDITS: i64 = 1000;

/// How a change of the rules ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleEdit {
    Done,
    /// The rule is not there any more.
    Gone,
    /// There are [`MOST_RULES`] already.
    TooMany,
    /// There were [`MOST_RULE_EDITS`] within a day.
    TooOften,
}

/// Joins a rule to its current version.
const CURRENT: &str = "SELECT r.id, r.position, r.enabled, r.version, v.definition FROM rules r \
                       JOIN rule_versions v ON v.rule_id = r.id AND v.version = r.version \
                       AND v.tenant_id = r.tenant_id WHERE r.tenant_id = $1 AND r.deleted_at IS NULL";

/// The rules of a tenant.
pub(in crate::store) type Rules = LookUps<Uuid, Vec<Rule>>;

pub(in crate::store) fn look_ups(db: &DatabaseConnection) -> Rules {
    LookUps::start(db, |db, tenants| rules(db, tenants).boxed())
}

async fn rules(
    db: BatchDb<'_>,
    tenants: &BTreeSet<&Uuid>,
) -> Result<BTreeMap<Uuid, Vec<Rule>>, StoreError> {
    let select = Bulk::Joined(
        "SELECT r.tenant_id, r.id, r.position, r.enabled, r.version, c.definition FROM v \
         JOIN rules r ON r.tenant_id = v.tenant_id AND r.deleted_at IS NULL \
         JOIN rule_versions c ON c.rule_id = r.id AND c.version = r.version \
         AND c.tenant_id = r.tenant_id \
         ORDER BY r.position, r.id",
    );
    let tenants = tenants.iter().map(|id| record![tenant_id: **id]).collect();
    let mut found: BTreeMap<Uuid, Vec<Rule>> = BTreeMap::new();
    for row in select.all(db, tenants).await? {
        let of_tenant = found.entry(row.get("tenant_id")?).or_default();
        of_tenant.push(rule(&row)?);
    }
    Ok(found)
}

impl TenantStore {
    /// Every rule, in order.
    pub async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        let found = self.store.look_ups.rules.ask(self.id.uuid()).await?;
        Ok(found.unwrap_or_default())
    }

    /// One rule.
    pub async fn rule(&self, id: RuleId) -> Result<Option<Rule>, StoreError> {
        let query = format!("{CURRENT} AND r.id = $2");
        let row = self.db().one(&query, values![id.uuid()]).await?;
        row.map(|r| rule(&r)).transpose()
    }

    /// A rule as it was in one of its versions, also when it is deleted by now.
    pub async fn rule_version(&self, id: RuleId, version: i64) -> Result<Option<Rule>, StoreError> {
        let query = "SELECT v.rule_id AS id, v.version, CAST(0 AS bigint) AS position, TRUE AS enabled, \
                     v.definition FROM rule_versions v \
                     WHERE v.tenant_id = $1 AND v.rule_id = $2 AND v.version = $3";
        let bound = values![id.uuid(), version];
        let row = self.db().one(query, bound).await?;
        row.map(|r| rule(&r)).transpose()
    }

    /// Adds a rule, at the end unless its position is given, if there is room.
    pub async fn create_rule(
        &self,
        new: Rule,
        at_end: bool,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<RuleEdit, StoreError> {
        self.writer()
            .edit(work!([new, actor], async |tx| {
                let such = "rules WHERE tenant_id = $1 AND deleted_at IS NULL";
                if tx.is_full(such, MOST_RULES).await? {
                    return Ok(RuleEdit::TooMany);
                }
                if is_too_often(tx, now).await? {
                    return Ok(RuleEdit::TooOften);
                }
                raise_rule_set(tx).await?;
                let position = if at_end {
                    let last = "SELECT COALESCE(MAX(position), 0) AS last FROM rules \
                                WHERE tenant_id = $1 AND deleted_at IS NULL";
                    let row = tx.one(last, vec![]).await?;
                    row.map_or(Ok(0), |r| r.get::<i64>("last"))? + 1
                } else {
                    new.position
                };
                let row = record![
                    id: new.id.uuid(),
                    position: position,
                    enabled: new.enabled,
                    version: new.version,
                    created_at: micros(now),
                ];
                tx.insert("rules", row, "").await?;
                insert_version(tx, &new, &actor, now).await?;
                let detail = json!({ "new": of_log(&new.definition, new.enabled) });
                let line = AuditLine::new(actor, "rule.created", new.id.to_string(), &detail);
                audit(tx, line, now).await?;
                Ok(RuleEdit::Done)
            }))
            .await
    }

    /// Replaces a rule's definition, and switch and position where they are given: what somebody
    /// switches off meanwhile stays off.
    pub async fn update_rule(
        &self,
        changed: Rule,
        (enabled, position): (Option<bool>, Option<i64>),
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<RuleEdit, StoreError> {
        self.writer()
            .edit(work!([changed, actor], async |tx| {
                let mut changed = changed;
                let Some(old) = current(tx, changed.id).await? else {
                    return Ok(RuleEdit::Gone);
                };
                if is_too_often(tx, now).await? {
                    return Ok(RuleEdit::TooOften);
                }
                raise_rule_set(tx).await?;
                let update = "UPDATE rules SET position = COALESCE($3, position), \
                              enabled = COALESCE($4, enabled), version = version + 1 \
                              WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL \
                              RETURNING version";
                let bound = values![changed.id.uuid(), position, enabled];
                let Some(row) = tx.one(update, bound).await? else {
                    return Ok(RuleEdit::Gone);
                };
                changed.version = row.get("version")?;
                insert_version(tx, &changed, &actor, now).await?;
                let detail = json!({
                    "old": of_log(&old.definition, old.enabled),
                    "new": of_log(&changed.definition, enabled.unwrap_or(old.enabled)),
                });
                let subject = changed.id.to_string();
                let line = AuditLine::new(actor, "rule.changed", subject, &detail);
                audit(tx, line, now).await?;
                Ok(RuleEdit::Done)
            }))
            .await
    }

    /// Switches a rule on or off. Off it goes however often.
    pub async fn switch_rule(
        &self,
        id: RuleId,
        enabled: bool,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<RuleEdit, StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                let Some(old) = current(tx, id).await? else {
                    return Ok(RuleEdit::Gone);
                };
                if old.enabled == enabled {
                    return Ok(RuleEdit::Done);
                }
                if enabled && is_too_often(tx, now).await? {
                    return Ok(RuleEdit::TooOften);
                }
                raise_rule_set(tx).await?;
                let switch = "UPDATE rules SET enabled = $3 \
                              WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL";
                tx.exec(switch, values![id.uuid(), enabled]).await?;
                let action = if enabled {
                    "rule.activated"
                } else {
                    "rule.deactivated"
                };
                let detail = json!({ "name": old.definition.name });
                let line = AuditLine::new(actor, action, id.to_string(), &detail);
                audit(tx, line, now).await?;
                Ok(RuleEdit::Done)
            }))
            .await
    }

    /// Puts the rules into this order; ids that are not the tenant's are passed over.
    pub async fn order_rules(
        &self,
        ids: Vec<RuleId>,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<RuleEdit, StoreError> {
        self.writer()
            .edit(work!([ids, actor], async |tx| {
                if is_too_often(tx, now).await? {
                    return Ok(RuleEdit::TooOften);
                }
                raise_rule_set(tx).await?;
                let old = names(tx).await?;
                for (position, id) in (1_i64..).zip(&ids) {
                    let put = "UPDATE rules SET position = $3 WHERE tenant_id = $1 AND id = $2";
                    tx.exec(put, values![id.uuid(), position]).await?;
                }
                let new = names(tx).await?;
                if old == new {
                    return Ok(RuleEdit::Done);
                }
                let detail = json!({ "old": old, "new": new });
                let line = AuditLine::new(actor, "rules.ordered", "", &detail);
                audit(tx, line, now).await?;
                Ok(RuleEdit::Done)
            }))
            .await
    }

    /// Takes a rule away; its versions stay, for the decisions that name them.
    pub async fn delete_rule(
        &self,
        id: RuleId,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                raise_rule_set(tx).await?;
                let Some(old) = current(tx, id).await? else {
                    return Ok(false);
                };
                let delete = "UPDATE rules SET deleted_at = $3, enabled = FALSE \
                              WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL";
                tx.exec(delete, values![id.uuid(), micros(now)]).await?;
                let detail = json!({ "old": of_log(&old.definition, old.enabled) });
                let line = AuditLine::new(actor, "rule.deleted", id.to_string(), &detail);
                audit(tx, line, now).await?;
                Ok(true)
            }))
            .await
    }
}

/// A definition and its switch, as the log keeps them.
fn of_log(definition: &RuleDefinition, enabled: bool) -> serde_json::Value {
    let mut of = serde_json::to_value(definition).unwrap_or_default();
    if let Some(of) = of.as_object_mut() {
        of.insert("enabled".to_owned(), enabled.into());
    }
    of
}

/// A rule as it stands within the transaction.
async fn current(tx: TenantDb<'_>, id: RuleId) -> Result<Option<Rule>, StoreError> {
    let query = format!("{CURRENT} AND r.id = $2");
    let row = tx.one(&query, values![id.uuid()]).await?;
    row.map(|r| rule(&r)).transpose()
}

/// The rules' names in order.
async fn names(tx: TenantDb<'_>) -> Result<Vec<String>, StoreError> {
    let query = format!("{CURRENT} ORDER BY r.position, r.id LIMIT 1000");
    let rows = tx.all(&query, vec![]).await?;
    rows.iter().map(|r| Ok(rule(r)?.definition.name)).collect()
}

async fn is_too_often(tx: TenantDb<'_>, now: DateTime<Utc>) -> Result<bool, StoreError> {
    is_full_day(tx, "rule%", MOST_RULE_EDITS, now).await
}

/// Lets what is being decided just now be decided again.
pub(in crate::store) async fn raise_rule_set(tx: TenantDb<'_>) -> Result<(), StoreError> {
    let raise = "UPDATE tenants SET rule_set = rule_set + 1 WHERE id = $1";
    tx.exec(raise, vec![]).await.map(drop)
}

async fn insert_version(
    tx: TenantDb<'_>,
    rule: &Rule,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let row = record![
        rule_id: rule.id.uuid(),
        version: rule.version,
        definition: serde_json::to_string(&rule.definition).unwrap_or_default(),
        created_by: actor.name.clone(),
        created_at: micros(now),
    ];
    tx.insert("rule_versions", row, "").await.map(drop)
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
