//! Every write goes through here, as a command: a piece of work that can be run again.
//!
//! ```text
//!                       SQLite (`sqlite`): one writer           PostgreSQL (`postgres`): many
//!  ingest  ─┐   at most QUOTA of each lane per batch,      ingest ──► BEGIN … COMMIT per batch
//!  route   ─┤   in this order; so none starves             the rest ─► each its own BEGIN … COMMIT,
//!  attempt ─┼──► BEGIN IMMEDIATE … COMMIT per batch                   several at a time; the
//!  outcome ─┤                                                         server shares their flushes
//!  receipt ─┤
//!  edit    ─┘          every caller gets its answer once its command is committed
//! ```
//!
//! On `SQLite` commands run one after the other, so none sees another half done. On `PostgreSQL` they
//! run side by side, in other processes as well; what must not is kept apart by [`Turn`].

mod postgres;
mod sqlite;

pub(super) use postgres::SESSION;

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, TransactionOptions,
    TransactionTrait as _,
};
use tokio::sync::{mpsc, oneshot};

use super::error::StoreError;
use super::ingest::PreparedEvent;
use crate::domain::event::Ingested;
use crate::domain::ids::TenantId;

/// What a command is about; earlier lanes go first within a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Route,
    Attempt,
    Outcome,
    Receipt,
    Edit,
}

const LANES: usize = 5;

/// What a command must not run beside. A person who stops all sending, pauses a rule or replaces a
/// secret must be sure that nothing goes by the old word once the page says that it is done: so
/// whatever decides or claims runs *beside* others, and whatever changes what they go by runs *alone*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It touches nothing that others go by.
    Free,
    /// Together with others of the tenant, but with none that runs alone.
    Beside(TenantId),
    /// With no other of the tenant that is not free.
    Alone(TenantId),
}

/// The transaction that a command works in.
pub(super) type Tx = DatabaseTransaction;

type Answer = Result<Box<dyn Any + Send>, StoreError>;
type Work = Box<dyn for<'t> Fn(&'t Tx) -> BoxFuture<'t, Answer> + Send + Sync>;

struct Edit {
    lane: Lane,
    turn: Turn,
    work: Work,
    reply: oneshot::Sender<Answer>,
}

struct Intake {
    event: PreparedEvent,
    reply: oneshot::Sender<Result<Ingested, StoreError>>,
}

/// A handle to whoever writes.
#[derive(Clone)]
pub(super) struct Writer {
    intake: mpsc::Sender<Intake>,
    /// Commands that wait for nobody, apart from those that may: a lock that somebody holds for long
    /// must not keep the outcomes of calls from being written.
    free: mpsc::Sender<Edit>,
    in_turn: mpsc::Sender<Edit>,
}

/// The other ends.
struct Inboxes {
    intake: mpsc::Receiver<Intake>,
    free: mpsc::Receiver<Edit>,
    in_turn: mpsc::Receiver<Edit>,
}

impl Edit {
    /// Whether it would claim a delivery for a worker that has given up waiting, and would not call.
    fn is_vain(&self) -> bool {
        self.lane == Lane::Attempt && self.reply.is_closed()
    }
}

/// How many commands may wait before callers do.
const WAITING: usize = 4096;

/// How many connections write at the same time.
pub(super) const fn connections(backend: DbBackend) -> u32 {
    match backend {
        DbBackend::Postgres => postgres::CONNECTIONS,
        _ => 1,
    }
}

impl Writer {
    /// Starts writing on a pool of its own.
    pub(super) fn start(db: DatabaseConnection) -> Self {
        let (intake, events) = mpsc::channel(WAITING);
        let (free, frees) = mpsc::channel(WAITING);
        let (in_turn, in_turns) = mpsc::channel(WAITING);
        let inboxes = Inboxes {
            intake: events,
            free: frees,
            in_turn: in_turns,
        };
        match db.get_database_backend() {
            DbBackend::Postgres => postgres::start(&db, inboxes),
            _ => drop(tokio::spawn(sqlite::run(db, inboxes))),
        }
        Self {
            intake,
            free,
            in_turn,
        }
    }

    /// Runs `work` and answers once it is committed.
    pub(super) async fn write<T, F>(&self, lane: Lane, turn: Turn, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |tx| {
            let done = work(tx);
            async move { Ok(Box::new(done.await?) as Box<dyn Any + Send>) }.boxed()
        });
        let edit = Edit {
            lane,
            turn,
            work,
            reply,
        };
        let way = if turn == Turn::Free {
            &self.free
        } else {
            &self.in_turn
        };
        way.send(edit).await.map_err(|_| StoreError::Closed)?;
        let value = answer.await.map_err(|_| StoreError::Closed)??;
        value.downcast().map(|v| *v).map_err(|_| StoreError::Closed)
    }

    /// Keeps one event; answers once it is on disk.
    pub(super) async fn ingest(&self, event: PreparedEvent) -> Result<Ingested, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.intake
            .send(Intake { event, reply })
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// The writes of one tenant. What decides or claims goes beside others, what people change goes
/// alone, and what only tells what happened is free.
pub(super) struct TenantWriter<'a> {
    pub(super) writer: &'a Writer,
    pub(super) tenant: TenantId,
}

impl TenantWriter<'_> {
    /// Runs `work` in the turn that its lane asks for.
    pub(super) async fn write<T, F>(&self, lane: Lane, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        let turn = match lane {
            Lane::Route | Lane::Attempt => Turn::Beside(self.tenant),
            Lane::Edit => Turn::Alone(self.tenant),
            Lane::Outcome | Lane::Receipt => Turn::Free,
        };
        self.writer.write(lane, turn, work).await
    }

    /// The same, but with no decision or claim of the tenant beside it if `is_alone`.
    pub(super) async fn write_alone_if<T, F>(
        &self,
        is_alone: bool,
        lane: Lane,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        if !is_alone {
            return self.write(lane, work).await;
        }
        let turn = Turn::Alone(self.tenant);
        self.writer.write(lane, turn, work).await
    }
}

pub(super) async fn begin(db: &DatabaseConnection) -> Result<Tx, StoreError> {
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(db.begin_with_options(immediate).await?)
}

/// A panic in one command must not take the writer down with it.
async fn run_one(work: &Work, tx: &Tx) -> Answer {
    AssertUnwindSafe(work(tx))
        .catch_unwind()
        .await
        .unwrap_or(Err(StoreError::Panicked))
}
