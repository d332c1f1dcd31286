//! What must be found before a tenant is known: sign-in, hooks, due work, keys.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use sea_orm::DatabaseConnection;
use uuid::Uuid;

use crate::domain::connection::Provider;
use crate::domain::ids::{ConnectionId, TenantId, UserId};
use crate::domain::tenant::Tenant;
use crate::domain::user::Role;
use crate::store::engine::database_clock;
use crate::store::engine::db::BatchDb;
use crate::store::engine::db::bulk::{Bulk, record};
use crate::store::engine::look_ups::LookUps;
use crate::store::engine::sql::{self, Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::tenant::connections::HookTarget;
use crate::store::tenant::settings::tenant;
use crate::store::{Platform, StoreError};

/// Token and provider.
type HookKey = (String, Provider);

/// Where addresses lead.
pub(in crate::store) type Hooks = LookUps<HookKey, HookTarget>;

pub(in crate::store) fn look_ups(db: &DatabaseConnection) -> Hooks {
    LookUps::start(db, |db, keys| hooks(db, keys).boxed())
}

async fn hooks(
    db: BatchDb<'_>,
    keys: &BTreeSet<&HookKey>,
) -> Result<BTreeMap<HookKey, HookTarget>, StoreError> {
    let select = Bulk::Joined(
        "SELECT h.token, h.provider, h.tenant_id, h.connection_id, t.status, t.zone FROM v \
         JOIN hooks h ON h.token = v.token AND h.provider = v.provider AND h.revoked_at IS NULL \
         JOIN tenants t ON t.id = h.tenant_id AND t.deleted_at IS NULL",
    );
    let keys = keys
        .iter()
        .map(|(token, provider)| record![token: token.clone(), provider: provider.as_str()]);
    let db = db.unscoped("the token tells whose hook it is").batch();
    let mut found = BTreeMap::new();
    for row in select.all(db, keys.collect()).await? {
        let tenant: Uuid = row.get("tenant_id")?;
        let provider = row.word("hooks", "provider", tenant, Provider::parse)?;
        let target = HookTarget {
            tenant: TenantId::from_uuid(tenant),
            connection: ConnectionId::from_uuid(row.get("connection_id")?),
            is_suspended: row.get::<String>("status")? != "active",
            zone: row.word("tenants", "zone", tenant, |z| z.parse().ok())?,
        };
        found.insert((row.get("token")?, provider), target);
    }
    Ok(found)
}

/// A user in a tenant.
#[derive(Debug, Clone)]
pub struct Member {
    pub tenant: Tenant,
    pub role: Role,
}

/// Copies of the database that follow it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standbys {
    pub count: i64,
    /// Whether one of them has what is acknowledged.
    pub commits_wait: bool,
}

/// A wrapped data key.
#[derive(Debug, Clone)]
pub struct StoredDataKey {
    pub id: Uuid,
    pub master_key_id: String,
    pub wrapped: Vec<u8>,
}

impl Platform {
    /// Whether the role that we are may write.
    pub async fn may_write(&self) -> Result<bool, StoreError> {
        if !sql::is_postgres(self.db()) {
            return Ok(true);
        }
        let query = "SELECT has_table_privilege('events', 'INSERT') \
                     AND has_table_privilege('sessions', 'DELETE') AS may";
        let row = self.db().one(query, vec![]).await?;
        row.map_or(Ok(false), |row| row.get("may"))
    }

    /// How many standbys the `PostgreSQL` server has, and whether a commit waits for one of them. Their
    /// states are shown to few roles, but what commits wait for to all.
    pub async fn standbys(&self) -> Result<Standbys, StoreError> {
        if !sql::is_postgres(self.db()) {
            return Ok(Standbys::default());
        }
        let query = "SELECT (SELECT COUNT(*) FROM pg_stat_replication) AS standbys, \
                     current_setting('synchronous_standby_names') <> '' \
                     AND current_setting('synchronous_commit') NOT IN ('off', 'local') AS waits";
        let Some(row) = self.db().one(query, vec![]).await? else {
            return Ok(Standbys::default());
        };
        Ok(Standbys {
            count: row.get("standbys")?,
            commits_wait: row.get("waits")?,
        })
    }

    /// The server's time, asked for at this moment; only on `PostgreSQL`.
    pub async fn server_time(&self) -> Result<DateTime<Utc>, StoreError> {
        database_clock::server_time(self.db()).await
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.db().one("SELECT 1 AS one", vec![]).await.map(drop)
    }

