//! Suppressions: what the claim reads, and what people and recipients change.
//!
//! Whatever changes them runs alone, so that no claim that began before writes to somebody who has
//! just heard that nothing comes any more.

use chrono::{DateTime, Utc};
use sea_orm::Value;
use uuid::Uuid;

use crate::domain::actor::Actor;
use crate::domain::address_hash::{AddressHash, AddressHasher};
use crate::domain::delivery::{Channel, Delivery};
use crate::domain::ids::SuppressionId;
use crate::domain::page::{Cursor, Page};
use crate::domain::suppression::{Source, Suppressed, Suppression};
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::TenantDb;
use crate::store::engine::keyset::Keyset;
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::{StoreError, TenantStore};

impl TenantStore {
    /// Why an address must not be written to, if so; the oldest reason.
    pub async fn suppression(
        &self,
        channel: Channel,
        address: &str,
    ) -> Result<Option<Suppressed>, StoreError> {
        self.suppression_within(channel, address, "").await
    }

    /// The same, or why not about what the scope is.
    async fn suppression_within(
        &self,
        channel: Channel,
        address: &str,
        scope: &str,
    ) -> Result<Option<Suppressed>, StoreError> {
        let query = "SELECT reason, decide_by FROM suppressions WHERE tenant_id = $1 \
                     AND channel = $2 AND address_hash = $3 AND scope IN ('', $4) \
                     ORDER BY (CASE WHEN decide_by IS NULL THEN 0 ELSE 1 END), created_at, source \
                     LIMIT 1";
        let hash = self.hasher()?.hash(channel, address);
        let found = values![channel.as_str(), hash, scope];
        self.db()
            .one(query, found)
            .await?
            .map(|r| {
                Ok(Suppressed {
                    reason: r.get("reason")?,
                    is_asked: r.time_opt("decide_by")?.is_some(),
                })
            })
            .transpose()
    }

    /// Why a delivery must not be sent, if so: because of the address that is meant, or of the
    /// owner's own number in a rehearsal.
    pub async fn suppression_of(&self, d: &Delivery) -> Result<Option<Suppressed>, StoreError> {
        let scope = d.scope();
        let meant = self.suppression_within(d.channel, &d.address, &scope);
        let meant = meant.await?;
        if meant.as_ref().is_some_and(|s| !s.is_asked) || !d.is_rehearsal {
            return Ok(meant);
        }
        let owner = self.suppression(d.channel, &d.rehearsal_to).await?;
        Ok(owner.or(meant))
    }
}

/// Which suppressions a list shows.
#[derive(Debug, Clone, Default)]
pub struct SuppressionFilter {
    /// Part of a number, of an e-mail address, of a name or of a reason.
    pub text: String,
    pub source: Option<Source>,
}

/// How many suppressions a tenant may have. What a recipient proved to want, or the provider said, is
/// taken beyond it.
pub const MOST_SUPPRESSIONS: i64 = 100_000;

/// Whether nothing may be added that nobody proved.
pub(in crate::store) async fn is_full(tx: TenantDb<'_>) -> Result<bool, StoreError> {
    let such = "suppressions WHERE tenant_id = $1";
    tx.is_full(such, MOST_SUPPRESSIONS).await
}

/// How adding one by hand ended.
#[derive(Debug, Clone)]
pub enum Added {
    New(Suppression),
    /// Somebody did so before.
    Already(Suppression),
}

