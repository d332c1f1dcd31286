//! Connections, their sealed secrets and hooks.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures::FutureExt as _;
use sea_orm::DatabaseConnection;
use serde_json::json;
use uuid::Uuid;

use super::senders::keep_entered;
use crate::domain::actor::Actor;
use crate::domain::connection::{Connection, ConnectionState, Pauses, Provider, Settings};
use crate::domain::delivery::Channels;
use crate::domain::ids::{ConnectionId, TenantId};
use crate::domain::rule::Sender;
use crate::domain::transport::TransportName;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::bulk::{Bulk, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::look_ups::LookUps;
use crate::store::engine::sql::{Row, micros, micros_opt, values};
use crate::store::engine::writer::work;
use crate::store::{StoreError, TenantStore};

/// Where a webhook or callback address leads.
#[derive(Debug, Clone)]
pub struct HookTarget {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub is_suspended: bool,
    pub zone: Tz,
}

/// A sealed secret of a connection.
#[derive(Debug, Clone)]
pub struct StoredSecret {
    pub id: Uuid,
    pub name: String,
    pub sealed: Vec<u8>,
    pub created_at: DateTime<Utc>,
    /// A secret that is being replaced stays valid until then.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A connection to be made or replaced.
#[derive(Debug, Clone)]
pub struct SaveConnection {
    pub connection: Connection,
    /// New secrets; each replaces those of its name.
    pub secrets: Vec<StoredSecret>,
    /// Names of secrets to be taken away.
    pub removed: Vec<&'static str>,
    /// Its hook, if it has none yet.
    pub hook_token: String,
    /// What is entered to send from.
    pub senders: Vec<EnteredSenders>,
    /// The credentials over which this was typed, if there were any: those that it keeps are theirs.
    pub over: Option<Uuid>,
    pub actor: Actor,
    pub now: DateTime<Utc>,
}

/// What a connection is to send from over one transport, the default last, and what was entered before.
#[derive(Debug, Clone)]
pub struct EnteredSenders {
    pub transport: TransportName,
    pub before: Vec<Sender>,
    pub now: Vec<Sender>,
}

/// Connections by tenant and provider.
pub(in crate::store) type Connections = LookUps<(Uuid, Provider), Connection>;

/// The secrets and the address of a connection, by tenant and connection.
pub(in crate::store) type Belongings = LookUps<(Uuid, Uuid), Belonging>;

/// What belongs to a connection.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Belonging {
    /// Newest first; some may be over.
    secrets: Vec<StoredSecret>,
    hook_token: Option<String>,
}

pub(in crate::store) fn look_ups(db: &DatabaseConnection) -> (Connections, Belongings) {
    (
        LookUps::start(db, |db, keys| connections(db, keys).boxed()),
        LookUps::start(db, |db, keys| belongings(db, keys).boxed()),
    )
}

async fn connections(
    db: BatchDb<'_>,
    keys: &BTreeSet<&(Uuid, Provider)>,
) -> Result<BTreeMap<(Uuid, Provider), Connection>, StoreError> {
    let select = Bulk::Joined(
        "SELECT c.* FROM v JOIN connections c ON c.tenant_id = v.tenant_id \
         AND c.provider = v.provider",
    );
    let keys = keys
        .iter()
        .map(|(tenant, provider)| record![tenant_id: *tenant, provider: provider.as_str()]);
    let mut found = BTreeMap::new();
    for row in select.all(db, keys.collect()).await? {
        let one = connection(&row)?;
        let key = (one.tenant.uuid(), one.provider);
        found.entry(key).or_insert(one);
    }
    Ok(found)
}

async fn belongings(
    db: BatchDb<'_>,
    keys: &BTreeSet<&(Uuid, Uuid)>,
) -> Result<BTreeMap<(Uuid, Uuid), Belonging>, StoreError> {
    let keys: Vec<_> = keys
        .iter()
        .map(|(tenant, connection)| record![tenant_id: *tenant, connection_id: *connection])
        .collect();
    let mut found: BTreeMap<(Uuid, Uuid), Belonging> = BTreeMap::new();
    let secrets = Bulk::Joined(
        "SELECT s.tenant_id, s.connection_id, s.id, s.name, s.sealed, s.created_at, s.expires_at \
         FROM v JOIN secrets s ON s.tenant_id = v.tenant_id AND s.connection_id = v.connection_id \
         ORDER BY s.id DESC",
    );
    for row in secrets.all(db, keys.clone()).await? {
        let key = (row.get("tenant_id")?, row.get("connection_id")?);
        found.entry(key).or_default().secrets.push(StoredSecret {
            id: row.get("id")?,
            name: row.get("name")?,
            sealed: row.get("sealed")?,
            created_at: row.time("created_at")?,
            expires_at: row.time_opt("expires_at")?,
        });
    }
    let hooks = Bulk::Joined(
        "SELECT h.tenant_id, h.connection_id, h.token FROM v \
         JOIN hooks h ON h.tenant_id = v.tenant_id AND h.connection_id = v.connection_id \
         AND h.revoked_at IS NULL ORDER BY h.created_at",
    );
    for row in hooks.all(db, keys).await? {
        let key = (row.get("tenant_id")?, row.get("connection_id")?);
        // The latest is the last.
        found.entry(key).or_default().hook_token = row.get("token")?;
    }
    Ok(found)
}

impl TenantStore {
    /// The tenant's connection to a provider.
    pub async fn connection(&self, provider: Provider) -> Result<Option<Connection>, StoreError> {
        let key = (self.id.uuid(), provider);
        self.store.look_ups.connections.ask(key).await
    }

    /// A connection by id.
    pub async fn connection_by_id(
        &self,
        id: ConnectionId,
    ) -> Result<Option<Connection>, StoreError> {
        let query = "SELECT * FROM connections WHERE tenant_id = $1 AND id = $2";
        let row = self.db().one(query, values![id.uuid()]).await?;
        row.map(|r| connection(&r)).transpose()
    }

    /// The sealed secrets of a connection that are still valid, newest first.
    pub async fn secrets(
        &self,
        connection: ConnectionId,
        now: DateTime<Utc>,
    ) -> Result<Vec<StoredSecret>, StoreError> {
        let belonging = self.belonging(connection).await?;
        let mut secrets = belonging.secrets;
        secrets.retain(|secret| secret.expires_at.is_none_or(|end| end > now));
        Ok(secrets)
    }

    /// The address of a connection's callbacks.
    pub async fn hook_token(&self, connection: ConnectionId) -> Result<Option<String>, StoreError> {
        Ok(self.belonging(connection).await?.hook_token)
    }

    async fn belonging(&self, connection: ConnectionId) -> Result<Belonging, StoreError> {
        let key = (self.id.uuid(), connection.uuid());
        let found = self.store.look_ups.belongings.ask(key).await?;
        Ok(found.unwrap_or_default())
    }

    /// Makes or replaces a connection: settings, secrets by name, and its hook when it has none.
    /// Secrets that are not named stay as they are. False, and nothing is changed, when the
    /// credentials are no longer those that it was typed over.
    pub async fn save_connection(&self, save: SaveConnection) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([save], async |tx| {
                let SaveConnection {
                    connection: c,
                    secrets,
                    removed,
                    hook_token,
                    senders,
                    over,
                    actor,
                    now,
                } = save;

                let id = c.id.uuid();
                let settings = serde_json::to_string(&c.settings).unwrap_or_default();
                let query = "SELECT * FROM connections WHERE tenant_id = $1 AND provider = $2";
                let key = values![c.provider.as_str()];
                let old = tx.one(query, key).await?;
                let old = old.map(|r| connection(&r)).transpose()?;
                if old.as_ref().map(|old| old.login) != over {
                    return Ok(false);
                }
                let changed: Vec<&str> = secrets.iter().map(|s| s.name.as_str()).collect();
                let mut removed_any = false;
                for name in removed {
                    removed_any |= drop_secrets(tx, id, name).await? > 0;
                }
                for s in &secrets {
                    drop_secrets(tx, id, &s.name).await?;
                }
                // Other credentials have to be accepted anew.
                let keeps_login = changed.is_empty()
                    && !removed_any
                    && old.as_ref().is_some_and(|old| old.account == c.account);
                let detail = json!({
                    "old": old.as_ref().map(of_log), "new": of_log(&c), "secrets": changed,
                });
                tx.exec(
                    "INSERT INTO connections (id, tenant_id, provider, name, account, state, \
                         reason, settings, checked_at, checked, created_at, updated_at, login, \
                         accepted_at, channels) \
                         VALUES ($2, $1, $3, '', $4, $5, $6, $7, $8, $9, $10, $10, $11, $13, $14) \
                         ON CONFLICT (tenant_id, provider, name) DO UPDATE SET \
                         account = excluded.account, state = excluded.state, \
                         channels = excluded.channels, \
                         reason = excluded.reason, settings = excluded.settings, \
                         checked_at = excluded.checked_at, checked = excluded.checked, \
                         broken_at = CASE WHEN excluded.state = 'broken' \
                         THEN connections.broken_at END, \
                         login = CASE WHEN $12 THEN connections.login ELSE excluded.login END, \
                         accepted_at = CASE WHEN $12 AND connections.accepted_at IS NOT NULL \
                         THEN connections.accepted_at ELSE excluded.accepted_at END, \
                         sms_paused_until = NULL, email_paused_until = NULL, \
                         updated_at = excluded.updated_at",
                    values![
                        id,
                        c.provider.as_str(),
                        c.account.clone(),
                        c.state.as_str(),
                        c.reason.clone(),
                        settings,
                        micros_opt(c.checked_at),
                        c.checked.clone(),
                        micros(now),
                        c.login,
                        keeps_login,
                        micros_opt(c.accepted_at),
                        c.channels.to_text()
                    ],
                )
                .await?;
                for s in &secrets {
                    insert_secret(tx, id, s).await?;
                }
                tx.exec(
                    "INSERT INTO hooks (token, provider, tenant_id, connection_id, created_at) \
                         SELECT $2, $3, $1, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM hooks \
                         WHERE tenant_id = $1 AND connection_id = $4 AND revoked_at IS NULL)",
                    values![hook_token, c.provider.as_str(), id, micros(now)],
                )
                .await?;
                for entered in &senders {
                    keep_entered(tx, entered, now).await?;
                }
                let subject = c.provider.as_str();
                let line = AuditLine::new(actor, "connection.changed", subject, &detail);
                audit(tx, line, now).await?;
                Ok(true)
            }))
            .await
    }

    /// Adds a secret beside the old ones of its name, which end at `old_until`.
    pub async fn rotate_secret(
        &self,
        connection: ConnectionId,
        secret: StoredSecret,
        old_until: DateTime<Utc>,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.writer()
            .edit(work!([secret, actor], async |tx| {
                // At most two are valid at once: the one before the last ends now.
                let end_older = "DELETE FROM secrets WHERE connection_id = $2 AND name = $3 \
                                 AND tenant_id = $1 AND expires_at IS NOT NULL";
                let key = || values![connection.uuid(), secret.name.clone()];
                tx.exec(end_older, key()).await?;
                let mut bound = key();
                bound.push(micros(old_until).into());
                let end_old = "UPDATE secrets SET expires_at = $4 WHERE connection_id = $2 \
                               AND name = $3 AND tenant_id = $1";
                tx.exec(end_old, bound).await?;
                insert_secret(tx, connection.uuid(), &secret).await?;
                let detail = json!({ "old_until": old_until });
                let subject = secret.name.as_str();
                let line = AuditLine::new(actor, "secret.rotated", subject, &detail);
                audit(tx, line, now).await
            }))
            .await
    }

    /// Records what a check or a refused call said about a connection.
    pub async fn set_connection_state(
        &self,
        connection: ConnectionId,
        state: ConnectionState,
        reason: String,
        checked: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.writer()
            .edit(work!([reason, checked], async |tx| {
                tx.exec(
                    "UPDATE connections SET state = $3, reason = $4, updated_at = $5, \
                     broken_at = CASE WHEN $3 = 'broken' \
                     THEN COALESCE(broken_at, $5) END, \
                     checked_at = COALESCE($6, checked_at), checked = COALESCE($7, checked) \
                     WHERE tenant_id = $1 AND id = $2",
                    values![
                        connection.uuid(),
                        state.as_str(),
                        reason,
                        micros(now),
                        checked.is_some().then(|| micros(now)),
                        checked
                    ],
                )
                .await
                .map(drop)
            }))
            .await
    }

    /// Notes that the provider accepted these credentials, unless others were entered meanwhile; whether
    /// that is news. Alone within the tenant, as every edit: from then on its messages take turns with the
    /// equal ones of the whole account.
    pub async fn accept_login(
        &self,
        connection: ConnectionId,
        login: Uuid,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!(async |tx| {
                accept(tx, connection, login, now).await
            }))
            .await
    }

    /// Lets these channels of a connection rest until then.
    pub async fn pause_connection(
        &self,
        connection: ConnectionId,
        channels: Channels,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.writer()
            .edit(work!([channels], async |tx| {
                for channel in channels.iter() {
                    let column = format!("{}_paused_until", channel.as_str());
                    let pause = format!(
                        "UPDATE connections SET {column} = $3 \
                         WHERE tenant_id = $1 AND id = $2 \
                         AND ({column} IS NULL OR {column} < $3)"
                    );
                    let bound = values![connection.uuid(), micros(until)];
                    tx.exec(&pause, bound).await?;
                }
                Ok(())
            }))
            .await
    }
}

