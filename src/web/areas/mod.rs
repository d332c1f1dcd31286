//! The dashboard: sign-in and the pages of a tenant. Each file is one area's handlers: extract,
//! ask the app, draw or lead on.

pub mod account;
pub mod brand;
pub mod connections;
pub mod cookies;
mod email_document;
pub mod entrance;
pub mod error;
pub mod error_page;
pub mod event;
pub mod flash;
pub mod groups;
pub mod history;
mod list_query;
pub mod operator;
pub mod overview;
pub mod permissions;
pub mod rehearsal;
pub mod reminder_stops;
pub mod replay;
pub mod routes;
pub mod rules;
pub mod security;
pub mod senders;
mod session;
pub mod settings;
pub mod suppressions;
pub mod team;
#[cfg(test)]
mod tests;
pub mod words;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use crate::app::{App, AppError};
use crate::crypto::token::SetupCode;
use crate::web::areas::error::PageError;

/// What the route of the dashboard remembers in this process: the code that opens the set-up page
/// while nobody can sign in yet. Kept in `app_data`.
pub struct NewInstance {
    /// None for an instance that had a user when the process started. That nobody can sign in *yet*
    /// is asked of the database each time: another process may have set it up meanwhile.
    pub code: Option<SetupCode>,
}

impl NewInstance {
    /// A route with, or without, a set-up page.
    pub const fn new(code: Option<SetupCode>) -> Self {
        Self { code }
    }

    /// The code of an empty instance; none for one that has a user.
    pub async fn for_empty(app: &App) -> Result<Self, AppError> {
        let is_empty = app.store().platform().is_empty().await?;
        let code = is_empty.then(|| app.setup_code()).transpose()?;
        Ok(Self::new(code))
    }
}

/// The dashboard's addresses. They must come last: whatever no other room answers is a page that
/// is not found.
pub fn routes(config: &mut ServiceConfig) {
    let tenant = routes::tenant(web::scope("/t/{tenant}"));
    let all = routes::outside(web::scope("")).service(tenant);
    config.service(
        all.default_service(web::to(nothing))
            .wrap(from_fn(error::show)),
    );
}

/// Of whoever is signed in, in whatever companies.
async fn nothing() -> Result<actix_web::HttpResponse, PageError> {
    Err(PageError::NotFound)
}
