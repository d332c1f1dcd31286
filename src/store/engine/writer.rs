//! Every write goes through here, as a command: a piece of work that can be run again.
//!
//! ```text
//!                       SQLite (`sqlite`): one writer           PostgreSQL (`postgres`): many
//!  ingest  ─┐   at most so many of each line per batch,    each line: BEGIN … COMMIT per batch,
//!  route   ─┤   in this order; so none starves                        two batches at a time
//!  claim   ─┼──► BEGIN IMMEDIATE … COMMIT per batch        edits:    each its own BEGIN … COMMIT,
//!  change  ─┤                                                         several at a time; the
//!  receipt ─┤                                                         server shares their flushes
//!  edit    ─┘          every caller gets its answer once its command is committed
//! ```
//!
//! All but edits come by the thousand, so a batch of them is carried out in as few statements as one
//! alone would take ([`BatchCommand`]).
//!
//! On `SQLite` commands run one after the other, so none sees another half done. On `PostgreSQL` they
//! run side by side, in other processes as well; what must not is kept apart by [`TenantLock`].

mod checkpoint;
mod postgres;
mod scoped;
mod sqlite;

pub(in crate::store) use checkpoint::BY_THE_WRITER;
pub(in crate::store) use postgres::PATIENCE;
pub(in crate::store) use scoped::{PlatformWriter, TenantWriter};

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, TransactionOptions,
    TransactionTrait as _,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::db::BatchDb;
use super::server::Server;
use super::write_fault::WriteFault;
use crate::domain::event::Ingested;
use crate::domain::ids::TenantId;
use crate::store::error::StoreError;
use crate::store::pipeline::claims::{ClaimResult, Claiming};
use crate::store::pipeline::ingest::PreparedEvent;
use crate::store::pipeline::outcomes::Changing;
use crate::store::pipeline::receipts::{ReceiptResult, Receiving};
use crate::store::pipeline::route::{Routed, Routing};

/// What an edit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Lane {
    Attempt,
    Outcome,
    Receipt,
    Edit,
}

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

/// One of many.
struct Command<C: BatchCommand> {
    what: Arc<C>,
    /// Since when somebody waits for it.
    asked: Instant,
    reply: oneshot::Sender<Result<C::Answer, StoreError>>,
}

impl<C: BatchCommand> Command<C> {
    fn is_abandoned(&self) -> bool {
        C::SKIP_IF_ABANDONED && self.reply.is_closed()
    }
}

type Answer = Result<Box<dyn Any + Send>, StoreError>;
type Work = Arc<dyn for<'t> Fn(&'t Tx) -> BoxFuture<'t, Answer> + Send + Sync>;

struct Edit {
    lane: Lane,
    turn: TenantLock,
    work: Work,
    reply: oneshot::Sender<Answer>,
    edits: Arc<AtomicU64>,
}

impl Edit {
    /// Whether it would claim something for a worker that has given up waiting, and would not call; or
    /// change something for a person who has been told that it may not have come to that.
    fn is_abandoned(&self) -> bool {
        matches!(self.lane, Lane::Attempt | Lane::Edit) && self.reply.is_closed()
    }

    /// What people change is counted before they hear of it, so that nothing goes by the old word then.
    fn answer(self, answer: Answer) {
        if self.lane == Lane::Edit {
            self.edits.fetch_add(1, Ordering::SeqCst);
        }
        drop(self.reply.send(answer));
    }
}

/// A handle to whoever writes.
#[derive(Clone)]
pub(in crate::store) struct Writer {
    events: mpsc::Sender<Command<PreparedEvent>>,
    routes: mpsc::Sender<Command<Routing>>,
    claims: mpsc::Sender<Command<Claiming>>,
    changes: mpsc::Sender<Command<Changing>>,
    receipts: mpsc::Sender<Command<Receiving>>,
    /// Edits that wait for nobody, apart from those that may: a lock that somebody holds for long must
    /// not keep the outcomes of calls from being written.
    free: mpsc::Sender<Edit>,
    in_turn: mpsc::Sender<Edit>,
    /// How many edits there were.
    edits: Arc<AtomicU64>,
    /// How long an edit is waited for.
    within: Duration,
}

