//! Reserve, run, ack: the loop that turns jobs into work.
//!
//! It reserves only what it can begin at once, so a lease never waits in a line of ours; and it
//! never gives a job up by itself, since only the handler knows when trying is pointless.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Ack, Handlers, JobContext, JobError, JobQueue, Lease, Outcome, QueueError, RetryPolicy, later,
};
use crate::domain::clock::SharedClock;
use crate::lifecycle::Lifecycle;

/// No job comes back sooner, or one that asks for no delay would spin.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// How many leases are taken or acked in one call to the back end.
const BATCH: usize = 64;

/// How often an ack is tried before its lease is left to run out.
const SETTLE_TRIES: u32 = 5;

/// How a runner works.
#[derive(Debug, Clone, Copy)]
pub struct RunnerConfig {
    /// How many jobs run at the same time.
    pub concurrency: usize,
    /// How much longer than the longest run a lease lasts, to ack in.
    pub lease_margin: Duration,
    /// When a failed job is tried again.
    pub retry: RetryPolicy,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self {
            concurrency: 64,
            lease_margin: Duration::from_secs(15),
            retry: RetryPolicy::default(),
        }
    }
}

/// Takes jobs from a queue and lets their handlers do them.
#[derive(Debug)]
pub struct Runner {
    queue: Arc<dyn JobQueue>,
    handlers: Handlers,
    clock: SharedClock,
    config: RunnerConfig,
    rng: Mutex<StdRng>,
}

/// How a run ended, before the queue hears of it.
enum Ended {
    Returned(Result<(), JobError>),
    Panicked(Box<dyn Any + Send>),
    OutOfTime(Duration),
    Stopped,
    NobodyKnowsIt,
}

impl Runner {
    /// A runner whose jitter comes from `rng`.
    pub fn new(
        queue: Arc<dyn JobQueue>,
        handlers: Handlers,
        clock: SharedClock,
        config: RunnerConfig,
        rng: StdRng,
    ) -> Self {
        Self {
            queue,
            handlers,
            clock,
            config,
            rng: Mutex::new(rng),
        }
    }

    /// Works until the first breath, then lets running jobs finish; the second drops them, and
    /// they go back to the queue. All tasks are tracked by `life`, so its shutdown waits for them.
    pub async fn run(self: Arc<Self>, life: Lifecycle) {
        let concurrency = self.config.concurrency.max(1);
        // The bound makes runs wait when the back end cannot keep up with their ends.
        let (ends, inbox) = mpsc::channel(concurrency);
        life.spawn("ack", Arc::clone(&self).ack_all(inbox, life.hard().clone()));
        let slots = Arc::new(Semaphore::new(concurrency));
        let mut failures = 0;
        loop {
            let slot = Arc::clone(&slots).acquire_owned();
            let Some(Ok(mut permits)) = life.soft().run_until_cancelled(slot).await else {
                break;
            };
            let spare = slots.available_permits().min(BATCH - 1);
            if let Ok(more) = Arc::clone(&slots).try_acquire_many_owned(as_u32(spare)) {
                permits.merge(more);
            }
            // Never cancelled half way: leases taken but not seen would have to run out.
            let reserved = self
                .queue
                .reserve(permits.num_permits(), self.lease())
                .await;
            let idle = reserved.as_ref().is_ok_and(Vec::is_empty);
            match reserved {
                Ok(leases) => {
                    // An empty answer proves little: the wait that follows may still fail each time.
                    if !idle {
                        failures = 0;
                    }
                    for lease in leases {
                        let slot = permits.split(1);
                        let (runner, ends, life_) = (Arc::clone(&self), ends.clone(), life.clone());
                        life.spawn("job", async move {
                            let end = runner.run_one(&lease, &life_).await;
                            // Only fails when the settler is gone; the lease runs out then.
                            let _ = ends.send(end).await;
                            drop(slot);
                        });
                    }
                }
                Err(error) => failures = self.back_off(failures, &error, life.soft()).await,
            }
            drop(permits);
            if idle {
                match life
                    .soft()
                    .run_until_cancelled(self.queue.wait_ready())
                    .await
                {
                    Some(Err(error)) => {
                        failures = self.back_off(failures, &error, life.soft()).await;
                    }
                    Some(Ok(())) => failures = 0,
                    None => break,
                }
            }
        }
    }

    /// Does everything that is due now and becomes due through it, one job after the other in the
    /// calling task, until nothing is due; the number of runs. For tests and the demo's past, whose clock
    /// stands still.
    pub async fn run_due(&self) -> Result<usize, QueueError> {
        let life = Lifecycle::new();
        let mut runs = 0;
        loop {
            let leases = self.queue.reserve(1, self.lease()).await?;
            let Some(lease) = leases.first() else {
                return Ok(runs);
            };
            let end = self.run_one(lease, &life).await;
            self.queue.ack(vec![end]).await?;
            runs += 1;
        }
    }

    fn lease(&self) -> Duration {
        self.handlers
            .longest_run()
            .saturating_add(self.config.lease_margin)
    }

