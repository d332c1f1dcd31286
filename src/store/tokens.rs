//! Bearer tokens of the JSON API: their digests, and what they allow.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::audit::{AuditLine, audit};
use super::sql::{self, Row, micros, micros_opt, values};
use super::writer::{Lane, Turn};
use super::{Platform, StoreError, TenantStore};
use crate::domain::actor::Actor;
use crate::domain::ids::{ApiTokenId, TenantId};
use crate::domain::user::Role;

/// The last use is written no more often.
const USED_APART: TimeDelta = TimeDelta::minutes(1);

/// What a bearer token allows.
#[derive(Debug, Clone)]
pub struct TokenGrant {
    pub id: ApiTokenId,
    pub tenant: TenantId,
    pub name: String,
    pub role: Role,
}

/// A bearer token as it is listed.
#[derive(Debug, Clone)]
pub struct ApiToken {
    pub id: ApiTokenId,
    pub name: String,
    pub role: Role,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    /// To the minute.
    pub used_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl TenantStore {
    /// Keeps a new bearer token (its digest), good until it expires or for ever.
    pub async fn create_token(
        &self,
        grant: TokenGrant,
        token_hash: [u8; 32],
        expires_at: Option<DateTime<Utc>>,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant_id().uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let (g, actor) = (grant.clone(), actor.clone());
                Box::pin(async move {
                    sql::exec(
                        tx,
                        "INSERT INTO api_tokens (id, tenant_id, name, role, token_hash, created_at, \
                         created_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                        values![
                            g.id.uuid(),
                            tenant,
                            g.name.clone(),
                            g.role.as_str(),
                            token_hash.to_vec(),
                            micros(now),
                            actor.name.clone(),
                            micros_opt(expires_at)
                        ],
                    )
                    .await?;
                    let detail = json!({
                        "name": g.name, "role": g.role.as_str(), "expires_at": expires_at,
                    });
                    let line = AuditLine::new(actor, "token.created", g.id.to_string(), &detail);
                    audit(tx, tenant, line, now).await
                })
            })
            .await
    }

    /// The tokens that were not revoked, newest first; those that have expired among them.
    pub async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let query = "SELECT * FROM api_tokens WHERE tenant_id = $1 AND revoked_at IS NULL \
                     ORDER BY id DESC LIMIT 500";
        let rows = sql::all(self.db(), query, values![self.tenant_id().uuid()]).await?;
        rows.iter().map(token).collect()
    }

    /// Ends a token; `false` when there is none to end.
    pub async fn revoke_token(
        &self,
        id: ApiTokenId,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let tenant = self.tenant_id().uuid();
        self.writer()
            .write(Lane::Edit, move |tx| {
                let actor = actor.clone();
                Box::pin(async move {
                    let revoke = "UPDATE api_tokens SET revoked_at = $3 WHERE tenant_id = $1 \
                                  AND id = $2 AND revoked_at IS NULL RETURNING name, role";
                    let bound = values![tenant, id.uuid(), micros(now)];
                    let Some(row) = sql::one(tx, revoke, bound).await? else {
                        return Ok(false);
                    };
                    let (name, role): (String, String) = (row.get("name")?, row.get("role")?);
                    let detail = json!({ "name": name, "role": role });
                    let line = AuditLine::new(actor, "token.revoked", id.to_string(), &detail);
                    audit(tx, tenant, line, now).await?;
                    Ok(true)
                })
            })
            .await
    }
}

impl Platform {
    /// What a bearer token allows, unless it was revoked or has ended.
    pub async fn token_grant(
        &self,
        token_hash: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<TokenGrant>, StoreError> {
        let query = "SELECT k.id, k.tenant_id, k.name, k.role FROM api_tokens k \
                     JOIN tenants t ON t.id = k.tenant_id WHERE k.token_hash = $1 \
                     AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2) \
                     AND t.deleted_at IS NULL";
        let row = sql::one(self.db(), query, values![token_hash.to_vec(), micros(now)]).await?;
        row.map(|r| {
            let id: Uuid = r.get("id")?;
            Ok(TokenGrant {
                id: ApiTokenId::from_uuid(id),
                tenant: TenantId::from_uuid(r.get("tenant_id")?),
                name: r.get("name")?,
                role: r.word("api_tokens", "role", id, Role::parse)?,
            })
        })
        .transpose()
    }

    /// Remembers that a token was used just now.
    pub async fn touch_token(&self, id: ApiTokenId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let work = self.store.writer.write(Lane::Edit, Turn::Free, move |tx| {
            Box::pin(async move {
                let touch = "UPDATE api_tokens SET used_at = $2 WHERE id = $1 \
                             AND (used_at IS NULL OR used_at <= $3)";
                let bound = values![id.uuid(), micros(now), micros(now - USED_APART)];
                sql::exec(tx, touch, bound).await.map(drop)
            })
        });
        work.await
    }
}

fn token(row: &Row) -> Result<ApiToken, StoreError> {
    let id: Uuid = row.get("id")?;
    Ok(ApiToken {
        id: ApiTokenId::from_uuid(id),
        name: row.get("name")?,
        role: row.word("api_tokens", "role", id, Role::parse)?,
        created_by: row.get("created_by")?,
        created_at: row.time("created_at")?,
        used_at: row.time_opt("used_at")?,
        expires_at: row.time_opt("expires_at")?,
    })
}
