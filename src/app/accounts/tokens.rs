//! Bearer tokens of the JSON API.

use secrecy::SecretString;

use crate::app::{App, AppError};
use crate::crypto::token::{self, NewToken, TokenDigest};
use crate::domain::ids::{ApiTokenId, TenantId};
use crate::domain::user::Role;
use crate::store::TokenGrant;

impl App {
    /// Makes a bearer token for the JSON API, shown this once.
    pub async fn create_token(
        &self,
        tenant: TenantId,
        name: &str,
        role: Role,
    ) -> Result<SecretString, AppError> {
        if self.tenant(tenant).tenant().await?.is_none() {
            return Err(AppError::NotFound("tenant"));
        }
        let NewToken { text, digest } = token::api();
        let now = self.now();
        let grant = TokenGrant {
            id: ApiTokenId::new(now),
            tenant,
            name: name.to_owned(),
            role,
        };
        self.store()
            .platform()
            .create_token(grant, *digest.as_bytes(), now)
            .await?;
        Ok(text)
    }

    /// What a bearer token allows.
    pub async fn token_grant(&self, text: &str) -> Result<Option<TokenGrant>, AppError> {
        let digest = TokenDigest::of(text);
        Ok(self
            .store()
            .platform()
            .token_grant(*digest.as_bytes(), self.now())
            .await?)
    }
}