    async fn run_one(&self, lease: &Lease, life: &Lifecycle) -> Ack {
        let job = &lease.job;
        let span = tracing::info_span!(
            "job",
            job.kind = %job.kind,
            job.tenant = %job.tenant,
            job.attempt = lease.attempt
        );
        let began = Instant::now();
        let outcome = async {
            let ended = self.attempt(lease, life).await;
            self.judge(lease, ended)
        }
        .instrument(span)
        .await;
        metrics::histogram!("job_run_seconds", "kind" => job.kind.to_string())
            .record(began.elapsed());
        Ack {
            token: lease.token,
            outcome,
        }
    }

    async fn attempt(&self, lease: &Lease, life: &Lifecycle) -> Ended {
        let Some(handler) = self.handlers.get(&lease.job.kind) else {
            return Ended::NobodyKnowsIt;
        };
        let cx = JobContext {
            attempt: lease.attempt,
            lane: lease.lane,
            stopping: life.soft().clone(),
        };
        let limit = handler.time_limit();
        let run = AssertUnwindSafe(handler.run(&lease.job, &cx)).catch_unwind();
        tokio::select! {
            biased;
            () = life.hard().cancelled() => Ended::Stopped,
            ended = tokio::time::timeout(limit, run) => match ended {
                Ok(Ok(result)) => Ended::Returned(result),
                Ok(Err(panic)) => Ended::Panicked(panic),
                Err(_) => Ended::OutOfTime(limit),
            },
        }
    }

    /// What the queue is told, with a log line for whoever wonders why.
    fn judge(&self, lease: &Lease, ended: Ended) -> Outcome {
        let now = self.clock.now();
        let job = &lease.job;
        let (label, outcome) = match ended {
            Ended::Returned(Ok(())) => ("done", Outcome::Done),
            Ended::Returned(Err(JobError::Snooze(wait))) => {
                tracing::debug!("Snoozed {job} for {wait:?}");
                (
                    "snooze",
                    Outcome::Snooze(later(now, wait.max(SHORTEST_WAIT))),
                )
            }
            Ended::Returned(Err(JobError::Cancel(why))) => {
                tracing::info!("Cancelled {job}: {why}");
                ("cancel", Outcome::Cancel)
            }
            Ended::Returned(Err(JobError::Retry { source, after })) => {
                let wait = self.retry_wait(lease, after);
                tracing::warn!(error = &*source, "Failed at {job}, again in {wait:?}");
                ("retry", Outcome::Retry(later(now, wait)))
            }
            Ended::Panicked(panic) => {
                let wait = self.retry_wait(lease, None);
                let said = words(&*panic);
                tracing::error!("Panicked at {job}, again in {wait:?}: {said}");
                ("panic", Outcome::Retry(later(now, wait)))
            }
            Ended::OutOfTime(limit) => {
                let wait = self.retry_wait(lease, None);
                tracing::warn!("Took longer than {limit:?} over {job}, again in {wait:?}");
                ("timeout", Outcome::Retry(later(now, wait)))
            }
            Ended::Stopped => {
                tracing::info!("Stopped {job}, which goes back to the queue");
                ("stopped", Outcome::Snooze(now))
            }
            Ended::NobodyKnowsIt => {
                let wait = self.retry_wait(lease, None);
                tracing::error!("No handler here does {job}, again in {wait:?}");
                ("unknown_kind", Outcome::Retry(later(now, wait)))
            }
        };
        metrics::counter!("jobs_total", "kind" => job.kind.to_string(), "outcome" => label)
            .increment(1);
        outcome
    }

    fn retry_wait(&self, lease: &Lease, after: Option<Duration>) -> Duration {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        self.config.retry.wait(lease.attempt, after, &mut *rng)
    }

    /// Tells the queue how runs ended, many at once; ends when the last run has told its own.
    async fn ack_all(self: Arc<Self>, mut inbox: mpsc::Receiver<Ack>, hard: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        while inbox.recv_many(&mut batch, BATCH).await > 0 {
            for failures in 0..SETTLE_TRIES {
                match self.queue.ack(batch.clone()).await {
                    Ok(acked) => {
                        // After a failure, an earlier try may have been taken without our hearing of it.
                        if acked < batch.len() && failures == 0 {
                            let late = batch.len() - acked;
                            tracing::warn!("{late} jobs outlived their lease and run once more");
                        }
                        break;
                    }
                    Err(error) => {
                        self.back_off(failures, &error, &hard).await;
                    }
                }
            }
            batch.clear();
        }
    }

    /// Waits after trouble with the back end, or until `stop`; the number of failures by now.
    async fn back_off(&self, failures: u32, error: &QueueError, stop: &CancellationToken) -> u32 {
        let failures = failures.saturating_add(1);
        let wait = {
            let policy = RetryPolicy {
                first: Duration::from_millis(100),
                cap: Duration::from_secs(10),
                ..self.config.retry
            };
            let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
            policy.wait(failures, None, &mut *rng)
        };
        tracing::error!(
            error = &*error.0,
            "The queue does not answer, again in {wait:?}"
        );
        stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        failures
    }
}

/// A random source for [`Runner::new`] that nobody can foretell.
pub fn unforeseen() -> StdRng {
    StdRng::from_rng(&mut rand::rng())
}

fn as_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it said nothing")
}

#[cfg(test)]
mod tests;
