//! Sealing and opening the secrets of connections.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{App, AppError};
use crate::crypto::master_key::MasterKeyId;
use crate::crypto::vault::{Place, VaultError, WrappedKey};
use crate::domain::ids::{ConnectionId, TenantId, new_v7};
use crate::store::{StoredDataKey, StoredSecret};

/// The hook's signing secret; two are valid during a rotation.
pub(super) const HOOK_SECRET: &str = "hook_secret";
/// The secret of the Zoho client.
pub(super) const CLIENT_SECRET: &str = "client_secret";
/// Zoho's refresh token.
pub(super) const REFRESH_TOKEN: &str = "refresh_token";

impl App {
    /// Seals a secret for the row that will hold it.
    pub(super) fn seal(
        &self,
        tenant: TenantId,
        name: &str,
        secret: &SecretString,
    ) -> Result<StoredSecret, AppError> {
        let now = self.now();
        let id = new_v7(now);
        let sealed = self.parts.vault.seal(&place(tenant, id), secret)?;
        Ok(StoredSecret {
            id,
            name: name.to_owned(),
            sealed,
            created_at: now,
            expires_at: None,
        })
    }

    /// The secrets of a connection by name, newest first.
    pub(super) async fn secrets(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
    ) -> Result<Vec<(String, SecretString)>, AppError> {
        let rows = self.tenant(tenant).secrets(connection, self.now()).await?;
        let mut opened = Vec::with_capacity(rows.len());
        for row in rows {
            let secret = self.open(&place(tenant, row.id), &row.sealed).await?;
            opened.push((row.name, secret));
        }
        Ok(opened)
    }

    /// Opens a sealed text. What another process sealed under a data key that came after our start
    /// opens as well: the key is fetched then.
    pub(super) async fn open(
        &self,
        place: &Place<'_>,
        sealed: &[u8],
    ) -> Result<SecretString, AppError> {
        let vault = &self.parts.vault;
        match vault.open(place, sealed) {
            Err(VaultError::UnknownDataKey { id, .. }) => {
                self.fetch_key(id).await?;
                Ok(vault.open(place, sealed)?)
            }
            opened => Ok(opened?),
        }
    }

    /// The same for bytes.
    pub(super) async fn open_bytes(
        &self,
        place: &Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, AppError> {
        let vault = &self.parts.vault;
        match vault.open_bytes(place, sealed) {
            Err(VaultError::UnknownDataKey { id, .. }) => {
                self.fetch_key(id).await?;
                Ok(vault.open_bytes(place, sealed)?)
            }
            opened => Ok(opened?),
        }
    }

    /// Fetches a data key that is not held yet, at most once a second: one that is not there either
    /// must not make every request ask for it.
    async fn fetch_key(&self, id: Uuid) -> Result<(), AppError> {
        let mut fetched = self.caches.keys.0.lock().await;
        let now = self.now();
        let is_recent = fetched.is_some_and(|at| now - at < TimeDelta::seconds(1));
        if self.parts.vault.holds(id) || is_recent {
            return Ok(());
        }
        *fetched = Some(now);
        self.refresh_keys().await
    }

    /// Takes up data keys that came since, and the master key that wraps them: the newest seals from
    /// then on. Running processes do it every few seconds.
    pub async fn refresh_keys(&self) -> Result<(), AppError> {
        let vault = &self.parts.vault;
        for row in self.store().platform().data_keys().await? {
            if vault.holds(row.id) {
                continue;
            }
            let row = wrapped(row);
            match vault.admit(&row) {
                Err(VaultError::OtherMasterKey { .. }) => {
                    vault.reload()?;
                    vault.admit(&row)?;
                    tracing::info!("Took up master key {}", vault.master_key_id());
                }
                admitted => admitted?,
            }
        }
        Ok(())
    }
}

/// When data keys were last fetched because one was missing.
#[derive(Default)]
pub(super) struct Fetched(tokio::sync::Mutex<Option<DateTime<Utc>>>);

/// A data key as the vault takes it.
pub(super) fn wrapped(row: StoredDataKey) -> WrappedKey {
    WrappedKey {
        id: row.id,
        master_key_id: MasterKeyId::from_stored(row.master_key_id),
        wrapped: row.wrapped,
    }
}

/// A data key as the store keeps it.
pub(super) fn stored(key: &WrappedKey) -> StoredDataKey {
    StoredDataKey {
        id: key.id,
        master_key_id: key.master_key_id.as_str().to_owned(),
        wrapped: key.wrapped.clone(),
    }
}

/// A sealed value opens only in the row that it was sealed for.
fn place(tenant: TenantId, row: Uuid) -> Place<'static> {
    Place::tenant(tenant, "secrets", "sealed", row)
}