/// The other ends.
struct Inboxes {
    events: mpsc::Receiver<Command<PreparedEvent>>,
    routes: mpsc::Receiver<Command<Routing>>,
    claims: mpsc::Receiver<Command<Claiming>>,
    changes: mpsc::Receiver<Command<Changing>>,
    receipts: mpsc::Receiver<Command<Receiving>>,
    free: mpsc::Receiver<Edit>,
    in_turn: mpsc::Receiver<Edit>,
}

/// How many commands of a line may wait before callers do.
const WAITING: usize = 4096;

/// How long whoever posts or presses a button waits for the database; with what comes before and after,
/// an answer takes less than 10 s.
pub(in crate::store) const WITHIN: Duration = Duration::from_secs(8);

/// How long the outcome of a call is tried: without it the message has to be looked up.
const OUTCOME_WITHIN: Duration = Duration::from_mins(1);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// How many connections write at the same time.
pub(in crate::store) const fn connections(backend: DbBackend) -> u32 {
    match backend {
        DbBackend::Postgres => postgres::CONNECTIONS,
        _ => 1,
    }
}

impl Writer {
    /// Starts writing on a pool of its own; on `SQLite` with one connection more, for the log.
    pub(in crate::store) fn start(
        db: DatabaseConnection,
        log: Option<DatabaseConnection>,
        server: &Server,
    ) -> Self {
        let (events, in_events) = mpsc::channel(WAITING);
        let (routes, in_routes) = mpsc::channel(WAITING);
        let (claims, in_claims) = mpsc::channel(WAITING);
        let (changes, in_changes) = mpsc::channel(WAITING);
        let (receipts, in_receipts) = mpsc::channel(WAITING);
        let (free, in_free) = mpsc::channel(WAITING);
        let (in_turn, in_in_turn) = mpsc::channel(WAITING);
        let inboxes = Inboxes {
            events: in_events,
            routes: in_routes,
            claims: in_claims,
            changes: in_changes,
            receipts: in_receipts,
            free: in_free,
            in_turn: in_in_turn,
        };
        match db.get_database_backend() {
            DbBackend::Postgres => postgres::start(&db, server, inboxes),
            _ => drop(tokio::spawn(sqlite::run(db, log, inboxes))),
        }
        Self {
            events,
            routes,
            claims,
            changes,
            receipts,
            free,
            in_turn,
            edits: Arc::default(),
            within: WITHIN,
        }
    }

