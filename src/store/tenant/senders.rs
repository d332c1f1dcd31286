//! What messages come from.

use std::mem::discriminant;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::message_edits::{MessageEdit, made, refused};
use super::rules::raise_rule_set;
use crate::domain::actor::Actor;
use crate::domain::ids::SenderId;
use crate::domain::phone::CountryCode;
use crate::domain::rule::Sender;
use crate::domain::sender::{MOST_SENDERS, SenderAddress, SenderProfile};
use crate::domain::transport::TransportName;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::sql::{Row, micros, micros_opt, values};
use crate::store::engine::writer::work;
use crate::store::{EnteredSenders, StoreError, TenantStore};

/// The senders of these tenants, the oldest first.
pub(in crate::store) async fn read(
    db: BatchDb<'_>,
    tenants: Vec<Record>,
) -> Result<Vec<(Uuid, SenderProfile)>, StoreError> {
    let select =
        Bulk::Joined("SELECT s.* FROM v JOIN senders s ON s.tenant_id = v.tenant_id ORDER BY s.id");
    let rows = select.all(db, tenants).await?;
    let rows = rows.iter();
    rows.map(|row| Ok((row.get("tenant_id")?, sender(row)?)))
        .collect()
}

impl TenantStore {
    /// Every sender, the oldest first.
    pub async fn senders(&self) -> Result<Vec<SenderProfile>, StoreError> {
        let found = read(self.db().batch(), self.alone()).await?;
        Ok(found.into_iter().map(|(_, sender)| sender).collect())
    }

    /// One sender.
    pub async fn sender(&self, id: SenderId) -> Result<Option<SenderProfile>, StoreError> {
        find(self.db(), id).await
    }

    /// Adds a sender. The first of its transport is the default.
    pub async fn add_sender(
        &self,
        new: SenderProfile,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<MessageEdit, StoreError> {
        self.writer()
            .edit(work!([new, actor], async |tx| {
                if tx
                    .is_full("senders WHERE tenant_id = $1", MOST_SENDERS)
                    .await?
                {
                    return Ok(MessageEdit::TooMany);
                }
                if let Some(refused) = refuse(tx, &new, now).await? {
                    return Ok(refused);
                }
                insert(tx, &new).await?;
                settle_default(tx, &new).await?;
                let detail = json!({ "new": of_log(&new) });
                let subject = new.id.to_string();
                let line = AuditLine::new(actor, "sender.added", subject, &detail);
                made(tx, line, now).await
            }))
            .await
    }

    /// Changes a sender, but not its transport. With another address it has to be tested anew. The default
    /// stays one until another is.
    pub async fn change_sender(
        &self,
        changed: SenderProfile,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<MessageEdit, StoreError> {
        self.writer()
            .edit(work!([changed, actor], async |tx| {
                let mut changed = changed;
                let Some(old) = find(tx, changed.id).await? else {
                    return Ok(MessageEdit::Gone);
                };
                changed.transport = old.transport;
                let is_other = changed.address.key() != old.address.key();
                changed.tested_at = old.tested_at.filter(|_| !is_other);
                if let Some(refused) = refuse(tx, &changed, now).await? {
                    return Ok(refused);
                }
                tx.exec(
                    "UPDATE senders SET address = $3, address_key = $4, name = $5, \
                     countries = $6, customers = $7, tested_at = $8, \
                     segments_per_second = $9 \
                     WHERE tenant_id = $1 AND id = $2",
                    values![
                        changed.id.uuid(),
                        changed.address.as_str(),
                        changed.address.key(),
                        changed.name.clone(),
                        list(changed.countries.iter().map(CountryCode::as_str)),
                        list(changed.customers.iter().map(String::as_str)),
                        micros_opt(changed.tested_at),
                        changed.segments_per_second.map(i64::from)
                    ],
                )
                .await?;
                settle_default(tx, &changed).await?;
                let detail = json!({ "old": of_log(&old), "new": of_log(&changed) });
                let subject = changed.id.to_string();
                let line = AuditLine::new(actor, "sender.changed", subject, &detail);
                made(tx, line, now).await
            }))
            .await
    }

    /// Takes a sender away; the default only when it is the last of its transport ([`MessageEdit::Taken`]).
    pub async fn delete_sender(
        &self,
        id: SenderId,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<MessageEdit, StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                let Some(old) = find(tx, id).await? else {
                    return Ok(MessageEdit::Gone);
                };
                let other = "SELECT id FROM senders WHERE tenant_id = $1 AND transport = $2 \
                             AND id <> $3 LIMIT 1";
                let bound = values![old.transport.as_str(), id.uuid()];
                if old.is_default && tx.one(other, bound).await?.is_some() {
                    return Ok(MessageEdit::Taken);
                }
                let delete = "DELETE FROM senders WHERE tenant_id = $1 AND id = $2";
                tx.exec(delete, values![id.uuid()]).await?;
                let detail = json!({ "old": of_log(&old) });
                let line = AuditLine::new(actor, "sender.deleted", id.to_string(), &detail);
                made(tx, line, now).await
            }))
            .await
    }

    /// Notes that a test from a sender was taken by its provider; `false` when it has another address by now.
    pub async fn note_tested_sender(
        &self,
        tested: SenderProfile,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([tested, actor], async |tx| {
                let set = "UPDATE senders SET tested_at = $4 WHERE tenant_id = $1 AND id = $2 \
                           AND address_key = $3";
                let bound = values![tested.id.uuid(), tested.address.key(), micros(now)];
                if tx.exec(set, bound).await? == 0 {
                    return Ok(false);
                }
                raise_rule_set(tx).await?;
                let detail = json!({ "address": tested.address.as_str() });
                let subject = tested.id.to_string();
                let line = AuditLine::new(actor, "sender.tested", subject, &detail);
                audit(tx, line, now).await?;
                Ok(true)
            }))
            .await
    }
}

