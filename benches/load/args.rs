//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

#[derive(Debug, Clone, Parser)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
#[command(about = "Measures what the service takes and sends under load")]
pub(crate) struct Args {
    #[arg(value_enum)]
    pub(crate) what: What,
    /// Where events are kept
    #[arg(long, value_enum, default_value_t = Backend::Sqlite)]
    pub(crate) on: Backend,
    /// Bodies of 16 KB, as Zoho posts them by default; else 2.2 KB, with the fields that rules use
    #[arg(long)]
    pub(crate) large: bool,
    /// Webhooks in one run
    #[arg(long, default_value_t = 40_000)]
    pub(crate) events: usize,
    /// Runs, of which the median counts
    #[arg(long, default_value_t = 3)]
    pub(crate) runs: usize,
    /// Connections that post at the same time
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// Companies that webhooks are posted for
    #[arg(long, default_value_t = 20)]
    pub(crate) tenants: usize,
    /// Rules of the event's type that do not match, besides the one that does
    #[arg(long, default_value_t = 0)]
    pub(crate) rules: usize,
    /// Twilio reports three states of each message
    #[arg(long)]
    pub(crate) callbacks: bool,
    /// How long Twilio takes to answer, in milliseconds
    #[arg(long, default_value_t = 20)]
    pub(crate) latency_ms: u32,
    /// Each flush of the disk takes so much longer, in milliseconds: virtual disks lie
    #[arg(long, default_value_t = 0)]
    pub(crate) slow_disk_ms: u32,
    /// Stored events before the first run: a short history is copied until it is so long
    #[arg(long, default_value_t = 0)]
    pub(crate) history: usize,
    /// Then ask for each page while webhooks come in
    #[arg(long)]
    pub(crate) pages: bool,
    /// Webhooks a second while pages are read
    #[arg(long, default_value_t = 500)]
    pub(crate) rate: usize,
    /// Only the storing of events, or only the same without it
    #[arg(long, value_enum)]
    pub(crate) only: Option<Storage>,
    /// Where `initdb` and `pg_ctl` are
    #[arg(long)]
    pub(crate) postgres_bin: Option<PathBuf>,
    /// Who runs PostgreSQL, which refuses root
    #[arg(long)]
    pub(crate) postgres_user: Option<String>,
    #[arg(long, default_value = "redis-server")]
    pub(crate) redis_server: PathBuf,
    /// Only for the server that this process starts of itself
    #[arg(long, hide = true, value_enum, default_value_t = Storage::Kept)]
    pub(crate) storage: Storage,
    /// Added by `cargo bench`
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// How many webhooks are taken a second, beside the same handler without storing them
    Intake,
    /// How many webhooks become messages a second
    Flow,
    /// How many instructions a webhook takes, as valgrind counts them; fails when they are many more than
    /// they were
    Effort,
    /// How long one event takes to go through 1, 10 and 100 rules, with nothing read or written
    Rules,
    #[value(hide = true)]
    Server,
    #[value(hide = true)]
    Companies,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// One process, the queue in it
    Sqlite,
    /// One `serve --no-worker`, one `work`, Redis
    Postgres,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Storage {
    Kept,
    Bare,
}

impl Storage {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Bare => "bare",
        }
    }
}
