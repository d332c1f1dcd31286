//! `admin`: what an operator does from a shell. May run beside `serve`.
//!
//! Passwords come from standard input only: arguments are seen by every user of the machine and
//! stay in the shell's history.

mod master_key;
mod people;
mod tenants;

use anyhow::Context as _;
use clap::Subcommand;
use secrecy::SecretString;

use self::master_key::RotateKeyArgs;
use self::people::{CreateOperatorArgs, ResetPasswordArgs};
use self::tenants::{CreateTenantArgs, CreateTokenArgs, ReinstateTenantArgs, SuspendTenantArgs};
use crate::advised::Advised;
use crate::app::AppError;
use crate::config::web::PublicUrl;
use crate::config::{Config, environment};
use crate::domain::clock::SharedClock;
use crate::startup::{self, Jobs};
use crate::telemetry;

/// Make operators, tenants and API tokens; reset passwords; suspend tenants. May run beside `serve`.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    CreateOperator(CreateOperatorArgs),
    CreateTenant(CreateTenantArgs),
    CreateToken(CreateTokenArgs),
    SuspendTenant(SuspendTenantArgs),
    ReinstateTenant(ReinstateTenantArgs),
    RotateKey(RotateKeyArgs),
    ResetPassword(ResetPasswordArgs),
}

/// Runs one administrative command. It takes no lock and waits for the writer of a running `serve`.
pub async fn run(command: AdminCommand, clock: SharedClock) -> anyhow::Result<()> {
    let config = Config::from_env()?;
    if matches!(command, AdminCommand::RotateKey(_)) {
        // It takes a while, and says how far it is.
        telemetry::init_logs(&config.log)?;
    }
    // A database that exists belongs to a `serve`, which brings it up to date by itself.
    if config
        .database
        .url
        .file()
        .is_some_and(|file| !file.exists())
    {
        startup::migrate(&config, clock.clone()).await?;
    }
    let public_url = config
        .web
        .public_url
        .clone()
        .unwrap_or_else(|| PublicUrl::of_bound(config.web.bind));
    let app = startup::build(&config, public_url, clock, Jobs::Elsewhere)
        .await?
        .app;
    let text = match command {
        AdminCommand::CreateOperator(args) => people::create_operator(&app, args).await?,
        AdminCommand::CreateTenant(args) => {
            tenants::create_tenant(&app, args, knows_address(&config)).await?
        }
        AdminCommand::CreateToken(args) => tenants::create_token(&app, args).await?,
        AdminCommand::SuspendTenant(args) => tenants::suspend_tenant(&app, args).await?,
        AdminCommand::ReinstateTenant(args) => tenants::reinstate_tenant(&app, args).await?,
        AdminCommand::RotateKey(args) => master_key::rotate_key(&app, args).await?,
        AdminCommand::ResetPassword(args) => people::reset_password(&app, args).await?,
    };
    super::say(&text)
}

/// Whether the server's address is known here. Without the variables that `serve` was started with it is a
/// guess, which nobody should paste into Zoho Books.
fn knows_address(config: &Config) -> bool {
    config.web.public_url.is_some()
        || ["BIND", "PORT"]
            .iter()
            .any(|name| environment(name).is_some())
}

/// The first line of standard input.
fn password() -> anyhow::Result<SecretString> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("the password cannot be read from stdin")?;
    Ok(SecretString::from(
        line.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}

/// Input that is not valid says so field by field.
fn advised(error: AppError) -> anyhow::Error {
    match error {
        AppError::Invalid(problems) => {
            let said: Vec<_> = problems
                .iter()
                .map(|p| format!("{}: {}", p.field, p.message))
                .collect();
            Advised::new(said.join("; "), "correct it and try again").into()
        }
        error => error.into(),
    }
}

fn line(json: &serde_json::Value) -> String {
    format!("{json}\n")
}
