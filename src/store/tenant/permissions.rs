//! Permissions: a ledger of why addresses may be written to. No claim reads it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::actor::Actor;
use crate::domain::address_hash::AddressHash;
use crate::domain::delivery::Channel;
use crate::domain::ids::PermissionId;
use crate::domain::page::{Cursor, Page};
use crate::domain::permission::{Basis, Permission};
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::keyset::Keyset;
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::{StoreError, TenantStore};

/// How many permissions a tenant may write down beside those that documents bring.
pub const MOST_PERMISSIONS: i64 = 200_000;

/// A permission to be written down.
#[derive(Debug, Clone)]
pub struct NewPermission {
    pub channel: Channel,
    pub address: String,
    pub basis: Basis,
    pub source: String,
}

/// Who confirmed at going live that the tenant may write to its people, and when.
#[derive(Debug, Clone)]
pub struct Attestation {
    pub by: String,
    pub at: DateTime<Utc>,
}

impl TenantStore {
    /// Permissions, newest first; those whose address or source holds a text.
    pub async fn permissions(
        &self,
        text: &str,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<Permission>, StoreError> {
        let mut list = Keyset::new(self.db(), "permissions", cursor);
        self.search(&mut list, "(source || ' ' || address)", text)
            .await?;
        list.page(limit, read, |p| p.id.uuid()).await
    }

    /// Writes permissions down that are not there yet; how many were new, or none where there are as many as
    /// there may be.
    pub async fn add_permissions(
        &self,
        new: Vec<NewPermission>,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<Option<u64>, StoreError> {
        let hasher = self.hasher()?.clone();
        self.writer()
            .edit(work!([new, actor, hasher], async |tx| {
                if tx
                    .is_full("permissions WHERE tenant_id = $1", MOST_PERMISSIONS)
                    .await?
                {
                    return Ok(None);
                }
                let mut rows = Rows::default();
                for p in &new {
                    let hash = hasher.hash(p.channel, &p.address);
                    rows.add(tx.tenant(), (p, hash), &actor.name, now);
                }
                let added = rows.insert(tx.batch()).await?;
                if added > 0 {
                    audit(tx, added_line(actor, &new, added), now).await?;
                }
                Ok(Some(added))
            }))
            .await
    }

    /// One permission.
    pub async fn permission_of(
        &self,
        channel: Channel,
        address: &str,
        basis: Basis,
    ) -> Result<Option<Permission>, StoreError> {
        let query = "SELECT * FROM permissions WHERE tenant_id = $1 AND channel = $2 \
                     AND address_hash = $3 AND basis = $4";
        let hash = self.hasher()?.hash(channel, address);
        let bound = values![channel.as_str(), hash, basis.as_str()];
        let row = self.db().one(query, bound).await?;
        row.map(|r| read(&r)).transpose()
    }

    /// What was confirmed when the tenant last went live.
    pub async fn attestation(&self) -> Result<Option<Attestation>, StoreError> {
        let query = "SELECT attested_by, attested_at FROM tenants WHERE id = $1 \
                     AND attested_at IS NOT NULL";
        let row = self.db().one(query, vec![]).await?;
        row.map(|row| {
            Ok(Attestation {
                by: row.get("attested_by")?,
                at: row.time("attested_at")?,
            })
        })
        .transpose()
    }
}

fn added_line(actor: Actor, new: &[NewPermission], added: u64) -> AuditLine {
    let subject = match new {
        [one] => one.address.clone(),
        _ => String::new(),
    };
    let detail = serde_json::json!({ "added": added, "given": new.len() });
    AuditLine::new(actor, "permission.added", subject, &detail)
}

/// An address of a contact that a route commit writes to, with its hash.
pub(in crate::store) struct Contact {
    pub(in crate::store) permission: NewPermission,
    pub(in crate::store) hash: AddressHash,
}

/// Rows to be inserted where they are not there yet, in one order everywhere: two documents of one customer
/// are routed at the same time.
#[derive(Default)]
pub(in crate::store) struct Rows(BTreeMap<(Uuid, Channel, AddressHash, Basis), Record>);

impl Rows {
    /// What a route commit brings.
    pub(in crate::store) fn add_contacts(
        &mut self,
        tenant: Uuid,
        all: &[Contact],
        now: DateTime<Utc>,
    ) {
        for contact in all {
            self.add(tenant, (&contact.permission, contact.hash), "", now);
        }
    }

    fn add(
        &mut self,
        tenant: Uuid,
        (p, hash): (&NewPermission, AddressHash),
        by: &str,
        now: DateTime<Utc>,
    ) {
        let key = (tenant, p.channel, hash, p.basis);
        self.0.entry(key).or_insert_with(|| {
            record![
                id: PermissionId::new(now).uuid(),
                tenant_id: tenant,
                channel: p.channel.as_str(),
                address: p.address.clone(),
                address_hash: hash,
                basis: p.basis.as_str(),
                source: p.source.clone(),
                created_by: by.to_owned(),
                created_at: micros(now),
            ]
        });
    }

    /// How many were new.
    pub(in crate::store) async fn insert(self, tx: BatchDb<'_>) -> Result<u64, StoreError> {
        const INSERT: Bulk<'static> = Bulk::insert("permissions", " ON CONFLICT DO NOTHING");
        INSERT.exec(tx, self.0.into_values().collect()).await
    }
}

/// Keeps who confirmed that the tenant's people may be written to.
pub(in crate::store) async fn attest(
    tx: TenantDb<'_>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let keep = "UPDATE tenants SET attested_by = $2, attested_at = $3 WHERE id = $1";
    let bound = values![actor.name.clone(), micros(now)];
    tx.exec(keep, bound).await.map(drop)
}

fn read(row: &Row) -> Result<Permission, StoreError> {
    let id: Uuid = row.get("id")?;
    let address: String = row.get("address")?;
    Ok(Permission {
        id: PermissionId::from_uuid(id),
        channel: row.word("permissions", "channel", id, Channel::parse)?,
        address: Some(address).filter(|a| !a.is_empty()),
        basis: row.word("permissions", "basis", id, Basis::parse)?,
        source: row.get("source")?,
        created_by: row.get("created_by")?,
        created_at: row.time("created_at")?,
    })
}
