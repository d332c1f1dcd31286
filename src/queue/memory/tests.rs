//! The contract, and what holds for this back end whatever happens to it.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::domain::clock::{Clock, FixedClock, SystemClock};
use crate::lifecycle::{Ending, Lifecycle};
use crate::queue::contract::{self, Subject, contract_suite};
use crate::queue::{
    Handler, Handlers, JobContext, JobError, Kind, RetryPolicy, Runner, RunnerConfig,
};

fn subject() -> Subject {
    let clock = contract::clock();
    Subject {
        queue: Arc::new(MemoryQueue::new(clock.clone())),
        clock,
    }
}

contract_suite!(subject());

#[tokio::test]
async fn an_idle_worker_wakes_at_the_due_time_by_itself() {
    let clock: SharedClock = Arc::new(SystemClock);
    let queue = MemoryQueue::new(Arc::clone(&clock));
    let due = later(clock.now(), Duration::from_millis(30));
    queue
        .push(vec![Push {
            job: contract::job(1, 1),
            due,
        }])
        .await
        .unwrap();
    tokio::time::timeout(Duration::from_secs(20), queue.wait_ready())
        .await
        .unwrap()
        .unwrap();
    assert!(clock.now() >= due);
    assert_eq!(
        queue
            .reserve(1, Duration::from_secs(1))
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn an_idle_worker_wakes_when_a_lease_made_after_it_slept_is_over() {
    let clock: SharedClock = Arc::new(SystemClock);
    let queue = Arc::new(MemoryQueue::new(Arc::clone(&clock)));
    let sleeper = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.wait_ready().await }
    });
    tokio::task::yield_now().await;
    queue
        .push(vec![Push {
            job: contract::job(1, 1),
            due: clock.now(),
        }])
        .await
        .unwrap();
    // On this one thread the sleeper has not run yet, and finds the ring empty again.
    assert_eq!(
        queue
            .reserve(1, Duration::from_millis(30))
            .await
            .unwrap()
            .len(),
        1
    );
    tokio::time::timeout(Duration::from_secs(20), sleeper)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[derive(Debug, Clone)]
enum Move {
    Push { tenant: u8, id: u8, after: u8 },
    Reserve { max: u8 },
    Ack { which: usize, how: u8, after: u8 },
    Pass { seconds: u8 },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => (0_u8..4, 0_u8..6, 0_u8..20)
            .prop_map(|(tenant, id, after)| Move::Push { tenant, id, after: after.saturating_sub(10) }),
        3 => (1_u8..5).prop_map(|max| Move::Reserve { max }),
        3 => (any::<usize>(), 0_u8..4, 0_u8..20)
            .prop_map(|(which, how, after)| Move::Ack { which, how, after }),
        2 => (0_u8..15).prop_map(|seconds| Move::Pass { seconds }),
    ];
    prop::collection::vec(one, 0..200)
}

fn now_or_panic<T>(future: impl Future<Output = Result<T, QueueError>>) -> T {
    future.now_or_never().expect("memory never waits").unwrap()
}

proptest! {
    /// No push is lost: after the last push of a job a run of it begins, whatever happened
    /// between; and no job is lent twice at the same time.
    #[test]
    fn no_job_is_lost_or_run_twice_at_once(moves in moves()) {
        let clock = contract::clock();
        let queue = MemoryQueue::new(clock.clone());
        let lease = Duration::from_secs(10);
        let mut held: Vec<Lease> = Vec::new();
        let mut over: BTreeSet<LeaseToken> = BTreeSet::new();
        let mut owed: BTreeSet<String> = BTreeSet::new();
        for made in moves {
            match made {
                Move::Push { tenant, id, after } => {
                    let job = contract::job(tenant, id);
                    owed.insert(job.to_string());
                    let due = later(clock.now(), Duration::from_secs(after.into()));
                    now_or_panic(queue.push(vec![Push { job, due }]));
                }
                Move::Reserve { max } => {
                    for lent in now_or_panic(queue.reserve(max.into(), lease)) {
                        let now = clock.now();
                        let twice = held.iter().any(|other| other.job == lent.job && other.until > now);
                        prop_assert!(!twice, "lent twice at once");
                        owed.remove(&lent.job.to_string());
                        held.push(lent);
                    }
                }
                Move::Ack { which, how, after } if !held.is_empty() => {
                    let lent = held.swap_remove(which % held.len());
                    let ours = lent.until > clock.now();
                    let due = later(clock.now(), Duration::from_secs(after.into()));
                    let outcome = match how {
                        0 => Outcome::Done,
                        1 => Outcome::Cancel,
                        2 => Outcome::Retry(due),
                        _ => Outcome::Snooze(due),
                    };
                    if ours && how > 1 {
                        owed.insert(lent.job.to_string());
                    }
                    let end = Ack { token: lent.token, outcome };
                    prop_assert_eq!(now_or_panic(queue.ack(vec![end])), usize::from(ours));
                }
                Move::Ack { .. } => {}
                Move::Pass { seconds } => {
                    clock.advance(chrono::TimeDelta::seconds(seconds.into()));
                    for lost in held.iter().filter(|lease| lease.until <= clock.now()) {
                        if over.insert(lost.token) {
                            owed.insert(lost.job.to_string());
                        }
                    }
                }
            }
            let state = queue.state.lock().unwrap();
            let counted: usize = state.depths.values().map(TenantDepth::total).sum();
            prop_assert_eq!(counted, state.entries.len());
            prop_assert_eq!(state.leases.len(), state.expiries.len());
        }
        // Let all leases expire and all delays pass: everything owed runs.
        clock.advance(chrono::TimeDelta::hours(1));
        for lent in now_or_panic(queue.reserve(usize::MAX, lease)) {
            owed.remove(&lent.job.to_string());
            let end = Ack { token: lent.token, outcome: Outcome::Done };
            now_or_panic(queue.ack(vec![end]));
        }
        prop_assert!(owed.is_empty(), "lost: {:?}", owed);
        let state = queue.state.lock().unwrap();
        prop_assert!(state.entries.is_empty() && state.depths.is_empty());
        prop_assert!(state.ring.is_empty() && state.calendar.is_empty());
    }
}

