//! Group commit: one writer takes commands in batches and commits each batch once.
//!
//! A command is a piece of work that can be run again: when a batch fails, every command of it is
//! run once more under a savepoint of its own, so one bad row fails alone.
//!
//! ```text
//!  ingest  ─┐   at most QUOTA of each lane per batch,
//!  route   ─┤   in this order; so none starves
//!  attempt ─┼──► BEGIN IMMEDIATE … COMMIT ──► every caller gets its answer
//!  outcome ─┤
//!  receipt ─┤
//!  edit    ─┘
//! ```

use std::any::Any;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait as _,
};
use tokio::sync::{mpsc, oneshot};

use super::error::StoreError;
use super::ingest::{self, PreparedEvent};
use crate::domain::event::Ingested;

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

/// How many commands of one lane go into one batch.
const QUOTA: usize = 128;

/// How many events go into one batch.
const INGEST_QUOTA: usize = 256;

/// The transaction that a command works in.
pub(super) type Tx = DatabaseTransaction;

type Answer = Result<Box<dyn Any + Send>, StoreError>;
type Work = Box<dyn for<'t> Fn(&'t Tx) -> BoxFuture<'t, Answer> + Send + Sync>;

struct Edit {
    work: Work,
    reply: oneshot::Sender<Answer>,
}

struct Intake {
    event: PreparedEvent,
    reply: oneshot::Sender<Result<Ingested, StoreError>>,
}

enum Command {
    Edit(Lane, Edit),
    Intake(Box<Intake>),
}

/// A handle to the one writer.
#[derive(Clone)]
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
}

impl Writer {
    /// Starts the writer on its own connection.
    pub(super) fn start(db: DatabaseConnection) -> Self {
        let (commands, inbox) = mpsc::channel(4096);
        tokio::spawn(run(db, inbox));
        Self { commands }
    }

    /// Runs `work` in the next batch and answers once it is committed.
    pub(super) async fn write<T, F>(&self, lane: Lane, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |tx| {
            let done = work(tx);
            async move { Ok(Box::new(done.await?) as Box<dyn Any + Send>) }.boxed()
        });
        let command = Command::Edit(lane, Edit { work, reply });
        self.commands
            .send(command)
            .await
            .map_err(|_| StoreError::Closed)?;
        let value = answer.await.map_err(|_| StoreError::Closed)??;
        value.downcast().map(|v| *v).map_err(|_| StoreError::Closed)
    }

    /// Keeps one event; answers once it is on disk.
    pub(super) async fn ingest(&self, event: PreparedEvent) -> Result<Ingested, StoreError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Intake(Box::new(Intake { event, reply }));
        self.commands
            .send(command)
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

#[derive(Default)]
struct Waiting {
    intake: VecDeque<Intake>,
    lanes: [VecDeque<Edit>; LANES],
}

