//! Signed-in browsers. A session's cookie is known by its SHA-256 only.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::second_factors::Proof;
use super::users::{User, audit_in_companies, user};
use crate::domain::actor::Actor;
use crate::domain::agent;
use crate::domain::ids::UserId;
use crate::store::engine::db::UnscopedDb;
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError};

/// How many sessions of a person are kept: beyond it the one that was seen last of all ends.
pub const MOST_SESSIONS: i64 = 100;

/// A signed-in browser.
#[derive(Debug, Clone)]
pub struct Session {
    pub user: User,
    pub csrf: String,
    pub seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A sign-in to be kept.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub user: UserId,
    /// SHA-256 of the cookie's text.
    pub token_hash: [u8; 32],
    pub csrf: String,
    /// Who signs in and from where.
    pub actor: Actor,
    /// What the browser says it is.
    pub agent: String,
    /// The session (SHA-256) that this browser had before; it ends.
    pub ends: Option<[u8; 32]>,
    pub at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// One line of a person's list of sessions.
#[derive(Debug, Clone)]
pub struct SessionLine {
    /// SHA-256 of the cookie's text: names it, and opens nothing.
    pub token_hash: [u8; 32],
    /// The network address at sign-in.
    pub address: String,
    /// What the browser said it is.
    pub agent: String,
    pub created_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
}

impl Platform {
    /// Keeps a sign-in; the log of every company of the person has it.
    pub async fn create_session(&self, new: NewSession) -> Result<(), StoreError> {
        let done = self
            .writer()
            .edit(work!([new], async |tx| { insert(tx, new).await }));
        done.await
    }

    /// Keeps a sign-in whose second step was passed; `false` when the step or its proof is spent.
    pub async fn create_session_by_step(
        &self,
        new: NewSession,
        step: [u8; 32],
        proof: Proof,
    ) -> Result<bool, StoreError> {
        let done = self.writer().edit(work!([new, proof], async |tx| {
            if !super::second_factors::spend(tx, new.user, &proof, new.at).await? {
                return Ok(false);
            }
            let end = "DELETE FROM user_tokens WHERE token_hash = $1 AND user_id = $2";
            let ended = values![step.to_vec(), new.user.uuid()];
            if tx.exec(end, ended).await? == 0 {
                return Ok(false);
            }
            insert(tx, new).await?;
            Ok(true)
        }));
        done.await
    }

