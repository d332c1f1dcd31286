#![doc = include_str!("README.md")]

#[cfg(test)]
pub(crate) mod absent;
#[cfg(test)]
mod contract;
mod degraded;
mod failover;
mod handler;
mod job;
mod memory;
mod nowhere;
mod redis;
mod retry;
mod ring;
mod runner;

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use uuid::Uuid;

pub use self::degraded::Degraded;
pub use self::failover::{FailoverQueue, Yardstick};
pub use self::handler::{Handler, Handlers, JobContext};
pub use self::job::{Job, JobError, Kind, Lane};
pub use self::memory::MemoryQueue;
pub use self::nowhere::Nowhere;
pub use self::redis::RedisQueue;
pub use self::retry::{Jitter, RetryPolicy};
pub use self::runner::{Runner, RunnerConfig, unforeseen};

/// A job and the instant from which it may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// What is to be done.
    pub job: Job,
    /// Not before this instant; the past means at once.
    pub due: DateTime<Utc>,
}

/// Proves that a job was given to this worker; worthless once the lease is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseToken(pub Uuid);

/// A job lent to a worker until `until`; not settled by then, it is lent to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What [`JobQueue::settle`] asks for.
    pub token: LeaseToken,
    /// What is to be done.
    pub job: Job,
    /// 1 for the first run; retries and lost leases count, snoozes do not.
    pub attempt: u32,
    /// The lane from which it was served.
    pub lane: Lane,
    /// When the queue takes the job back.
    pub until: DateTime<Utc>,
}

/// How a run ended, in the queue's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done: the job leaves the queue.
    Done,
    /// Failed: the job comes back in the retry lane at this instant.
    Retry(DateTime<Utc>),
    /// Not its turn yet: the job comes back in its own lane at this instant, with no attempt counted.
    Snooze(DateTime<Utc>),
    /// Pointless: the job leaves the queue.
    Cancel,
}

/// The end of one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// Whose end it is.
    pub token: LeaseToken,
    /// How it ended.
    pub outcome: Outcome,
}

/// How many jobs stand where, in one lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Due and waiting for a worker.
    pub ready: usize,
    /// Waiting for their due time.
    pub delayed: usize,
    /// Lent to a worker.
    pub leased: usize,
}

/// How many jobs of one tenant stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantDepth {
    /// Whose jobs.
    pub tenant: Uuid,
    /// Jobs that have not failed.
    pub fresh: Depth,
    /// Jobs that failed before.
    pub retry: Depth,
}

/// The back end did not answer, or not in a way we understand.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct QueueError(pub Box<dyn Error + Send + Sync>);

/// What every back end does; the suite in `contract.rs` says it in tests.
#[async_trait]
pub trait JobQueue: Send + Sync + std::fmt::Debug {
    /// Adds jobs. One that waits already keeps the earlier due time; one that is lent out is
    /// remembered and comes back when that run has ended.
    async fn push(&self, batch: Vec<Push>) -> Result<(), QueueError>;

    /// Lends out up to `max` jobs for `lease`, tenants in turns; empty when nothing is ready.
    async fn reserve(&self, max: usize, lease: Duration) -> Result<Vec<Lease>, QueueError>;

    /// Ends leases; the number that were still ours. A lease that is over changes nothing.
    async fn settle(&self, batch: Vec<Settlement>) -> Result<usize, QueueError>;

    /// Returns when a job may be ready, early rather than late; holds nothing, so may be dropped.
    async fn wait_ready(&self) -> Result<(), QueueError>;

    /// Tenants that have jobs, in no order, with their numbers.
    async fn depths(&self) -> Result<Vec<TenantDepth>, QueueError>;

    /// What holds the jobs, in words that follow "wait in".
    fn name(&self) -> &'static str;

    /// Whether the back end does what is needed of it now.
    async fn health(&self) -> Result<(), Degraded>;

    /// What is wrong, as it changes, for a back end that then hears only of this process's pushes:
    /// meanwhile somebody must look for what is due more often. `None` for one that never changes so.
    fn degradations(&self) -> Option<watch::Receiver<Option<Degraded>>> {
        None
    }
}

impl TenantDepth {
    /// No jobs at all.
    pub const fn none(tenant: Uuid) -> Self {
        const NONE: Depth = Depth {
            ready: 0,
            delayed: 0,
            leased: 0,
        };
        Self {
            tenant,
            fresh: NONE,
            retry: NONE,
        }
    }

    /// Adds the numbers of another tenant.
    pub const fn add(&mut self, other: &Self) {
        self.fresh.add(&other.fresh);
        self.retry.add(&other.retry);
    }

    /// Both lanes together.
    pub const fn total(&self) -> usize {
        self.fresh.total() + self.retry.total()
    }
}

impl Depth {
    /// Adds the numbers of another lane.
    pub const fn add(&mut self, other: &Self) {
        self.ready += other.ready;
        self.delayed += other.delayed;
        self.leased += other.leased;
    }

    /// Wherever they stand.
    pub const fn total(&self) -> usize {
        self.ready + self.delayed + self.leased
    }
}

/// `now + wait`; a wait beyond the calendar is its last day.
fn later(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| now.checked_add_signed(wait))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
