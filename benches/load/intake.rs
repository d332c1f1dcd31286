//! How many webhooks are acknowledged a second, and how many by the same handler that keeps nothing.

use std::time::Duration;

use ml_connector::domain::clock::{Clock as _, SystemClock};

use crate::args::{Args, Storage};
use crate::figures::{median, mib, micros_each, quantile_ms};
use crate::stage::{Service, Stage};
use crate::{bodies, client, usage};

/// Posted before it counts: caches fill, the allocator grows, statements are prepared.
const WARM_UP: usize = 4000;

struct Run {
    a_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    micros: f64,
    peak_mib: f64,
    server_micros: f64,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let bytes = bodies::bytes(args.large, SystemClock.now());
    println!(
        "intake on {:?}, {bytes} bytes, {} connections, {} webhooks a run, flushes + {} ms",
        args.on, args.connections, args.events, args.slow_disk_ms
    );
    println!(
        "| storage | a second | p50 ms | p99 ms | CPU µs each | of the database's | peak MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut medians = Vec::new();
    for storage in [Storage::Bare, Storage::Kept] {
        if args.only.is_some_and(|only| only != storage) {
            continue;
        }
        let stage = Stage::set(args, Service::Door(storage)).await?;
        let mut runs = Vec::new();
        for number in 0..args.runs {
            runs.push(once(args, &stage, number).await?);
        }
        stage.end().await?;
        let of = |pick: fn(&Run) -> f64| median(runs.iter().map(pick).collect());
        println!(
            "| {} | {:.0} | {:.1} | {:.1} | {:.0} | {:.0} | {:.0} |",
            storage.word(),
            of(|r| r.a_second),
            of(|r| r.p50_ms),
            of(|r| r.p99_ms),
            of(|r| r.micros),
            of(|r| r.server_micros),
            of(|r| r.peak_mib)
        );
        medians.push(of(|r| r.a_second));
    }
    if let [bare, kept] = medians[..] {
        println!("\nkept / bare: {:.0} %", kept / bare * 100.0);
    }
    Ok(())
}

async fn once(args: &Args, stage: &Stage, number: usize) -> anyhow::Result<Run> {
    let step = WARM_UP + args.events;
    let from = number * step;
    let make = |from, to| {
        let now = SystemClock.now();
        bodies::requests(&stage.tenants, stage.address, (from, to), args.large, now)
    };
    let warm_up = make(from, from + WARM_UP);
    client::post(stage.address, warm_up, args.connections).await?;
    let requests = make(from + WARM_UP, from + step);
    usage::forget_peaks(&stage.ids());
    let before = (usage::of(&stage.ids()), usage::of(&stage.server_ids()));
    let answers = client::post(stage.address, requests, args.connections).await?;
    let after = (usage::of(&stage.ids()), usage::of(&stage.server_ids()));
    anyhow::ensure!(answers.refused == 0, "{} were refused", answers.refused);
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(Run {
        a_second: answers.a_second(),
        p50_ms: quantile_ms(&answers.times, 50),
        p99_ms: quantile_ms(&answers.times, 99),
        micros: micros_each(after.0.cpu_since(before.0), args.events),
        peak_mib: mib(after.0.peak_kib),
        server_micros: micros_each(after.1.cpu_since(before.1), args.events),
    })
}
