//! Connecting Zoho Books by consent in the browser.
//!
//! What was begun waits in this process's memory for ten minutes, found by the digest of `state`; a
//! restart, or a second web process that gets the callback, means to begin again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::access::consent_failed;
use super::{BooksClient, BooksConnected};
use crate::app::{App, AppError};
use crate::crypto::token::{self, TokenDigest};
use crate::domain::ids::TenantId;
use crate::zoho::oauth::ZohoOAuth;
use crate::zoho::oauth_error::OAuthError;
use crate::zoho::region::{Region, UnknownRegion};

/// The path of the callback, as registered in Zoho's API console.
pub const CALLBACK_PATH: &str = "/zoho/callback";

/// How long a person may take at Zoho.
const CONSENT: TimeDelta = TimeDelta::minutes(10);

/// What is typed before the consent page. A blank secret keeps the stored one while data centre and
/// client stay the same.
#[derive(Debug, Clone)]
pub struct ConsentInput {
    /// The data centre's `location`: `us`, `eu` …
    pub region: String,
    pub client_id: String,
    pub client_secret: Option<SecretString>,
    /// The organisation wished for, when it is known already.
    pub organization_id: Option<String>,
}

/// The query with which Zoho sends the browser back.
#[derive(Debug, Clone)]
pub struct ConsentCallback {
    pub state: String,
    pub code: Option<SecretString>,
    pub error: Option<String>,
    /// The data centre of the user, who may live elsewhere than the client.
    pub location: Option<String>,
    /// `accounts-server`.
    pub accounts_server: Option<String>,
}

/// What was begun.
struct Consent {
    tenant: TenantId,
    /// The digest of the session that began.
    session: TokenDigest,
    client: BooksClient,
    wished: Option<String>,
    actor: String,
    until: DateTime<Utc>,
}

/// Consents that were begun, by the digest of their `state`.
pub(in crate::app) struct ConsentCache(Cache<[u8; 32], Arc<Consent>>);

impl Default for ConsentCache {
    fn default() -> Self {
        let life = CONSENT.to_std().unwrap_or(Duration::ZERO);
        // They hold a typed secret each: few, and not for long.
        Self(
            Cache::builder()
                .max_capacity(1000)
                .time_to_live(life)
                .build(),
        )
    }
}

impl fmt::Debug for ConsentCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsentCache").finish_non_exhaustive()
    }
}

impl App {
    /// The redirect address to be registered in Zoho's API console.
    pub fn books_redirect(&self) -> String {
        self.public_url().join(CALLBACK_PATH)
    }

    /// The address of Zoho's consent page. `session` is the cookie of the browser that goes there:
    /// only the same one may come back.
    pub async fn begin_books(
        &self,
        tenant: TenantId,
        session: &str,
        input: ConsentInput,
        actor: &str,
    ) -> Result<Url, AppError> {
        let mut problems = Vec::new();
        let secret = input.client_secret.as_ref();
        let client = self
            .read_client(
                tenant,
                &input.region,
                &input.client_id,
                secret,
                &mut problems,
            )
            .await?;
        let Some(client) = client else {
            return Err(AppError::Invalid(problems));
        };
        let state = token::random();
        let url = ZohoOAuth::authorise_url(
            &self.books_endpoints(client.region),
            &client.credentials.client_id,
            &self.redirect(),
            state.text.expose_secret(),
        )
        .map_err(|error| AppError::Conflict(consent_failed(&error)))?;
        let consent = Consent {
            tenant,
            session: TokenDigest::of(session),
            client,
            wished: input.organization_id,
            actor: actor.to_owned(),
            until: self.now() + CONSENT,
        };
        let begun = &self.caches.consents.0;
        begun.insert(*state.digest.as_bytes(), Arc::new(consent));
        Ok(url)
    }

    /// The tenant for which this session began a consent, so that a handler can see whether the
    /// person still belongs to it; `None` when there is no such consent (any more).
    pub fn consent_tenant(&self, session: &str, state: &str) -> Option<TenantId> {
        self.consent(session, state).map(|consent| consent.tenant)
    }

    /// Ends a consent with what Zoho sent back; a `state` is good once.
    pub async fn finish_books(
        &self,
        session: &str,
        callback: ConsentCallback,
    ) -> Result<(TenantId, BooksConnected), AppError> {
        let again = || {
            AppError::Conflict(
                "This connection to Zoho Books was not begun here, or more than ten minutes ago. \
                 Start again from the page Connections"
                    .to_owned(),
            )
        };
        self.consent(session, &callback.state).ok_or_else(again)?;
        let key = *TokenDigest::of(&callback.state).as_bytes();
        // Of two callbacks at once, one takes it.
        let consent = self.caches.consents.0.remove(&key).ok_or_else(again)?;
        let failed = |error: OAuthError| AppError::Conflict(consent_failed(&error));
        if let Some(error) = &callback.error {
            return Err(failed(OAuthError::from_callback(error)));
        }
        let code = callback.code.ok_or_else(|| {
            AppError::Conflict("Zoho sent no code. Start again from this page".to_owned())
        })?;
        let region = Region::of_callback(
            callback.accounts_server.as_deref(),
            callback.location.as_deref(),
            consent.client.region,
            self.parts.zoho_sandbox.as_ref(),
        )
        .map_err(|error: UnknownRegion| failed(error.into()))?;
        let client = BooksClient {
            region,
            ..consent.client.clone()
        };
        let oauth = self.parts.zoho_tokens.oauth();
        let redirect = self.redirect();
        let grant = oauth
            .exchange(
                &self.books_endpoints(region),
                &client.credentials,
                &code,
                Some(&redirect),
            )
            .await
            .map_err(failed)?;
        let wished = consent.wished.clone();
        let connected = self
            .adopt_grant(consent.tenant, client, grant, wished, &consent.actor)
            .await?;
        Ok((consent.tenant, connected))
    }

    fn consent(&self, session: &str, state: &str) -> Option<Arc<Consent>> {
        let begun = self
            .caches
            .consents
            .0
            .get(TokenDigest::of(state).as_bytes());
        begun.filter(|c| c.session == TokenDigest::of(session) && self.now() < c.until)
    }

    fn redirect(&self) -> Url {
        let mut url = self.public_url().base().clone();
        url.set_path(CALLBACK_PATH);
        url
    }
}

#[cfg(test)]
#[path = "consent_tests.rs"]
mod tests;
