//! `demo`: everything, on throw-away data and sandbox providers.

use clap::Args;

/// Look around: a throw-away database, sandbox providers, and a stream of sample events.
///
/// Prints the address and how to sign in. Nothing is sent to anyone and nothing is kept; the
/// databases, keys and mail of the environment are ignored. Listens on this machine only.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where to listen on this machine; 0 takes any free port
    #[arg(long, default_value_t = 8080, value_name = "NUMBER")]
    pub port: u16,
}
