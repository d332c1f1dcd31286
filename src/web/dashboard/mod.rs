//! The dashboard: sign-in and the pages of a tenant. Each file is one area's handlers: extract,
//! ask the app, draw or lead on.

mod attempts;
mod books;
mod connections;
pub mod cookies;
pub mod error;
mod event;
mod event_view;
pub mod flash;
mod history;
mod overview;
mod rehearsal;
mod rule_form;
mod rule_sample;
mod rules;
mod session;
mod settings;
mod setup;
mod suppressions;
#[cfg(test)]
mod tests;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig, get, post};

use self::attempts::Attempts;
use self::error::PageError;
use crate::app::books::consent::CALLBACK_PATH;
use crate::app::{App, AppError};
use crate::crypto::token::SetupCode;

/// What the door of the dashboard remembers in this process: the code that opens the set-up page
/// while nobody can sign in yet, and how often strangers tried to come in. Kept in `app_data`.
pub struct Setup {
    /// None for an instance that had a user when the process started. That nobody can sign in *yet*
    /// is asked of the database each time: another process may have set it up meanwhile.
    pub code: Option<SetupCode>,
    attempts: Attempts,
}

impl Setup {
    /// A door with, or without, a set-up page.
    pub fn new(code: Option<SetupCode>) -> Self {
        Self {
            code,
            attempts: Attempts::default(),
        }
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
    let tenant = web::scope("/t/{tenant}")
        .route("", get().to(overview::canonical))
        .route("/", get().to(overview::show))
        .route("/stop-switch", post().to(overview::switch))
        .route("/history", get().to(history::show))
        .route("/rejected", get().to(history::rejected))
        .route("/events/{event}", get().to(event::show))
        .route("/events/{event}/replays", post().to(event::replay))
        .service(
            web::scope("/deliveries/{delivery}")
                .route("/replays/new", get().to(event::ask))
                .route("/replays", post().to(event::replay_delivery))
                .route("/arrival", post().to(event::arrival))
                .route("/resending", post().to(event::resending))
                .route("/cancellation", post().to(event::cancellation)),
        )
        .route("/rules", get().to(rules::list))
        .route("/rules", post().to(rules::create))
        .route("/rules/new", get().to(rules::new))
        .service(
            web::scope("/rules/{rule}")
                .route("", get().to(rules::edit))
                .route("", post().to(rules::update))
                .route("/activation", post().to(rules::activation))
                .route("/position", post().to(rules::position))
                .route("/deletion/new", get().to(rules::ask_deletion))
                .route("/deletion", post().to(rules::deletion)),
        )
        .route("/connections", get().to(connections::show))
        .route("/connections/hook", post().to(connections::hook))
        .route("/connections/twilio", post().to(connections::twilio))
        .service(
            web::scope("/connections/books")
                .route("", post().to(books::connect))
                .route("/consent", post().to(books::begin))
                .route("/disconnection/new", get().to(books::ask_disconnection))
                .route("/disconnection", post().to(books::disconnect)),
        )
        .route(
            "/connections/{connection}/secret",
            post().to(connections::secret),
        )
        .route(
            "/connections/{connection}/checks",
            post().to(connections::check),
        )
        .route("/go-live", get().to(rehearsal::ask_live))
        .route("/go-live", post().to(rehearsal::go_live))
        .route("/rehearsal", get().to(rehearsal::ask_back))
        .route("/rehearsal", post().to(rehearsal::back))
        .route("/own-number", get().to(rehearsal::own_number))
        .route("/own-number", post().to(rehearsal::send_code))
        .route(
            "/own-number/confirmation",
            post().to(rehearsal::confirm_number),
        )
        .route("/suppressions", get().to(suppressions::list))
        .route("/suppressions", post().to(suppressions::add))
        .service(
            web::scope("/suppressions/{suppression}/lifting")
                .route("/new", get().to(suppressions::ask_lifting))
                .route("", post().to(suppressions::lift)),
        )
        .route("/replies", get().to(suppressions::replies))
        .route("/replies/{reply}/seen", post().to(suppressions::see))
        .route("/settings/hours", post().to(settings::save_hours))
        .route("/settings", get().to(settings::show))
        .route("/settings", post().to(settings::save));
    config.service(
        web::scope("")
            .wrap(from_fn(error::show))
            .route("/", get().to(session::landing))
            .route("/sign-in", get().to(session::show))
            .route("/sign-in", post().to(session::sign_in))
            .route("/sign-out", post().to(session::sign_out))
            .route("/setup", get().to(setup::show))
            .route("/setup", post().to(setup::make))
            .route("/tenants", get().to(session::tenants))
            .route(CALLBACK_PATH, get().to(books::callback))
            .service(tenant)
            .default_service(web::to(nothing)),
    );
}

async fn nothing() -> Result<actix_web::HttpResponse, PageError> {
    Err(PageError::NotFound)
}