#[test]
fn an_empty_queue_keeps_no_memory_of_its_tenants() {
    let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
    let queue = MemoryQueue::new(clock);
    let job = Job::new(Kind::new("test"), Uuid::max(), []);
    now_or_panic(queue.push(vec![Push {
        job,
        due: DateTime::UNIX_EPOCH,
    }]));
    let lent = now_or_panic(queue.reserve(1, Duration::from_secs(1)));
    let end = Ack {
        token: lent[0].token,
        outcome: Outcome::Done,
    };
    now_or_panic(queue.ack(vec![end]));
    assert_eq!(now_or_panic(queue.depths()), []);
}

/// Notices when a job is run by two at once.
#[derive(Default)]
struct Alone {
    running: Mutex<BTreeSet<String>>,
    twice: AtomicUsize,
    runs: AtomicUsize,
}

#[async_trait]
impl Handler for Alone {
    async fn run(&self, job: &Job, cx: &JobContext) -> Result<(), JobError> {
        if !self.running.lock().unwrap().insert(job.to_string()) {
            self.twice.fetch_add(1, Ordering::SeqCst);
        }
        tokio::task::yield_now().await;
        self.running.lock().unwrap().remove(&job.to_string());
        match self.runs.fetch_add(1, Ordering::SeqCst) % 7 {
            0 if cx.attempt < 3 => Err(JobError::retry("no luck")),
            1 => Err(JobError::Snooze(Duration::ZERO)),
            2 if cx.attempt < 3 => panic!("fell over"),
            _ => Ok(()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_never_run_one_job_at_the_same_time() {
    let clock: SharedClock = Arc::new(SystemClock);
    let queue: Arc<dyn JobQueue> = Arc::new(MemoryQueue::new(Arc::clone(&clock)));
    let alone = Arc::new(Alone::default());
    let life = Lifecycle::new();
    let ms = Duration::from_millis;
    let retry = RetryPolicy {
        first: ms(1),
        cap: ms(4),
        ..RetryPolicy::default()
    };
    for seed in 0..3 {
        let runner = Arc::new(Runner::new(
            Arc::clone(&queue),
            Handlers::new().with(contract::job(0, 0).kind, alone.clone()),
            Arc::clone(&clock),
            RunnerConfig {
                concurrency: 16,
                retry,
                ..RunnerConfig::default()
            },
            StdRng::seed_from_u64(seed),
        ));
        life.spawn("runner", runner.run(life.clone()));
    }
    for _ in 0..20 {
        let due = clock.now();
        let batch = (0..100)
            .map(|n| Push {
                job: contract::job(n % 7, n),
                due,
            })
            .collect();
        queue.push(batch).await.unwrap();
        tokio::task::yield_now().await;
    }
    let empty = async {
        while !queue.depths().await.unwrap().is_empty() {
            tokio::time::sleep(ms(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), empty)
        .await
        .unwrap();
    assert_eq!(life.shutdown(Duration::from_secs(30)).await, Ending::Quiet);
    assert_eq!(alone.twice.load(Ordering::SeqCst), 0);
    assert!(alone.runs.load(Ordering::SeqCst) >= 100);
}
