//! `work`: workers without a web server.

use clap::Args;

use crate::config::Config;
use crate::domain::clock::SharedClock;
use crate::lifecycle;
use crate::startup;
use crate::telemetry;

/// Run only workers, beside any number of other processes.
///
/// Needs PostgreSQL, brought up to date by `migrate`, and the same settings as `serve`; the public URL
/// stands in the address to which Twilio reports. Stop with Ctrl-C: running jobs finish; a second
/// Ctrl-C ends them.
#[derive(Debug, Args)]
pub struct WorkArgs {}

/// Works until a signal.
pub async fn run(_args: WorkArgs, clock: SharedClock) -> anyhow::Result<()> {
    let config = Config::from_env()?;
    telemetry::init_logs(&config.log)?;
    let mut signals = lifecycle::signals()?;
    let start = Box::pin(startup::work(&config, clock));
    let Some(working) = lifecycle::unless_signalled(&mut signals, start).await else {
        return Ok(());
    };
    let working = working?;
    super::say("ml-connector works\n")?;
    if !working.app.takes_callbacks() {
        super::say(
            "PUBLIC_URL is not a public https address: Twilio cannot report to us, so states are \
             polled.\n",
        )?;
    }
    let ending = working
        .life
        .until_signal(signals, config.worker.grace)
        .await;
    tracing::info!(?ending, "Stopped");
    Ok(())
}
