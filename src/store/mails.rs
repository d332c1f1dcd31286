//! E-mails of the service itself: the outbox.
//!
//! ```text
//! waiting --claim--> sending --taken--> sent
//!    ^                  |  '--refused--> failed
//!    '----- try again --'
//! ```
//!
//! `due_at` says when somebody has to check: in `sending` it is the end of the lease, so an e-mail whose
//! worker died comes back by itself. `tries` is the fence: who was overtaken ends nothing.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::ids::TenantId;
use crate::store::engine::db::UnscopedDb;
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError};

/// An e-mail as it is kept.
#[derive(Debug, Clone)]
pub struct StoredMail {
    pub id: Uuid,
    pub tenant: Option<TenantId>,
    pub recipient: String,
    pub kind: String,
    /// Unique: a second e-mail of the same wish is not kept.
    pub once: String,
    /// Subject and text.
    pub sealed: Vec<u8>,
}

/// An e-mail in the hands of a worker.
#[derive(Debug, Clone)]
pub struct ClaimedMail {
    pub id: Uuid,
    pub recipient: String,
    pub kind: String,
    pub sealed: Vec<u8>,
    /// Which try this is, from 1.
    pub tries: i64,
    pub created_at: DateTime<Utc>,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailOutcome {
    Sent,
    /// Look again then.
    Later(DateTime<Utc>, String),
    Failed(String),
}

/// Why who keeps an e-mail filters by no tenant.
pub(in crate::store) const MAIL: &str = "an e-mail is the service's own, on whose behalf it may be";

impl Platform {
    /// Keeps an e-mail, due now; `false` when the same one was kept before.
    pub async fn keep_mail(
        &self,
        mail: StoredMail,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let work = self.writer().edit(work!([mail], async |tx| {
            insert_mail(tx, mail, now).await
        }));
        work.await
    }
}

/// Keeps an e-mail within the transaction that it is about; `false` when the same one was kept
/// before.
pub(in crate::store) async fn insert_mail(
    tx: UnscopedDb<'_>,
    m: StoredMail,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let insert = "INSERT INTO mails (id, tenant_id, recipient, kind, once, sealed, state, \
                              reason, tries, due_at, created_at, updated_at) \
                              VALUES ($1, $2, $3, $4, $5, $6, 'waiting', '', 0, $7, $7, $7) \
                              ON CONFLICT (once) DO NOTHING";
    let tenant = m.tenant.map_or_else(Uuid::nil, TenantId::uuid);
    let row = values![
        m.id,
        tenant,
        m.recipient,
        m.kind,
        m.once,
        m.sealed,
        micros(now)
    ];
    Ok(tx.exec(insert, row).await? == 1)
}

impl Platform {
    /// Whether this e-mail, or one like it, is kept.
    pub async fn has_mail(&self, once: &str) -> Result<bool, StoreError> {
        let query = "SELECT id FROM mails WHERE once = $1";
        Ok(self.db().one(query, values![once]).await?.is_some())
    }

    /// Takes an e-mail that is due until `until`; `None` when it is not, or somebody has it.
    pub async fn claim_mail(
        &self,
        id: Uuid,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Option<ClaimedMail>, StoreError> {
        let work = self.writer().claim(work!(async |tx| {
            let claim = "UPDATE mails SET state = 'sending', tries = tries + 1, due_at = $3, \
                         updated_at = $2 WHERE id = $1 AND due_at <= $2";
            let bound = values![id, micros(now), micros(until)];
            if tx.exec(claim, bound).await? == 0 {
                return Ok(None);
            }
            let row = tx
                .one("SELECT * FROM mails WHERE id = $1", values![id])
                .await?;
            row.as_ref().map(claimed).transpose()
        }));
        work.await
    }

    /// Ends a try; `false` when another has begun meanwhile. What the e-mail said is forgotten with
    /// its end.
    pub async fn settle_mail(
        &self,
        id: Uuid,
        tries: i64,
        outcome: MailOutcome,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let work = self.writer().record_outcome(work!([outcome], async |tx| {
            let over = "UPDATE mails SET state = $3, reason = $4, due_at = NULL, sealed = $6, \
                        updated_at = $5 WHERE id = $1 AND tries = $2 AND state = 'sending'";
            let later = "UPDATE mails SET state = 'waiting', reason = $3, due_at = $4, \
                         updated_at = $5 WHERE id = $1 AND tries = $2 AND state = 'sending'";
            let now = micros(now);
            let changed = match outcome {
                MailOutcome::Sent => {
                    let row = values![id, tries, "sent", "", now, Vec::<u8>::new()];
                    tx.exec(over, row).await?
                }
                MailOutcome::Failed(why) => {
                    let row = values![id, tries, "failed", why, now, Vec::<u8>::new()];
                    tx.exec(over, row).await?
                }
                MailOutcome::Later(at, why) => {
                    tx.exec(later, values![id, tries, why, micros(at), now])
                        .await?
                }
            };
            Ok(changed == 1)
        }));
        work.await
    }

    /// Forgets e-mails that ended before `before`, a bounded number; how many.
    pub async fn prune_mails(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let work = self.writer().edit(work!(async |tx| {
            let old = "DELETE FROM mails WHERE id IN (SELECT id FROM mails \
                       WHERE due_at IS NULL AND updated_at < $1 ORDER BY updated_at LIMIT 500)";
            tx.exec(old, values![micros(before)]).await
        }));
        work.await
    }
}

fn claimed(row: &Row) -> Result<ClaimedMail, StoreError> {
    Ok(ClaimedMail {
        id: row.get("id")?,
        recipient: row.get("recipient")?,
        kind: row.get("kind")?,
        sealed: row.get("sealed")?,
        tries: row.get("tries")?,
        created_at: row.time("created_at")?,
    })
}
