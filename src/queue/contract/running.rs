//! The part of the contract that shows with a runner on top: failures, panics, time-outs, shutdown.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rand::SeedableRng;
use rand::rngs::StdRng;
use uuid::Uuid;

use super::{KIND, LEASE, Subject, job, number};
use crate::domain::clock::{Clock, FixedClock};
use crate::lifecycle::{Ending, Lifecycle};
use crate::queue::{
    Handler, Handlers, Job, JobContext, JobError, JobQueue, Kind, Lane, Push, Runner, RunnerConfig,
};

impl Subject {
    fn runner(&self, script: impl IntoIterator<Item = Act>) -> (Arc<Runner>, Arc<Actor>) {
        let actor = Arc::new(Actor {
            script: Mutex::new(script.into_iter().collect()),
            seen: Mutex::default(),
            queue: Arc::clone(&self.queue),
            clock: self.clock.clone(),
        });
        let handlers = Handlers::new().with(KIND, actor.clone());
        let runner = Runner::new(
            Arc::clone(&self.queue),
            handlers,
            self.clock.clone(),
            RunnerConfig {
                concurrency: 4,
                ..RunnerConfig::default()
            },
            StdRng::seed_from_u64(7),
        );
        (Arc::new(runner), actor)
    }
}

/// What the handler does in its next run; nothing left means that it is done.
enum Act {
    Fail,
    FailUntil(Duration),
    Snooze(Duration),
    Cancel,
    Panic,
    Hang,
    PushAgain,
}

struct Actor {
    script: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<(u128, u32, Lane)>>,
    queue: Arc<dyn JobQueue>,
    clock: Arc<FixedClock>,
}

impl Actor {
    fn seen(&self) -> Vec<(u128, u32, Lane)> {
        self.seen.lock().unwrap().clone()
    }
}

#[async_trait]
impl Handler for Actor {
    async fn run(&self, job: &Job, cx: &JobContext) -> Result<(), JobError> {
        self.seen
            .lock()
            .unwrap()
            .push((number(job), cx.attempt, cx.lane));
        let act = self.script.lock().unwrap().pop_front();
        match act {
            None => Ok(()),
            Some(Act::Fail) => Err(JobError::retry("no luck")),
            Some(Act::FailUntil(after)) => Err(JobError::retry_after("no luck", after)),
            Some(Act::Snooze(wait)) => Err(JobError::Snooze(wait)),
            Some(Act::Cancel) => Err(JobError::cancel("nobody wants it")),
            Some(Act::Panic) => panic!("the handler fell over"),
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::PushAgain) => {
                let push = Push {
                    job: job.clone(),
                    due: self.clock.now(),
                };
                self.queue.push(vec![push]).await.map_err(JobError::retry)
            }
        }
    }

    fn time_limit(&self) -> Duration {
        Duration::from_millis(50)
    }
}

pub(crate) async fn a_failed_run_is_tried_again_after_the_policys_wait(s: Subject) {
    s.push(job(1, 1)).await;
    let (runner, actor) = s.runner([Act::Fail, Act::FailUntil(Duration::from_secs(100))]);
    assert_eq!(runner.run_due().await.unwrap(), 1);
    s.pass(1);
    assert_eq!(runner.run_due().await.unwrap(), 1);
    s.pass(99);
    assert_eq!(
        runner.run_due().await.unwrap(),
        0,
        "the other side asked for 100 s"
    );
    s.pass(2);
    assert_eq!(runner.run_due().await.unwrap(), 1);
    assert_eq!(
        actor.seen(),
        [
            (1, 1, Lane::Fresh),
            (1, 2, Lane::Retry),
            (1, 3, Lane::Retry)
        ]
    );
    assert_eq!(s.total().await, 0);
}

