//! A new company: its owner, its Zoho connection and hook.

use uuid::Uuid;

use super::users::{User, insert_user};
use crate::domain::actor::Actor;
use crate::domain::ids::ConnectionId;
use crate::domain::tenant::Tenant;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::bulk::record;
use crate::store::engine::db::{TenantDb, UnscopedDb};
use crate::store::engine::sql::{micros, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError};

/// A tenant to be made, with its owner and the hook of its Zoho connection.
#[derive(Debug, Clone)]
pub struct NewTenant {
    pub tenant: Tenant,
    pub owner: User,
    pub zoho: ConnectionId,
    pub hook_token: String,
    pub hook_secret_id: Uuid,
    pub hook_secret_sealed: Vec<u8>,
    /// Who makes it.
    pub actor: Actor,
}

impl Platform {
    /// Makes a tenant with its owner (who may exist already), Zoho connection and hook.
    pub async fn create_tenant(&self, new: NewTenant) -> Result<(), StoreError> {
        let done = self.writer().edit(work!([new], async |tx| {
            insert_user(tx, &new.owner, new.tenant.created_at).await?;
            insert_tenant(tx, &new).await
        }));
        done.await
    }
}

/// The tenant, its owner's membership, and what it begins with; the owner is there already. A name
/// in addresses that is taken undoes the whole transaction.
pub(in crate::store) async fn insert_tenant(
    tx: UnscopedDb<'_>,
    new: &NewTenant,
) -> Result<(), StoreError> {
    let t = &new.tenant;
    let now = micros(t.created_at);
    let made = tx
        .exec(
            "INSERT INTO tenants (id, slug, name, status, country, zone, currency, created_at, \
         is_rehearsal, hours) \
         VALUES ($1, $2, $3, 'active', $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
            values![
                t.id.uuid(),
                t.slug.clone(),
                t.name.clone(),
                t.country.clone(),
                t.zone.name(),
                t.currency.clone(),
                now,
                t.is_rehearsal,
                t.hours.map_or_else(String::new, |h| h.to_string())
            ],
        )
        .await?;
    if made == 0 {
        return Err(StoreError::Taken("the name of the tenant"));
    }
    let tx = tx.of(t.id);
    tx.exec(
        "INSERT INTO members (tenant_id, user_id, role, created_at) \
         SELECT $1, id, 'owner', $3 FROM users WHERE email = $2",
        values![new.owner.email.clone(), now],
    )
    .await?;
    insert_zoho(tx, new, now).await?;
    let detail = serde_json::json!({ "owner": new.owner.email });
    let line = AuditLine::new(new.actor.clone(), "tenant.created", "", &detail);
    audit(tx, line, t.created_at).await
}

async fn insert_zoho(tx: TenantDb<'_>, new: &NewTenant, now: i64) -> Result<(), StoreError> {
    let connection = record![
        id: new.zoho.uuid(),
        provider: "zoho",
        channels: "",
        name: "",
        account: "",
        state: "new",
        reason: "",
        settings: "{}",
        checked: "",
        created_at: now,
        updated_at: now,
    ];
    tx.insert("connections", connection, "").await?;
    let hook = record![
        token: new.hook_token.clone(),
        provider: "zoho",
        connection_id: new.zoho.uuid(),
        created_at: now,
    ];
    tx.insert("hooks", hook, "").await?;
    let secret = record![
        id: new.hook_secret_id,
        connection_id: new.zoho.uuid(),
        name: "hook_secret",
        sealed: new.hook_secret_sealed.clone(),
        created_at: now,
    ];
    tx.insert("secrets", secret, "").await.map(drop)
}
