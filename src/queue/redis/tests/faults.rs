//! A server that forgets, dies, freezes or is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use secrecy::SecretString;
use tokio::time::{Instant, timeout};

use super::server::{PATIENCE, Server, done, push_of, send, until};
use crate::domain::clock::{Clock, SystemClock};
use crate::queue::contract::{self, job};
use crate::queue::{Ack, Job, JobQueue, Lease, Outcome, Push, RedisQueue};
use crate::redis::Redis;

const LEASE: Duration = Duration::from_secs(30);
const AT_ONCE: Duration = Duration::ZERO;

/// Stands for the database: what is to be done, and by whom it is being done.
#[derive(Default)]
struct Rows {
    jobs: Mutex<BTreeMap<String, Row>>,
    /// Raised before and after each loss: leases of different numbers do not know each other.
    losses: AtomicU64,
    /// Leases that hold, and since which loss.
    held: Mutex<BTreeMap<String, u64>>,
    twice: AtomicU64,
    over: AtomicBool,
}

struct Row {
    job: Job,
    runs: u32,
    runs_now: bool,
}

impl Rows {
    fn add(&self, job: &Job) {
        let row = Row {
            job: job.clone(),
            runs: 0,
            runs_now: false,
        };
        self.jobs.lock().unwrap().insert(job.to_string(), row);
    }

    /// What `requeue` would push: due and not taken.
    fn waiting(&self) -> Vec<Push> {
        let due = SystemClock.now();
        let jobs = self.jobs.lock().unwrap();
        let waiting = jobs.values().filter(|row| row.runs == 0 && !row.runs_now);
        waiting
            .map(|row| Push {
                job: row.job.clone(),
                due,
            })
            .collect()
    }

    fn claim(&self, job: &Job) -> bool {
        let mut jobs = self.jobs.lock().unwrap();
        let row = jobs.get_mut(&job.to_string()).unwrap();
        let free = row.runs == 0 && !row.runs_now;
        row.runs_now = row.runs_now || free;
        free
    }

    fn finish(&self, job: &Job) {
        let mut jobs = self.jobs.lock().unwrap();
        let row = jobs.get_mut(&job.to_string()).unwrap();
        row.runs += 1;
        row.runs_now = false;
    }

    async fn work(&self, queue: Arc<RedisQueue>, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        while !self.over.load(Ordering::SeqCst) {
            let before = self.losses.load(Ordering::SeqCst);
            let lent = queue.reserve(4, LEASE).await.unwrap_or_default();
            let after = self.losses.load(Ordering::SeqCst);
            for lease in &lent {
                if before == after {
                    let name = lease.job.to_string();
                    let other = self.held.lock().unwrap().insert(name, after);
                    if other == Some(after) {
                        self.twice.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
            for lease in &lent {
                self.run(&queue, lease, after, &mut rng).await;
            }
            if lent.is_empty() {
                // Given up half way, as at a shutdown.
                let soon = Duration::from_millis(rng.random_range(1..40));
                let _ = timeout(soon, queue.wait_ready()).await;
            }
        }
    }

    async fn run(&self, queue: &RedisQueue, lease: &Lease, loss: u64, rng: &mut StdRng) {
        let is_ours = self.claim(&lease.job);
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..3))).await;
        let outcome = if is_ours && rng.random_bool(0.2) {
            self.jobs
                .lock()
                .unwrap()
                .get_mut(&lease.job.to_string())
                .unwrap()
                .runs_now = false;
            Outcome::Retry(SystemClock.now())
        } else {
            if is_ours {
                self.finish(&lease.job);
            }
            Outcome::Done
        };
        {
            let mut held = self.held.lock().unwrap();
            let name = lease.job.to_string();
            if held.get(&name) == Some(&loss) {
                held.remove(&name);
            }
        }
        let token = lease.token;
        let _ = queue.ack(vec![Ack { token, outcome }]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgets_at_any_moment_loses_no_job() {
    let Some(server) = Server::start().await else {
        return;
    };
    let rows = Arc::new(Rows::default());
    let workers: Vec<_> = (0..4)
        .map(|seed| {
            let (rows, queue) = (Arc::clone(&rows), server.queue());
            tokio::spawn(async move { rows.work(queue, seed).await })
        })
        .collect();
    let queue = server.queue();
    let mut rng = StdRng::seed_from_u64(7);
    for wave in 0..60 {
        for id in 0..10 {
            rows.add(&job(wave % 7, wave * 4 + id));
        }
        queue.push(rows.waiting()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..15))).await;
        rows.losses.fetch_add(1, Ordering::SeqCst);
        server.ask::<()>(&["FLUSHALL"]).await;
        rows.losses.fetch_add(1, Ordering::SeqCst);
    }
    let requeue = async || {
        let waiting = rows.waiting();
        queue.push(waiting.clone()).await.unwrap();
        waiting.is_empty() && queue.depths().await.unwrap().is_empty()
    };
    until(requeue).await;
    rows.over.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    let jobs = rows.jobs.lock().unwrap();
    assert!(jobs.len() > 200);
    assert!(jobs.values().all(|row| row.runs >= 1));
    assert_eq!(rows.twice.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_that_comes_back_empty_goes_on() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    let queue = server.queue();
    queue
        .push(push_of(&queue, job(1, 1), AT_ONCE))
        .await
        .unwrap();
    let lent = queue.reserve(1, LEASE).await.unwrap();
    let sleeper = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.wait_ready().await }
    });
    until(async || server.number("blocked_clients").await == 1).await;
    server.kill();
    let began = Instant::now();
    for failed in [
        queue.push(push_of(&queue, job(1, 1), AT_ONCE)).await.err(),
        queue.reserve(1, LEASE).await.err(),
        queue.ack(vec![done(lent[0].token)]).await.err(),
    ] {
        let said = failed.expect("there is no server").to_string();
        assert!(said.contains("127.0.0.1:"), "{said}");
    }
    let degraded = queue.health().await.expect_err("there is no server");
    assert_eq!(degraded.what, "Redis does not answer");
    assert!(degraded.detail.contains("127.0.0.1:"), "{degraded}");
    assert!(began.elapsed() < Duration::from_secs(2), "nothing waits");
    // Either way it does not sleep on as if nothing had happened.
    drop(timeout(PATIENCE, sleeper).await.unwrap().unwrap());
    server.begin().await;
    assert_eq!(queue.ack(vec![done(lent[0].token)]).await.unwrap(), 0);
    assert!(queue.reserve(1, LEASE).await.unwrap().is_empty());
    queue
        .push(push_of(&queue, job(1, 1), AT_ONCE))
        .await
        .unwrap();
    timeout(PATIENCE, queue.wait_ready())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(queue.reserve(1, LEASE).await.unwrap()[0].attempt, 1);
    // Forgotten scripts are sent again.
    server.ask::<()>(&["SCRIPT", "FLUSH"]).await;
    queue
        .push(push_of(&queue, job(1, 2), AT_ONCE))
        .await
        .unwrap();
    assert_eq!(queue.reserve(1, LEASE).await.unwrap()[0].job, job(1, 2));
}

