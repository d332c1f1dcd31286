//! Back ends that are away, for tests of what goes on without one.

use std::time::Duration;

use async_trait::async_trait;

use super::{Ack, Degraded, JobQueue, Lease, Push, QueueError, TenantDepth};

/// How a back end can be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It refuses at once.
    Refusing,
    /// It never answers.
    Hanging,
}

impl Absent {
    async fn answer<T>(self) -> Result<T, QueueError> {
        match self {
            Self::Refusing => Err(QueueError("nobody there".into())),
            Self::Hanging => std::future::pending().await,
        }
    }
}

#[async_trait]
impl JobQueue for Absent {
    fn name(&self) -> &'static str {
        "Redis"
    }

    async fn push(&self, _: Vec<Push>) -> Result<(), QueueError> {
        self.answer().await
    }

    async fn reserve(&self, _: usize, _: Duration) -> Result<Vec<Lease>, QueueError> {
        self.answer().await
    }

    async fn ack(&self, _: Vec<Ack>) -> Result<usize, QueueError> {
        self.answer().await
    }

    async fn wait_ready(&self) -> Result<(), QueueError> {
        self.answer().await
    }

    async fn health(&self) -> Result<(), Degraded> {
        self.answer().await.map_err(|error| Degraded {
            what: "Redis does not answer".to_owned(),
            detail: error.to_string(),
        })
    }

    async fn depths(&self) -> Result<Vec<TenantDepth>, QueueError> {
        self.answer().await
    }
}
