//! Where somebody is signed in, and how that ends.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::sign_in::hash;
use crate::app::{App, AppError};
use crate::crypto::token::TokenDigest;
use crate::domain::actor::Actor;
use crate::domain::agent;
use crate::domain::ids::UserId;
use crate::store::Session;

/// How exactly it is known when a browser was here last.
const SEEN: TimeDelta = TimeDelta::minutes(5);

/// One browser of somebody.
#[derive(Debug, Clone)]
pub struct OwnSession {
    /// Names it in addresses; opens nothing.
    pub handle: String,
    /// "Firefox on Linux".
    pub browser: String,
    /// The network address at sign-in.
    pub address: String,
    pub created_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

impl App {
    /// The session behind a cookie. That it was used is noted now and then.
    pub async fn session(&self, cookie: &str) -> Result<Option<Session>, AppError> {
        let digest = *TokenDigest::of(cookie).as_bytes();
        let (platform, now) = (self.store().platform(), self.now());
        let session = platform.session(digest, now).await?;
        if session.as_ref().is_some_and(|s| now - s.seen_at >= SEEN)
            && let Err(error) = platform.touch_session(digest, now).await
        {
            // The page is worth more than the note.
            tracing::warn!(%error, "That a browser was here could not be noted");
        }
        Ok(session)
    }

    /// Ends a session.
    pub async fn sign_out(&self, cookie: &SecretString) -> Result<(), AppError> {
        Ok(self.store().platform().end_session(hash(cookie)).await?)
    }

    /// Where somebody is signed in, last seen first; `cookie` is that of whoever asks.
    pub async fn sessions_of(
        &self,
        user: UserId,
        cookie: &SecretString,
    ) -> Result<Vec<OwnSession>, AppError> {
        let this = hash(cookie);
        let platform = self.store().platform();
        let lines = platform.sessions_of(user, self.now()).await?;
        let own = lines.into_iter().map(|line| OwnSession {
            handle: hex::encode(line.token_hash),
            browser: agent::words(&line.agent),
            address: line.address,
            created_at: line.created_at,
            seen_at: line.seen_at,
            is_this: line.token_hash == this,
        });
        Ok(own.collect())
    }

    /// Ends one session of somebody; another's is not found.
    pub async fn revoke_session(
        &self,
        user: UserId,
        handle: &str,
        actor: Actor,
    ) -> Result<(), AppError> {
        const MISSING: AppError = AppError::NotFound("session");
        let bytes = hex::decode(handle).map_err(|_| MISSING)?;
        let digest = <[u8; 32]>::try_from(bytes).map_err(|_| MISSING)?;
        let platform = self.store().platform();
        let ended = platform.revoke_session(user, digest, actor, self.now());
        if ended.await? { Ok(()) } else { Err(MISSING) }
    }

    /// Ends all sessions of somebody, but the one of `keep`.
    pub async fn revoke_sessions(
        &self,
        user: UserId,
        keep: Option<&SecretString>,
        actor: Actor,
    ) -> Result<u64, AppError> {
        let platform = self.store().platform();
        let ended = platform.revoke_sessions(user, keep.map(hash), actor, self.now());
        Ok(ended.await?)
    }
}
