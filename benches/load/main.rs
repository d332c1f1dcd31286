//! What the service takes and sends under load: the real binary, and this process as its Zoho.
//!
//! `benches/load/run` builds both and starts this. `README.md` one floor up has the method and what
//! came out.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

#[path = "../../tests/chaos/api.rs"]
#[expect(dead_code, reason = "the chaos harness uses all of it")]
mod api;
mod args;
mod bodies;
mod client;
mod companies;
mod effort;
mod figures;
mod flow;
mod grow;
mod intake;
#[path = "../../tests/chaos/processes.rs"]
#[expect(dead_code, reason = "the chaos harness uses all of it")]
mod processes;
mod reading;
mod rules;
#[path = "../../tests/chaos/sandbox.rs"]
#[expect(dead_code, reason = "the chaos harness uses all of it")]
mod sandbox;
mod server;
#[path = "../../tests/chaos/servers/mod.rs"]
#[expect(dead_code, reason = "the chaos harness uses all of it")]
mod servers;
mod slow_disk;
mod stage;
#[path = "../../tests/chaos/tenants.rs"]
#[expect(dead_code, reason = "the chaos harness uses all of it")]
mod tenants;
mod usage;
#[path = "../../tests/chaos/verdict.rs"]
#[expect(dead_code, reason = "the chaos harness uses all of it")]
mod verdict;
#[path = "../pages/visit.rs"]
mod visit;

use std::io::Write as _;

use clap::Parser as _;

use args::{Args, What};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.what {
        What::Server => server::run(&args).await,
        What::Companies => companies::run(&args).await,
        What::Intake => intake::run(&args).await,
        What::Flow => flow::run(&args).await,
        What::Effort => effort::run(&args).await,
        What::Rules => rules::run(&args),
    }
}

/// Tells whoever watches how far it came.
fn say(words: &str) {
    let mut out = std::io::stderr().lock();
    drop(writeln!(out, "{words}"));
}