/// Keeps what was entered with a connection among the senders: what took another's place takes its row, so
/// that rules which name it follow. The last one is the default, unless somebody chose another.
pub(in crate::store) async fn keep_entered(
    tx: TenantDb<'_>,
    entered: &EnteredSenders,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let transport = entered.transport.as_str();
    let by_key =
        "SELECT * FROM senders WHERE tenant_id = $1 AND transport = $2 AND address_key = $3";
    let mut last = None;
    for own in &entered.now {
        let address = SenderAddress::Text(own.clone());
        let is_alike = |old: &&Sender| discriminant(*old) == discriminant(own);
        let mut keys = vec![address.key()];
        let before = entered.before.iter().find(is_alike);
        keys.extend(before.map(|old| SenderAddress::Text(old.clone()).key()));
        let mut found = None;
        for key in keys {
            if found.is_none() {
                let row = tx.one(by_key, values![transport, key]).await?;
                found = row.map(|row| sender(&row)).transpose()?;
            }
        }
        let id = if let Some(kept) = found {
            if kept.address != address {
                let set = "UPDATE senders SET address = $3, address_key = $4 \
                           WHERE tenant_id = $1 AND id = $2";
                let bound = values![kept.id.uuid(), address.as_str(), address.key()];
                tx.exec(set, bound).await?;
            }
            kept.id
        } else {
            let new = SenderProfile {
                id: SenderId::new(now),
                transport: entered.transport,
                address,
                name: String::new(),
                is_default: false,
                countries: Vec::new(),
                customers: Vec::new(),
                segments_per_second: None,
                tested_at: None,
                created_at: now,
            };
            insert(tx, &new).await?;
            new.id
        };
        last = Some(id);
    }
    let Some(last) = last else { return Ok(()) };
    raise_rule_set(tx).await?;
    let chosen =
        "SELECT address_key FROM senders WHERE tenant_id = $1 AND transport = $2 AND is_default";
    let chosen = tx.one(chosen, values![transport]).await?;
    let chosen: Option<String> = chosen.map(|row| row.get("address_key")).transpose()?;
    let both = entered.before.iter().chain(&entered.now);
    let mut entered = both.map(|own| SenderAddress::Text(own.clone()).key());
    if chosen.is_none_or(|key| entered.any(|own| own == key)) {
        let set =
            "UPDATE senders SET is_default = (id = $3) WHERE tenant_id = $1 AND transport = $2";
        tx.exec(set, values![transport, last.uuid()]).await?;
    }
    Ok(())
}