    /// The session behind a cookie, unless it has ended.
    pub async fn session(
        &self,
        token_hash: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<Session>, StoreError> {
        let query = "SELECT u.*, s.csrf, s.seen_at, s.expires_at FROM sessions s \
                     JOIN users u ON u.id = s.user_id WHERE s.token_hash = $1 AND s.expires_at > $2";
        let row = self
            .db()
            .one(query, values![token_hash.to_vec(), micros(now)])
            .await?;
        row.map(|r| {
            Ok(Session {
                user: user(&r)?,
                csrf: r.get("csrf")?,
                seen_at: r.time("seen_at")?,
                expires_at: r.time("expires_at")?,
            })
        })
        .transpose()
    }

    /// Notes that a browser was here.
    pub async fn touch_session(
        &self,
        token_hash: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let done = self.writer().edit(work!(async |tx| {
            let seen = "UPDATE sessions SET seen_at = $2 WHERE token_hash = $1 AND seen_at < $2";
            tx.exec(seen, values![token_hash.to_vec(), micros(now)])
                .await
                .map(drop)
        }));
        done.await
    }

    /// Where somebody is signed in, last seen first.
    pub async fn sessions_of(
        &self,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionLine>, StoreError> {
        let query = "SELECT token_hash, address, agent, created_at, seen_at FROM sessions \
                     WHERE user_id = $1 AND expires_at > $2 \
                     ORDER BY seen_at DESC, created_at DESC LIMIT 100";
        let rows = self
            .db()
            .all(query, values![user.uuid(), micros(now)])
            .await?;
        rows.iter().map(line).collect()
    }

    /// Ends a session.
    pub async fn end_session(&self, token_hash: [u8; 32]) -> Result<(), StoreError> {
        let done = self.writer().edit(work!(async |tx| {
            let end = "DELETE FROM sessions WHERE token_hash = $1";
            tx.exec(end, values![token_hash.to_vec()]).await.map(drop)
        }));
        done.await
    }

    /// Ends one session of somebody by their own hand; `false` when it is not theirs, or over.
    pub async fn revoke_session(
        &self,
        user: UserId,
        token_hash: [u8; 32],
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = self.writer().edit(work!([actor], async |tx| {
            let query = "SELECT token_hash, address, agent, created_at, seen_at FROM sessions \
                         WHERE token_hash = $1 AND user_id = $2";
            let named = values![token_hash.to_vec(), user.uuid()];
            let Some(row) = tx.one(query, named.clone()).await? else {
                return Ok(false);
            };
            let gone = line(&row)?;
            let end = "DELETE FROM sessions WHERE token_hash = $1 AND user_id = $2";
            if tx.exec(end, named).await? == 0 {
                return Ok(false);
            }
            let detail = json!({ "browser": agent::words(&gone.agent), "address": gone.address });
            audit_in_companies(tx, user, ("account.session_ended", detail), &actor, now).await?;
            Ok(true)
        }));
        done.await
    }

    /// Ends all sessions of somebody, but one if it is named; how many.
    pub async fn revoke_sessions(
        &self,
        user: UserId,
        keep: Option<[u8; 32]>,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let done = self.writer().edit(work!([actor], async |tx| {
            let keep = keep.map_or_else(Vec::new, |k| k.to_vec());
            let end = "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2";
            let ended = tx.exec(end, values![user.uuid(), keep]).await?;
            let steps = "DELETE FROM user_tokens WHERE user_id = $1 AND purpose = 'second_step'";
            tx.exec(steps, values![user.uuid()]).await?;
            if ended > 0 {
                let detail = json!({ "sessions": ended });
                audit_in_companies(tx, user, ("account.sessions_ended", detail), &actor, now)
                    .await?;
            }
            Ok(ended)
        }));
        done.await
    }
}

pub(in crate::store) async fn insert(
    tx: UnscopedDb<'_>,
    new: NewSession,
) -> Result<(), StoreError> {
    if let Some(old) = new.ends {
        let end = "DELETE FROM sessions WHERE token_hash = $1";
        tx.exec(end, values![old.to_vec()]).await?;
    }
    tx.exec(
        "INSERT INTO sessions (token_hash, user_id, csrf, address, agent, \
         created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $7)",
        values![
            new.token_hash.to_vec(),
            new.user.uuid(),
            new.csrf,
            new.actor.address.clone(),
            new.agent.clone(),
            micros(new.at),
            micros(new.expires_at)
        ],
    )
    .await?;
    let trim = "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2 AND token_hash NOT IN \
                (SELECT token_hash FROM sessions WHERE user_id = $1 AND token_hash <> $2 \
                 ORDER BY seen_at DESC, created_at DESC LIMIT $3)";
    let bound = values![new.user.uuid(), new.token_hash.to_vec(), MOST_SESSIONS - 1];
    tx.exec(trim, bound).await?;
    let detail = json!({ "browser": agent::words(&new.agent) });
    audit_in_companies(
        tx,
        new.user,
        ("account.signed_in", detail),
        &new.actor,
        new.at,
    )
    .await
}

fn line(row: &Row) -> Result<SessionLine, StoreError> {
    let hash: Vec<u8> = row.get("token_hash")?;
    Ok(SessionLine {
        // Another length names no session, and so can end none.
        token_hash: hash.try_into().unwrap_or_default(),
        address: row.get("address")?,
        agent: row.get("agent")?,
        created_at: row.time("created_at")?,
        seen_at: row.time("seen_at")?,
    })
}
