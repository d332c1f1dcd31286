//! The dashboard: sign-in and the pages of a tenant. Each file is one area's handlers: extract,
//! ask the app, draw or lead on.

mod account;
mod books;
mod connections;
pub mod cookies;
mod deletion;
mod door;
pub mod error;
mod event;
mod event_view;
pub mod flash;
mod history;
mod invitation;
mod operator;
mod overview;
mod reset;
mod rule_form;
mod rule_sample;
mod rules;
mod second_step;
mod security_log;
mod session;
mod settings;
mod setup;
mod sign_up;
mod team;
#[cfg(test)]
mod tests;
mod tokens;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig, get, post};

use self::error::PageError;
use crate::app::books::consent::CALLBACK_PATH;
use crate::app::{App, AppError};
use crate::crypto::token::SetupCode;

/// What the door of the dashboard remembers in this process: the code that opens the set-up page
/// while nobody can sign in yet. Kept in `app_data`.
pub struct Setup {
    /// None for an instance that had a user when the process started. That nobody can sign in *yet*
    /// is asked of the database each time: another process may have set it up meanwhile.
    pub code: Option<SetupCode>,
}

impl Setup {
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
        .route("/team", get().to(team::show))
        .route("/team/invitations", post().to(team::invite))
        .route(
            "/team/invitations/{invitation}/revocation",
            post().to(team::revoke),
        )
        .service(
            web::scope("/team/{member}")
                .route("/role", post().to(team::role))
                .route("/removal/new", get().to(team::ask_removal))
                .route("/removal", post().to(team::removal)),
        )
        .route("/tokens", get().to(tokens::show))
        .route("/tokens", post().to(tokens::make))
        .route("/tokens/{token}/revocation", post().to(tokens::revoke))
        .route("/security-log", get().to(security_log::show))
        .route("/deletion/new", get().to(deletion::ask))
        .route("/deletion", post().to(deletion::delete))
        .route("/settings", get().to(settings::show))
        .route("/settings", post().to(settings::save))
        .route("/settings/morning-mail", post().to(settings::morning));
    config.service(
        web::scope("")
            .wrap(from_fn(error::show))
            .route("/", get().to(session::landing))
            .route("/sign-in", get().to(session::show))
            .route("/sign-in", post().to(session::sign_in))
            .route("/sign-in/second-step", get().to(second_step::show))
            .route("/sign-in/second-step", post().to(second_step::pass))
            .route("/sign-up", get().to(sign_up::show))
            .route("/sign-up", post().to(sign_up::ask))
            .route("/sign-up/{token}", get().to(sign_up::confirm))
            .route("/sign-up/{token}", post().to(sign_up::complete))
            .route("/reset", get().to(reset::show))
            .route("/reset", post().to(reset::ask))
            .route("/reset/{token}", get().to(reset::choose))
            .route("/reset/{token}", post().to(reset::change))
            .route("/e-mail/{token}", get().to(account::email::confirm))
            .route("/e-mail/{token}", post().to(account::email::change))
            .route("/sign-out", post().to(session::sign_out))
            .route("/setup", get().to(setup::show))
            .route("/setup", post().to(setup::make))
            .route("/tenants", get().to(session::tenants))
            .route("/operator", get().to(operator::tenants))
            .route("/operator/queue", get().to(operator::queue))
            .route("/operator/workers", get().to(operator::workers))
            .service(
                web::scope("/operator/tenants/{tenant}")
                    .route("", get().to(operator::tenant))
                    .route("/suspension", post().to(operator::suspend))
                    .route("/reinstatement", post().to(operator::reinstate)),
            )
            .service(own_account())
            .route("/invitations/{token}", get().to(invitation::show))
            .route("/invitations/{token}", post().to(invitation::accept))
            .route(CALLBACK_PATH, get().to(books::callback))
            .service(tenant)
            .default_service(web::to(nothing)),
    );
}

/// Of whoever is signed in, in whatever companies.
fn own_account() -> actix_web::Scope {
    use self::account::{email, password, rename, second_factor, sessions, show};
    web::scope("/account")
        .route("", get().to(show))
        .route("/name", post().to(rename))
        .route("/email", get().to(email::show))
        .route("/email", post().to(email::ask))
        .route("/password", get().to(password::show))
        .route("/password", post().to(password::change))
        .route("/sessions/revocation", post().to(sessions::revoke_all))
        .route(
            "/sessions/{session}/revocation",
            post().to(sessions::revoke),
        )
        .service(
            web::scope("/second-factor")
                .route("", get().to(second_factor::show))
                .route("", post().to(second_factor::begin))
                .route("/confirmation", post().to(second_factor::confirm))
                .route("/recovery-codes", post().to(second_factor::renew_codes))
                .route("/removal/new", get().to(second_factor::ask_removal))
                .route("/removal", post().to(second_factor::remove)),
        )
}

async fn nothing() -> Result<actix_web::HttpResponse, PageError> {
    Err(PageError::NotFound)
}
