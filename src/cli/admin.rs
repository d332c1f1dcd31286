//! `admin`: what an operator does from a shell. May run beside `serve`.
//!
//! Passwords come from standard input only: arguments are seen by every user of the machine and
//! stay in the shell's history.

use std::fmt::Write as _;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};

use crate::advised::Advised;
use crate::app::accounts::{Beginning, TenantInput};
use crate::app::rotation::{Progress, RotationError};
use crate::app::{App, AppError};
use crate::config::Config;
use crate::config::web::PublicUrl;
use crate::crypto::master_key::MasterKeyError;
use crate::domain::actor::Actor;
use crate::domain::clock::SharedClock;
use crate::domain::ids::TenantId;
use crate::domain::user::Role;
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

/// Make the user who sees all tenants, the queue and the workers.
#[derive(Debug, Args)]
pub struct CreateOperatorArgs {
    /// Their e-mail address, with which they sign in
    #[arg(long, value_name = "ADDRESS")]
    pub email: String,
    /// Read the password, hard to guess and at least 10 characters, from the first line of standard
    /// input
    #[arg(long, required = true)]
    pub password_stdin: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Make a tenant and its owner.
#[derive(Debug, Args)]
pub struct CreateTenantArgs {
    /// What the company is called
    #[arg(long, value_name = "TEXT")]
    pub name: String,
    /// The owner's e-mail address, with which they sign in
    #[arg(long, value_name = "ADDRESS")]
    pub owner_email: String,
    /// Read the owner's password, at least 10 characters, from the first line of standard input
    #[arg(long, required = true)]
    pub password_stdin: bool,
    /// Two letters (ISO 3166): phone numbers without a country code are read as numbers of it
    #[arg(long, default_value = "US", value_name = "CODE")]
    pub country: String,
    /// The time zone of due dates and of what pages show, by its IANA name
    #[arg(long, default_value = "UTC", value_name = "NAME")]
    pub zone: String,
    /// Three letters (ISO 4217): the currency of amounts that name none
    #[arg(long, default_value = "USD", value_name = "CODE")]
    pub currency: String,
    #[command(flatten)]
    pub beginning: BeginningArgs,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Whom a new tenant writes to, and when.
#[derive(Debug, Args)]
pub struct BeginningArgs {
    /// Begin live: contacts are written to at once. Otherwise it begins in rehearsal, and messages go
    /// to the owner's own number until somebody goes live
    #[arg(long)]
    pub live: bool,
    /// Write to contacts at any hour. Otherwise from 08:00 to 20:00 only, until changed under Settings
    #[arg(long, requires = "live")]
    pub any_hour: bool,
}

/// Make a bearer token for the JSON API of a tenant. It is shown this once.
#[derive(Debug, Args)]
pub struct CreateTokenArgs {
    /// The tenant, as `create-tenant` printed it: `ten_…`
    #[arg(long, value_name = "ID")]
    pub tenant: TenantId,
    /// What it may do: owner, admin, editor or viewer
    #[arg(long, value_name = "ROLE", value_parser = parse_role)]
    pub role: Role,
    /// What it is for, to tell it from others later
    #[arg(long, default_value = "command line", value_name = "TEXT")]
    pub name: String,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Suspend a tenant: its webhooks are refused and nothing is sent until it is reinstated.
#[derive(Debug, Args)]
pub struct SuspendTenantArgs {
    /// The tenant, as `create-tenant` printed it: `ten_…`
    #[arg(long, value_name = "ID")]
    pub tenant: TenantId,
    /// Why, in one line; the tenant's people read it on every page
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Give a user a new password. Their sessions end; a second factor stays on unless told otherwise.
#[derive(Debug, Args)]
pub struct ResetPasswordArgs {
    /// The e-mail address with which they sign in
    #[arg(long, value_name = "ADDRESS")]
    pub email: String,
    /// Read the new password, hard to guess and at least 10 characters, from the first line of
    /// standard input
    #[arg(long, required = true)]
    pub password_stdin: bool,
    /// Turn the second factor off too, for somebody who lost phone and recovery codes
    #[arg(long)]
    pub without_second_factor: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Let a suspended tenant go on. Messages that waited for it are sent, unless their time is over.
#[derive(Debug, Args)]
pub struct ReinstateTenantArgs {
    /// The tenant, as `create-tenant` printed it: `ten_…`
    #[arg(long, value_name = "ID")]
    pub tenant: TenantId,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Change the master key while the service runs, and seal every secret anew.
///
/// Where the key is in a file, the new one is made and put there. With `MASTER_KEY`, set it to
/// `new,old` for every process first, and restart them.
#[derive(Debug, Args)]
pub struct RotateKeyArgs {
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

fn parse_role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "write owner, admin, editor or viewer".to_owned())
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
        AdminCommand::CreateOperator(args) => create_operator(&app, args).await?,
        AdminCommand::CreateTenant(args) => create_tenant(&app, args).await?,
        AdminCommand::CreateToken(args) => create_token(&app, args).await?,
        AdminCommand::SuspendTenant(args) => suspend_tenant(&app, args).await?,
        AdminCommand::ReinstateTenant(args) => reinstate_tenant(&app, args).await?,
        AdminCommand::RotateKey(args) => rotate_key(&app, args).await?,
        AdminCommand::ResetPassword(args) => reset_password(&app, args).await?,
    };
    super::say(&text)
}

async fn create_operator(app: &App, args: CreateOperatorArgs) -> anyhow::Result<String> {
    let user = app
        .create_operator(&args.email, password()?)
        .await
        .map_err(advised)?;
    Ok(if args.json {
        line(&serde_json::json!({ "user_id": user, "email": args.email }))
    } else {
        format!("{} can sign in and see every tenant.\n", args.email)
    })
}

impl BeginningArgs {
    /// As told, or as pages begin: nobody is written to before somebody says so.
    const fn read(&self) -> Beginning {
        match (self.live, self.any_hour) {
            (false, _) => Beginning::Rehearsal,
            (true, false) => Beginning::Live,
            (true, true) => Beginning::LiveAtAnyHour,
        }
    }
}

async fn create_tenant(app: &App, args: CreateTenantArgs) -> anyhow::Result<String> {
    let beginning = args.beginning.read();
    let input = TenantInput {
        name: args.name,
        owner_email: args.owner_email,
        password: password()?,
        country: args.country,
        zone: args.zone,
        currency: args.currency,
        beginning,
    };
    let made = app.create_tenant(input).await.map_err(advised)?;
    let secret = made.hook_secret.expose_secret();
    Ok(if args.json {
        line(&serde_json::json!({
            "tenant": made.slug,
            "tenant_id": made.id,
            "hook_url": made.hook_url,
            "hook_secret": secret,
            "is_rehearsal": beginning.is_rehearsal(),
        }))
    } else {
        format!(
            "Tenant {} ({})\nWeb address for Zoho Books: {}\nSecret token, shown this once: {secret}\n\
             {}\n",
            made.slug,
            made.id,
            made.hook_url,
            begun(beginning)
        )
    })
}

/// Whom a new tenant writes to, and when.
fn begun(beginning: Beginning) -> String {
    let hours = beginning.hours().map_or_else(
        || "at any hour".to_owned(),
        |hours| format!("from {}", hours.label()),
    );
    if beginning.is_rehearsal() {
        format!(
            "It begins in rehearsal: messages go to the owner's own confirmed number until somebody \
             presses Go live, and to contacts from then on, {hours}."
        )
    } else {
        format!("It begins live: contacts are written to, {hours}.")
    }
}

async fn create_token(app: &App, args: CreateTokenArgs) -> anyhow::Result<String> {
    let token = app
        .create_token(args.tenant, &args.name, args.role)
        .await
        .map_err(advised)?;
    let token = token.expose_secret();
    Ok(if args.json {
        line(&serde_json::json!({ "token": token }))
    } else {
        format!("Bearer token, shown this once: {token}\n")
    })
}

async fn suspend_tenant(app: &App, args: SuspendTenantArgs) -> anyhow::Result<String> {
    let changed = app
        .suspend_tenant(args.tenant, &args.reason, &Actor::operator())
        .await
        .map_err(advised)?;
    Ok(if args.json {
        line(&serde_json::json!({
            "tenant_id": args.tenant, "status": "suspended", "changed": changed,
        }))
    } else if changed {
        "Suspended. Nothing is sent from now on; its webhooks are refused within 5 seconds.\n"
            .to_owned()
    } else {
        "It was suspended already; the reason given then stays.\n".to_owned()
    })
}

async fn reinstate_tenant(app: &App, args: ReinstateTenantArgs) -> anyhow::Result<String> {
    let changed = app
        .reinstate_tenant(args.tenant, &Actor::operator())
        .await
        .map_err(advised)?;
    Ok(if args.json {
        line(&serde_json::json!({
            "tenant_id": args.tenant, "status": "active", "changed": changed,
        }))
    } else if changed {
        "Reinstated. Messages that waited go out within seconds.\n".to_owned()
    } else {
        "It was not suspended.\n".to_owned()
    })
}

async fn rotate_key(app: &App, args: RotateKeyArgs) -> anyhow::Result<String> {
    let done = app.rotate_key(tell).await.map_err(|error| match error {
        RotationError::OneKey { .. } => anyhow::Error::from(Advised::new(
            error.to_string(),
            "make a key with `openssl rand -base64 32`, set MASTER_KEY to it, a comma and the old \
             key for every process, restart them, and run this again",
        )),
        RotationError::MasterKey(error @ MasterKeyError::Unwritable { .. }) => Advised::new(
            "the file of the master key cannot be changed",
            "run this as the user to whom the file belongs and one at a time; or put a new key \
             (`openssl rand -base64 32`) on a line above the old one yourself, restart every \
             process, and run this again",
        )
        .because(error)
        .into(),
        error => error.into(),
    })?;
    Ok(if args.json {
        line(&serde_json::json!({
            "master_key": done.master, "resealed": done.resealed,
            "unopened": done.unopened, "old_key_stays": done.old_stays,
        }))
    } else {
        let mut text = format!(
            "Master key {} is in use; {} values were sealed anew.\n",
            done.master, done.resealed
        );
        if done.unopened > 0 {
            let _ = writeln!(
                text,
                "{} values did not open, before or now, and were left as they were; the lines above \
                 name them.",
                done.unopened
            );
        }
        text += if done.old_stays {
            "Take the old key away now: leave only the first one where the keys are kept, for every \
             process.\n"
        } else {
            "The old key was removed from the file. Keep a copy of the new one apart from the \
             database's backups; backups made until now still need the old one.\n"
        };
        text
    })
}

/// Progress, for whoever watches.
fn tell(progress: Progress) {
    match progress {
        Progress::MasterKey(name) => tracing::info!("Changing to master key {name}"),
        Progress::Rewrapped(count) => tracing::info!("Wrapped {count} data keys anew"),
        Progress::Waiting(span) => tracing::info!(
            "Waiting {} seconds until every process has the new data key",
            span.as_secs()
        ),
        Progress::Resealed(table, count) => {
            tracing::info!("Sealed {count} values of {table} anew");
        }
    }
}

async fn reset_password(app: &App, args: ResetPasswordArgs) -> anyhow::Result<String> {
    app.reset_by_operator(&args.email, password()?, args.without_second_factor)
        .await
        .map_err(advised)?;
    Ok(if args.json {
        line(&serde_json::json!({
            "email": args.email, "second_factor_removed": args.without_second_factor,
        }))
    } else {
        format!(
            "{} signs in with the new password. All their sessions have ended.\n",
            args.email
        )
    })
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
