//! The command line. `tests/chaos/run` fills in where the servers' programs are.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::scenarios::Scenario;

/// Starts the service with its servers on this machine, breaks things under load, and counts what
/// was accepted, delivered, lost, doubled and left to a person.
///
/// Ends with 0 only if nothing was lost or doubled, everything came to rest, each message that waits
/// for a person does so because an answer about it was lost, and the scenario kept what else it
/// promises: posts are answered within 10 s, and work is back within 10 s of the end of a fault.
///
/// In the tables, "answers lost" are answers of Twilio's stand-in that no process can have written
/// down; "hung" are posts that waited longer than 10 s, and "longest wait" is the slowest of all;
/// "200 after" and "sent after" say how long after the end of a fault the first 200 and the first
/// message came, where it took longest.
#[derive(Debug, Clone, Parser)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[command(name = "tests/chaos/run")]
pub(crate) struct Args {
    /// Which scenarios, in this order; all unless given
    pub(crate) scenarios: Vec<String>,
    /// Say what each scenario does, and end
    #[arg(long)]
    pub(crate) list: bool,
    /// Instead of scenarios: so many messages of one tenant wait, and those of another, one now and
    /// then, must leave within a second
    #[arg(long, value_name = "MESSAGES", num_args = 0..=1, default_missing_value = "100000")]
    pub(crate) backlog: Option<usize>,
    /// Webhooks of the main load; a few more follow until everything has come to rest
    #[arg(long, default_value_t = 5000)]
    pub(crate) events: usize,
    /// Tenants: half with a Twilio account of their own, the others share two
    #[arg(long, default_value_t = 20)]
    pub(crate) tenants: usize,
    /// Processes that serve the web
    #[arg(long, default_value_t = 2)]
    pub(crate) web: usize,
    /// Processes that work
    #[arg(long, default_value_t = 2)]
    pub(crate) work: usize,
    /// People who are written to, by all tenants alike
    #[arg(long, default_value_t = 40)]
    pub(crate) recipients: usize,
    /// Webhooks a second; so many that the load lasts a minute unless given
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Webhooks at once
    #[arg(long, default_value_t = 32)]
    pub(crate) at_once: usize,
    /// How long each answer of Twilio's stand-in takes, in milliseconds: as long as Twilio's own, so
    /// that there is always something under way to be cut in two
    #[arg(long, default_value_t = 150)]
    pub(crate) latency_ms: u32,
    /// Shorter loads: faults that come again and again come less often, none is left out, and each
    /// load ends with its faults
    #[arg(long)]
    pub(crate) quick: bool,
    /// What chance starts from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long everything may take to come to rest after the load and the last fault, in seconds
    #[arg(long, default_value_t = 280)]
    pub(crate) settle_within: u64,
    /// One JSON object per scenario on standard output instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Keep the folder with the logs, also when all is well
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) servers: Servers,
}

/// Which servers run beside the service, and where their programs are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Servers {
    /// One `serve` on SQLite instead of many processes; no other server
    #[arg(long)]
    pub(crate) embedded: bool,
    /// PostgreSQL without Redis
    #[arg(long)]
    pub(crate) no_redis: bool,
    /// The folder of initdb and `pg_ctl`
    #[arg(long, hide = true)]
    pub(crate) postgres_bin: Option<PathBuf>,
    /// The user who runs PostgreSQL, when we are root
    #[arg(long, hide = true)]
    pub(crate) postgres_user: Option<String>,
    /// The Redis or Valkey server
    #[arg(long, hide = true, default_value = "redis-server")]
    pub(crate) redis_server: PathBuf,
    /// The library that gives a process a clock of its own
    #[arg(long, hide = true)]
    pub(crate) faketime: Option<PathBuf>,
}

impl Args {
    /// Whether a Redis runs.
    pub(crate) const fn has_redis(&self) -> bool {
        !self.servers.embedded && !self.servers.no_redis
    }

    /// Webhooks of a scenario's main load.
    pub(crate) fn events_of(&self, scenario: &Scenario) -> usize {
        if !self.quick {
            return self.events;
        }
        let seconds = f64::from(u32::try_from(scenario.quick_load()).unwrap_or(u32::MAX));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few thousand"
        )]
        let events = (self.rate() * seconds) as usize;
        events.min(self.events)
    }

    /// How long so many webhooks take.
    pub(crate) fn load(&self, events: usize) -> Duration {
        let events = u32::try_from(events).map_or(f64::MAX, f64::from);
        Duration::from_secs_f64((events / self.rate()).min(86_400.0))
    }

    /// Webhooks a second.
    pub(crate) fn rate(&self) -> f64 {
        let events = u32::try_from(self.events).map_or(f64::MAX, f64::from);
        self.rate.unwrap_or(events / 60.0).max(1.0)
    }

    /// How long everything may take to come to rest.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.settle_within)
    }
}
