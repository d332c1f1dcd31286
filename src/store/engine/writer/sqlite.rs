//! The one writer of a `SQLite` file: takes commands in batches and commits each batch once, since a
//! flush costs far more than the rows that it flushes. When a batch fails, every command of it is run
//! once more under a savepoint of its own, so one bad row fails alone.

use sea_orm::{DatabaseConnection, TransactionTrait as _};
use tokio::sync::mpsc;

use super::checkpoint::Checkpoints;
use super::{
    Answer, BatchCommand, Command, Edit, Inboxes, Tx, answer_all, begin, carry_out, only, run_one,
};
use crate::store::engine::write_fault::WriteFault;
use crate::store::error::StoreError;
use crate::store::pipeline::claims::Claiming;
use crate::store::pipeline::ingest::PreparedEvent;
use crate::store::pipeline::outcomes::Changing;
use crate::store::pipeline::receipts::Receiving;
use crate::store::pipeline::route::Routing;

/// How many commands of one line go into one batch.
const QUOTA: usize = 128;

/// How many events do.
const EVENTS: usize = 256;

#[derive(Default)]
struct Batch {
    events: Vec<Command<PreparedEvent>>,
    routes: Vec<Command<Routing>>,
    claims: Vec<Command<Claiming>>,
    changes: Vec<Command<Changing>>,
    receipts: Vec<Command<Receiving>>,
    edits: Vec<Edit>,
}

impl Batch {
    /// Waits until there is something to do; `false` when nothing will ever come.
    async fn first(&mut self, from: &mut Inboxes) -> bool {
        let came = tokio::select! {
            came = from.events.recv_many(&mut self.events, EVENTS) => came,
            came = from.routes.recv_many(&mut self.routes, QUOTA) => came,
            came = from.claims.recv_many(&mut self.claims, QUOTA) => came,
            came = from.changes.recv_many(&mut self.changes, QUOTA) => came,
            came = from.receipts.recv_many(&mut self.receipts, QUOTA) => came,
            edit = from.free.recv() => self.add(edit),
            edit = from.in_turn.recv() => self.add(edit),
        };
        came > 0
    }

    fn add(&mut self, edit: Option<Edit>) -> usize {
        self.edits.extend(edit);
        self.edits.len()
    }

    /// Takes what else is there.
    fn fill(&mut self, from: &mut Inboxes) {
        fill(&mut self.events, &mut from.events, EVENTS);
        fill(&mut self.routes, &mut from.routes, QUOTA);
        fill(&mut self.claims, &mut from.claims, QUOTA);
        fill(&mut self.changes, &mut from.changes, QUOTA);
        fill(&mut self.receipts, &mut from.receipts, QUOTA);
        fill(&mut self.edits, &mut from.free, QUOTA);
        fill(&mut self.edits, &mut from.in_turn, 2 * QUOTA);
    }

    /// Forgets what nobody waits for any more and would only surprise.
    fn drop_vain(&mut self) {
        self.claims.retain(|claim| !claim.is_abandoned());
        self.edits.retain(|edit| !edit.is_abandoned());
    }

    fn len(&self) -> usize {
        self.events.len()
            + self.routes.len()
            + self.claims.len()
            + self.changes.len()
            + self.receipts.len()
            + self.edits.len()
    }
}

fn fill<T>(batch: &mut Vec<T>, from: &mut mpsc::Receiver<T>, most: usize) {
    while batch.len() < most
        && let Ok(next) = from.try_recv()
    {
        batch.push(next);
    }
}

