//! A queue on Redis that goes on without it: while Redis is gone, refuses writes or is slow, the jobs of
//! this process are handed out here, filled from the database by whoever looks for what is due.
//!
//! ```text
//!             2 trials in a row fail, or 3 are slow,
//!             or what is asked of it fails over 3 good trials
//!        ┌───────────────────────────────────────────────────┐
//!        │                                                   ▼
//!   ┌─────────┐                                       ┌────────────┐
//!   │  Redis  │                                       │  Database  │
//!   └─────────┘                                       └────────────┘
//!        ▲                                                   │
//!        └───────────────────────────────────────────────────┘
//!             3 trials in a row are good, and quick
//!
//!              Redis                          Database
//!   push       to Redis; here if that fails   here
//!   reserve    what stands here, then Redis   here
//!   ack     where it was lent              here; Redis hears of its own when it is back
//!   waiting    for either                     here
//! ```
//!
//! The surprising part is how little has to be moved when it changes: nothing. Every job stands for a row
//! that waits in the database. So what Redis held is found there at once by the looks of each worker, what
//! stood here is forgotten when Redis is back and found by the next look, and a job that runs twice for it
//! finds its row taken.
//!
//! A trial is one step with all that the others do ([`RedisQueue`](super::RedisQueue)'s `trial.lua`), timed,
//! every second. Slow means slower than 200 ms *and* than twice what the database took for an answer just
//! then: a machine that is busy itself says nothing of Redis.

mod judge;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use self::judge::{Judge, STEPS, Trial, Verdict};
use super::{
    Ack, Degraded, JobQueue, Lease, LeaseToken, MemoryQueue, Outcome, Push, QueueError, TenantDepth,
};
use crate::domain::clock::SharedClock;

/// How often Redis is tried out.
const EVERY: Duration = Duration::from_secs(1);

/// How soon once more while there is doubt.
const IN_DOUBT: Duration = Duration::from_millis(250);

/// How long a trial may take; less than its steps give themselves, so that it is judged here.
const PATIENCE: Duration = Duration::from_millis(1900);

/// Whoever asks for the verdict before there is one waits no longer: three trials, and what is between.
const FIRST_VERDICT: Duration = Duration::from_secs(7);

/// How many ends of Redis's leases are kept for it; the leases of others run out.
const MOST_OWED: usize = 10_000;

/// Answers when the database has answered: what Redis is compared with.
pub type Yardstick = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// The queue of a process that shares a Redis with others. Share it in an `Arc`.
pub struct FailoverQueue(Arc<Inner>);

struct Inner {
    redis: Arc<dyn JobQueue>,
    /// Jobs of this process; none where nobody does any.
    here: Option<MemoryQueue>,
    clock: SharedClock,
    yardstick: Yardstick,
    /// What is wrong with Redis, while the database is looked into.
    degraded: watch::Sender<Option<Degraded>>,
    /// Whether a trial has ended yet.
    is_tried: watch::Sender<bool>,
    /// How the steps asked of Redis fared since the last trial.
    fared: [Fared; STEPS],
    complaint: Mutex<String>,
    doubt: Arc<Notify>,
    /// Leases of Redis that have not ended.
    lent: Mutex<HashSet<LeaseToken>>,
    /// Ends of those that it has not heard of.
    owed: Mutex<Vec<Ack>>,
}

/// How one kind of step fared.
#[derive(Default)]
struct Fared {
    worked: AtomicBool,
    failed: AtomicBool,
}

/// What is asked of Redis.
#[derive(Clone, Copy)]
enum Step {
    Push,
    Reserve,
    Ack,
    Wait,
}

impl FailoverQueue {
    /// `redis` for as long as it is well, which is watched from here on. `does_jobs` says whether jobs
    /// are run in this process.
    ///
    /// # Panics
    ///
    /// When it is called outside a runtime: Redis is tried out on this one.
    pub fn start(
        redis: Arc<dyn JobQueue>,
        clock: SharedClock,
        does_jobs: bool,
        yardstick: Yardstick,
    ) -> Self {
        let inner = Arc::new(Inner {
            redis,
            here: does_jobs.then(|| MemoryQueue::new(clock.clone())),
            clock,
            yardstick,
            degraded: watch::Sender::new(None),
            is_tried: watch::Sender::new(false),
            fared: Default::default(),
            complaint: Mutex::default(),
            doubt: Arc::default(),
            lent: Mutex::default(),
            owed: Mutex::default(),
        });
        drop(tokio::spawn(watch_over(
            Arc::downgrade(&inner),
            inner.doubt.clone(),
        )));
        Self(inner)
    }
}

