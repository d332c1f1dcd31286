//! What recipients write back: kept once, and a STOP or START carried out in the same transaction, so
//! that a captured request which comes again changes nothing.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::suppressions::{self, Addressee, NAME_OF, suppress};
use crate::domain::actor::Actor;
use crate::domain::address_hash::AddressHasher;
use crate::domain::connection::Provider;
use crate::domain::delivery::Channel;
use crate::domain::ids::{ConnectionId, ReplyId, TenantId, floor_v7};
use crate::domain::page::{Cursor, Page};
use crate::domain::phone::spellings;
use crate::domain::reply::{Reply, Wish};
use crate::domain::suppression::Source;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::TenantDb;
use crate::store::engine::keyset::Keyset;
use crate::store::engine::sql::{Row, micros, micros_opt, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError, TenantStore};

/// How many replies of a tenant are kept that nobody proved: the newest.
pub const UNPROVEN_KEPT: i64 = 200;

/// A message from a recipient, to be kept.
#[derive(Debug, Clone)]
pub struct NewReply {
    pub account: String,
    pub sid: String,
    /// The channel whose addresses it concerns; `None` for one that we do not write to.
    pub channel: Option<Channel>,
    pub address: String,
    pub sender: String,
    pub wish: Wish,
    pub body: String,
    pub is_proven: bool,
    /// Until when somebody may say what an unclear text means.
    pub decide_by: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

/// What somebody asks for, and until when a person may say what it means if that is unclear.
#[derive(Debug, Clone)]
pub struct Said {
    pub wish: Wish,
    pub body: String,
    pub decide_by: DateTime<Utc>,
}

impl TenantStore {
    /// Keeps a message from a recipient and does what it asks for; `None` when it was kept before.
    pub async fn keep_reply(&self, new: NewReply) -> Result<Option<Reply>, StoreError> {
        let hasher = self.hasher()?.clone();
        self.writer()
            .edit(work!([new, hasher], async |tx| {
                keep(tx, &new, &hasher).await
            }))
            .await
    }

    /// Does what a recipient asks for who wrote to another tenant of the same account.
    pub async fn follow_wish(
        &self,
        channel: Channel,
        address: String,
        said: Said,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let hash = self.hasher()?.hash(channel, &address);
        self.writer()
            .edit(work!([address, said], async |tx| {
                let whom = Addressee {
                    channel,
                    address: &address,
                    hash,
                    scope: "",
                };
                follow(tx, whom, &said, now).await
            }))
            .await
    }

    /// The reply that the provider knows by this id.
    pub async fn reply_of(&self, account: &str, sid: &str) -> Result<Option<Reply>, StoreError> {
        let query = "SELECT * FROM replies WHERE tenant_id = $1 AND account = $2 AND sid = $3";
        let row = self.db().one(query, values![account, sid]).await?;
        row.as_ref().map(reply).transpose()
    }

    /// Whether as many replies that nobody proved came since then as owners hear of.
    pub async fn is_flooded(&self, since: DateTime<Utc>, most: u64) -> Result<bool, StoreError> {
        let query = "SELECT 1 AS one FROM replies WHERE tenant_id = $1 AND id >= $2 \
                     AND is_proven = FALSE LIMIT 1 OFFSET $3";
        let bound = values![floor_v7(since), most];
        Ok(self.db().one(query, bound).await?.is_some())
    }

    /// Replies that nobody has read off the list, newest first.
    pub async fn unseen_replies(&self, limit: u64) -> Result<Vec<Reply>, StoreError> {
        let query = "SELECT * FROM replies WHERE tenant_id = $1 AND seen_at IS NULL \
                     ORDER BY id DESC LIMIT $2";
        let rows = self.db().all(query, values![limit]).await?;
        rows.iter().map(reply).collect()
    }

    /// All that recipients wrote, newest first.
    pub async fn replies(&self, cursor: Cursor, limit: u64) -> Result<Page<Reply>, StoreError> {
        Keyset::new(self.db(), "replies", cursor)
            .page(limit, reply, |r| r.id.uuid())
            .await
    }

