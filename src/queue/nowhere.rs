//! The back end of a process that does no jobs, where workers of others look for what is due by
//! themselves: pushing wakes nobody.

use std::time::Duration;

use async_trait::async_trait;

use super::{Ack, Degraded, JobQueue, Lease, Push, QueueError, TenantDepth};

/// Takes jobs and forgets them.
#[derive(Debug, Default)]
pub struct Nowhere;

#[async_trait]
impl JobQueue for Nowhere {
    fn name(&self) -> &'static str {
        "the database alone"
    }

    async fn push(&self, _: Vec<Push>) -> Result<(), QueueError> {
        Ok(())
    }

    async fn reserve(&self, _: usize, _: Duration) -> Result<Vec<Lease>, QueueError> {
        Ok(Vec::new())
    }

    async fn ack(&self, _: Vec<Ack>) -> Result<usize, QueueError> {
        Ok(0)
    }

    async fn wait_ready(&self) -> Result<(), QueueError> {
        std::future::pending().await
    }

    async fn health(&self) -> Result<(), Degraded> {
        Ok(())
    }

    async fn depths(&self) -> Result<Vec<TenantDepth>, QueueError> {
        Ok(Vec::new())
    }
}