    /// Which database of which `PostgreSQL` server this is. A copy that was restored, or made as a template's,
    /// is another; a standby that took over is the same, and so is a copy of the server block by block.
    pub async fn place(&self) -> Result<String, StoreError> {
        // Everybody may ask for the server's number, unless somebody took that right away.
        let query = "SELECT COALESCE(current_schema()::TEXT, '') AS schema, \
                     COALESCE((SELECT oid::BIGINT FROM pg_database \
                               WHERE datname = current_database()), 0) AS oid, \
                     COALESCE(has_function_privilege( \
                         to_regprocedure('pg_control_system()')::OID, 'execute'), FALSE) AS may_ask";
        let Some(row) = self.db().one(query, vec![]).await? else {
            return Ok(String::new());
        };
        let (oid, schema): (i64, String) = (row.get("oid")?, row.get("schema")?);
        let mut server = 0_i64;
        if row.get("may_ask")? {
            let query = "SELECT system_identifier FROM pg_control_system()";
            if let Some(row) = self.db().one(query, vec![]).await? {
                server = row.get("system_identifier")?;
            }
        }
        Ok(format!("{server} {oid} {schema}"))
    }

    /// The tenant behind a dashboard address.
    pub async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>, StoreError> {
        let query = "SELECT * FROM tenants WHERE slug = $1 AND deleted_at IS NULL";
        self.db()
            .one(query, values![slug])
            .await?
            .map(|r| tenant(&r))
            .transpose()
    }

    /// Every tenant, by name.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let rows = self.db().all(
            "SELECT * FROM tenants WHERE deleted_at IS NULL ORDER BY name LIMIT 1000",
            vec![],
        );
        rows.await?.iter().map(tenant).collect()
    }

    /// Where a user is a member.
    pub async fn memberships(&self, user: UserId) -> Result<Vec<Member>, StoreError> {
        let query = "SELECT t.*, m.role FROM members m JOIN tenants t ON t.id = m.tenant_id \
                     WHERE m.user_id = $1 AND t.deleted_at IS NULL ORDER BY t.name LIMIT 1000";
        let rows = self.db().all(query, values![user.uuid()]).await?;
        rows.iter().map(member).collect()
    }

    /// A user's place in the tenant behind a dashboard address; `None` is *not found*.
    pub async fn membership(&self, user: UserId, slug: &str) -> Result<Option<Member>, StoreError> {
        let query = "SELECT t.*, m.role FROM members m JOIN tenants t ON t.id = m.tenant_id \
                     WHERE m.user_id = $1 AND t.slug = $2 AND t.deleted_at IS NULL";
        let row = self.db().one(query, values![user.uuid(), slug]).await?;
        row.map(|r| member(&r)).transpose()
    }

    /// Where a webhook or callback address leads; `None` when it is unknown or revoked.
    pub async fn hook(
        &self,
        provider: Provider,
        token: &str,
    ) -> Result<Option<HookTarget>, StoreError> {
        // No address of ours has it, and PostgreSQL would refuse it, and all that are looked up with it.
        if token.contains('\0') {
            return Ok(None);
        }
        let key = (token.to_owned(), provider);
        self.store.look_ups.hooks.ask(key).await
    }

    /// Every data key, newest last.
    pub async fn data_keys(&self) -> Result<Vec<StoredDataKey>, StoreError> {
        let rows = self
            .db()
            .all("SELECT * FROM data_keys ORDER BY id", vec![])
            .await?;
        rows.iter()
            .map(|r| {
                Ok(StoredDataKey {
                    id: r.get("id")?,
                    master_key_id: r.get("master_key_id")?,
                    wrapped: r.get("wrapped")?,
                })
            })
            .collect()
    }

    /// Keeps the first data key; `false` when another process was faster.
    pub async fn create_first_data_key(
        &self,
        key: StoredDataKey,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([key], async |tx| {
                if sql::is_postgres(tx) {
                    // Two processes on an empty database would both find no key.
                    tx.exec("LOCK TABLE data_keys IN EXCLUSIVE MODE", vec![])
                        .await?;
                }
                let insert = "INSERT INTO data_keys (id, master_key_id, wrapped, created_at) \
                              SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM data_keys)";
                let made = values![key.id, key.master_key_id, key.wrapped, micros(now)];
                Ok(tx.exec(insert, made).await? == 1)
            }))
            .await
    }
}

fn member(row: &Row) -> Result<Member, StoreError> {
    let tenant = tenant(row)?;
    let role = row.word("members", "role", tenant.id.uuid(), Role::parse)?;
    Ok(Member { tenant, role })
}