    /// Reads a reply off the list; `false` when there is none.
    pub async fn see_reply(&self, id: ReplyId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.writer()
            .record(work!(async |tx| {
                let see = "UPDATE replies SET seen_at = COALESCE(seen_at, $3) \
                           WHERE tenant_id = $1 AND id = $2 AND wish <> 'unclear'";
                let bound = values![id.uuid(), micros(now)];
                Ok(tx.exec(see, bound).await? == 1)
            }))
            .await
    }
}

impl Platform {
    /// Other tenants that have written to an address from this account of the provider. Having entered the
    /// account is not enough, since anybody may enter any.
    pub async fn writers_to(
        &self,
        (provider, account): (Provider, &str),
        address: &str,
        but: TenantId,
    ) -> Result<Vec<(TenantId, ConnectionId)>, StoreError> {
        let query = "SELECT k.tenant_id, k.id FROM connections k WHERE k.provider = $5 \
                     AND k.account = $1 AND k.tenant_id <> $3 AND k.accepted_at IS NOT NULL \
                     AND EXISTS \
                     (SELECT 1 FROM provider_messages p WHERE p.account = $1 AND p.address IN ($2, $4) \
                      AND p.tenant_id = k.tenant_id) LIMIT 100";
        let [key, other] = spellings(address);
        let bound = values![account, key, but.uuid(), other, provider.as_str()];
        let rows = self.db().all(query, bound).await?;
        rows.iter()
            .map(|r| {
                Ok((
                    TenantId::from_uuid(r.get("tenant_id")?),
                    ConnectionId::from_uuid(r.get("id")?),
                ))
            })
            .collect()
    }
}

async fn keep(
    tx: TenantDb<'_>,
    new: &NewReply,
    hasher: &AddressHasher,
) -> Result<Option<Reply>, StoreError> {
    let id = ReplyId::new(new.now);
    let is_settled = !matches!(new.wish, Wish::Read | Wish::Unclear);
    let seen_at = is_settled.then_some(new.now);
    let insert = format!(
        "INSERT INTO replies (account, sid, id, tenant_id, address, name, sender, wish, body, \
         is_proven, received_at, seen_at) \
         VALUES ($3, $4, $5, $1, $2, {NAME_OF}, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT DO NOTHING RETURNING *"
    );
    let bound = values![
        new.address.clone(),
        new.account.clone(),
        new.sid.clone(),
        id.uuid(),
        new.sender.clone(),
        new.wish.as_str(),
        new.body.clone(),
        new.is_proven,
        micros(new.now),
        micros_opt(seen_at)
    ];
    let Some(row) = tx.one(&insert, bound).await? else {
        return Ok(None);
    };
    if !new.is_proven {
        let trim = "DELETE FROM replies WHERE tenant_id = $1 AND is_proven = FALSE AND id <= \
                    (SELECT id FROM replies WHERE tenant_id = $1 AND is_proven = FALSE \
                     ORDER BY id DESC LIMIT 1 OFFSET $2)";
        tx.exec(trim, values![UNPROVEN_KEPT]).await?;
    }
    // A STOP is taken from anybody who knows the address of the hook, up to a bound; what lifts one must be
    // proven.
    let is_taken = new.is_proven
        || (matches!(new.wish, Wish::Stop | Wish::Unclear) && !suppressions::is_full(tx).await?);
    if let Some(channel) = new.channel
        && is_taken
    {
        let said = Said {
            wish: new.wish,
            body: new.body.clone(),
            decide_by: new.decide_by,
        };
        let whom = Addressee::new(hasher, channel, &new.address);
        follow(tx, whom, &said, new.now).await?;
    }
    reply(&row).map(Some)
}

async fn follow(
    tx: TenantDb<'_>,
    whom: Addressee<'_>,
    said: &Said,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let wish = said.wish;
    let action = match wish {
        Wish::Stop => {
            let why = (Source::Stop, "The recipient wrote STOP");
            forget_question(tx, whom).await?;
            see_unclear(tx, whom.address, now).await?;
            let is_new = suppress(tx, whom, why, now).await?;
            is_new.then_some("suppression.added")
        }
        Wish::Unclear => {
            let wrote: String = said.body.chars().take(80).collect();
            let reason = format!(
                "Wrote “{}”: nothing goes out until somebody says whether that means stop",
                wrote.replace('\n', " ")
            );
            let why = (Source::Asked, reason.as_str());
            let is_new = suppress(tx, whom, why, now).await?;
            let by = "UPDATE suppressions SET decide_by = $4 WHERE tenant_id = $1 AND channel = $2 \
                      AND address_hash = $3 AND source = 'asked' AND decide_by IS NULL";
            let bound = values![whom.channel.as_str(), whom.hash, micros(said.decide_by)];
            tx.exec(by, bound).await?;
            is_new.then_some("suppression.asked")
        }
        Wish::Start => {
            see_unclear(tx, whom.address, now).await?;
            let lift = "DELETE FROM suppressions WHERE tenant_id = $1 AND channel = $2 \
                        AND address_hash = $3 AND source IN ('stop', 'provider', 'asked')";
            let bound = values![whom.channel.as_str(), whom.hash];
            (tx.exec(lift, bound).await? > 0).then_some("suppression.lifted")
        }
        Wish::Help | Wish::Read => None,
    };
    let Some(action) = action else { return Ok(()) };
    let line = AuditLine {
        actor: Actor::named("the recipient"),
        action,
        subject: whom.address.to_owned(),
        detail: serde_json::json!({ "channel": whom.channel.as_str(), "wrote": wish.as_str() })
            .to_string(),
    };
    audit(tx, line, now).await
}

async fn forget_question(tx: TenantDb<'_>, whom: Addressee<'_>) -> Result<u64, StoreError> {
    let forget = "DELETE FROM suppressions WHERE tenant_id = $1 AND channel = $2 \
                  AND address_hash = $3 AND source = 'asked'";
    let bound = values![whom.channel.as_str(), whom.hash];
    tx.exec(forget, bound).await
}

/// Whoever's unclear texts came from this address have been read.
async fn see_unclear(
    tx: TenantDb<'_>,
    address: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let [key, other] = spellings(address);
    let see = "UPDATE replies SET seen_at = $4 WHERE tenant_id = $1 AND address IN ($2, $3) \
               AND wish = 'unclear' AND seen_at IS NULL";
    let bound = values![key, other, micros(now)];
    tx.exec(see, bound).await.map(drop)
}

impl TenantStore {
    /// A person says what an unclear reply means; `None` when there is no such reply, or it was answered.
    pub async fn answer_reply(
        &self,
        id: ReplyId,
        stops: bool,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let hasher = self.hasher()?.clone();
        self.writer()
            .edit(work!([actor, hasher], async |tx| {
                let query = "SELECT * FROM replies WHERE tenant_id = $1 AND id = $2 \
                             AND wish = 'unclear' AND seen_at IS NULL";
                let row = tx.one(query, values![id.uuid()]).await?;
                let Some(row) = row else { return Ok(false) };
                let said = reply(&row)?;
                let whom = Addressee::new(&hasher, Channel::Sms, &said.address);
                forget_question(tx, whom).await?;
                if stops {
                    let reason = format!("Asked to stop, as {actor} read it");
                    let why = (Source::Stop, reason.as_str());
                    suppress(tx, whom, why, now).await?;
                }
                see_unclear(tx, &said.address, now).await?;
                let line = AuditLine {
                    actor,
                    action: if stops {
                        "suppression.added"
                    } else {
                        "suppression.answered"
                    },
                    subject: said.address,
                    detail: serde_json::json!({
                        "reply": id, "answer": if stops { "stop" } else { "go_on" },
                    })
                    .to_string(),
                };
                audit(tx, line, now).await?;
                Ok(true)
            }))
            .await
    }

