//! What it costs. The bounds are generous, since they must hold anywhere; the figures are printed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use uuid::Uuid;

use super::server::{Server, done};
use crate::domain::clock::{Clock, SharedClock, SystemClock};
use crate::lifecycle::{Ending, Lifecycle};
use crate::queue::contract::job;
use crate::queue::{Handlers, Job, JobQueue, Push, Runner, RunnerConfig};

const LEASE: Duration = Duration::from_mins(5);

fn numbered(id: u128) -> Job {
    let Job { kind, tenant, .. } = job(1, 0);
    Job::new(kind, tenant, [Uuid::from_u128(id)])
}

#[tokio::test]
async fn a_hundred_thousand_waiting_jobs_make_no_step_slow() {
    let Some(server) = Server::start().await else {
        return;
    };
    let queue = server.queue();
    let due = SystemClock.now();
    let began = Instant::now();
    for batch in 0..50_u128 {
        let ids = batch * 2000..(batch + 1) * 2000;
        let batch = ids.map(|id| Push {
            job: numbered(id),
            due,
        });
        queue.push(batch.collect()).await.unwrap();
    }
    let pushed = began.elapsed();
    let memory = server.number("used_memory").await / (1 << 20);
    println!(
        "100,000 jobs pushed in {pushed:?} ({:.0}/s), {memory} MiB on the server",
        100_000.0 / pushed.as_secs_f64()
    );
    let one = Instant::now();
    let lent = queue.reserve(1, LEASE).await.unwrap();
    let reserved = one.elapsed();
    println!("one reserved of them in {reserved:?}");
    assert!(reserved < Duration::from_millis(250));
    assert_eq!(queue.ack(vec![done(lent[0].token)]).await.unwrap(), 1);
    let (worked, mut count) = (Instant::now(), 0);
    while count < 19_200 {
        let lent = queue.reserve(64, LEASE).await.unwrap();
        let ends: Vec<_> = lent.iter().map(|lease| done(lease.token)).collect();
        count += queue.ack(ends).await.unwrap();
    }
    println!(
        "reserved and acked in batches of 64: {:.0} jobs/s",
        f64::from(u32::try_from(count).unwrap()) / worked.elapsed().as_secs_f64()
    );
    // The longest that the server stood still for one step.
    let slowest: String = server.ask(&["INFO", "commandstats"]).await;
    for line in slowest.lines().filter(|line| line.contains("evalsha")) {
        println!("{line}");
    }
    assert!(began.elapsed() < Duration::from_secs(50));
}

#[tokio::test]
async fn idle_workers_ask_next_to_nothing() {
    let Some(server) = Server::start().await else {
        return;
    };
    let clock: SharedClock = Arc::new(SystemClock);
    let life = Lifecycle::new();
    for seed in 0..3 {
        let runner = Arc::new(Runner::new(
            server.queue(),
            Handlers::new(),
            Arc::clone(&clock),
            RunnerConfig::default(),
            StdRng::seed_from_u64(seed),
        ));
        life.spawn("runner", runner.run(life.clone()));
    }
    super::server::until(async || server.number("blocked_clients").await == 3).await;
    let before = server.number("total_commands_processed").await;
    let busy = cpu_ticks();
    let idle = Duration::from_secs(6);
    tokio::time::sleep(idle).await;
    let ticks = cpu_ticks() - busy;
    // Our own looks are a handful more.
    let asked = server.number("total_commands_processed").await - before;
    let each = f64::from(u32::try_from(asked).unwrap()) / idle.as_secs_f64() / 3.0;
    println!("an idle worker asks {each:.2} commands a second; all used {ticks} ticks of 10 ms");
    assert!(each < 2.0);
    assert!(ticks < 6, "below 1 % of a core");
    assert_eq!(life.shutdown(Duration::from_secs(5)).await, Ending::Quiet);
}

/// What this process has used so far, in hundredths of a second.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = fields.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
