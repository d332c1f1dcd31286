//! The one writer of a `SQLite` file: takes commands in batches and commits each batch once, since a
//! flush costs far more than the rows that it flushes. When a batch fails, every command of it is run
//! once more under a savepoint of its own, so one bad row fails alone.

use sea_orm::{DatabaseConnection, TransactionTrait as _};
use tokio::sync::mpsc;

use super::checkpoint::Checkpoints;
use super::{
    Answer, Command, Edit, Inboxes, Many, Tx, answer_all, begin, carry_out, only, run_one,
};
use crate::store::deliveries::Claiming;
use crate::store::error::StoreError;
use crate::store::ingest::PreparedEvent;
use crate::store::outcomes::Changing;
use crate::store::receipts::Receiving;
use crate::store::route::Routing;

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
        self.claims.retain(|claim| !claim.is_vain());
        self.edits.retain(|edit| !edit.is_vain());
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

/// Commits a batch; if that fails, once more with every command on its own.
async fn commit(db: &DatabaseConnection, batch: Batch) {
    match commit_together(db, &batch).await {
        Ok(answers) => {
            answer_all(batch.events, answers.0);
            answer_all(batch.routes, answers.1);
            answer_all(batch.claims, answers.2);
            answer_all(batch.changes, answers.3);
            answer_all(batch.receipts, answers.4);
            for (edit, answer) in batch.edits.into_iter().zip(answers.5) {
                edit.answer(Ok(answer));
            }
        }
        Err(error) => {
            tracing::warn!(%error, "A batch of {} writes failed; trying each alone", batch.len());
            commit_apart(db, batch).await;
        }
    }
}

type Answers = (
    Vec<<PreparedEvent as Many>::Answer>,
    Vec<<Routing as Many>::Answer>,
    Vec<<Claiming as Many>::Answer>,
    Vec<<Changing as Many>::Answer>,
    Vec<<Receiving as Many>::Answer>,
    Vec<Box<dyn std::any::Any + Send>>,
);

async fn commit_together(db: &DatabaseConnection, batch: &Batch) -> Result<Answers, StoreError> {
    let tx = begin(db).await?;
    let events = carry_out(&tx, &batch.events).await?;
    let routes = carry_out(&tx, &batch.routes).await?;
    let claims = carry_out(&tx, &batch.claims).await?;
    let changes = carry_out(&tx, &batch.changes).await?;
    let receipts = carry_out(&tx, &batch.receipts).await?;
    let mut edits = Vec::with_capacity(batch.edits.len());
    for edit in &batch.edits {
        edits.push(run_one(&edit.work, &tx).await?);
    }
    tx.commit().await?;
    Ok((events, routes, claims, changes, receipts, edits))
}

async fn commit_apart(db: &DatabaseConnection, batch: Batch) {
    let tx = match begin(db).await {
        Ok(tx) => tx,
        Err(error) => return refuse_all(batch, &error),
    };
    let events = each_apart(&tx, &batch.events).await;
    let routes = each_apart(&tx, &batch.routes).await;
    let claims = each_apart(&tx, &batch.claims).await;
    let changes = each_apart(&tx, &batch.changes).await;
    let receipts = each_apart(&tx, &batch.receipts).await;
    let mut edits: Vec<Answer> = Vec::with_capacity(batch.edits.len());
    for edit in &batch.edits {
        edits.push(under_savepoint(&tx, async |tx| run_one(&edit.work, tx).await).await);
    }
    if let Err(error) = tx.commit().await {
        return refuse_all(batch, &error.into());
    }
    answer_each(batch.events, events);
    answer_each(batch.routes, routes);
    answer_each(batch.claims, claims);
    answer_each(batch.changes, changes);
    answer_each(batch.receipts, receipts);
    for (edit, answer) in batch.edits.into_iter().zip(edits) {
        edit.answer(answer);
    }
}

async fn each_apart<C: Many>(
    tx: &Tx,
    commands: &[Command<C>],
) -> Vec<Result<C::Answer, StoreError>> {
    let mut answers = Vec::with_capacity(commands.len());
    for command in commands.chunks(1) {
        let done = under_savepoint(tx, async |tx| only(carry_out(tx, command).await?));
        answers.push(done.await);
    }
    answers
}

fn answer_each<C: Many>(commands: Vec<Command<C>>, answers: Vec<Result<C::Answer, StoreError>>) {
    for (command, answer) in commands.into_iter().zip(answers) {
        drop(command.reply.send(answer));
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
    refuse(batch.events, refused);
    refuse(batch.routes, refused);
    refuse(batch.claims, refused);
    refuse(batch.changes, refused);
    refuse(batch.receipts, refused);
    for edit in batch.edits {
        edit.answer(Err(refused()));
    }
}

fn refuse<C: Many>(commands: Vec<Command<C>>, refused: impl Fn() -> StoreError) {
    for command in commands {
        drop(command.reply.send(Err(refused())));
    }
}
