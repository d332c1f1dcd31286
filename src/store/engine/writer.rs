//! Every write goes through here, as a command: a piece of work that can be run again.
//!
//! ```text
//!                       SQLite (`sqlite`): one writer           PostgreSQL (`postgres`): many
//!  a lane  ─┐   at most so many of each lane per batch,    each lane: BEGIN … COMMIT per batch,
//!  a lane  ─┤   in the order of the lanes, edits last;                two batches at a time
//!    …     ─┼──► so none starves.                          edits:    each its own BEGIN … COMMIT,
//!  a lane  ─┤   BEGIN IMMEDIATE … COMMIT per batch                   several at a time; the
//!  edits   ─┘                                                        server shares their flushes
//!                      every caller gets its answer once its command is committed
//! ```
//!
//! What comes by the thousand has a lane of its own kind, and a batch of it is carried out in as few
//! statements as one alone would take ([`BatchCommand`]). The rooms above name the kinds: whoever opens a
//! store adds a lane for each ([`Lanes::add`]), in the order in which they are carried out.
//!
//! On `SQLite` commands run one after the other, so none sees another half done. On `PostgreSQL` they
//! run side by side, in other processes as well; what must not is kept apart by [`TenantLock`].

mod checkpoint;
mod command;
mod edits;
mod lanes;
mod postgres;
mod scoped;
mod sqlite;

pub(in crate::store) use checkpoint::BY_THE_WRITER;
pub(in crate::store) use lanes::{CommandLane, Lanes};
pub(in crate::store) use postgres::PATIENCE;
pub(in crate::store) use scoped::{PlatformWriter, TenantWriter, work};

use std::time::Duration;

use futures::future::BoxFuture;
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait as _,
};
use tokio::time::timeout;

use super::db::BatchDb;
use crate::domain::ids::TenantId;
use crate::store::engine::error::StoreError;
use edits::{EditLane, Purpose};

/// What a command must not run beside. A person who stops all sending, pauses a rule or replaces a
/// secret must be sure that nothing goes by the old word once the page says that it is done: so
/// whatever decides or claims runs *beside* others, and whatever changes what they go by runs *alone*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum TenantLock {
    /// It touches nothing that others go by.
    None,
    /// Together with others of the tenant, but with none that runs alone.
    Shared(TenantId),
    /// With no other of the tenant that is not free.
    Exclusive(TenantId),
}

/// The transaction that a command works in.
pub(in crate::store) type Tx = DatabaseTransaction;

/// A kind of command that comes by the thousand: a batch of them is carried out together.
pub(in crate::store) trait BatchCommand: Send + Sync + Sized + 'static {
    type Answer: Send + 'static;

    /// Nothing comes of it when nobody waits for the answer any more.
    const SKIP_IF_ABANDONED: bool = false;

    /// A program outside waits for the answer, and gives up within seconds: it is tried for a shorter time,
    /// and more go into one batch.
    const IS_INTAKE: bool = false;

    /// Carried out once more when nobody knows whether its commit was lost or only the answer to it.
    const IS_RETRIED: bool = false;

    /// What it must not run beside.
    fn tenant_lock(&self) -> TenantLock;

    /// Carries all of them out, as if one after the other; how each ended, in their order. One that must
    /// not be carried out changes nothing; an error takes back all of them.
    fn carry_out(
        tx: BatchDb<'_>,
        all: &[&Self],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;
}

/// How long whoever posts or presses a button waits for the database; with what comes before and after,
/// an answer takes less than 10 s.
pub(in crate::store) const WITHIN: Duration = Duration::from_secs(8);

/// The pause between two tries.
pub(in crate::store) const PAUSE: Duration = Duration::from_millis(250);

/// A handle to whoever writes.
#[derive(Clone)]
pub(in crate::store) struct Writer {
    edits: EditLane,
    /// How long an edit is waited for.
    within: Duration,
}

impl Writer {
    /// The same, but who edits waits longer: for commands in a shell, beside a busy service.
    pub(in crate::store) fn patient(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// How many edits were committed (or failed) so far.
    pub(in crate::store) fn edits(&self) -> u64 {
        self.edits.count()
    }

    /// Runs `work` and answers once it is committed.
    async fn write<T, F>(
        &self,
        purpose: Purpose,
        lock: TenantLock,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        let done = self.edits.write(purpose, lock, work);
        match purpose {
            Purpose::Edit => within(self.within, done).await,
            _ => done.await,
        }
    }
}

/// Gives up waiting; what was asked for may be done all the same.
pub(in crate::store) async fn within<T>(
    span: Duration,
    done: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(span, done).await.unwrap_or(Err(StoreError::Late))
}

pub(in crate::store) async fn begin(db: &DatabaseConnection) -> Result<Tx, StoreError> {
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(db.begin_with_options(immediate).await?)
}

/// Closes the connection, so that the next batch begins on a new one. What `SQLite` thinks of the old one
/// does not matter any more: closing rolls back whatever is open on it.
async fn throw_away(db: &DatabaseConnection) {
    match db.get_sqlite_connection_pool().acquire().await {
        Ok(connection) => {
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "The connection could not be closed in order");
            }
        }
        Err(error) => tracing::debug!(%error, "No connection could be opened to be closed"),
    }
}
