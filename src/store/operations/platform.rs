//! What must be found before a tenant is known: sign-in, hooks, due work, keys.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use sea_orm::DatabaseConnection;
use uuid::Uuid;

use crate::domain::actor::Actor;
use crate::domain::connection::Provider;
use crate::domain::day::DateFormat;
use crate::domain::ids::{ConnectionId, TenantId, UserId};
use crate::domain::tenant::Tenant;
use crate::domain::user::Role;
use crate::store::accounts::users::{User, insert_user};
use crate::store::engine::db::WHOLE;
use crate::store::engine::db::bulk::{Bulk, record};
use crate::store::engine::db::{BatchDb, TenantDb, UnscopedDb};
use crate::store::engine::look_ups::LookUps;
use crate::store::engine::sql::{self, Row, micros, values};
use crate::store::engine::writer::{PlatformWriter, work};
use crate::store::history::audit::{AuditLine, audit};
use crate::store::tenant::connections::HookTarget;
use crate::store::{Store, StoreError};

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

/// The few look-ups over all tenants.
#[derive(Clone)]
pub struct Platform {
    pub(in crate::store) store: Store,
}

/// A user in a tenant.
#[derive(Debug, Clone)]
pub struct Member {
    pub tenant: Tenant,
    pub role: Role,
}

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
    /// All rows, since no tenant is known yet, or all are meant.
    pub(in crate::store) fn db(&self) -> UnscopedDb<'_> {
        UnscopedDb::new(&self.store.read, WHOLE)
    }

    pub(in crate::store) fn writer(&self) -> PlatformWriter<'_> {
        PlatformWriter {
            writer: &self.store.writer,
        }
    }

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

    /// Makes a tenant with its owner (who may exist already), Zoho connection and hook.
    pub async fn create_tenant(&self, new: NewTenant) -> Result<(), StoreError> {
        let done = self.writer().edit(work!([new], async |tx| {
            insert_user(tx, &new.owner, new.tenant.created_at).await?;
            insert_tenant(tx, &new).await
        }));
        done.await
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

fn member(row: &Row) -> Result<Member, StoreError> {
    let tenant = tenant(row)?;
    let role = row.word("members", "role", tenant.id.uuid(), Role::parse)?;
    Ok(Member { tenant, role })
}