    /// What nobody has answered in time means stop.
    pub async fn close_questions(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.writer()
            .edit(work!(async |tx| {
                let close = "DELETE FROM suppressions WHERE tenant_id = $1 AND decide_by <= $2 \
                             RETURNING *";
                for row in tx.all(close, values![micros(now)]).await? {
                    let asked = suppressions::read(&row)?;
                    let whom = Addressee {
                        channel: asked.channel,
                        address: asked.address.as_deref().unwrap_or_default(),
                        hash: suppressions::hash_of(&row)?,
                        scope: "",
                    };
                    let reason = "May have asked to stop, and nobody said otherwise within two \
                                  working days";
                    let why = (Source::Stop, reason);
                    suppress(tx, whom, why, now).await?;
                    see_unclear(tx, whom.address, now).await?;
                    let line = AuditLine {
                        actor: Actor::named("the service"),
                        action: "suppression.added",
                        subject: asked.subject(),
                        detail: serde_json::json!({ "answer": "none" }).to_string(),
                    };
                    audit(tx, line, now).await?;
                }
                Ok(())
            }))
            .await
    }
}

impl Platform {
    /// Tenants with an unclear reply that nobody has answered in time.
    pub async fn overdue_questions(&self, now: DateTime<Utc>) -> Result<Vec<TenantId>, StoreError> {
        let query = "SELECT DISTINCT tenant_id FROM suppressions WHERE decide_by IS NOT NULL \
                     AND decide_by <= $1 LIMIT 1000";
        let rows = self.db().all(query, values![micros(now)]).await?;
        rows.iter()
            .map(|r| r.get("tenant_id").map(TenantId::from_uuid))
            .collect()
    }
}

fn reply(row: &Row) -> Result<Reply, StoreError> {
    let id: Uuid = row.get("id")?;
    Ok(Reply {
        id: ReplyId::from_uuid(id),
        address: row.get("address")?,
        name: row.get("name")?,
        sender: row.get("sender")?,
        wish: row.word("replies", "wish", id, Wish::parse)?,
        body: row.get("body")?,
        is_proven: row.get("is_proven")?,
        received_at: row.time("received_at")?,
        seen_at: row.time_opt("seen_at")?,
    })
}
