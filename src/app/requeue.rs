//! Pushing again what is due and not taken: what makes losing the queue harmless.

use std::time::Duration;

use super::{App, AppError, job};

/// How often the database is asked for what waits.
pub const EVERY: Duration = Duration::from_secs(5);

/// How many rows of each kind one round pushes.
const AT_ONCE: u64 = 2000;

impl App {
    /// Pushes what waits in the database; how much it was. Pushing twice is one job.
    pub async fn requeue(&self) -> Result<usize, AppError> {
        let now = self.now();
        let due = self.store().platform().due(now, AT_ONCE).await?;
        let jobs: Vec<_> = due.into_iter().map(|d| job::of_due(d, now)).collect();
        let count = jobs.len();
        self.wake(jobs).await;
        Ok(count)
    }

    /// On a database that only this process serves: whatever an earlier process held when it died is
    /// free to be looked at now.
    pub async fn take_over(&self) -> Result<u64, AppError> {
        let owner = self.parts.lease_owner.clone();
        Ok(self
            .store()
            .platform()
            .expire_foreign_leases(owner, self.now())
            .await?)
    }
}
