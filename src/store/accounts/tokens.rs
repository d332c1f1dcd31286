//! Bearer tokens of the JSON API: their digests, and what they allow.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::domain::actor::Actor;
use crate::domain::ids::{ApiTokenId, TenantId, UserId};
use crate::domain::user::Role;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::TenantDb;
use crate::store::engine::db::bulk::record;
use crate::store::engine::sql::{Row, micros, micros_opt, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError, TenantStore};

/// The last use is written no more often.
const USED_APART: TimeDelta = TimeDelta::minutes(1);

/// How many tokens a tenant may have that were not revoked.
pub const MOST_TOKENS: i64 = 100;

/// How many revoked ones are kept, so that making and revoking in a circle fills nothing.
const REVOKED_KEPT: i64 = 100;

/// What a bearer token allows.
#[derive(Debug, Clone)]
pub struct TokenGrant {
    pub id: ApiTokenId,
    pub tenant: TenantId,
    pub name: String,
    /// As it was made.
    pub role: Role,
    /// The role that whoever made it has today; none where the operator did.
    pub maker_role: Option<Role>,
}

impl TokenGrant {
    /// What it may do now: what both its role and its maker's role of today allow.
    pub fn reach(&self) -> Role {
        reach(self.role, self.maker_role)
    }
}

/// What a bearer token leads to.
#[derive(Debug, Clone)]
pub enum TokenFound {
    Good(TokenGrant),
    /// Whoever made it is no longer in the team.
    MakerGone,
}

fn reach(role: Role, maker_role: Option<Role>) -> Role {
    maker_role.map_or(role, |maker| maker.min(role))
}

/// A bearer token as it is listed.
#[derive(Debug, Clone)]
pub struct ApiToken {
    pub id: ApiTokenId,
    pub name: String,
    /// As it was made.
    pub role: Role,
    /// What it may do now; none: whoever made it is no longer in the team.
    pub reach: Option<Role>,
    /// Whether the operator made it, so that it goes by no person's role.
    pub is_of_operator: bool,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    /// To the minute.
    pub used_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl TenantStore {
    /// Keeps a new bearer token (its digest), good until it expires or permanently, and no longer than its
    /// maker is in the team; `false` when there are as many as there may be.
    pub async fn create_token(
        &self,
        grant: TokenGrant,
        token_hash: [u8; 32],
        expires_at: Option<DateTime<Utc>>,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([grant, actor], async |tx| {
                let such = "api_tokens WHERE tenant_id = $1 AND revoked_at IS NULL";
                if tx.is_full(such, MOST_TOKENS).await? {
                    return Ok(false);
                }
                let trim = "DELETE FROM api_tokens WHERE tenant_id = $1 \
                            AND revoked_at IS NOT NULL AND id <= \
                            (SELECT id FROM api_tokens WHERE tenant_id = $1 \
                             AND revoked_at IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET $2)";
                tx.exec(trim, values![REVOKED_KEPT]).await?;
                let row = record![
                    id: grant.id.uuid(),
                    name: grant.name.clone(),
                    role: grant.role.as_str(),
                    token_hash: token_hash.to_vec(),
                    created_at: micros(now),
                    created_by: actor.name.clone(),
                    expires_at: micros_opt(expires_at),
                    maker_id: actor.user.map(UserId::uuid),
                ];
                tx.insert("api_tokens", row, "").await?;
                let detail = json!({
                    "name": grant.name, "role": grant.role.as_str(), "expires_at": expires_at,
                });
                let line = AuditLine::new(actor, "token.created", grant.id.to_string(), &detail);
                audit(tx, line, now).await?;
                Ok(true)
            }))
            .await
    }

    /// The tokens that were not revoked, newest first; those that have expired, and those whose makers
    /// are gone, among them.
    pub async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let query = "SELECT k.*, m.role AS maker_role FROM api_tokens k LEFT JOIN members m \
                     ON m.tenant_id = k.tenant_id AND m.user_id = k.maker_id \
                     WHERE k.tenant_id = $1 AND k.revoked_at IS NULL ORDER BY k.id DESC LIMIT 500";
        let rows = self.db().all(query, vec![]).await?;
        rows.iter().map(token).collect()
    }

    /// Ends a token; `false` when there is none to end.
    pub async fn revoke_token(
        &self,
        id: ApiTokenId,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                let revoke = "UPDATE api_tokens SET revoked_at = $3 WHERE tenant_id = $1 \
                              AND id = $2 AND revoked_at IS NULL RETURNING name, role";
                let bound = values![id.uuid(), micros(now)];
                let Some(row) = tx.one(revoke, bound).await? else {
                    return Ok(false);
                };
                let (name, role): (String, String) = (row.get("name")?, row.get("role")?);
                let detail = json!({ "name": name, "role": role });
                let line = AuditLine::new(actor, "token.revoked", id.to_string(), &detail);
                audit(tx, line, now).await?;
                Ok(true)
            }))
            .await
    }
}