/// Notes that credentials were accepted; whether that is news.
pub(in crate::store) async fn accept(
    tx: TenantDb<'_>,
    connection: ConnectionId,
    login: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let accept = "UPDATE connections SET accepted_at = $4 WHERE tenant_id = $1 AND id = $2 \
                  AND login = $3 AND accepted_at IS NULL";
    let bound = values![connection.uuid(), login, micros(now)];
    Ok(tx.exec(accept, bound).await? == 1)
}

/// Whether the provider has accepted what the tenant entered for this account.
pub(in crate::store) async fn is_accepted(
    tx: TenantDb<'_>,
    account: &str,
) -> Result<bool, StoreError> {
    let query = "SELECT id FROM connections WHERE tenant_id = $1 AND account = $2 \
                 AND accepted_at IS NOT NULL";
    Ok(tx.one(query, values![account]).await?.is_some())
}

async fn drop_secrets(tx: TenantDb<'_>, connection: Uuid, name: &str) -> Result<u64, StoreError> {
    let drop_old = "DELETE FROM secrets WHERE connection_id = $2 AND name = $3 AND tenant_id = $1";
    tx.exec(drop_old, values![connection, name]).await
}

/// A connection as the log keeps it: what was entered besides secrets.
fn of_log(c: &Connection) -> serde_json::Value {
    let mut of = serde_json::to_value(&c.settings).unwrap_or_default();
    if let Some(of) = of.as_object_mut() {
        of.insert("account".to_owned(), c.account.as_str().into());
    }
    of
}