/// Tries Redis out until the queue is gone.
async fn watch_over(queue: Weak<Inner>, doubt: Arc<Notify>) {
    let mut judge = Judge::default();
    loop {
        let Some(inner) = queue.upgrade() else {
            return;
        };
        let trial = inner.try_out(&judge).await;
        let verdict = judge.hear(trial, inner.fares(), Instant::now());
        if let Some(verdict) = verdict {
            inner.obey(verdict).await;
        }
        inner.is_tried.send_if_modified(|is_tried| {
            !judge.is_in_doubt() && !std::mem::replace(is_tried, true)
        });
        drop(inner);
        sleep(IN_DOUBT).await;
        if !judge.is_in_doubt() {
            // A step that fails makes the next trial come sooner.
            drop(timeout(EVERY.saturating_sub(IN_DOUBT), doubt.notified()).await);
        }
    }
}

impl Inner {
    async fn try_out(&self, judge: &Judge) -> Trial {
        let began = Instant::now();
        let health = timeout(PATIENCE, self.redis.health()).await;
        let took = began.elapsed();
        let degraded = match health {
            Ok(Err(degraded)) => return Trial::Failed(degraded),
            Ok(Ok(())) if !judge.is_slow(took) => return Trial::Good,
            Ok(Ok(())) => Trial::Slow(Degraded::slow(self.redis.name(), took)),
            Err(_) => Trial::Failed(Degraded::silent(self.redis.name(), took)),
        };
        let began = Instant::now();
        let compared = timeout(took, (self.yardstick)()).await;
        // If the database is no quicker, this machine is busy, or all of the network is.
        if compared.is_err() || began.elapsed() * 2 > took {
            return Trial::Vague;
        }
        degraded
    }

    /// How each kind of step fared since this was asked last: some worked, or all failed, or nothing.
    fn fares(&self) -> [Option<bool>; STEPS] {
        self.fared.each_ref().map(|fared| {
            let worked = fared.worked.swap(false, Ordering::Relaxed);
            let failed = fared.failed.swap(false, Ordering::Relaxed);
            (worked || failed).then_some(worked)
        })
    }

    async fn obey(&self, verdict: Verdict) {
        match verdict {
            Verdict::Database(degraded) => {
                let degraded = degraded.unwrap_or_else(|| Degraded {
                    what: format!("{} refuses what the queue needs", self.redis.name()),
                    detail: self.complaint(),
                });
                let is_news = self.degraded.borrow().is_none();
                if is_news {
                    tracing::warn!(
                        "{degraded}; workers look into the database themselves until it is mended"
                    );
                }
                self.degraded.send_replace(Some(degraded));
            }
            Verdict::Redis(lasted) => {
                self.pay().await;
                self.degraded.send_replace(None);
                if let Some(here) = &self.here {
                    here.forget_waiting();
                }
                tracing::info!(
                    "{} works again after {} s; jobs go through it as before",
                    self.redis.name(),
                    lasted.as_secs()
                );
            }
        }
    }

    /// Tells Redis which of its leases have ended meanwhile; those that it has forgotten change nothing.
    async fn pay(&self) {
        let owed = std::mem::take(&mut *lock(&self.owed));
        if owed.is_empty() {
            return;
        }
        if let Err(error) = self.redis.ack(owed).await {
            tracing::debug!(error = &*error.0, "Leases of Redis are left to run out");
        }
    }

    fn owe(&self, ends: Vec<Ack>) {
        let mut owed = lock(&self.owed);
        let left = MOST_OWED.saturating_sub(owed.len());
        owed.extend(ends.into_iter().take(left));
    }

    fn is_alone(&self) -> bool {
        self.degraded.borrow().is_some()
    }

    /// Returns when Redis is in use, or not, as said.
    async fn until(&self, is_alone: bool) {
        let mut degraded = self.degraded.subscribe();
        // Fails only when nobody can change it any more.
        if degraded
            .wait_for(|d| d.is_some() == is_alone)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }

    fn complaint(&self) -> String {
        lock(&self.complaint).clone()
    }

    /// Notes how a step fared.
    fn note<T>(&self, step: Step, answer: Result<T, QueueError>) -> Result<T, QueueError> {
        let fared = &self.fared[step as usize];
        match &answer {
            Ok(_) => fared.worked.store(true, Ordering::Relaxed),
            Err(error) => {
                *lock(&self.complaint) = error.to_string();
                fared.failed.store(true, Ordering::Relaxed);
                self.doubt.notify_one();
            }
        }
        answer
    }

    /// Takes jobs that Redis does not. Where nobody does jobs the database alone remembers them.
    async fn keep(&self, batch: Vec<Push>) -> Result<(), QueueError> {
        match &self.here {
            Some(here) => here.push(batch).await,
            None => Ok(()),
        }
    }

    async fn reserve_here(&self, max: usize, lease: Duration) -> Result<Vec<Lease>, QueueError> {
        match &self.here {
            Some(here) => here.reserve(max, lease).await,
            None => Ok(Vec::new()),
        }
    }

