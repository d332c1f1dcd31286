//! Bearer tokens of the JSON API: made, shown once, used, revoked.

pub use crate::store::{TokenFound, TokenGrant};

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::cache::TtlCache;
use super::{App, AppError, FieldProblem};
use crate::crypto::token::{self, NewToken, TokenDigest};
use crate::domain::actor::Actor;
use crate::domain::ids::{ApiTokenId, TenantId};
use crate::domain::user::Role;
use crate::store::{ApiToken, MOST_TOKENS};

/// After how many days a token may end; 0 is never.
pub const LASTS: [i64; 4] = [30, 90, 365, 0];

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;

/// The last use is written no more often.
const USED_APART: Duration = Duration::from_mins(1);

/// How many tokens are remembered; another costs a write each time.
const MOST_REMEMBERED: u64 = 10_000;

/// When each token was last seen in use by this process.
pub(super) struct Used(TtlCache<ApiTokenId, ()>);

impl Used {
    pub(super) fn new() -> Self {
        Self(TtlCache::of_values(MOST_REMEMBERED, USED_APART))
    }

    /// Whether this use is to be written.
    fn is_news(&self, id: ApiTokenId, now: DateTime<Utc>) -> bool {
        let is_news = self.0.get(&id, now).is_none();
        if is_news {
            self.0.insert(id, (), now);
        }
        is_news
    }
}

/// What is typed to make a token.
#[derive(Debug, Clone)]
pub struct TokenInput {
    pub name: String,
    pub role: Option<Role>,
    /// One of [`LASTS`].
    pub days: Option<i64>,
}

impl App {
    /// Makes a bearer token at the operator's word, good until it is revoked; shown this once.
    pub async fn create_token(
        &self,
        tenant: TenantId,
        name: &str,
        role: Role,
    ) -> Result<SecretString, AppError> {
        self.keep_token(tenant, name, role, None, &Actor::operator())
            .await
    }

    /// Makes a bearer token for somebody whose own role is `own`; shown this once.
    pub async fn make_token(
        &self,
        tenant: TenantId,
        input: &TokenInput,
        own: Role,
        actor: &Actor,
    ) -> Result<SecretString, AppError> {
        let mut problems = Vec::new();
        let mut refuse = |field, message| problems.push(FieldProblem::new(field, message));
        let name = input.name.trim();
        let length = name.chars().count();
        if length == 0 || length > LONGEST_NAME || name.chars().any(char::is_control) {
            refuse("name", "say what it is for, in at most 100 characters");
        }
        if input.role.is_none_or(|role| role > own) {
            refuse("role", "choose a role, at most your own");
        }
        let days = input.days.filter(|days| LASTS.contains(days));
        if days.is_none() {
            refuse("days", "choose how long it is good for");
        }
        let (Some(role), Some(days), true) = (input.role, days, problems.is_empty()) else {
            return Err(AppError::Invalid(problems));
        };
        let expires_at = (days > 0).then(|| self.now() + TimeDelta::days(days));
        self.keep_token(tenant, name, role, expires_at, actor).await
    }

    /// The tokens that were not revoked, newest first.
    pub async fn tokens(&self, tenant: TenantId) -> Result<Vec<ApiToken>, AppError> {
        Ok(self.tenant(tenant).tokens().await?)
    }

    /// Ends a token: the next call with it is refused.
    pub async fn revoke_token(
        &self,
        tenant: TenantId,
        id: ApiTokenId,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let store = self.tenant(tenant);
        if store.revoke_token(id, actor.clone(), self.now()).await? {
            Ok(())
        } else {
            Err(AppError::NotFound("token"))
        }
    }

    /// What a bearer token allows. That it was used is written beside the call, at most once a minute:
    /// a call does not wait for it, and a process that ends before loses a minute of it.
    pub async fn token_grant(&self, text: &str) -> Result<Option<TokenFound>, AppError> {
        let digest = TokenDigest::of(text);
        let (platform, now) = (self.store().platform(), self.now());
        let found = platform.token_grant(*digest.as_bytes(), now).await?;
        if let Some(TokenFound::Good(grant)) = &found
            && self.caches.used_tokens.is_news(grant.id, now)
        {
            let id = grant.id;
            drop(self.runtime().spawn(async move {
                if let Err(error) = platform.touch_token(id, now).await {
                    tracing::warn!(%error, token.id = %id, "The use of a token was not noted");
                }
            }));
        }
        Ok(found)
    }

    async fn keep_token(
        &self,
        tenant: TenantId,
        name: &str,
        role: Role,
        expires_at: Option<DateTime<Utc>>,
        actor: &Actor,
    ) -> Result<SecretString, AppError> {
        let store = self.tenant(tenant);
        store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let NewToken { text, digest } = token::api();
        let now = self.now();
        let grant = TokenGrant {
            id: ApiTokenId::new(now),
            tenant,
            name: name.to_owned(),
            role,
            maker_role: None,
        };
        let is_kept = store
            .create_token(grant, *digest.as_bytes(), expires_at, actor.clone(), now)
            .await?;
        if is_kept {
            Ok(text)
        } else {
            let message = format!("there are {MOST_TOKENS} tokens already; remove one first");
            Err(AppError::field("name", message))
        }
    }
}
