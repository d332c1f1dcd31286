//! Moves what was committed from the log of a `SQLite` file into the file itself, on a connection of its
//! own, so that those whose commit happens to come next do not wait for it.

use std::time::{Duration, Instant};

use sea_orm::DatabaseConnection;
use tokio::sync::watch;

use super::throw_away;
use crate::store::engine::db::UnscopedDb;
use crate::store::engine::error::StoreError;

/// The log is checked this often at most, while something is written.
const EVERY: Duration = Duration::from_millis(100);

/// From so many pages on they are moved, and the log begins anew: 32 MiB. The more there are, the more
/// often a page has changed meanwhile, and is moved only once; the fewer, the shorter the next start.
const MOVED_FROM: i64 = 8_192;

/// Whoever writes moves pages himself from here on (128 MiB): then something is wrong with us.
pub(in crate::store) const BY_THE_WRITER: &str = "32768";

/// Hears of what is written.
pub(super) struct Checkpoints {
    checked: Instant,
    wake: watch::Sender<()>,
}

impl Checkpoints {
    /// Starts looking after the log.
    pub(super) fn start(db: DatabaseConnection) -> Self {
        let (wake, woken) = watch::channel(());
        drop(tokio::spawn(run(db, woken)));
        Self {
            checked: Instant::now(),
            wake,
        }
    }

    /// Something was committed.
    pub(super) fn committed(&mut self) {
        if self.checked.elapsed() >= EVERY {
            self.checked = Instant::now();
            self.wake.send_replace(());
        }
    }
}

async fn run(db: DatabaseConnection, mut woken: watch::Receiver<()>) {
    while woken.changed().await.is_ok() {
        if let Err(error) = check(&db).await {
            tracing::warn!(%error, "The log of the database could not be moved into its file");
            throw_away(&db).await;
        }
    }
}

async fn check(db: &DatabaseConnection) -> Result<(), StoreError> {
    let log = checkpoint(db, "NOOP").await?;
    if log.pages - log.moved < MOVED_FROM {
        return Ok(());
    }
    checkpoint(db, "PASSIVE").await?;
    // Holds up whoever writes, but only for the few pages that came meanwhile, and until those have
    // done who read them: else one of many would always stand in the way of a new beginning.
    checkpoint(db, "RESTART").await.map(drop)
}

struct Log {
    pages: i64,
    moved: i64,
}

async fn checkpoint(db: &DatabaseConnection, mode: &str) -> Result<Log, StoreError> {
    let pragma = format!("PRAGMA wal_checkpoint({mode})");
    let row = UnscopedDb::itself(db).one(&pragma, vec![]).await?;
    let row = row.ok_or(StoreError::Closed)?;
    Ok(Log {
        pages: row.get("log")?,
        moved: row.get("checkpointed")?,
    })
}
