//! Sealing and opening the secrets of connections.

use secrecy::SecretString;
use uuid::Uuid;

use super::{App, AppError};
use crate::crypto::master_key::MasterKeyId;
use crate::crypto::vault::{Place, VaultError, WrappedKey};
use crate::domain::ids::{ConnectionId, TenantId, new_v7};
use crate::store::StoredSecret;

/// The hook's signing secret; two are valid during a rotation.
pub(super) const HOOK_SECRET: &str = "hook_secret";
/// Twilio's Auth Token: signs callbacks, and may be the credential.
pub(super) const AUTH_TOKEN: &str = "auth_token";
/// The secret of a Twilio API key.
pub(super) const API_KEY_SECRET: &str = "api_key_secret";
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
                let rows = self.store().platform().data_keys().await?;
                if let Some(row) = rows.into_iter().find(|row| row.id == id) {
                    vault.admit(&WrappedKey {
                        id,
                        master_key_id: MasterKeyId::from_stored(row.master_key_id),
                        wrapped: row.wrapped,
                    })?;
                }
                Ok(vault.open(place, sealed)?)
            }
            opened => Ok(opened?),
        }
    }
}

/// A sealed value opens only in the row that it was sealed for.
fn place(tenant: TenantId, row: Uuid) -> Place<'static> {
    Place::tenant(tenant, "secrets", "sealed", row)
}
