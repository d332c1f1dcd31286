//! Whoever runs the service: the first of them, and others from a shell.

use secrecy::SecretString;

use super::parse_email;
use crate::app::{App, AppError};
use crate::crypto::token::SetupCode;
use crate::domain::ids::UserId;
use crate::store::StoreError;

impl App {
    /// The code that opens the set-up page while nobody can sign in: the same in every process on
    /// one database, and kept nowhere.
    pub fn setup_code(&self) -> Result<SetupCode, AppError> {
        let secret = self.parts.vault.derive("set-up code")?;
        Ok(SetupCode::derived(&secret))
    }

    /// Makes the first person of an empty instance, as an operator; `None` when somebody was faster,
    /// here or in another process.
    pub async fn create_first_operator(
        &self,
        email: &str,
        password: SecretString,
        company: &str,
    ) -> Result<Option<UserId>, AppError> {
        let email = parse_email(email).map_err(|p| AppError::Invalid(vec![p]))?;
        let user = self.new_user(email, password, &[company], true).await?;
        let id = user.id;
        let platform = self.store().platform();
        let is_first = platform.create_first_user(user, self.now()).await?;
        Ok(is_first.then_some(id))
    }

    /// Makes a person who may see every tenant of this service.
    pub async fn create_operator(
        &self,
        email: &str,
        password: SecretString,
    ) -> Result<UserId, AppError> {
        let email = parse_email(email).map_err(|p| AppError::Invalid(vec![p]))?;
        let user = self.new_user(email, password, &[], true).await?;
        let id = user.id;
        match self.store().platform().create_user(user, self.now()).await {
            Err(StoreError::Taken(_)) => Err(AppError::field(
                "email",
                "somebody with this e-mail address exists already",
            )),
            done => Ok(done.map(|()| id)?),
        }
    }
}
