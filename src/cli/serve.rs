//! `serve`: the web server and the workers.

use clap::Args;

/// Run the web server and the workers in one process.
///
/// On SQLite the database is made or brought up to date first, after keeping a copy. Stop with
/// Ctrl-C: running jobs finish; a second Ctrl-C ends them.
#[derive(Debug, Args)]
pub struct ServeArgs {}
