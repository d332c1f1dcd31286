//! `migrate`: the schema up to date, then exit.

use clap::Args;

/// Bring the database schema up to date, then exit.
///
/// `serve` does this itself on SQLite.
#[derive(Debug, Args)]
pub struct MigrateArgs {}
