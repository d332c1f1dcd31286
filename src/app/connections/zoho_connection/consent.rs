//! Connecting Zoho Books by consent in the browser.
//!
//! What was begun waits in the database for ten minutes, found by the digest of `state`: the browser
//! may come back to another process than the one that sent it to Zoho.

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use uuid::Uuid;

use super::access::consent_failed;
use super::{BooksClient, BooksConnected};
use crate::app::{App, AppError};
use crate::crypto::token::{self, TokenDigest};
use crate::crypto::vault::Place;
use crate::domain::actor::Actor;
use crate::domain::ids::{TenantId, new_v7};
use crate::store::StoredConsent;
use crate::zoho::oauth::ClientCredentials;
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
        actor: &Actor,
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
        let now = self.now();
        let id = new_v7(now);
        let sealed = self
            .parts
            .vault
            .seal(&place(tenant, id), &client.credentials.client_secret)?;
        let consent = StoredConsent {
            id,
            tenant,
            state: *state.digest.as_bytes(),
            session: *TokenDigest::of(session).as_bytes(),
            region: client.region.location().to_owned(),
            client_id: client.credentials.client_id,
            client_secret: sealed,
            organization_id: input.organization_id.unwrap_or_default(),
            actor: actor.name.clone(),
            expires_at: now + CONSENT,
        };
        self.tenant(tenant).begin_consent(consent, now).await?;
        Ok(url)
    }

    /// The tenant for which this session began a consent, so that a handler can see whether the
    /// person still belongs to it; `None` when there is no such consent (any more).
    pub async fn consent_tenant(
        &self,
        session: &str,
        state: &str,
    ) -> Result<Option<TenantId>, AppError> {
        let (state, session) = (TokenDigest::of(state), TokenDigest::of(session));
        Ok(self
            .store()
            .platform()
            .consent_tenant(*state.as_bytes(), *session.as_bytes(), self.now())
            .await?)
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
        let (state, session) = (TokenDigest::of(&callback.state), TokenDigest::of(session));
        let platform = self.store().platform();
        // Of two callbacks at once, in whichever processes, one takes it.
        let consent = platform
            .take_consent(*state.as_bytes(), *session.as_bytes(), self.now())
            .await?
            .ok_or_else(again)?;
        let failed = |error: OAuthError| AppError::Conflict(consent_failed(&error));
        if let Some(error) = &callback.error {
            return Err(failed(OAuthError::from_callback(error)));
        }
        let code = callback.code.ok_or_else(|| {
            AppError::Conflict("Zoho sent no code. Start again from this page".to_owned())
        })?;
        let begun_at = Region::from_location(&consent.region).ok_or_else(again)?;
        let region = Region::of_callback(
            callback.accounts_server.as_deref(),
            callback.location.as_deref(),
            begun_at,
            self.parts.zoho_sandbox.as_ref(),
        )
        .map_err(|error: UnknownRegion| failed(error.into()))?;
        let client_secret = self
            .open(&place(consent.tenant, consent.id), &consent.client_secret)
            .await?;
        let client = BooksClient {
            region,
            credentials: ClientCredentials {
                client_id: consent.client_id,
                client_secret,
            },
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
        let wished = Some(consent.organization_id);
        let connected = self
            .adopt_grant(
                consent.tenant,
                client,
                grant,
                wished,
                &Actor::named(&consent.actor),
            )
            .await?;
        Ok((consent.tenant, connected))
    }

    /// Sweeps out the consents that nobody came back with: each holds a typed secret.
    pub async fn sweep_consents(&self) -> Result<(), AppError> {
        let platform = self.store().platform();
        platform.sweep_consents(self.now()).await?;
        Ok(())
    }

    fn redirect(&self) -> Url {
        let mut url = self.public_url().base().clone();
        url.set_path(CALLBACK_PATH);
        url
    }
}

/// A typed secret opens only in the consent that it was typed for.
fn place(tenant: TenantId, row: Uuid) -> Place<'static> {
    Place::tenant(tenant, "consents", "client_secret", row)
}

#[cfg(test)]
#[path = "consent_tests.rs"]
mod tests;
