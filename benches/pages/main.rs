//! How long the pages take, and how heavy they are, once a company has a long history.
//!
//! The whole service in this process on a `SQLite` file, the sandbox for Twilio, webhooks over HTTP;
//! then each page is asked for by one browser, again and again. `README.md` beside it has the method
//! and what came out.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

mod company;
mod visit;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ml_connector::config::Config;
use ml_connector::domain::clock::SystemClock;
use ml_connector::sandbox::twilio::CallbackPlan;
use ml_connector::sandbox::{Sandbox, SandboxConfig};
use ml_connector::startup::{self, Options};

use company::Company;
use visit::Visit;

/// Events in the history, unless the command line says otherwise.
const EVENTS: usize = 100_000;

/// How often each page is asked for.
const EACH: usize = 200;

/// How many pages back the deepest page of the history is.
const DEEP: usize = 100;

/// The bound that is aimed at, in milliseconds at the median.
const AIM_MS: f64 = 10.0;

/// The bound on a page's weight without images, in bytes.
const HEAVIEST: usize = 100 * 1024;

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo bench` adds a flag of its own.
    let given = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    let events = given.map_or(Ok(EVENTS), |n| n.parse())?;
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(SystemClock);
    let client = ml_connector::http::client()?;
    let mut stand_in = SandboxConfig::new(clock.clone(), client.clone());
    stand_in.callbacks = CallbackPlan {
        delay_ms: 0,
        ..CallbackPlan::default()
    };
    let sandbox = Sandbox::start(stand_in).await?;
    let database = format!("sqlite://{}", folder.path().join("pages.db").display());
    let base = sandbox.base_url().to_owned();
    let config = Config::from_lookup(&|name| match name {
        "DATABASE_URL" => Some(database.clone()),
        "BIND" => Some("127.0.0.1:0".to_owned()),
        "ZOHO_SANDBOX_URL" | "TWILIO_SANDBOX_URL" => Some(base.clone()),
        _ => None,
    })?;
    let running = startup::serve(&config, clock, Options::default()).await?;
    let company = Company::found(&running.app, &sandbox).await?;
    let began = Instant::now();
    company
        .live_through(events, &client, running.app.clock().as_ref())
        .await?;
    println!(
        "{events} webhooks taken in {:.0} s",
        began.elapsed().as_secs_f64()
    );
    company.settle(&running.app).await?;
    println!(
        "all of them settled after {:.0} s\n",
        began.elapsed().as_secs_f64()
    );

    let base = running.app.public_url().origin();
    let visit = Visit::signed_in(base, company::EMAIL, company::PASSWORD).await?;
    let mut failed = Vec::new();
    println!("| page | median ms | p99 ms | KB |\n|---|---|---|---|");
    for (name, path) in visit.pages(&company.made.slug, DEEP).await? {
        let (times, bytes) = visit
            .measure(&path, EACH)
            .await
            .with_context(|| path.clone())?;
        let (median, p99) = (quantile(&times, 50), quantile(&times, 99));
        println!("| {name} | {median:.1} | {p99:.1} | {:.1} |", as_kib(bytes));
        if median > AIM_MS || bytes > HEAVIEST {
            failed.push(name);
        }
    }
    running.life.shutdown(Duration::from_secs(10)).await;
    sandbox.stop().await;
    if failed.is_empty() {
        return Ok(());
    }
    bail!(
        "beyond {AIM_MS} ms or {} KiB: {}",
        HEAVIEST / 1024,
        failed.join(", ")
    )
}

fn quantile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len() - 1);
    sorted[at].as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "a page has few bytes")]
fn as_kib(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}