    /// The same, but who edits waits longer: for commands in a shell, beside a busy service.
    pub(in crate::store) fn patient(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// How many edits were committed (or failed) so far.
    pub(in crate::store) fn edits(&self) -> u64 {
        self.edits.load(Ordering::SeqCst)
    }

    /// The same, but it acknowledges events without keeping them.
    pub(in crate::store) fn without_events(self) -> Self {
        let (events, mut inbox) = mpsc::channel::<Command<PreparedEvent>>(WAITING);
        // A writer whose line of events is closed would think that nobody is there any more.
        let unused = self.events;
        drop(tokio::spawn(async move {
            let _open = unused;
            while let Some(Command { what, reply, .. }) = inbox.recv().await {
                let kept = Ingested {
                    event: what.event.id,
                    is_duplicate: false,
                };
                drop(reply.send(Ok(kept)));
            }
        }));
        Self { events, ..self }
    }

    /// Runs `work` and answers once it is committed.
    async fn write<T, F>(&self, lane: Lane, turn: TenantLock, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        let work: Work = Arc::new(move |tx| {
            let done = work(tx);
            async move { Ok(Box::new(done.await?) as Box<dyn Any + Send>) }.boxed()
        });
        let value = match lane {
            Lane::Edit => within(self.within, self.edit(lane, turn, work)).await?,
            _ => self.edit(lane, turn, work).await?,
        };
        value.downcast().map(|v| *v).map_err(|_| StoreError::Closed)
    }

    /// Hands an edit over, again as long as another program holds the lock.
    async fn edit(&self, lane: Lane, turn: TenantLock, work: Work) -> Answer {
        let way = if turn == TenantLock::None {
            &self.free
        } else {
            &self.in_turn
        };
        loop {
            let (reply, answer) = oneshot::channel();
            let edit = Edit {
                lane,
                turn,
                work: work.clone(),
                reply,
                edits: self.edits.clone(),
            };
            way.send(edit).await.map_err(|_| StoreError::Closed)?;
            match answer.await.map_err(|_| StoreError::Closed)? {
                Err(StoreError::Refused(WriteFault::Locked)) if lane == Lane::Edit => {
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    /// Keeps one event; answers once it is on disk.
    pub(in crate::store) async fn ingest(
        &self,
        event: PreparedEvent,
    ) -> Result<Ingested, StoreError> {
        within(WITHIN, tell(&self.events, Arc::new(event))).await
    }

    /// Commits the routing of an event or a replay.
    pub(in crate::store) async fn route(&self, routing: Routing) -> Result<Routed, StoreError> {
        tell(&self.routes, Arc::new(routing)).await
    }

    /// Takes a delivery for one call.
    pub(in crate::store) async fn claim(
        &self,
        claiming: Claiming,
    ) -> Result<ClaimResult, StoreError> {
        tell(&self.claims, Arc::new(claiming)).await
    }

    /// Applies a change of a delivery; tried for a while when the database takes no writes.
    pub(in crate::store) async fn change(&self, changing: Changing) -> Result<bool, StoreError> {
        let changing = Arc::new(changing);
        let until = Instant::now() + OUTCOME_WITHIN;
        loop {
            let changed = match changing.tenant_lock() {
                TenantLock::None => tell(&self.changes, changing.clone()).await,
                turn => {
                    self.one_of_many(Lane::Outcome, turn, changing.clone())
                        .await
                }
            };
            match changed {
                Err(StoreError::Refused(_)) if Instant::now() < until => {
                    tokio::time::sleep(PAUSE).await;
                }
                changed => return changed,
            }
        }
    }

    /// Keeps a receipt.
    pub(in crate::store) async fn receive(
        &self,
        receiving: Receiving,
    ) -> Result<ReceiptResult, StoreError> {
        let receiving = Arc::new(receiving);
        let received = async {
            match receiving.tenant_lock() {
                TenantLock::None => tell(&self.receipts, receiving).await,
                turn => self.one_of_many(Lane::Receipt, turn, receiving).await,
            }
        };
        within(WITHIN, received).await
    }

    /// One that has to wait for its turn, which others must not wait for.
    async fn one_of_many<C: BatchCommand>(
        &self,
        lane: Lane,
        turn: TenantLock,
        what: Arc<C>,
    ) -> Result<C::Answer, StoreError> {
        self.write(lane, turn, move |tx| {
            let what = what.clone();
            async move { only(C::carry_out(BatchDb::new(tx), &[&*what]).await?) }.boxed()
        })
        .await
    }
}

/// Gives up waiting; what was asked for may be done all the same.
async fn within<T>(
    span: Duration,
    done: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(span, done).await.unwrap_or(Err(StoreError::Late))
}

async fn tell<C: BatchCommand>(
    way: &mpsc::Sender<Command<C>>,
    what: Arc<C>,
) -> Result<C::Answer, StoreError> {
    let (reply, answer) = oneshot::channel();
    let command = Command {
        what,
        asked: Instant::now(),
        reply,
    };
    way.send(command).await.map_err(|_| StoreError::Closed)?;
    answer.await.map_err(|_| StoreError::Closed)?
}

/// The answer to a command that was carried out alone.
fn only<A>(answers: Vec<A>) -> Result<A, StoreError> {
    answers.into_iter().next().ok_or(StoreError::Closed)
}

/// Carries out a batch. A panic in one command must not take the writer down with it.
async fn carry_out<C: BatchCommand>(
    tx: &Tx,
    commands: &[Command<C>],
) -> Result<Vec<C::Answer>, StoreError> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<&C> = commands.iter().map(|c| &*c.what).collect();
    let done = AssertUnwindSafe(C::carry_out(BatchDb::new(tx), &all))
        .catch_unwind()
        .await;
    let answers = done.unwrap_or(Err(StoreError::Panicked))?;
    if answers.len() == commands.len() {
        Ok(answers)
    } else {
        Err(StoreError::Panicked)
    }
}

fn answer_all<C: BatchCommand>(commands: Vec<Command<C>>, answers: Vec<C::Answer>) {
    for (command, answer) in commands.into_iter().zip(answers) {
        drop(command.reply.send(Ok(answer)));
    }
}

pub(in crate::store) async fn begin(db: &DatabaseConnection) -> Result<Tx, StoreError> {
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
