//! The dashboard: sign-in and the pages of a tenant. Each file is one area's handlers: extract,
//! ask the app, draw or lead on.

mod account;
mod books;
mod brand;
mod checklist;
mod company;
mod connections;
pub mod cookies;
mod deletion;
pub mod doors;
mod email_document;
mod entrance;
pub mod error;
mod event;
mod event_view;
pub mod flash;
mod groups;
mod history;
mod invitation;
mod list_query;
mod new_instance;
mod operator;
mod overview;
mod people_lines;
mod permissions;
mod rehearsal;
mod replay;
mod reset;
mod rule_choices;
mod rule_form;
mod rule_preview;
mod rule_sample;
mod rule_templates;
mod rule_words;
mod rules;
mod second_step;
mod security_log;
mod senders;
mod session;
mod settings;
mod sign_up;
mod suppressions;
mod team;
#[cfg(test)]
mod tests;
mod tokens;
mod webhook_guide;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use self::error::PageError;
use crate::app::{App, AppError};
use crate::crypto::token::SetupCode;

/// What the door of the dashboard remembers in this process: the code that opens the set-up page
/// while nobody can sign in yet. Kept in `app_data`.
pub struct NewInstance {
    /// None for an instance that had a user when the process started. That nobody can sign in *yet*
    /// is asked of the database each time: another process may have set it up meanwhile.
    pub code: Option<SetupCode>,
}

impl NewInstance {
    /// A door with, or without, a set-up page.
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
    let tenant = doors::tenant(web::scope("/t/{tenant}"));
    let all = doors::outside(web::scope("")).service(tenant);
    config.service(
        all.default_service(web::to(nothing))
            .wrap(from_fn(error::show)),
    );
}

/// Of whoever is signed in, in whatever companies.
async fn nothing() -> Result<actix_web::HttpResponse, PageError> {
    Err(PageError::NotFound)
}