async fn find(db: TenantDb<'_>, id: SenderId) -> Result<Option<SenderProfile>, StoreError> {
    let query = "SELECT * FROM senders WHERE tenant_id = $1 AND id = $2";
    let row = db.one(query, values![id.uuid()]).await?;
    row.map(|row| sender(&row)).transpose()
}

/// Why a sender cannot be kept so.
async fn refuse(
    tx: TenantDb<'_>,
    sender: &SenderProfile,
    now: DateTime<Utc>,
) -> Result<Option<MessageEdit>, StoreError> {
    let same = "SELECT id FROM senders WHERE tenant_id = $1 AND transport = $2 AND address_key = $3 \
                AND id <> $4";
    let key = sender.address.key();
    let bound = values![sender.transport.as_str(), key, sender.id.uuid()];
    refused(tx, (same, bound), "sender.%", now).await
}

async fn insert(tx: TenantDb<'_>, new: &SenderProfile) -> Result<(), StoreError> {
    let row = record![
        id: new.id.uuid(),
        transport: new.transport.as_str(),
        address: new.address.as_str(),
        address_key: new.address.key(),
        name: new.name.clone(),
        is_default: false,
        countries: list(new.countries.iter().map(CountryCode::as_str)),
        customers: list(new.customers.iter().map(String::as_str)),
        segments_per_second: new.segments_per_second.map(i64::from),
        tested_at: micros_opt(new.tested_at),
        created_at: micros(new.created_at),
    ];
    tx.insert("senders", row, "").await.map(drop)
}

/// Makes a sender the default of its transport if it shall be, or if there is none.
async fn settle_default(tx: TenantDb<'_>, sender: &SenderProfile) -> Result<(), StoreError> {
    let such = || values![sender.transport.as_str(), sender.id.uuid()];
    let other = "SELECT id FROM senders WHERE tenant_id = $1 AND transport = $2 AND is_default \
                 AND id <> $3 LIMIT 1";
    if !sender.is_default && tx.one(other, such()).await?.is_some() {
        return Ok(());
    }
    let set = "UPDATE senders SET is_default = (id = $3) WHERE tenant_id = $1 AND transport = $2";
    tx.exec(set, such()).await.map(drop)
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    json!(words.collect::<Vec<_>>()).to_string()
}

/// A sender as the log keeps it.
fn of_log(sender: &SenderProfile) -> serde_json::Value {
    json!({
        "transport": sender.transport.as_str(),
        "address": sender.address.as_str(),
        "name": sender.name,
        "is_default": sender.is_default,
        "countries": sender.countries,
        "customers": sender.customers,
        "segments_per_second": sender.segments_per_second,
    })
}

fn sender(row: &Row) -> Result<SenderProfile, StoreError> {
    let id: Uuid = row.get("id")?;
    let word = |column, text: &str| {
        serde_json::from_str::<Vec<String>>(text).map_err(|_| StoreError::BadRow {
            table: "senders",
            column,
            row: id,
        })
    };
    let countries: String = row.get("countries")?;
    let customers: String = row.get("customers")?;
    let countries = word("countries", &countries)?;
    let pace: Option<i64> = row.get("segments_per_second")?;
    Ok(SenderProfile {
        id: SenderId::from_uuid(id),
        transport: row.word("senders", "transport", id, TransportName::parse)?,
        address: row.word("senders", "address", id, SenderAddress::from_stored)?,
        name: row.get("name")?,
        is_default: row.get("is_default")?,
        // A country that this binary does not know is nobody's.
        countries: countries
            .iter()
            .filter_map(|code| CountryCode::parse(code).ok())
            .collect(),
        customers: word("customers", &customers)?,
        segments_per_second: pace.and_then(|pace| u16::try_from(pace).ok()),
        tested_at: row.time_opt("tested_at")?,
        created_at: row.time("created_at")?,
    })
}
