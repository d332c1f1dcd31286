//! Pushing again what is due and not taken: what makes losing the queue harmless.

use std::time::Duration;

use super::{App, AppError, job};
use crate::store::DueCursor;

/// How often the database is asked for what waits, where pushes wake workers and only what the queue
/// lost is to be found.
pub const EVERY: Duration = Duration::from_secs(5);

/// How often it is asked where nobody hears of what other processes push, and while the queue that they
/// share is out of order.
pub const EVERY_ALONE: Duration = Duration::from_secs(1);

/// How many rows of each kind one look takes.
const AT_ONCE: u64 = 2000;

/// How many looks one round has: a long backlog is walked through over several rounds, so that what
/// is stuck at its head hides nobody behind it.
const LOOKS: usize = 5;

/// Where the walk over everything that is due has come to.
#[derive(Default)]
pub(super) struct Walk(tokio::sync::Mutex<DueCursor>);

impl App {
    /// Pushes what waits in the database; how much it was. Pushing twice is one job.
    pub async fn requeue(&self) -> Result<usize, AppError> {
        let mut cursor = self.caches.walk.0.lock().await;
        let mut count = 0;
        for _ in 0..LOOKS {
            let now = self.now();
            let due = self
                .store()
                .platform()
                .due(now, &mut cursor, AT_ONCE)
                .await?;
            count += due.len();
            self.wake(due.into_iter().map(|d| job::of_due(d, now)).collect())
                .await;
            if *cursor == DueCursor::default() {
                break;
            }
        }
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
