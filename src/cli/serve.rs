//! `serve`: the web server and the workers.

use std::fmt::Write as _;

use clap::Args;

use crate::config::Config;
use crate::crypto::master_key::KeyOrigin;
use crate::domain::clock::SharedClock;
use crate::lifecycle;
use crate::startup::{self, Jobs, Options, Running};
use crate::telemetry::{self, Metrics};

/// Run the web server and the workers in one process.
///
/// On SQLite the database is made or brought up to date first, after keeping a copy; on PostgreSQL
/// `migrate` does it. Stop with Ctrl-C: running jobs and requests finish; a second Ctrl-C ends them.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Only the web server; processes that run `work` do the jobs (PostgreSQL only)
    #[arg(long)]
    pub no_worker: bool,
}

/// Serves until a signal.
pub async fn run(args: ServeArgs, clock: SharedClock) -> anyhow::Result<()> {
    // First of all: it also takes the socket's variables out of the environment.
    let inherited = startup::inherited_socket()?;
    let config = Config::from_env()?;
    telemetry::init_logs(&config.log)?;
    let metrics = Some(Metrics::install()?);
    let jobs = if args.no_worker {
        Jobs::Elsewhere
    } else {
        Jobs::Here
    };
    let mut signals = lifecycle::signals()?;
    let options = Options {
        jobs,
        metrics,
        inherited,
        ..Options::default()
    };
    let start = Box::pin(startup::serve(&config, clock, options));
    let Some(running) = lifecycle::unless_signalled(&mut signals, start).await else {
        return Ok(());
    };
    let mut running = running?;
    running.hold_lock_until_exit();
    super::say(&announcement(&running))?;
    let ending = running.life.until_signal(signals, config.grace()).await;
    tracing::info!(?ending, "Stopped");
    Ok(())
}

/// What an operator needs to know at the start.
fn announcement(running: &Running) -> String {
    let mut text = format!(
        "ml-connector serves {}\n",
        running.app.public_url().origin()
    );
    if let KeyOrigin::Generated(path) = &running.key_origin {
        let _ = writeln!(
            text,
            "A master key was made: {}. Keep a copy of it apart from the database; without it the \
             stored credentials cannot be read.",
            path.display()
        );
    }
    if let Some(code) = &running.setup_code {
        let _ = writeln!(
            text,
            "Nobody can sign in yet. Open {} and type the code {code}",
            running.app.public_url().join("/setup")
        );
    }
    if !running.app.takes_callbacks() {
        text.push_str(
            "PUBLIC_URL is not a public https address: Twilio cannot report to us, so states are \
             polled.\n",
        );
    }
    text
}