pub(super) async fn run(
    db: DatabaseConnection,
    log: Option<DatabaseConnection>,
    mut inboxes: Inboxes,
) {
    let mut checkpoints = log.map(Checkpoints::start);
    loop {
        let mut batch = Batch::default();
        if !batch.first(&mut inboxes).await {
            return;
        }
        batch.fill(&mut inboxes);
        commit(&db, batch).await;
        if let Some(checkpoints) = &mut checkpoints {
            checkpoints.committed();
        }
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
async fn commit(db: &DatabaseConnection, mut batch: Batch) {
    let lost = match commit_together(db, &mut batch).await {
        Ok(answers) => return answer_together(batch, answers),
        Err(Failure::Transaction(error)) => error,
        Err(Failure::Command(error)) => {
            tracing::warn!(%error, "A batch of {} writes failed; trying each alone", batch.len());
            match commit_apart(db, &batch).await {
                Ok(answers) => return answer_apart(batch, answers),
                Err(error) => error,
            }
        }
    };
    throw_away(db).await;
    refuse_all(batch, &lost);
}

/// What came of a batch: the answers of each line.
struct Answers<E, R, C, H, P, D> {
    events: Vec<E>,
    routes: Vec<R>,
    claims: Vec<C>,
    changes: Vec<H>,
    receipts: Vec<P>,
    edits: Vec<D>,
}

type Together = Answers<
    <PreparedEvent as BatchCommand>::Answer,
    <Routing as BatchCommand>::Answer,
    <Claiming as BatchCommand>::Answer,
    <Changing as BatchCommand>::Answer,
    <Receiving as BatchCommand>::Answer,
    Box<dyn std::any::Any + Send>,
>;

type Apart = Answers<
    Result<<PreparedEvent as BatchCommand>::Answer, StoreError>,
    Result<<Routing as BatchCommand>::Answer, StoreError>,
    Result<<Claiming as BatchCommand>::Answer, StoreError>,
    Result<<Changing as BatchCommand>::Answer, StoreError>,
    Result<<Receiving as BatchCommand>::Answer, StoreError>,
    Answer,
>;

async fn commit_together(db: &DatabaseConnection, batch: &mut Batch) -> Result<Together, Failure> {
    let tx = begin(db).await.map_err(Failure::Transaction)?;
    // Whoever holds the lock may have held it for seconds.
    batch.drop_vain();
    match carry_out_together(&tx, batch).await {
        Ok(answers) => {
            let committed = tx.commit().await;
            committed.map_err(|error| Failure::Transaction(error.into()))?;
            Ok(answers)
        }
        Err(error) => match (Failure::of(error), tx.rollback().await) {
            (Failure::Command(_), Err(error)) => Err(Failure::Transaction(error.into())),
            (failure, _) => Err(failure),
        },
    }
}

async fn carry_out_together(tx: &Tx, batch: &Batch) -> Result<Together, StoreError> {
    let answers = Together {
        events: carry_out(tx, &batch.events).await?,
        routes: carry_out(tx, &batch.routes).await?,
        claims: carry_out(tx, &batch.claims).await?,
        changes: carry_out(tx, &batch.changes).await?,
        receipts: carry_out(tx, &batch.receipts).await?,
        edits: Vec::with_capacity(batch.edits.len()),
    };
    let mut edits = answers.edits;
    for edit in &batch.edits {
        edits.push(run_one(&edit.work, tx).await?);
    }
    Ok(Answers { edits, ..answers })
}

/// Errors only when the transaction is lost, and then nothing of it was kept.
async fn commit_apart(db: &DatabaseConnection, batch: &Batch) -> Result<Apart, StoreError> {
    let tx = begin(db).await?;
    let mut answers = Apart {
        events: each_apart(&tx, &batch.events).await?,
        routes: each_apart(&tx, &batch.routes).await?,
        claims: each_apart(&tx, &batch.claims).await?,
        changes: each_apart(&tx, &batch.changes).await?,
        receipts: each_apart(&tx, &batch.receipts).await?,
        edits: Vec::with_capacity(batch.edits.len()),
    };
    for edit in &batch.edits {
        let done = under_savepoint(&tx, async |tx| run_one(&edit.work, tx).await).await?;
        answers.edits.push(done);
    }
    tx.commit().await?;
    Ok(answers)
}

fn answer_together(batch: Batch, answers: Together) {
    answer_all(batch.events, answers.events);
    answer_all(batch.routes, answers.routes);
    answer_all(batch.claims, answers.claims);
    answer_all(batch.changes, answers.changes);
    answer_all(batch.receipts, answers.receipts);
    for (edit, answer) in batch.edits.into_iter().zip(answers.edits) {
        edit.answer(Ok(answer));
    }
}

fn answer_apart(batch: Batch, answers: Apart) {
    answer_each(batch.events, answers.events);
    answer_each(batch.routes, answers.routes);
    answer_each(batch.claims, answers.claims);
    answer_each(batch.changes, answers.changes);
    answer_each(batch.receipts, answers.receipts);
    for (edit, answer) in batch.edits.into_iter().zip(answers.edits) {
        edit.answer(answer);
    }
}

async fn each_apart<C: BatchCommand>(
    tx: &Tx,
    commands: &[Command<C>],
) -> Result<Vec<Result<C::Answer, StoreError>>, StoreError> {
    let mut answers = Vec::with_capacity(commands.len());
    for command in commands.chunks(1) {
        let done = under_savepoint(tx, async |tx| only(carry_out(tx, command).await?));
        answers.push(done.await?);
    }
    Ok(answers)
}

fn answer_each<C: BatchCommand>(
    commands: Vec<Command<C>>,
    answers: Vec<Result<C::Answer, StoreError>>,
) {
    for (command, answer) in commands.into_iter().zip(answers) {
        drop(command.reply.send(answer));
    }
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

/// Closes the connection, so that the next batch begins on a new one. What `SQLite` thinks of the old one
/// does not matter any more: closing rolls back whatever is open on it.
pub(super) async fn throw_away(db: &DatabaseConnection) {
    match db.get_sqlite_connection_pool().acquire().await {
        Ok(connection) => {
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "The connection could not be closed in order");
            }
        }
        Err(error) => tracing::debug!(%error, "No connection could be opened to be closed"),
    }
}

/// Said at length by whoever watches the writer, and only once.
fn refuse_all(batch: Batch, error: &StoreError) {
    tracing::debug!(%error, source = ?std::error::Error::source(error), "The database takes no writes");
    let fault = error.fault().unwrap_or(WriteFault::Other);
    let refused = || StoreError::Refused(fault);
    refuse(batch.events, refused);
    refuse(batch.routes, refused);
    refuse(batch.claims, refused);
    refuse(batch.changes, refused);
    refuse(batch.receipts, refused);
    for edit in batch.edits {
        edit.answer(Err(refused()));
    }
}

fn refuse<C: BatchCommand>(commands: Vec<Command<C>>, refused: impl Fn() -> StoreError) {
    for command in commands {
        drop(command.reply.send(Err(refused())));
    }
}
