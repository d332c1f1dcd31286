//! The one writer of a `SQLite` file: takes commands in batches and commits each batch once, since a
//! flush costs far more than the rows that it flushes. When a batch fails, every command of it is run
//! once more under a savepoint of its own, so one bad row fails alone.

use std::future::poll_fn;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sea_orm::{DatabaseConnection, TransactionTrait as _};
use tokio::sync::mpsc;

use super::checkpoint::Checkpoints;
use super::command::{Command, carry_out, only};
use super::edits::{Answer, Edit, EditInbox};
use super::{BatchCommand, Tx, begin, throw_away};
use crate::store::engine::error::StoreError;
use crate::store::engine::write_fault::WriteFault;

/// How many commands of one lane go into one batch.
const QUOTA: usize = 128;

/// How many do that a program outside waits for.
const INTAKE_QUOTA: usize = 256;

/// What waits in a lane, and what of it is in the batch that is carried out.
pub(super) trait Pending: Send {
    /// Waits for commands and takes them into the batch; none when none will ever come.
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<usize>;

    /// Takes what else is there.
    fn fill(&mut self);

    /// Forgets what nobody waits for any more and would only surprise.
    fn drop_abandoned(&mut self);

    /// How many commands are in the batch.
    fn len(&self) -> usize;

    /// Carries out the batch and keeps the answers.
    fn carry_out<'a>(&'a mut self, tx: &'a Tx) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The same under a savepoint for each; an error only when the transaction is lost.
    fn carry_out_each<'a>(&'a mut self, tx: &'a Tx) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Gives out the answers; the batch is empty then.
    fn answer(&mut self);

    /// Answers all with a fault of the database.
    fn refuse(&mut self, fault: WriteFault);
}

/// Commands of one kind.
pub(super) struct Batch<C: BatchCommand> {
    inbox: mpsc::Receiver<Command<C>>,
    commands: Vec<Command<C>>,
    answers: Vec<Result<C::Answer, StoreError>>,
}

impl<C: BatchCommand> Batch<C> {
    const QUOTA: usize = if C::IS_INTAKE { INTAKE_QUOTA } else { QUOTA };

    pub(super) const fn of(inbox: mpsc::Receiver<Command<C>>) -> Self {
        Self {
            inbox,
            commands: Vec::new(),
            answers: Vec::new(),
        }
    }
}

impl<C: BatchCommand> Pending for Batch<C> {
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let commands = &mut self.commands;
        self.inbox.poll_recv_many(cx, commands, Self::QUOTA)
    }

    fn fill(&mut self) {
        fill(&mut self.commands, &mut self.inbox, Self::QUOTA);
    }

    fn drop_abandoned(&mut self) {
        self.commands.retain(|command| !command.is_abandoned());
    }

    fn len(&self) -> usize {
        self.commands.len()
    }

    fn carry_out<'a>(&'a mut self, tx: &'a Tx) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let answers = carry_out(tx, &self.commands).await?;
            self.answers.extend(answers.into_iter().map(Ok));
            Ok(())
        }
        .boxed()
    }

    fn carry_out_each<'a>(&'a mut self, tx: &'a Tx) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.answers.clear();
            for command in self.commands.chunks(1) {
                let done = under_savepoint(tx, async |tx| only(carry_out(tx, command).await?));
                self.answers.push(done.await?);
            }
            Ok(())
        }
        .boxed()
    }

    fn answer(&mut self) {
        for (command, answer) in self.commands.drain(..).zip(self.answers.drain(..)) {
            drop(command.reply.send(answer));
        }
    }

    fn refuse(&mut self, fault: WriteFault) {
        self.answers.clear();
        for command in self.commands.drain(..) {
            drop(command.reply.send(Err(StoreError::Refused(fault))));
        }
    }
}

/// Edits, those that wait for nobody first.
struct Edits {
    inbox: EditInbox,
    batch: Vec<Edit>,
    answers: Vec<Answer>,
}

impl Pending for Edits {
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let EditInbox { unlocked, locked } = &mut self.inbox;
        match unlocked.poll_recv_many(cx, &mut self.batch, 1) {
            Poll::Ready(taken) if taken > 0 => Poll::Ready(taken),
            _ => locked.poll_recv_many(cx, &mut self.batch, 1),
        }
    }

    fn fill(&mut self) {
        fill(&mut self.batch, &mut self.inbox.unlocked, QUOTA);
        fill(&mut self.batch, &mut self.inbox.locked, 2 * QUOTA);
    }

    fn drop_abandoned(&mut self) {
        self.batch.retain(|edit| !edit.is_abandoned());
    }

    fn len(&self) -> usize {
        self.batch.len()
    }

    fn carry_out<'a>(&'a mut self, tx: &'a Tx) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            for edit in &self.batch {
                self.answers.push(Ok(edit.carry_out(tx).await?));
            }
            Ok(())
        }
        .boxed()
    }

    fn carry_out_each<'a>(&'a mut self, tx: &'a Tx) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.answers.clear();
            for edit in &self.batch {
                let done = under_savepoint(tx, async |tx| edit.carry_out(tx).await);
                self.answers.push(done.await?);
            }
            Ok(())
        }
        .boxed()
    }

    fn answer(&mut self) {
        for (edit, answer) in self.batch.drain(..).zip(self.answers.drain(..)) {
            edit.answer(answer);
        }
    }

    fn refuse(&mut self, fault: WriteFault) {
        self.answers.clear();
        for edit in self.batch.drain(..) {
            edit.answer(Err(StoreError::Refused(fault)));
        }
    }
}

