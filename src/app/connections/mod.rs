//! Connections: entering credentials, checking them, rotating the hook's secret.

mod transports;
pub mod zoho_connection;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

pub use self::transports::CheckResult;
pub(in crate::app) use self::transports::login;
use super::keys::HOOK_SECRET;
use super::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::connection::{Connection, Provider};
use crate::domain::ids::{ConnectionId, TenantId};
use crate::zoho;
use crate::zoho::secret::WebhookSecret;

/// How long a replaced hook secret stays valid.
const ROTATION: TimeDelta = TimeDelta::hours(24);

/// The hook as a page shows it.
#[derive(Debug, Clone)]
pub struct HookDetails {
    pub connection: ConnectionId,
    /// The whole web address, without an event type.
    pub url: String,
    /// How many secrets are valid: two during a rotation.
    pub valid_secrets: usize,
    /// When the older one ends.
    pub old_until: Option<DateTime<Utc>>,
}

impl App {
    /// The tenant's connection to a provider, if it was made.
    pub async fn connection(
        &self,
        tenant: TenantId,
        provider: Provider,
    ) -> Result<Option<Connection>, AppError> {
        Ok(self.tenant(tenant).connection(provider).await?)
    }

    /// A connection by its id; another tenant's is none.
    pub async fn connection_by_id(
        &self,
        tenant: TenantId,
        id: ConnectionId,
    ) -> Result<Option<Connection>, AppError> {
        Ok(self.tenant(tenant).connection_by_id(id).await?)
    }

    /// The hook of the tenant's Zoho connection.
    pub async fn hook_details(&self, tenant: TenantId) -> Result<HookDetails, AppError> {
        let store = self.tenant(tenant);
        let connection = store
            .connection(zoho::PROVIDER)
            .await?
            .ok_or(AppError::NotFound("connection"))?;
        let token = store
            .hook_token(connection.id)
            .await?
            .ok_or(AppError::NotFound("hook"))?;
        let secrets = store.secrets(connection.id, self.now()).await?;
        let secrets: Vec<_> = secrets.iter().filter(|s| s.name == HOOK_SECRET).collect();
        Ok(HookDetails {
            connection: connection.id,
            url: self.hook_url(&token),
            valid_secrets: secrets.len(),
            old_until: secrets.iter().find_map(|s| s.expires_at),
        })
    }

    /// Makes a new hook secret, shown this once; the old one stays valid for a day.
    pub async fn rotate_hook_secret(
        &self,
        tenant: TenantId,
        actor: &Actor,
    ) -> Result<SecretString, AppError> {
        let store = self.tenant(tenant);
        let connection = store
            .connection(zoho::PROVIDER)
            .await?
            .ok_or(AppError::NotFound("connection"))?;
        let secret = SecretString::from(WebhookSecret::generate().expose().to_owned());
        let sealed = self.seal(tenant, HOOK_SECRET, &secret)?;
        let now = self.now();
        let until = now + ROTATION;
        store
            .rotate_secret(connection.id, sealed, until, actor.clone(), now)
            .await?;
        self.forget_hooks();
        Ok(secret)
    }

    /// Where the provider of a channel is to post what recipients write, once it is connected.
    pub async fn inbound_url(
        &self,
        tenant: TenantId,
        provider: Provider,
    ) -> Result<Option<String>, AppError> {
        let store = self.tenant(tenant);
        let Some(connection) = store.connection(provider).await? else {
            return Ok(None);
        };
        let token = store.hook_token(connection.id).await?;
        let path = token.map(|token| format!("/hooks/{}/{token}/inbound", provider.as_str()));
        Ok(path.map(|path| self.public_url().join(&path)))
    }

    /// The whole web address of a hook.
    pub fn hook_url(&self, token: &str) -> String {
        self.public_url().join(&format!("/hooks/zoho/{token}"))
    }
}