async fn insert_secret(
    tx: TenantDb<'_>,
    connection: Uuid,
    s: &StoredSecret,
) -> Result<(), StoreError> {
    let row = record![
        id: s.id,
        connection_id: connection,
        name: s.name.clone(),
        sealed: s.sealed.clone(),
        created_at: micros(s.created_at),
        expires_at: micros_opt(s.expires_at),
    ];
    tx.insert("secrets", row, "").await.map(drop)
}

/// The pauses of a row of connections.
pub(in crate::store) fn pauses(row: &Row) -> Result<Pauses, StoreError> {
    Ok(Pauses {
        sms: row.time_opt("sms_paused_until")?,
        email: row.time_opt("email_paused_until")?,
        senders: row.time_opt("senders_rest_until")?,
    })
}

fn connection(row: &Row) -> Result<Connection, StoreError> {
    let id: Uuid = row.get("id")?;
    let settings = row.word("connections", "settings", id, |s| {
        serde_json::from_str::<Settings>(s).ok()
    })?;
    Ok(Connection {
        id: ConnectionId::from_uuid(id),
        tenant: TenantId::from_uuid(row.get("tenant_id")?),
        provider: row.word("connections", "provider", id, Provider::parse)?,
        channels: row.word("connections", "channels", id, Channels::parse)?,
        account: row.get("account")?,
        state: row.word("connections", "state", id, ConnectionState::parse)?,
        reason: row.get("reason")?,
        settings,
        pauses: pauses(row)?,
        checked_at: row.time_opt("checked_at")?,
        checked: row.get("checked")?,
        login: row.get::<Option<Uuid>>("login")?.unwrap_or_default(),
        accepted_at: row.time_opt("accepted_at")?,
    })
}
