//! How long the pages take after a long history, while webhooks come in and become messages.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use ml_connector::domain::clock::{Clock as _, SystemClock};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::args::Args;
use crate::figures::{mib, number, quantile_ms};
use crate::stage::{Service, Stage};
use crate::tenants::PASSWORD;
use crate::visit::Visit;
use crate::{bodies, client};

/// So many events before the history is copied.
const WARM_UP: usize = 2000;

/// How often each page is asked for.
const EACH: usize = 200;

/// How many pages back the deepest page of the history is.
const DEEP: usize = 1000;

/// Webhooks are posted in portions, one each tenth of a second.
const PORTION: Duration = Duration::from_millis(100);

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let mut stage = Stage::set(args, Service::Whole).await?;
    stage.sandbox.callbacks(&json!({ "statuses": [] })).await?;
    let address = stage.address;
    let made = |stage: &Stage, from, to| {
        bodies::requests(
            &stage.tenants,
            address,
            (from, to),
            args.large,
            SystemClock.now(),
        )
    };
    client::post(address, made(&stage, 0, WARM_UP), args.connections).await?;
    stage.grow(args.history).await?;
    println!(
        "{} events stored on {:?}, {:.1} GiB; listens after {} ms",
        args.history.max(WARM_UP),
        args.on,
        mib(stage.disk() / 1024) / 1024.0,
        stage.started_in.as_millis()
    );
    let tenant = stage.tenants.first().context("no tenant")?;
    let email = format!("owner@{}.example", tenant.name);
    let visit = Visit::signed_in(format!("http://{address}"), &email, PASSWORD).await?;
    let pages = visit.pages(&tenant.name, DEEP).await?;
    // Enough for a page that takes a tenth of a second each time.
    let portion = args.rate / 10;
    let wanted = args.rate * EACH / 10 * pages.len();
    let requests = made(&stage, WARM_UP, WARM_UP + wanted);
    let posting = post_steadily(address, requests, portion, args.connections);
    println!("| page | median ms | p99 ms | webhooks a second meanwhile |");
    println!("|---|---|---|---|");
    for (name, path) in pages {
        let (before, began) = (stage.sandbox.taken().await?, Instant::now());
        let (times, _) = visit.measure(&path, EACH).await?;
        let sent = stage.sandbox.taken().await? - before;
        println!(
            "| {name} | {:.1} | {:.1} | {:.0} |",
            quantile_ms(&times, 50),
            quantile_ms(&times, 99),
            number(usize::try_from(sent)?) / began.elapsed().as_secs_f64()
        );
    }
    posting.abort();
    // What is under way comes to its end.
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.end().await
}

/// Posts portions until it is aborted or nothing is left.
fn post_steadily(
    address: std::net::SocketAddr,
    mut requests: Vec<Vec<u8>>,
    portion: usize,
    connections: usize,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut beat = tokio::time::interval(PORTION);
        while !requests.is_empty() {
            beat.tick().await;
            let rest = requests.split_off(portion.min(requests.len()));
            let now = std::mem::replace(&mut requests, rest);
            if let Err(error) = client::post(address, now, connections.min(portion.max(1))).await {
                crate::say(&format!("a webhook was not taken: {error:#}"));
            }
        }
    })
}