    /// Returns when a job may be ready here.
    async fn ready_here(&self) -> Result<(), QueueError> {
        match &self.here {
            Some(here) => here.wait_ready().await,
            None => std::future::pending().await,
        }
    }
}

#[async_trait]
impl JobQueue for FailoverQueue {
    fn name(&self) -> &'static str {
        if self.0.is_alone() {
            "this process, while Redis is out of order"
        } else {
            self.0.redis.name()
        }
    }

    async fn push(&self, batch: Vec<Push>) -> Result<(), QueueError> {
        let inner = &self.0;
        if inner.is_alone() {
            return inner.keep(batch).await;
        }
        let pushed = inner.note(Step::Push, inner.redis.push(batch.clone()).await);
        if pushed.is_err() && inner.here.is_some() {
            return inner.keep(batch).await;
        }
        pushed
    }

    async fn reserve(&self, max: usize, lease: Duration) -> Result<Vec<Lease>, QueueError> {
        let inner = &self.0;
        let leases = inner.reserve_here(max, lease).await?;
        if !leases.is_empty() || inner.is_alone() {
            return Ok(leases);
        }
        let redis = inner.redis.clone();
        let mut asked = tokio::spawn(async move { redis.reserve(max, lease).await });
        tokio::select! {
            biased;
            answer = &mut asked => {
                let answer = answer.unwrap_or_else(|gone| Err(QueueError(Box::new(gone))));
                let leases = inner.note(Step::Reserve, answer)?;
                lock(&inner.lent).extend(leases.iter().map(|lease| lease.token));
                Ok(leases)
            }
            () = inner.until(true) => {
                let inner = inner.clone();
                drop(tokio::spawn(async move {
                    if let Ok(Ok(late)) = asked.await {
                        let outcome = Outcome::Snooze(inner.clock.now());
                        let ends = late.iter().map(|lease| Ack { token: lease.token, outcome });
                        inner.owe(ends.collect());
                    }
                }));
                Ok(Vec::new())
            }
        }
    }

    async fn ack(&self, batch: Vec<Ack>) -> Result<usize, QueueError> {
        let inner = &self.0;
        let (theirs, ours): (Vec<_>, Vec<_>) = {
            let lent = lock(&inner.lent);
            batch.into_iter().partition(|end| lent.contains(&end.token))
        };
        let mut acked = match &inner.here {
            Some(here) if !ours.is_empty() => here.ack(ours).await?,
            _ => 0,
        };
        if theirs.is_empty() {
            return Ok(acked);
        }
        let tokens: Vec<_> = theirs.iter().map(|end| end.token).collect();
        if inner.is_alone() {
            acked += theirs.len();
            inner.owe(theirs);
        } else {
            acked += inner.note(Step::Ack, inner.redis.ack(theirs).await)?;
        }
        let mut lent = lock(&inner.lent);
        for token in &tokens {
            lent.remove(token);
        }
        Ok(acked)
    }

    async fn wait_ready(&self) -> Result<(), QueueError> {
        let inner = &self.0;
        if inner.is_alone() {
            return tokio::select! {
                ready = inner.ready_here() => ready,
                () = inner.until(false) => Ok(()),
            };
        }
        tokio::select! {
            ready = inner.ready_here() => ready,
            ready = inner.redis.wait_ready() => inner.note(Step::Wait, ready),
            () = inner.until(true) => Ok(()),
        }
    }

    async fn depths(&self) -> Result<Vec<TenantDepth>, QueueError> {
        let inner = &self.0;
        let mut depths = match &inner.here {
            Some(here) => here.depths().await?,
            None => Vec::new(),
        };
        if inner.is_alone() {
            return Ok(depths);
        }
        for depth in inner.redis.depths().await? {
            match depths.iter_mut().find(|d| d.tenant == depth.tenant) {
                Some(here) => here.add(&depth),
                None => depths.push(depth),
            }
        }
        Ok(depths)
    }

    async fn health(&self) -> Result<(), Degraded> {
        let mut is_tried = self.0.is_tried.subscribe();
        if timeout(FIRST_VERDICT, is_tried.wait_for(|is_tried| *is_tried))
            .await
            .is_err()
        {
            return Err(Degraded::silent(self.0.redis.name(), FIRST_VERDICT));
        }
        self.0.degraded.borrow().clone().map_or(Ok(()), Err)
    }

    fn degradations(&self) -> Option<watch::Receiver<Option<Degraded>>> {
        Some(self.0.degraded.subscribe())
    }
}

impl std::fmt::Debug for FailoverQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FailoverQueue")
            .field("redis", &self.0.redis)
            .field("is_alone", &self.0.is_alone())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
