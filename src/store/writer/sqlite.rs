//! The one writer of a `SQLite` file: takes commands in batches and commits each batch once, since a
//! flush costs far more than the rows that it flushes. When a batch fails, every command of it is run
//! once more under a savepoint of its own, so one bad row fails alone.

use std::any::Any;
use std::collections::VecDeque;

use sea_orm::{DatabaseConnection, TransactionTrait as _};

use super::{Edit, Inboxes, Intake, LANES, Tx, begin, run_one};
use crate::domain::event::Ingested;
use crate::store::error::StoreError;
use crate::store::ingest::{self, PreparedEvent};

/// How many commands of one lane go into one batch.
const QUOTA: usize = 128;

/// How many events go into one batch.
const INGEST_QUOTA: usize = 256;

#[derive(Default)]
struct Waiting {
    intake: VecDeque<Intake>,
    lanes: [VecDeque<Edit>; LANES],
}

impl Waiting {
    fn add(&mut self, edit: Edit) {
        if let Some(queue) = self.lanes.get_mut(edit.lane as usize) {
            queue.push_back(edit);
        }
    }

    fn take_all(&mut self, inboxes: &mut Inboxes) {
        while let Ok(intake) = inboxes.intake.try_recv() {
            self.intake.push_back(intake);
        }
        for inbox in [&mut inboxes.free, &mut inboxes.in_turn] {
            while let Ok(edit) = inbox.try_recv() {
                self.add(edit);
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
            edits.extend(lane.drain(..take).filter(|edit| !edit.is_vain()));
        }
        Batch { intake, edits }
    }
}

struct Batch {
    intake: Vec<Intake>,
    edits: Vec<Edit>,
}

pub(super) async fn run(db: DatabaseConnection, mut inboxes: Inboxes) {
    let mut waiting = Waiting::default();
    loop {
        if waiting.is_empty() {
            tokio::select! {
                Some(intake) = inboxes.intake.recv() => waiting.intake.push_back(intake),
                Some(edit) = inboxes.free.recv() => waiting.add(edit),
                Some(edit) = inboxes.in_turn.recv() => waiting.add(edit),
                else => return,
            }
        }
        waiting.take_all(&mut inboxes);
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
