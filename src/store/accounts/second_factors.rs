//! Second factors: a sealed secret for one-time codes, and the hashes of codes for the day it is lost.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::users::audit_in_companies;
use crate::domain::actor::Actor;
use crate::domain::ids::UserId;
use crate::store::engine::db::UnscopedDb;
use crate::store::engine::sql::{micros, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError};

/// Somebody's second factor.
#[derive(Debug, Clone)]
pub struct SecondFactor {
    /// The secret of the one-time codes.
    pub sealed: Vec<u8>,
    /// The last 30 s step whose code was used.
    pub last_step: i64,
    pub created_at: DateTime<Utc>,
    /// When a first code showed that it works; until then it counts for nothing.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// How many recovery codes are left.
    pub codes_left: u64,
}

/// What a second step was passed with; each is good once.
#[derive(Debug, Clone)]
pub enum Proof {
    /// The 30 s step of a one-time code.
    Step(i64),
    /// The SHA-256 of a recovery code.
    Recovery([u8; 32]),
}

impl Platform {
    /// Somebody's second factor, confirmed or not.
    pub async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>, StoreError> {
        let query = "SELECT f.*, (SELECT COUNT(*) FROM recovery_codes c \
                     WHERE c.user_id = f.user_id AND c.used_at IS NULL) AS codes_left \
                     FROM second_factors f WHERE f.user_id = $1";
        let row = self.db().one(query, values![user.uuid()]).await?;
        row.map(|r| {
            Ok(SecondFactor {
                sealed: r.get("sealed")?,
                last_step: r.get("last_step")?,
                created_at: r.time("created_at")?,
                confirmed_at: r.time_opt("confirmed_at")?,
                codes_left: r.get::<i64>("codes_left")?.unsigned_abs(),
            })
        })
        .transpose()
    }

    /// Keeps a secret that waits for its first code; `false` when a second factor is on already.
    pub async fn begin_second_factor(
        &self,
        user: UserId,
        sealed: Vec<u8>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = self.writer().edit(work!([sealed], async |tx| {
                let begin = "INSERT INTO second_factors (user_id, sealed, last_step, created_at) \
                             VALUES ($1, $2, 0, $3) ON CONFLICT (user_id) DO UPDATE SET \
                             sealed = excluded.sealed, last_step = 0, created_at = excluded.created_at \
                             WHERE second_factors.confirmed_at IS NULL";
                Ok(tx.exec(begin, values![user.uuid(), sealed, micros(now)]).await? == 1)
            }));
        done.await
    }

    /// Turns a second factor on after its first code; `false` when it is on already, or another
    /// secret has taken the place of the one that was `shown`.
    pub async fn confirm_second_factor(
        &self,
        user: UserId,
        shown: Vec<u8>,
        step: i64,
        codes: Vec<[u8; 32]>,
        (actor, now): (Actor, DateTime<Utc>),
    ) -> Result<bool, StoreError> {
        let done = self.writer().edit(work!([shown, codes, actor], async |tx| {
            let confirm = "UPDATE second_factors SET confirmed_at = $3, last_step = $4 \
                           WHERE user_id = $1 AND sealed = $2 AND confirmed_at IS NULL";
            let row = values![user.uuid(), shown, micros(now), step];
            if tx.exec(confirm, row).await? == 0 {
                return Ok(false);
            }
            let action = "account.second_factor_on";
            replace_codes(tx, user, &codes, action, (&actor, now)).await?;
            Ok(true)
        }));
        done.await
    }

    /// Spends a proof apart from a sign-in; `false` when it was spent before.
    pub async fn spend_proof(
        &self,
        user: UserId,
        proof: Proof,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = self.writer().edit(work!([proof], async |tx| {
            spend(tx, user, &proof, now).await
        }));
        done.await
    }

    /// Replaces all recovery codes, used or not.
    pub async fn renew_recovery_codes(
        &self,
        user: UserId,
        codes: Vec<[u8; 32]>,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let done = self.writer().edit(work!([codes, actor], async |tx| {
            let action = "account.recovery_codes_renewed";
            replace_codes(tx, user, &codes, action, (&actor, now)).await
        }));
        done.await
    }

    /// Turns a second factor off.
    pub async fn remove_second_factor(
        &self,
        user: UserId,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let done = self.writer().edit(work!([actor], async |tx| {
            remove(tx, user).await?;
            let action = ("account.second_factor_off", json!({}));
            audit_in_companies(tx, user, action, &actor, now).await
        }));
        done.await
    }
}

/// Spends a proof: a step at or before the last used one, or a used code, is none.
pub(in crate::store) async fn spend(
    tx: UnscopedDb<'_>,
    user: UserId,
    proof: &Proof,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let spent = match proof {
        Proof::Step(step) => {
            let use_step = "UPDATE second_factors SET last_step = $2 \
                            WHERE user_id = $1 AND last_step < $2 AND confirmed_at IS NOT NULL";
            tx.exec(use_step, values![user.uuid(), *step]).await?
        }
        Proof::Recovery(hash) => {
            let use_code = "UPDATE recovery_codes SET used_at = $3 \
                            WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL";
            tx.exec(use_code, values![user.uuid(), hash.to_vec(), micros(now)])
                .await?
        }
    };
    Ok(spent == 1)
}

pub(in crate::store) async fn remove(tx: UnscopedDb<'_>, user: UserId) -> Result<(), StoreError> {
    for table in [
        "DELETE FROM second_factors WHERE user_id = $1",
        "DELETE FROM recovery_codes WHERE user_id = $1",
    ] {
        tx.exec(table, values![user.uuid()]).await?;
    }
    Ok(())
}

/// New recovery codes for the old ones, and the line about it in the logs of the person's companies.
async fn replace_codes(
    tx: UnscopedDb<'_>,
    user: UserId,
    codes: &[[u8; 32]],
    action: &'static str,
    (actor, now): (&Actor, DateTime<Utc>),
) -> Result<(), StoreError> {
    let clear = "DELETE FROM recovery_codes WHERE user_id = $1";
    tx.exec(clear, values![user.uuid()]).await?;
    for code in codes {
        let insert = "INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)";
        tx.exec(insert, values![user.uuid(), code.to_vec()]).await?;
    }
    audit_in_companies(tx, user, (action, json!({})), actor, now).await
}