impl Platform {
    /// What a bearer token allows, unless it was revoked or has expired.
    pub async fn token_grant(
        &self,
        token_hash: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<TokenFound>, StoreError> {
        let query = "SELECT k.id, k.tenant_id, k.name, k.role, k.maker_id, k.ended_at, \
                     m.role AS maker_role FROM api_tokens k \
                     JOIN tenants t ON t.id = k.tenant_id LEFT JOIN members m \
                     ON m.tenant_id = k.tenant_id AND m.user_id = k.maker_id \
                     WHERE k.token_hash = $1 \
                     AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2) \
                     AND t.deleted_at IS NULL";
        let row = self
            .db()
            .one(query, values![token_hash.to_vec(), micros(now)])
            .await?;
        row.map(|r| {
            let id: Uuid = r.get("id")?;
            let Maker::Here(maker_role) = maker(&r, id)? else {
                return Ok(TokenFound::MakerGone);
            };
            Ok(TokenFound::Good(TokenGrant {
                id: ApiTokenId::from_uuid(id),
                tenant: TenantId::from_uuid(r.get("tenant_id")?),
                name: r.get("name")?,
                role: r.word("api_tokens", "role", id, Role::parse)?,
                maker_role,
            }))
        })
        .transpose()
    }

    /// Remembers that a token was used just now.
    pub async fn touch_token(&self, id: ApiTokenId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let work = self.writer().edit(work!(async |tx| {
            let touch = "UPDATE api_tokens SET used_at = $2 WHERE id = $1 \
                         AND (used_at IS NULL OR used_at <= $3)";
            let bound = values![id.uuid(), micros(now), micros(now - USED_APART)];
            tx.exec(touch, bound).await.map(drop)
        }));
        work.await
    }
}

/// Who made a token.
enum Maker {
    /// Somebody of the team with this role, or the operator.
    Here(Option<Role>),
    /// Somebody who left, also if they came back since.
    Gone,
}

fn maker(row: &Row, token: Uuid) -> Result<Maker, StoreError> {
    let is_of_person = row.get::<Option<Uuid>>("maker_id")?.is_some();
    let has_ended = row.time_opt("ended_at")?.is_some();
    let is_here = row.get::<Option<String>>("maker_role")?.is_some();
    if has_ended || (is_of_person && !is_here) {
        return Ok(Maker::Gone);
    }
    let role = || row.word("members", "maker_role", token, Role::parse);
    Ok(Maker::Here(is_of_person.then(role).transpose()?))
}

/// Ends the tokens that somebody made who is no longer in the team: their names.
pub(in crate::store) async fn end_tokens_of(
    tx: TenantDb<'_>,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<(ApiTokenId, String)>, StoreError> {
    let end = "UPDATE api_tokens SET ended_at = $3 WHERE tenant_id = $1 AND maker_id = $2 \
               AND revoked_at IS NULL AND ended_at IS NULL RETURNING id, name";
    let rows = tx.all(end, values![user.uuid(), micros(now)]).await?;
    rows.iter()
        .map(|r| Ok((ApiTokenId::from_uuid(r.get("id")?), r.get("name")?)))
        .collect()
}

/// The tokens of somebody which may do something else under the new role of their maker, by name.
pub(in crate::store) async fn tokens_changed_by(
    tx: TenantDb<'_>,
    user: UserId,
    (old, new): (Role, Role),
) -> Result<Vec<String>, StoreError> {
    let query = "SELECT id, name, role FROM api_tokens WHERE tenant_id = $1 AND maker_id = $2 \
                 AND revoked_at IS NULL AND ended_at IS NULL ORDER BY id";
    let mut changed = Vec::new();
    for row in tx.all(query, values![user.uuid()]).await? {
        let role = row.word("api_tokens", "role", row.get("id")?, Role::parse)?;
        if reach(role, Some(old)) != reach(role, Some(new)) {
            changed.push(row.get("name")?);
        }
    }
    Ok(changed)
}

fn token(row: &Row) -> Result<ApiToken, StoreError> {
    let id: Uuid = row.get("id")?;
    let role = row.word("api_tokens", "role", id, Role::parse)?;
    Ok(ApiToken {
        id: ApiTokenId::from_uuid(id),
        name: row.get("name")?,
        role,
        reach: match maker(row, id)? {
            Maker::Here(maker_role) => Some(reach(role, maker_role)),
            Maker::Gone => None,
        },
        is_of_operator: row.get::<Option<Uuid>>("maker_id")?.is_none(),
        created_by: row.get("created_by")?,
        created_at: row.time("created_at")?,
        used_at: row.time_opt("used_at")?,
        expires_at: row.time_opt("expires_at")?,
    })
}
