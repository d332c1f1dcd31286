//! Another program that holds the write lock of a `SQLite` database.

use anyhow::Context as _;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection};

/// Lets go of the lock when dropped.
#[derive(Debug)]
pub(crate) struct WriterLock(DatabaseConnection);

impl WriterLock {
    /// Waits for its turn, as any program.
    pub(crate) async fn take(url: &str) -> anyhow::Result<Self> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).min_connections(1);
        let database = Database::connect(options).await?;
        let begun = database.execute_unprepared("BEGIN IMMEDIATE").await;
        begun.context("the write lock could not be taken")?;
        Ok(Self(database))
    }

    pub(crate) async fn release(self) -> anyhow::Result<()> {
        self.0.execute_unprepared("ROLLBACK").await?;
        Ok(self.0.close().await?)
    }
}
