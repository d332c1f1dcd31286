//! Tenants and the tokens of their API.

use std::str::FromStr;

use clap::Args;
use secrecy::ExposeSecret as _;

use super::{advised, line, password};
use crate::advised::Advised;
use crate::app::App;
use crate::app::accounts::{Beginning, TenantInput};
use crate::domain::actor::Actor;
use crate::domain::ids::{IdError, TenantId};
use crate::domain::user::Role;

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
    /// The tenant: its short name, as in the addresses of its pages, or its id (`ten_…`)
    #[arg(long, value_name = "NAME")]
    pub tenant: TenantName,
    /// What it may do: owner, admin, editor or viewer
    #[arg(long, value_name = "ROLE", value_parser = parse_role)]
    pub role: Role,
    /// What it is for, to recognise it later
    #[arg(long, default_value = "command line", value_name = "TEXT")]
    pub name: String,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Suspend a tenant: its webhooks are refused and nothing is sent until it is reinstated.
#[derive(Debug, Args)]
pub struct SuspendTenantArgs {
    /// The tenant: its short name, as in the addresses of its pages, or its id (`ten_…`)
    #[arg(long, value_name = "NAME")]
    pub tenant: TenantName,
    /// Why, in one line; the tenant's people read it on every page
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Let a suspended tenant go on. Messages that waited for it are sent, unless their time is over.
#[derive(Debug, Args)]
pub struct ReinstateTenantArgs {
    /// The tenant: its short name, as in the addresses of its pages, or its id (`ten_…`)
    #[arg(long, value_name = "NAME")]
    pub tenant: TenantName,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// A tenant as an operator names it.
#[derive(Debug, Clone)]
pub enum TenantName {
    Id(TenantId),
    Slug(String),
}

impl FromStr for TenantName {
    type Err = IdError;

    /// No short name has an underscore.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.starts_with("ten_") {
            text.parse().map(Self::Id)
        } else {
            Ok(Self::Slug(text.to_owned()))
        }
    }
}

impl TenantName {
    async fn find(self, app: &App) -> anyhow::Result<TenantId> {
        match self {
            Self::Id(id) => Ok(id),
            Self::Slug(slug) => match app.tenant_by_slug(&slug).await.map_err(advised)? {
                Some(tenant) => Ok(tenant.id),
                None => Err(Advised::new(
                    format!("there is no tenant {slug}"),
                    "take the name that stands behind /t/ in the addresses of its pages",
                )
                .into()),
            },
        }
    }
}

fn parse_role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "write owner, admin, editor or viewer".to_owned())
}

impl BeginningArgs {
    /// By default as on the pages: nobody is written to before somebody says so.
    const fn read(&self) -> Beginning {
        match (self.live, self.any_hour) {
            (false, _) => Beginning::Rehearsal,
            (true, false) => Beginning::Live,
            (true, true) => Beginning::LiveAtAnyHour,
        }
    }
}

/// `knows_address`: whether the server's own address is known here.
pub(super) async fn create_tenant(
    app: &App,
    args: CreateTenantArgs,
    knows_address: bool,
) -> anyhow::Result<String> {
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
    let origin = app.public_url().origin();
    let hook_path = made.hook_url.trim_start_matches(&origin);
    Ok(if args.json {
        line(&serde_json::json!({
            "tenant": made.slug,
            "tenant_id": made.id,
            "hook_url": knows_address.then_some(&made.hook_url),
            "hook_path": hook_path,
            "hook_secret": secret,
            "is_rehearsal": beginning.is_rehearsal(),
        }))
    } else {
        let address = if knows_address {
            made.hook_url
        } else {
            format!(
                "the server's own, then {hook_path} (PUBLIC_URL is not set here; the page Connections \
                 shows all of it)"
            )
        };
        format!(
            "Tenant {} ({})\nWeb address for Zoho Books: {address}\n\
             Secret token, shown this once: {secret}\n{}\n",
            made.slug,
            made.id,
            beginning_sentence(beginning)
        )
    })
}

/// Whom a new tenant writes to, and when.
fn beginning_sentence(beginning: Beginning) -> String {
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

pub(super) async fn create_token(app: &App, args: CreateTokenArgs) -> anyhow::Result<String> {
    let tenant = args.tenant.find(app).await?;
    let token = app
        .create_token(tenant, &args.name, args.role)
        .await
        .map_err(advised)?;
    let token = token.expose_secret();
    Ok(if args.json {
        line(&serde_json::json!({ "token": token }))
    } else {
        format!("Bearer token, shown this once: {token}\n")
    })
}

pub(super) async fn suspend_tenant(app: &App, args: SuspendTenantArgs) -> anyhow::Result<String> {
    let tenant = args.tenant.find(app).await?;
    let changed = app
        .suspend_tenant(tenant, &args.reason, &Actor::operator())
        .await
        .map_err(advised)?;
    Ok(if args.json {
        line(&serde_json::json!({
            "tenant_id": tenant, "status": "suspended", "changed": changed,
        }))
    } else if changed {
        "Suspended. Nothing is sent from now on; its webhooks are refused within 5 seconds.\n"
            .to_owned()
    } else {
        "It was suspended already; the reason given then stays.\n".to_owned()
    })
}

pub(super) async fn reinstate_tenant(
    app: &App,
    args: ReinstateTenantArgs,
) -> anyhow::Result<String> {
    let tenant = args.tenant.find(app).await?;
    let changed = app
        .reinstate_tenant(tenant, &Actor::operator())
        .await
        .map_err(advised)?;
    Ok(if args.json {
        line(&serde_json::json!({
            "tenant_id": tenant, "status": "active", "changed": changed,
        }))
    } else if changed {
        "Reinstated. Messages that waited go out within seconds.\n".to_owned()
    } else {
        "It was not suspended.\n".to_owned()
    })
}