#[tokio::test]
async fn a_frozen_server_is_not_waited_for_and_gets_back_what_it_lent_to_nobody() {
    let Some(server) = Server::start().await else {
        return;
    };
    let queue = server.queue();
    queue
        .push(push_of(&queue, job(1, 1), AT_ONCE))
        .await
        .unwrap();
    let pid = server.pid().await.to_string();
    // The scripts are known, and connections are there.
    queue.reserve(0, LEASE).await.unwrap();
    send("-STOP", &pid);
    // A second queue, that had no connection yet.
    let other = server.queue();
    let began = Instant::now();
    let failed = other.push(push_of(&other, job(1, 2), AT_ONCE)).await;
    assert!(failed.unwrap_err().to_string().contains("no answer within"));
    assert!(began.elapsed() < Duration::from_secs(1), "a webhook waits");
    send("-CONT", &pid);
    // Frozen between the question and the answer: taken by hand, as nobody can time it.
    let salt = super::text::new_salt(0);
    let over = super::text::of_instant(SystemClock.now() + LEASE);
    let server = &queue.server;
    let args = ["1".to_owned(), over.to_string(), salt.clone()];
    let (_, unheard): (bool, Vec<super::Lent>) = server
        .ask(&server.steps.reserve, &server.shards[0], &args)
        .await
        .unwrap();
    assert_eq!(unheard.len(), 1);
    queue.remember(super::Unheard { salt, count: 1 });
    let lent = queue.reserve(1, LEASE).await.unwrap();
    assert_eq!((&lent[0].job, lent[0].attempt), (&job(1, 1), 1));
}

#[tokio::test]
async fn who_never_answers_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let url = SecretString::from(format!("redis://:hush@{address}"));
    let redis = Redis::open(&url, "test").unwrap();
    let queue = RedisQueue::new(redis, contract::clock(), 1);
    let (began, bound) = (Instant::now(), Duration::from_millis(2500));
    let pushed = queue.push(push_of(&queue, job(1, 1), AT_ONCE)).await;
    assert!(began.elapsed() < Duration::from_secs(1), "a webhook waits");
    let asked = async {
        tokio::join!(
            queue.reserve(1, LEASE),
            queue.depths(),
            queue.health(),
            queue.wait_ready()
        )
    };
    let (reserved, depths, health, waited) = timeout(bound, asked).await.unwrap();
    let health = health.unwrap_err().to_string();
    let failures: BTreeSet<_> = [pushed.err(), reserved.err(), depths.err(), waited.err()]
        .into_iter()
        .map(|failed| failed.unwrap().to_string())
        .chain([health])
        .collect();
    assert_eq!(failures.len(), 5, "each says what was asked: {failures:?}");
    for said in failures {
        assert!(said.contains(&address.to_string()), "{said}");
        assert!(!said.contains("hush"), "{said}");
    }
    assert!(!format!("{queue:?}").contains("hush"));
}
