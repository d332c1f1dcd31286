//! The contract without Redis, and changes at the worst moment.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::domain::clock::{Clock as _, SystemClock};
use crate::queue::Lane;
use crate::queue::absent::Absent;
use crate::queue::contract::{self, Subject, contract_suite, job};

const LEASE: Duration = Duration::from_secs(30);

fn at_once() -> Yardstick {
    Arc::new(|| Box::pin(async {}))
}

/// A queue whose Redis was given up.
async fn alone() -> Subject {
    let clock = contract::clock();
    let redis = Arc::new(Absent::Refusing);
    let queue = Arc::new(FailoverQueue::start(redis, clock.clone(), true, at_once()));
    assert!(queue.health().await.is_err());
    Subject { queue, clock }
}

contract_suite!(alone().await);

/// A Redis that does as the test says.
#[derive(Debug, Default)]
struct Scripted {
    is_ill: AtomicBool,
    takes: AtomicUsize,
    /// What a reservation waits for before it lends one job.
    lends: Notify,
    acked: Mutex<Vec<Ack>>,
}

const LATE: LeaseToken = LeaseToken(uuid::Uuid::max());

impl Scripted {
    fn is_ill(&self, is_ill: bool) {
        self.is_ill.store(is_ill, Ordering::SeqCst);
    }

    fn answer(&self) -> Result<(), QueueError> {
        if self.is_ill.load(Ordering::SeqCst) {
            return Err(QueueError("ill".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl JobQueue for Scripted {
    fn name(&self) -> &'static str {
        "Redis"
    }

    async fn push(&self, _: Vec<Push>) -> Result<(), QueueError> {
        self.answer()
    }

    async fn reserve(&self, _: usize, lease: Duration) -> Result<Vec<Lease>, QueueError> {
        self.lends.notified().await;
        Ok(vec![Lease {
            token: LATE,
            job: job(1, 1),
            attempt: 1,
            lane: Lane::Fresh,
            until: crate::queue::later(SystemClock.now(), lease),
        }])
    }

    async fn ack(&self, batch: Vec<Ack>) -> Result<usize, QueueError> {
        lock(&self.acked).extend(&batch);
        Ok(batch.len())
    }

    async fn wait_ready(&self) -> Result<(), QueueError> {
        std::future::pending().await
    }

    async fn depths(&self) -> Result<Vec<TenantDepth>, QueueError> {
        Ok(Vec::new())
    }

    async fn health(&self) -> Result<(), Degraded> {
        let takes = self.takes.load(Ordering::SeqCst).try_into().unwrap();
        sleep(Duration::from_millis(takes)).await;
        self.answer().map_err(|error| Degraded {
            what: "Redis is ill".to_owned(),
            detail: error.to_string(),
        })
    }
}

fn over(redis: &Arc<Scripted>, does_jobs: bool, yardstick: Yardstick) -> FailoverQueue {
    FailoverQueue::start(redis.clone(), Arc::new(SystemClock), does_jobs, yardstick)
}

async fn turns(queue: &FailoverQueue, is_alone: bool) {
    let turned = timeout(Duration::from_secs(10), queue.0.until(is_alone)).await;
    turned.expect("it turns");
}

fn push_now() -> Vec<Push> {
    let due = SystemClock.now();
    vec![Push {
        job: job(1, 2),
        due,
    }]
}

#[tokio::test]
async fn a_reservation_that_hangs_is_not_waited_for_and_what_it_lent_is_given_back() {
    let redis = Arc::new(Scripted::default());
    let queue = Arc::new(over(&redis, true, at_once()));
    let asked = tokio::spawn({
        let queue = queue.clone();
        async move { queue.reserve(1, LEASE).await }
    });
    redis.is_ill(true);
    let lent = timeout(Duration::from_secs(10), asked).await.unwrap();
    assert!(lent.unwrap().unwrap().is_empty());
    redis.lends.notify_one();
    redis.is_ill(false);
    turns(&queue, false).await;
    let ended = lock(&redis.acked).clone();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].token, LATE);
    assert!(matches!(ended[0].outcome, Outcome::Snooze(_)));
}

#[tokio::test]
async fn a_push_that_fails_before_the_verdict_is_done_here() {
    let redis = Arc::new(Scripted::default());
    let queue = over(&redis, true, at_once());
    assert_eq!(queue.health().await, Ok(()));
    redis.is_ill(true);
    queue.push(push_now()).await.unwrap();
    let lent = queue.reserve(1, LEASE).await.unwrap();
    assert_eq!(lent[0].job, job(1, 2));
}

#[tokio::test]
async fn where_nobody_does_jobs_none_are_piled_up() {
    let redis = Arc::new(Scripted::default());
    redis.is_ill(true);
    let queue = over(&redis, false, at_once());
    turns(&queue, true).await;
    queue.push(push_now()).await.unwrap();
    assert!(queue.reserve(1, LEASE).await.unwrap().is_empty());
    assert!(queue.depths().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_machine_that_is_busy_itself_does_not_blame_redis() {
    let redis = Arc::new(Scripted::default());
    redis.takes.store(300, Ordering::SeqCst);
    let busy: Yardstick = Arc::new(|| Box::pin(sleep(Duration::from_millis(250))));
    let (blamed, spared) = (over(&redis, true, at_once()), over(&redis, true, busy));
    turns(&blamed, true).await;
    assert_eq!(blamed.health().await.unwrap_err().what, "Redis is slow");
    assert_eq!(spared.health().await, Ok(()));
}
