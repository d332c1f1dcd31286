//! People's own numbers, and the codes that show that a number is theirs.

use chrono::{DateTime, Utc};

use crate::domain::actor::Actor;
use crate::domain::ids::UserId;
use crate::domain::phone::Phone;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError, TenantStore};

/// How often a code may be typed.
const CODE_TRIES: i64 = 5;

/// A code that was sent and not yet typed back.
#[derive(Debug, Clone)]
pub struct PhoneCode {
    pub hash: Vec<u8>,
    /// JSON: the number, and what the hash is salted with.
    pub detail: String,
    pub expires_at: DateTime<Utc>,
}

impl Platform {
    /// Keeps a code for a person's number; an earlier one counts no longer.
    pub async fn keep_phone_code(
        &self,
        user: UserId,
        code: PhoneCode,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let work = self.writer().edit(work!([code], async |tx| {
            let forget = "DELETE FROM user_tokens WHERE user_id = $1 AND purpose = 'phone'";
            tx.exec(forget, values![user.uuid()]).await?;
            let keep = "INSERT INTO user_tokens (token_hash, user_id, purpose, detail, tries, \
                        created_at, expires_at) VALUES ($1, $2, 'phone', $3, 0, $4, $5)";
            let (now, expires_at) = (micros(now), micros(code.expires_at));
            let row = values![code.hash, user.uuid(), code.detail, now, expires_at];
            tx.exec(keep, row).await.map(drop)
        }));
        work.await
    }

    /// The code that a person has still to type.
    pub async fn phone_code(
        &self,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<Option<PhoneCode>, StoreError> {
        let query = "SELECT token_hash, detail, expires_at FROM user_tokens WHERE user_id = $1 \
                     AND purpose = 'phone' AND expires_at > $2 AND tries < $3";
        let bound = values![user.uuid(), micros(now), CODE_TRIES];
        let row = self.db().one(query, bound).await?;
        row.map(|r| phone_code(&r)).transpose()
    }

    /// The same, counted as one more try before anybody compares.
    pub async fn try_phone_code(
        &self,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<Option<PhoneCode>, StoreError> {
        let work = self.writer().edit(work!(async |tx| {
            let count = "UPDATE user_tokens SET tries = tries + 1 WHERE user_id = $1 \
                         AND purpose = 'phone' AND expires_at > $2 AND tries < $3 \
                         RETURNING token_hash, detail, expires_at";
            let bound = values![user.uuid(), micros(now), CODE_TRIES];
            let row = tx.one(count, bound).await?;
            row.map(|r| phone_code(&r)).transpose()
        }));
        work.await
    }
}

impl TenantStore {
    /// Writes down that a number is a person's own, for a code that was typed back; `false` when the
    /// code was used meanwhile.
    pub async fn confirm_phone(
        &self,
        user: UserId,
        hash: Vec<u8>,
        number: Phone,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let work = self
            .writer()
            .edit_unlocked(work!([hash, number, actor], async |tx| {
                let users = tx.unscoped("a number is a person's, in all their companies");
                let spend = "DELETE FROM user_tokens WHERE token_hash = $1 AND user_id = $2";
                if users.exec(spend, values![hash, user.uuid()]).await? == 0 {
                    return Ok(false);
                }
                let query = "SELECT phone FROM users WHERE id = $1";
                let old = users.one(query, values![user.uuid()]).await?;
                let old: String = old.map_or(Ok(String::new()), |r| r.get("phone"))?;
                let set = "UPDATE users SET phone = $2, phone_confirmed_at = $3 WHERE id = $1";
                let bound = values![user.uuid(), number.as_str(), micros(now)];
                users.exec(set, bound).await?;
                let line = AuditLine {
                    actor,
                    action: "number.confirmed",
                    subject: user.to_string(),
                    detail: serde_json::json!({ "old": old, "new": number.as_str() }).to_string(),
                };
                audit(tx, line, now).await?;
                Ok(true)
            }));
        work.await
    }
}

fn phone_code(row: &Row) -> Result<PhoneCode, StoreError> {
    Ok(PhoneCode {
        hash: row.get("token_hash")?,
        detail: row.get("detail")?,
        expires_at: row.time("expires_at")?,
    })
}