pub(crate) async fn a_panic_and_a_time_out_are_tried_again(s: Subject) {
    for act in [Act::Panic, Act::Hang] {
        s.push(job(1, 1)).await;
        let (runner, actor) = s.runner([act]);
        assert_eq!(runner.run_due().await.unwrap(), 1);
        s.pass(5);
        assert_eq!(runner.run_due().await.unwrap(), 1);
        assert_eq!(actor.seen(), [(1, 1, Lane::Fresh), (1, 2, Lane::Retry)]);
        assert_eq!(s.total().await, 0);
    }
}

pub(crate) async fn a_handlers_snooze_and_cancel_reach_the_queue(s: Subject) {
    s.push(job(1, 1)).await;
    let (runner, actor) = s.runner([Act::Snooze(Duration::from_secs(9)), Act::Cancel]);
    assert_eq!(runner.run_due().await.unwrap(), 1);
    s.pass(8);
    assert_eq!(runner.run_due().await.unwrap(), 0);
    s.pass(1);
    assert_eq!(runner.run_due().await.unwrap(), 1);
    assert_eq!(actor.seen(), [(1, 1, Lane::Fresh), (1, 1, Lane::Fresh)]);
    assert_eq!(s.total().await, 0);
}

pub(crate) async fn draining_follows_what_jobs_push(s: Subject) {
    s.push(job(1, 1)).await;
    s.push(job(2, 2)).await;
    let (runner, _) = s.runner([Act::PushAgain]);
    assert_eq!(runner.run_due().await.unwrap(), 3);
    assert_eq!(s.total().await, 0);
}

pub(crate) async fn a_kind_that_nobody_knows_is_kept(s: Subject) {
    s.push(Job::new(Kind::new("from the future"), Uuid::max(), []))
        .await;
    let (runner, actor) = s.runner([]);
    assert_eq!(runner.run_due().await.unwrap(), 1);
    assert_eq!(actor.seen(), []);
    assert_eq!(s.total().await, 1);
}

pub(crate) async fn a_runner_works_off_what_comes_and_stops_quietly(s: Subject) {
    let (runner, actor) = s.runner([Act::Panic, Act::Hang]);
    let life = Lifecycle::new();
    life.spawn("runner", runner.run(life.clone()));
    let due = s.clock.now();
    s.queue
        .push(
            (0..50)
                .map(|n| Push {
                    job: job(n % 5, n),
                    due,
                })
                .collect(),
        )
        .await
        .unwrap();
    // The panicked and the hanging run wait for the clock to move.
    until(async || s.total().await == 2).await;
    s.pass(60);
    s.push(job(9, 99)).await;
    until(async || s.total().await == 0).await;
    assert_eq!(life.shutdown(LEASE).await, Ending::Quiet);
    assert_eq!(actor.seen().len(), 53);
}

pub(crate) async fn the_second_breath_gives_running_jobs_back(s: Subject) {
    let stuck = Arc::new(Stuck);
    let handlers = Handlers::new().with(KIND, stuck);
    let runner = Arc::new(Runner::new(
        Arc::clone(&s.queue),
        handlers,
        s.clock.clone(),
        RunnerConfig::default(),
        StdRng::seed_from_u64(7),
    ));
    let life = Lifecycle::new();
    life.spawn("runner", runner.run(life.clone()));
    s.push(job(1, 1)).await;
    until(async || {
        s.queue
            .depths()
            .await
            .unwrap()
            .iter()
            .any(|d| d.fresh.leased == 1)
    })
    .await;
    assert_eq!(
        life.shutdown(Duration::from_millis(10)).await,
        Ending::Cancelled
    );
    assert_eq!(
        s.reserve_one().await.attempt,
        1,
        "our stop is not the job's failure"
    );
}

struct Stuck;

#[async_trait]
impl Handler for Stuck {
    async fn run(&self, _: &Job, _: &JobContext) -> Result<(), JobError> {
        std::future::pending().await
    }
}

/// Looks again until it is so; a back end outside the process needs a moment.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let look = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look)
        .await
        .expect("it never came to be so");
}
