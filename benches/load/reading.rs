//! How long the pages take after a long history, while webhooks come in and become messages.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use ml_connector::domain::clock::{Clock as _, SystemClock};
use tokio::task::JoinHandle;

use crate::args::Args;
use crate::figures::{number, quantile_ms};
use crate::stage::Stage;
use crate::tenants::PASSWORD;
use crate::visit::Visit;
use crate::{bodies, client};

/// How often each page is asked for.
const EACH: usize = 200;

/// How many pages back the deepest page of the history is.
const DEEP: usize = 1000;

/// Webhooks are posted in portions, one each tenth of a second.
const PORTION: Duration = Duration::from_millis(100);

/// Reads every page of one company; webhooks are numbered from `from`.
pub(crate) async fn read(args: &Args, stage: &Stage, from: usize) -> anyhow::Result<()> {
    let address = stage.address;
    let tenant = stage.tenants.first().context("no tenant")?;
    let email = format!("owner@{}.example", tenant.name);
    let visit = Visit::signed_in(format!("http://{address}"), &email, PASSWORD).await?;
    let pages = visit.pages(&tenant.name, DEEP).await?;
    // Enough for a page that takes a tenth of a second each time.
    let portion = args.rate / 10;
    let wanted = args.rate * EACH / 10 * pages.len();
    let range = (from, from + wanted);
    let now = SystemClock.now();
    let requests = bodies::requests(&stage.tenants, address, range, args.large, now);
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
    Ok(())
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