impl TenantStore {
    /// Suppressions, newest first.
    pub async fn suppressions(
        &self,
        filter: &SuppressionFilter,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<Suppression>, StoreError> {
        let mut list = Keyset::new(self.db(), "suppressions", cursor);
        if let Some(source) = filter.source {
            list.keep(values![source.as_str()], |n| format!("source = ${n}"));
        }
        self.search(
            &mut list,
            "(name || ' ' || reason || ' ' || address)",
            &filter.text,
        )
        .await?;
        list.page(limit, read, |s| s.id.uuid()).await
    }

    /// One suppression.
    pub async fn suppression_by_id(
        &self,
        id: SuppressionId,
    ) -> Result<Option<Suppression>, StoreError> {
        let query = "SELECT * FROM suppressions WHERE tenant_id = $1 AND id = $2";
        let row = self.db().one(query, values![id.uuid()]).await?;
        row.map(|r| read(&r)).transpose()
    }

    /// Suppresses an address because somebody says so; none when there are as many as there may be.
    pub async fn add_suppression(
        &self,
        channel: Channel,
        address: String,
        reason: String,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<Option<Added>, StoreError> {
        let hash = self.hasher()?.hash(channel, &address);
        self.writer()
            .edit(work!([address, reason, actor], async |tx| {
                let why = (Source::Hand, reason.as_str());
                if is_full(tx).await? {
                    return Ok(None);
                }
                let whom = Addressee {
                    channel,
                    address: &address,
                    hash,
                    scope: "",
                };
                let is_new = suppress(tx, whom, why, now).await?;
                let key = || values![channel.as_str(), hash];
                if is_new {
                    let by = "UPDATE suppressions SET created_by = $4 WHERE tenant_id = $1 \
                                  AND channel = $2 AND address_hash = $3 AND source = 'hand' \
                                  AND scope = ''";
                    let mut bound = key();
                    bound.push(actor.name.clone().into());
                    tx.exec(by, bound).await?;
                    let line = AuditLine {
                        actor,
                        action: "suppression.added",
                        subject: address.clone(),
                        detail: serde_json::json!({
                            "channel": channel.as_str(), "reason": reason,
                        })
                        .to_string(),
                    };
                    audit(tx, line, now).await?;
                }
                let query = "SELECT * FROM suppressions WHERE tenant_id = $1 \
                                 AND channel = $2 AND address_hash = $3 AND source = 'hand' \
                                 AND scope = ''";
                let row = tx.one(query, key()).await?;
                let row = row.ok_or(StoreError::Closed)?;
                let found = read(&row)?;
                Ok(Some(if is_new {
                    Added::New(found)
                } else {
                    Added::Already(found)
                }))
            }))
            .await
    }

    /// Lifts one reason why an address must not be written to; `false` when it is gone already.
    pub async fn lift_suppression(
        &self,
        id: SuppressionId,
        reason: String,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([reason, actor], async |tx| {
                let lift = "DELETE FROM suppressions WHERE tenant_id = $1 AND id = $2 \
                            RETURNING *";
                let gone = tx.one(lift, values![id.uuid()]).await?;
                let Some(gone) = gone else { return Ok(false) };
                let gone = read(&gone)?;
                let line = AuditLine {
                    actor,
                    action: "suppression.lifted",
                    subject: gone.subject(),
                    detail: serde_json::json!({
                        "channel": gone.channel.as_str(), "source": gone.source.as_str(),
                        "was": gone.reason, "reason": reason,
                    })
                    .to_string(),
                };
                audit(tx, line, now).await?;
                Ok(true)
            }))
            .await
    }
}

/// An address with the hash by which it is compared.
#[derive(Clone, Copy)]
pub(in crate::store) struct Addressee<'a> {
    pub(in crate::store) channel: Channel,
    pub(in crate::store) address: &'a str,
    pub(in crate::store) hash: AddressHash,
    /// What may not be written to it; empty for everything.
    pub(in crate::store) scope: &'a str,
}

impl<'a> Addressee<'a> {
    pub(in crate::store) fn new(
        hasher: &AddressHasher,
        channel: Channel,
        address: &'a str,
    ) -> Self {
        Self {
            channel,
            address,
            hash: hasher.hash(channel, address),
            scope: "",
        }
    }
}

/// Whose address `$2` of tenant `$1` is: the name of the last message to it, among the newest.
pub(in crate::store) const NAME_OF: &str = "COALESCE((SELECT d.recipient FROM \
    (SELECT address, recipient FROM deliveries WHERE tenant_id = $1 ORDER BY id DESC LIMIT 2000) d \
    WHERE d.address = $2 AND d.recipient <> '' LIMIT 1), '')";

/// Keeps an address from being written to again; `false` when this source did so before.
pub(in crate::store) async fn suppress(
    tx: TenantDb<'_>,
    whom: Addressee<'_>,
    why: (Source, &str),
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let insert = format!(
        "INSERT INTO suppressions (id, tenant_id, channel, address, address_hash, source, scope, name, \
         reason, created_by, created_at) VALUES ($3, $1, $4, $2, $8, $5, $9, {NAME_OF}, $6, '', $7) \
         ON CONFLICT DO NOTHING"
    );
    let bound = values![
        whom.address,
        SuppressionId::new(now).uuid(),
        whom.channel.as_str(),
        why.0.as_str(),
        why.1,
        micros(now),
        whom.hash,
        whom.scope
    ];
    Ok(tx.exec(&insert, bound).await? == 1)
}

/// The hash of a stored suppression.
pub(in crate::store) fn hash_of(row: &Row) -> Result<AddressHash, StoreError> {
    let hash: Vec<u8> = row.get("address_hash")?;
    AddressHash::from_stored(&hash).ok_or(StoreError::BadRow {
        table: "suppressions",
        column: "address_hash",
        row: row.get("id")?,
    })
}

pub(in crate::store) fn read(row: &Row) -> Result<Suppression, StoreError> {
    let id: Uuid = row.get("id")?;
    let address: String = row.get("address")?;
    Ok(Suppression {
        id: SuppressionId::from_uuid(id),
        channel: row.word("suppressions", "channel", id, Channel::parse)?,
        address: Some(address).filter(|a| !a.is_empty()),
        source: row.word("suppressions", "source", id, Source::parse)?,
        is_of_reminders: !row.get::<String>("scope")?.is_empty(),
        name: row.get("name")?,
        reason: row.get("reason")?,
        created_by: row.get("created_by")?,
        created_at: row.time("created_at")?,
    })
}

impl From<AddressHash> for Value {
    fn from(hash: AddressHash) -> Self {
        hash.as_bytes().to_vec().into()
    }
}
