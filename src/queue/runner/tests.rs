//! What the contract cannot show: a back end that half works.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use super::*;
use crate::domain::clock::SystemClock;
use crate::lifecycle::Ending;
use crate::queue::{Degraded, Push, TenantDepth};

/// Answers when asked for jobs, but lets nobody wait for them.
#[derive(Debug, Default)]
struct Restless(AtomicU32);

#[async_trait]
impl JobQueue for Restless {
    fn name(&self) -> &'static str {
        "nowhere"
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
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(QueueError("no connection left".into()))
    }

    async fn depths(&self) -> Result<Vec<TenantDepth>, QueueError> {
        Ok(Vec::new())
    }

    async fn health(&self) -> Result<(), Degraded> {
        Ok(())
    }
}

#[tokio::test]
async fn a_back_end_that_lets_nobody_wait_is_asked_less_and_less() {
    let queue = Arc::new(Restless::default());
    let runner = Arc::new(Runner::new(
        queue.clone(),
        Handlers::new(),
        Arc::new(SystemClock),
        RunnerConfig::default(),
        StdRng::seed_from_u64(7),
    ));
    let life = Lifecycle::new();
    let began = Instant::now();
    life.spawn("runner", runner.run(life.clone()));
    while queue.0.load(Ordering::SeqCst) < 5 {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // At least half of each step of 100, 200, 400 and 800 ms.
    assert!(began.elapsed() >= Duration::from_millis(750));
    assert_eq!(life.shutdown(Duration::from_secs(5)).await, Ending::Quiet);
}
