//! Who does a job: handlers, by kind. A kind that nobody knows is retried, since during a roll-out
//! a newer process may have pushed it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Job, JobError, Kind, Lane};

/// How long a run may take where its handler does not say otherwise.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// What a run is told besides its job.
#[derive(Debug, Clone)]
pub struct JobContext {
    /// 1 for the first run; retries and lost leases count, snoozes do not.
    pub attempt: u32,
    /// The lane from which the job was served.
    pub lane: Lane,
    /// Cancelled at the first breath of a shutdown: a long run may stop early and snooze.
    pub stopping: CancellationToken,
}

/// Does the jobs of one kind. A run may be repeated and may be dropped at any await.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Does `job`, and says how it ended.
    async fn run(&self, job: &Job, cx: &JobContext) -> Result<(), JobError>;

    /// How long a run may take; then it is dropped and retried.
    fn time_limit(&self) -> Duration {
        TIME_LIMIT
    }
}

/// The handlers of a process, by kind.
#[derive(Clone, Default)]
pub struct Handlers(HashMap<Kind, Arc<dyn Handler>>);

impl Handlers {
    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `handler` do the jobs of `kind`; register it under old names too to keep an alias.
    #[must_use]
    pub fn with(mut self, kind: Kind, handler: Arc<dyn Handler>) -> Self {
        self.0.insert(kind, handler);
        self
    }

    /// Who does the jobs of `kind`.
    pub fn get(&self, kind: &Kind) -> Option<&dyn Handler> {
        self.0.get(kind).map(AsRef::as_ref)
    }

    /// The longest that any run may take.
    pub fn longest_run(&self) -> Duration {
        self.0
            .values()
            .map(|handler| handler.time_limit())
            .max()
            .unwrap_or(TIME_LIMIT)
    }
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
