//! The dashboard: sign-in and the pages of a tenant.

use actix_web::web::ServiceConfig;

use crate::app::{App, AppError};
use crate::crypto::token::SetupCode;

/// The code that opens the set-up page while nobody can sign in yet.
pub struct Setup(pub Option<SetupCode>);

impl Setup {
    /// A code for an empty instance; none for one that has a user.
    pub async fn for_empty(app: &App) -> Result<Self, AppError> {
        let is_empty = app.store().platform().is_empty().await?;
        Ok(Self(is_empty.then(SetupCode::generate)))
    }
}

/// The dashboard's addresses.
pub fn routes(_config: &mut ServiceConfig) {}