impl Waiting {
    fn add(&mut self, command: Command) {
        match command {
            Command::Intake(intake) => self.intake.push_back(*intake),
            Command::Edit(lane, edit) => {
                if let Some(queue) = self.lanes.get_mut(lane as usize) {
                    queue.push_back(edit);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.intake.is_empty() && self.lanes.iter().all(VecDeque::is_empty)
    }

    fn next_batch(&mut self) -> Batch {
        let take = self.intake.len().min(INGEST_QUOTA);
        let intake = self.intake.drain(..take).collect();
        let mut edits = Vec::new();
        for lane in &mut self.lanes {
            let take = lane.len().min(QUOTA);
            edits.extend(lane.drain(..take));
        }
        Batch { intake, edits }
    }
}

struct Batch {
    intake: Vec<Intake>,
    edits: Vec<Edit>,
}

async fn run(db: DatabaseConnection, mut inbox: mpsc::Receiver<Command>) {
    let mut waiting = Waiting::default();
    loop {
        if waiting.is_empty() {
            match inbox.recv().await {
                Some(command) => waiting.add(command),
                None => return,
            }
        }
        while let Ok(command) = inbox.try_recv() {
            waiting.add(command);
        }
        commit(&db, waiting.next_batch()).await;
    }
}

/// Commits a batch; if that fails, once more with every command on its own.
async fn commit(db: &DatabaseConnection, batch: Batch) {
    let events: Vec<&PreparedEvent> = batch.intake.iter().map(|i| &i.event).collect();
    let together = commit_together(db, &events, &batch.edits).await;
    match together {
        Ok((ingested, answers)) => {
            for (intake, answer) in batch.intake.into_iter().zip(ingested) {
                drop(intake.reply.send(Ok(answer)));
            }
            for (edit, answer) in batch.edits.into_iter().zip(answers) {
                drop(edit.reply.send(Ok(answer)));
            }
        }
        Err(error) => {
            tracing::warn!(%error, "A batch of {} writes failed; trying each alone",
                batch.intake.len() + batch.edits.len());
            commit_apart(db, batch).await;
        }
    }
}

async fn commit_together(
    db: &DatabaseConnection,
    events: &[&PreparedEvent],
    edits: &[Edit],
) -> Result<(Vec<Ingested>, Vec<Box<dyn Any + Send>>), StoreError> {
    let tx = begin(db).await?;
    let ingested = ingest::insert(&tx, events).await?;
    let mut answers = Vec::with_capacity(edits.len());
    for edit in edits {
        answers.push(run_one(&edit.work, &tx).await?);
    }
    tx.commit().await?;
    Ok((ingested, answers))
}

async fn commit_apart(db: &DatabaseConnection, batch: Batch) {
    let tx = match begin(db).await {
        Ok(tx) => tx,
        Err(error) => return refuse_all(batch, &error),
    };
    let mut ingested = Vec::with_capacity(batch.intake.len());
    for intake in &batch.intake {
        ingested.push(
            under_savepoint(&tx, async |tx| {
                let done = ingest::insert(tx, &[&intake.event]).await?;
                done.into_iter().next().ok_or(StoreError::Closed)
            })
            .await,
        );
    }
    let mut answers = Vec::with_capacity(batch.edits.len());
    for edit in &batch.edits {
        answers.push(under_savepoint(&tx, async |tx| run_one(&edit.work, tx).await).await);
    }
    if let Err(error) = tx.commit().await {
        return refuse_all(batch, &error.into());
    }
    for (intake, answer) in batch.intake.into_iter().zip(ingested) {
        drop(intake.reply.send(answer));
    }
    for (edit, answer) in batch.edits.into_iter().zip(answers) {
        drop(edit.reply.send(answer));
    }
}

async fn begin(db: &DatabaseConnection) -> Result<Tx, StoreError> {
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(db.begin_with_options(immediate).await?)
}

async fn under_savepoint<T>(
    tx: &Tx,
    work: impl AsyncFnOnce(&Tx) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let savepoint = tx.begin().await?;
    match work(&savepoint).await {
        Ok(value) => {
            savepoint.commit().await?;
            Ok(value)
        }
        Err(error) => {
            savepoint.rollback().await?;
            Err(error)
        }
    }
}

/// A panic in one command must not take the writer down with it.
async fn run_one(work: &Work, tx: &Tx) -> Answer {
    AssertUnwindSafe(work(tx))
        .catch_unwind()
        .await
        .unwrap_or(Err(StoreError::Panicked))
}

fn refuse_all(batch: Batch, error: &StoreError) {
    tracing::error!(%error, source = ?std::error::Error::source(error), "The database takes no writes");
    let refused = || {
        StoreError::Db(sea_orm::DbErr::Custom(
            "the database takes no writes".to_owned(),
        ))
    };
    for intake in batch.intake {
        drop(intake.reply.send(Err(refused())));
    }
    for edit in batch.edits {
        drop(edit.reply.send(Err(refused())));
    }
}
