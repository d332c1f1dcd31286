//! `admin`: what an operator does from a shell. May run beside `serve`.
//!
//! Passwords come from standard input only: arguments are seen by every user of the machine and
//! stay in the shell's history.

use clap::{Args, Subcommand};

use crate::domain::ids::TenantId;
use crate::domain::user::Role;

/// Make operators, tenants and API tokens. May run beside `serve`.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    CreateOperator(CreateOperatorArgs),
    CreateTenant(CreateTenantArgs),
    CreateToken(CreateTokenArgs),
}

/// Make the user who sees all tenants, the queue and the workers.
#[derive(Debug, Args)]
pub struct CreateOperatorArgs {
    /// Their e-mail address, with which they sign in
    #[arg(long, value_name = "ADDRESS")]
    pub email: String,
    /// Read the password, at least 10 characters, from the first line of standard input
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
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
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

fn parse_role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "write owner, admin, editor or viewer".to_owned())
}
