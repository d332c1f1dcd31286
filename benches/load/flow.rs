//! How many webhooks become messages a second, from the first post until Twilio has the last.

use std::time::{Duration, Instant};

use anyhow::bail;
use ml_connector::domain::clock::{Clock as _, SystemClock};
use serde_json::json;

use crate::args::Args;
use crate::figures::{median, mib, micros_each, number, quantile_ms};
use crate::stage::{Service, Stage};
use crate::{bodies, client, reading, usage};

const WARM_UP: usize = 2000;

/// How long nothing may happen before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(30);

struct Run {
    taken: f64,
    sent: f64,
    p99_ms: f64,
    micros: f64,
    server_micros: f64,
    sandbox_micros: f64,
    peak_mib: f64,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let bytes = bodies::bytes(args.large, SystemClock.now());
    println!(
        "webhook to message on {:?}, {bytes} bytes, {} tenants, {} rules, callbacks: {}, Twilio takes {} ms, {} webhooks a run",
        args.on,
        args.tenants,
        args.rules + 1,
        args.callbacks,
        args.latency_ms,
        args.events
    );
    let mut stage = Stage::set(args, Service::Whole).await?;
    if !args.callbacks {
        stage.sandbox.callbacks(&json!({ "statuses": [] })).await?;
    }
    let idle = usage::of(&stage.ids());
    println!(
        "listens after {} ms; {:.0} MiB before the first webhook",
        stage.started_in.as_millis(),
        mib(idle.now_kib)
    );
    let mut sent = 0;
    flow(args, &stage, (0, WARM_UP), &mut sent).await?;
    if args.history > 0 {
        stage.grow(args.history).await?;
        println!(
            "{} events stored, {:.1} GiB; listens after {} ms",
            args.history,
            mib(stage.disk() / 1024) / 1024.0,
            stage.started_in.as_millis()
        );
        flow(args, &stage, (WARM_UP, 2 * WARM_UP), &mut sent).await?;
    }
    let mut runs = Vec::new();
    let disk = stage.disk();
    for run in 0..args.runs {
        let from = 2 * WARM_UP + run * args.events;
        runs.push(flow(args, &stage, (from, from + args.events), &mut sent).await?);
    }
    let grown = number(usize::try_from(stage.disk().saturating_sub(disk))?);
    let of = |pick: fn(&Run) -> f64| median(runs.iter().map(pick).collect());
    println!(
        "| taken a second | sent a second | p99 of the 200, ms | CPU µs each | of the database's | of Twilio's stand-in | peak MiB | disk B each |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    println!(
        "| {:.0} | {:.0} | {:.1} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
        of(|r| r.taken),
        of(|r| r.sent),
        of(|r| r.p99_ms),
        of(|r| r.micros),
        of(|r| r.server_micros),
        of(|r| r.sandbox_micros),
        of(|r| r.peak_mib),
        grown / number(args.runs * args.events)
    );
    if args.pages {
        reading::read(args, &stage, 2 * WARM_UP + args.runs * args.events).await?;
    }
    stage.end().await
}

async fn flow(
    args: &Args,
    stage: &Stage,
    (from, to): (usize, usize),
    sent: &mut u64,
) -> anyhow::Result<Run> {
    let count = to - from;
    let now = SystemClock.now();
    let requests = bodies::requests(&stage.tenants, stage.address, (from, to), args.large, now);
    let sandbox: Vec<u32> = stage.sandbox.process.id().into_iter().collect();
    usage::forget_peaks(&stage.ids());
    let all = || {
        (
            usage::of(&stage.ids()),
            usage::of(&stage.server_ids()),
            usage::of(&sandbox),
        )
    };
    let before = all();
    let began = Instant::now();
    let wanted = *sent + u64::try_from(count)?;
    let posting = client::post(stage.address, requests, args.connections);
    let (answers, took) = tokio::join!(posting, until(stage, wanted, began));
    let (answers, took) = (answers?, took?);
    anyhow::ensure!(answers.refused == 0, "{} were refused", answers.refused);
    *sent = wanted;
    if args.callbacks {
        settle(stage).await?;
    }
    let after = all();
    Ok(Run {
        taken: answers.a_second(),
        sent: number(count) / took.as_secs_f64(),
        p99_ms: quantile_ms(&answers.times, 99),
        micros: micros_each(after.0.cpu_since(before.0), count),
        server_micros: micros_each(after.1.cpu_since(before.1), count),
        sandbox_micros: micros_each(after.2.cpu_since(before.2), count),
        peak_mib: mib(after.0.peak_kib),
    })
}

/// Until the stand-in has taken so many messages.
async fn until(stage: &Stage, wanted: u64, began: Instant) -> anyhow::Result<Duration> {
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        let taken = stage.sandbox.taken().await?;
        if taken >= wanted {
            return Ok(began.elapsed());
        }
        if taken > last {
            (last, moved) = (taken, Instant::now());
        }
        if moved.elapsed() > PATIENCE {
            bail!("stuck at {taken} of {wanted} messages");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Until the service has nothing to do any more: the last callbacks are in.
async fn settle(stage: &Stage) -> anyhow::Result<()> {
    let mut last = usage::of(&stage.ids());
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = usage::of(&stage.ids());
        if now.cpu_since(last) < Duration::from_millis(30) {
            return Ok(());
        }
        last = now;
    }
}
