//! Access tokens, one per connection, shared by all workers of the process.
//!
//! Zoho gives ten access tokens per ten minutes and then refuses: so one refresh runs at a time per
//! connection, everyone else waits for its outcome, and a failure is remembered for a while too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::error::ZohoError;
use super::oauth::{Access, ClientCredentials, ZohoOAuth};
use super::oauth_error::OAuthError;
use super::region::Endpoints;
use super::retry::Retry;
use crate::domain::clock::SharedClock;
use crate::domain::ids::ConnectionId;

/// Taken off a token's life: a call may run a while, and clocks differ. An hour becomes 55 minutes.
const MARGIN: TimeDelta = TimeDelta::minutes(5);
/// A refused token younger than this is not replaced: then scope or role is missing, and each try
/// would cost one of the ten tokens.
const YOUNG: TimeDelta = TimeDelta::minutes(5);
/// How long a refusal that only a person can mend is believed without asking again.
const REFUSAL_KEPT: TimeDelta = TimeDelta::seconds(60);
/// How long a passing failure is shared with those who waited for it.
const FAILURE_KEPT: TimeDelta = TimeDelta::seconds(5);

/// What is needed to refresh a connection's access.
#[derive(Debug, Clone)]
pub struct Login {
    pub connection: ConnectionId,
    pub endpoints: Endpoints,
    pub credentials: ClientCredentials,
    pub refresh_token: SecretString,
}

/// The holder of all access tokens. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AccessTokens {
    oauth: ZohoOAuth,
    clock: SharedClock,
    slots: Arc<Mutex<HashMap<ConnectionId, Arc<tokio::sync::Mutex<Slot>>>>>,
}

/// What is known of one connection; its lock is held while a refresh runs.
#[derive(Debug, Default)]
struct Slot {
    /// The login that the rest belongs to: a reconnected Zoho starts afresh.
    login: Option<Login>,
    held: Option<Held>,
    /// The last failure, and until when it is believed.
    failed: Option<(OAuthError, DateTime<Utc>)>,
}

#[derive(Debug)]
struct Held {
    access: Access,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl AccessTokens {
    /// An empty holder.
    pub fn new(oauth: ZohoOAuth, clock: SharedClock) -> Self {
        Self {
            oauth,
            clock,
            slots: Arc::default(),
        }
    }

    /// Zoho Accounts itself, for consent and revocation.
    pub const fn oauth(&self) -> &ZohoOAuth {
        &self.oauth
    }

    /// A valid access token: from memory, else by one refresh however many ask.
    ///
    /// After `Access Denied` it answers `Throttled` for ten minutes without asking Zoho.
    pub async fn access(&self, login: &Login) -> Result<Access, OAuthError> {
        let slot = self.slot(login.connection);
        let mut slot = slot.lock().await;
        slot.adopt(login);
        let now = self.clock.now();
        if let Some(held) = slot.held.as_ref().filter(|held| now < held.until) {
            return Ok(held.access.clone());
        }
        if let Some((error, until)) = slot.failed.as_ref().filter(|(_, until)| now < *until) {
            return Err(match error {
                OAuthError::Throttled { .. } => OAuthError::Throttled {
                    pause: (*until - now).to_std().unwrap_or_default(),
                },
                other => other.clone(),
            });
        }
        self.refresh(&mut slot, login).await
    }

    /// Puts in the token that came with a new consent, so that the first call needs no refresh.
    pub async fn insert(&self, login: &Login, access: Access) {
        let slot = self.slot(login.connection);
        let mut slot = slot.lock().await;
        slot.adopt(login);
        slot.hold(access, self.clock.now());
    }

    /// Gives up `refused` after Zoho refused it; `true` when another token can be had now.
    ///
    /// `false` when it is so young that its age cannot be the reason. A token that another task has
    /// already replaced stays.
    pub async fn give_up(&self, login: &Login, refused: &Access) -> bool {
        let slot = self.slot(login.connection);
        let mut slot = slot.lock().await;
        slot.adopt(login);
        let Some(held) = &slot.held else { return true };
        if held.access.token.expose_secret() != refused.token.expose_secret() {
            return true;
        }
        if self.clock.now() - held.since < YOUNG {
            return false;
        }
        slot.held = None;
        true
    }

    /// Runs `call` with a token; when Zoho refuses the token, once more with a fresh one.
    pub async fn call<T, F>(
        &self,
        login: &Login,
        mut call: impl FnMut(Access) -> F + Send,
    ) -> Result<T, ZohoError>
    where
        F: Future<Output = Result<T, ZohoError>> + Send,
    {
        let access = self.access(login).await?;
        match call(access.clone()).await {
            Err(error) if error.retry() == Retry::FreshToken => {
                if self.give_up(login, &access).await {
                    call(self.access(login).await?).await
                } else {
                    Err(error)
                }
            }
            outcome => outcome,
        }
    }

    /// Forgets a connection: it was removed.
    pub fn forget(&self, connection: ConnectionId) {
        self.slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&connection);
    }

    fn slot(&self, connection: ConnectionId) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(connection).or_default())
    }

    async fn refresh(&self, slot: &mut Slot, login: &Login) -> Result<Access, OAuthError> {
        let outcome = self
            .oauth
            .refresh(&login.endpoints, &login.credentials, &login.refresh_token)
            .await;
        let now = self.clock.now();
        match &outcome {
            Ok(access) => slot.hold(access.clone(), now),
            Err(error) => {
                let kept = match error.retry() {
                    Retry::After(pause) => TimeDelta::from_std(pause).unwrap_or(REFUSAL_KEPT),
                    Retry::Never => REFUSAL_KEPT,
                    _ => FAILURE_KEPT,
                };
                slot.failed = Some((error.clone(), now + kept));
            }
        }
        outcome
    }
}

impl Slot {
    /// Drops what belonged to another login.
    fn adopt(&mut self, login: &Login) {
        if !self
            .login
            .as_ref()
            .is_some_and(|known| known.is_same(login))
        {
            *self = Self {
                login: Some(login.clone()),
                ..Self::default()
            };
        }
    }

    fn hold(&mut self, access: Access, now: DateTime<Utc>) {
        let life = TimeDelta::from_std(access.expires_in).unwrap_or_default();
        // A token that lives shorter than the margin is used for half its life.
        let until = now + (life - MARGIN).max(life / 2);
        self.held = Some(Held {
            access,
            since: now,
            until,
        });
        self.failed = None;
    }
}

impl Login {
    fn is_same(&self, other: &Self) -> bool {
        let Self {
            connection,
            endpoints,
            credentials,
            refresh_token,
        } = self;
        *connection == other.connection
            && *endpoints == other.endpoints
            && credentials.client_id == other.credentials.client_id
            && credentials.client_secret.expose_secret()
                == other.credentials.client_secret.expose_secret()
            && refresh_token.expose_secret() == other.refresh_token.expose_secret()
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
