//! Links that were mailed and steps that were begun: each is known by the SHA-256 of its token, has
//! one purpose, ends by itself, and is spent in the transaction of what it allows.

use chrono::{DateTime, Utc};

use super::sessions::NewSession;
use super::users::insert_user;
use crate::domain::ids::UserId;
use crate::store::engine::sql::{micros, values};
use crate::store::engine::writer::work;
use crate::store::{NewTenant, Platform, StoreError};

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Purpose {
    SignUp,
    Reset,
    Email,
    SecondStep,
}

impl Purpose {
    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// A token of somebody, or of somebody who is to become a user.
#[derive(Debug, Clone)]
pub struct UserToken {
    pub token_hash: [u8; 32],
    pub user: UserId,
    pub purpose: Purpose,
    /// What its purpose needs to know; JSON.
    pub detail: String,
    pub expires_at: DateTime<Utc>,
}

impl Platform {
    /// Keeps a token; earlier ones of the same person and purpose end. Links to a new password stay good
    /// until one is used: anybody can ask for another, and would otherwise end the one that was asked for.
    pub async fn keep_user_token(
        &self,
        token: UserToken,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let done = self.writer().edit(work!([token], async |tx| {
            if token.purpose != Purpose::Reset {
                let end = "DELETE FROM user_tokens WHERE user_id = $1 AND purpose = $2";
                tx.exec(end, values![token.user.uuid(), token.purpose.as_str()])
                    .await?;
            }
            let insert = "INSERT INTO user_tokens (token_hash, user_id, purpose, detail, tries, \
                          created_at, expires_at) VALUES ($1, $2, $3, $4, 0, $5, $6)";
            let row = values![
                token.token_hash.to_vec(),
                token.user.uuid(),
                token.purpose.as_str(),
                token.detail,
                micros(now),
                micros(token.expires_at)
            ];
            tx.exec(insert, row).await.map(drop)
        }));
        done.await
    }

    /// The token, unless it is spent or has ended.
    pub async fn user_token(
        &self,
        token_hash: [u8; 32],
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Result<Option<UserToken>, StoreError> {
        let query = "SELECT user_id, detail, expires_at FROM user_tokens \
                     WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3";
        let named = values![token_hash.to_vec(), purpose.as_str(), micros(now)];
        let row = self.db().one(query, named).await?;
        row.map(|r| {
            Ok(UserToken {
                token_hash,
                user: UserId::from_uuid(r.get("user_id")?),
                purpose,
                detail: r.get("detail")?,
                expires_at: r.time("expires_at")?,
            })
        })
        .transpose()
    }

    /// Counts one more try; `false` when there were `most` of them already, or the token has ended.
    pub async fn try_user_token(
        &self,
        token_hash: [u8; 32],
        most: i64,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = self.writer().edit(work!(async |tx| {
            let count = "UPDATE user_tokens SET tries = tries + 1 \
                         WHERE token_hash = $1 AND tries < $2 AND expires_at > $3";
            let named = values![token_hash.to_vec(), most, micros(now)];
            Ok(tx.exec(count, named).await? == 1)
        }));
        done.await
    }

    /// Ends a token that nobody needs any more.
    pub async fn end_user_token(&self, token_hash: [u8; 32]) -> Result<(), StoreError> {
        let done = self.writer().edit(work!(async |tx| {
            let end = "DELETE FROM user_tokens WHERE token_hash = $1";
            tx.exec(end, values![token_hash.to_vec()]).await.map(drop)
        }));
        done.await
    }

    /// Makes the person, their company and their first session of a sign-up, which is spent with
    /// it. `false` when it was spent before; a taken address or name undoes everything.
    pub async fn complete_sign_up(
        &self,
        spends: [u8; 32],
        new: NewTenant,
        session: NewSession,
    ) -> Result<bool, StoreError> {
        let done = self.writer().edit(work!([new, session], async |tx| {
            let end = "DELETE FROM user_tokens WHERE token_hash = $1 AND expires_at > $2";
            let named = values![spends.to_vec(), micros(session.at)];
            if tx.exec(end, named).await? == 0 {
                return Ok(false);
            }
            if !insert_user(tx, &new.owner, session.at).await? {
                return Err(StoreError::Taken("the e-mail address"));
            }
            super::new_tenant::insert_tenant(tx, &new).await?;
            super::sessions::insert(tx, session).await?;
            Ok(true)
        }));
        done.await
    }

    /// Sweeps out what has ended by itself: sessions, tokens, counts of tries begun before `begun`.
    pub async fn sweep_accounts(
        &self,
        begun: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        for (sweep, until) in [
            ("DELETE FROM sessions WHERE expires_at <= $1", now),
            ("DELETE FROM user_tokens WHERE expires_at <= $1", now),
            ("DELETE FROM throttles WHERE since <= $1", begun),
        ] {
            let until = micros(until);
            let done = self.writer().edit(work!(async |tx| {
                tx.exec(sweep, values![until]).await.map(drop)
            }));
            done.await?;
        }
        Ok(())
    }
}
