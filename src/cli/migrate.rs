//! `migrate`: the schema up to date, then exit.

use clap::Args;

use crate::config::Config;
use crate::domain::clock::SharedClock;
use crate::{startup, telemetry};

/// Bring the database schema up to date, then exit.
///
/// `serve` does this itself on SQLite.
#[derive(Debug, Args)]
pub struct MigrateArgs {}

/// Brings the schema up to date and ends.
pub async fn run(_args: MigrateArgs, clock: SharedClock) -> anyhow::Result<()> {
    let config = Config::from_env()?;
    telemetry::init_logs(&config.log)?;
    startup::migrate(&config, clock).await?;
    super::say("The database is up to date.\n")
}