fn fill<T>(batch: &mut Vec<T>, from: &mut mpsc::Receiver<T>, most: usize) {
    while batch.len() < most
        && let Ok(next) = from.try_recv()
    {
        batch.push(next);
    }
}

/// What there is to do, in the order in which it is carried out.
type AllPending = Vec<Box<dyn Pending>>;

pub(super) async fn run(
    db: DatabaseConnection,
    log: Option<DatabaseConnection>,
    mut lanes: AllPending,
    edits: EditInbox,
) {
    lanes.push(Box::new(Edits {
        inbox: edits,
        batch: Vec::new(),
        answers: Vec::new(),
    }));
    let mut checkpoints = log.map(Checkpoints::start);
    while poll_fn(|cx| poll_first(&mut lanes, cx)).await {
        for lane in &mut lanes {
            lane.fill();
        }
        commit(&db, &mut lanes).await;
        if let Some(checkpoints) = &mut checkpoints {
            checkpoints.committed();
        }
    }
}

/// Waits until there is something to do; `false` when nothing will ever come.
fn poll_first(lanes: &mut AllPending, cx: &mut Context<'_>) -> Poll<bool> {
    let mut are_closed = true;
    for lane in lanes {
        match lane.poll_take(cx) {
            Poll::Ready(0) => {}
            Poll::Ready(_) => return Poll::Ready(true),
            Poll::Pending => are_closed = false,
        }
    }
    if are_closed {
        Poll::Ready(false)
    } else {
        Poll::Pending
    }
}

/// Why a batch was not committed.
enum Failure {
    /// A command could not be carried out; all of it was rolled back.
    Command(StoreError),
    /// The transaction itself is lost, and with it the connection: `SQLite` may have ended it by itself,
    /// which neither we nor the driver would know.
    Transaction(StoreError),
}

impl Failure {
    fn of(error: StoreError) -> Self {
        if error.fault().is_some() {
            Self::Transaction(error)
        } else {
            Self::Command(error)
        }
    }
}

/// Commits a batch; if a command of it fails, once more with every command on its own. Nobody is answered
/// before the commit is known: each batch begins with `BEGIN IMMEDIATE` on a connection that is in no
/// transaction (see `connect` in `store`), so what ends it is the outermost `COMMIT`.
async fn commit(db: &DatabaseConnection, lanes: &mut AllPending) {
    let committed = match commit_together(db, lanes).await {
        Err(Failure::Command(error)) => {
            let writes: usize = lanes.iter().map(|lane| lane.len()).sum();
            tracing::warn!(%error, "A batch of {writes} writes failed; trying each alone");
            commit_apart(db, lanes).await
        }
        Err(Failure::Transaction(error)) => Err(error),
        Ok(()) => Ok(()),
    };
    let Err(error) = committed else {
        for lane in lanes {
            lane.answer();
        }
        return;
    };
    throw_away(db).await;
    // Said at length by whoever watches the writer, and only once.
    tracing::debug!(%error, source = ?std::error::Error::source(&error), "The database takes no writes");
    let fault = error.fault().unwrap_or(WriteFault::Other);
    for lane in lanes {
        lane.refuse(fault);
    }
}

async fn commit_together(db: &DatabaseConnection, lanes: &mut AllPending) -> Result<(), Failure> {
    let tx = begin(db).await.map_err(Failure::Transaction)?;
    // Whoever holds the lock may have held it for seconds.
    for lane in lanes.iter_mut() {
        lane.drop_abandoned();
    }
    match carry_out_together(&tx, lanes).await {
        Ok(()) => {
            let committed = tx.commit().await;
            committed.map_err(|error| Failure::Transaction(error.into()))
        }
        Err(error) => match (Failure::of(error), tx.rollback().await) {
            (Failure::Command(_), Err(error)) => Err(Failure::Transaction(error.into())),
            (failure, _) => Err(failure),
        },
    }
}

async fn carry_out_together(tx: &Tx, lanes: &mut AllPending) -> Result<(), StoreError> {
    for lane in lanes {
        if lane.len() > 0 {
            lane.carry_out(tx).await?;
        }
    }
    Ok(())
}

/// Errors only when the transaction is lost, and then nothing of it was kept.
async fn commit_apart(db: &DatabaseConnection, lanes: &mut AllPending) -> Result<(), StoreError> {
    let tx = begin(db).await?;
    for lane in lanes {
        lane.carry_out_each(&tx).await?;
    }
    Ok(tx.commit().await?)
}

/// How the work ended; an error outside of it says that the whole transaction is lost.
async fn under_savepoint<T>(
    tx: &Tx,
    work: impl AsyncFnOnce(&Tx) -> Result<T, StoreError>,
) -> Result<Result<T, StoreError>, StoreError> {
    let savepoint = tx.begin().await?;
    match work(&savepoint).await {
        Ok(value) => {
            savepoint.commit().await?;
            Ok(Ok(value))
        }
        Err(error) if error.fault().is_some() => Err(error),
        Err(error) => {
            savepoint.rollback().await?;
            Ok(Err(error))
        }
    }
}
