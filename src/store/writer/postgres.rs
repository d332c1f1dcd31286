//! Writing to `PostgreSQL`: several transactions at a time, in each process.
//!
//! What comes by the thousand goes in batches, two of each kind at a time: each statement is a way to
//! the server and back, and each commit a flush, which the server shares among all that commit at the
//! same time. Batches take their locks in one order, since two that wait for each other stand still
//! for a second. An edit has a transaction of its own.
//!
//! A transaction that the server has rolled back (a deadlock, a restart) is run again. One whose
//! commit was not answered may be there or not: the outcome of a call is told again, which changes
//! nothing if it is there; anything else is reported as failed, and whoever asked looks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use sea_orm::sqlx;
use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr, RuntimeErr};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::{
    Answer, Command, Edit, Inboxes, Lane, Many, Turn, Tx, answer_all, begin, carry_out, only,
    run_one,
};
use crate::domain::ids::TenantId;
use crate::store::error::StoreError;
use crate::store::sql::{self, values};
use crate::store::write_fault::WriteFault;

/// How many batches of each line are written at the same time.
const BATCHES: u32 = 2;

/// How many lines there are: events, routes, claims, changes, receipts.
const LINES: u32 = 5;

/// How many edits are written at the same time that wait for nobody.
const FREE: u32 = 2;

/// How many are that keep a turn within their tenant, and so may wait.
const IN_TURN: u32 = 2;

/// All of them.
pub(super) const CONNECTIONS: u32 = LINES * BATCHES + FREE + IN_TURN;

/// How many commands go into one batch.
const QUOTA: usize = 64;

/// How long an event is tried while the server cannot be reached, since Zoho waits for the answer.
const INTAKE_PATIENCE: Duration = Duration::from_secs(2);

/// How long one try of an event may take, should the server say nothing at all.
const INTAKE_TRY: Duration = Duration::from_secs(5);

/// How long one try of anything else may.
const EDIT_TRY: Duration = Duration::from_secs(20);

/// How long anything else is: a server restarts in less, and the outcome of a call is dear.
const EDIT_PATIENCE: Duration = Duration::from_secs(10);

/// The class of our advisory locks, so that they meet nobody else's.
const LOCK_CLASS: i32 = 0x6d6c_6301;

type Inbox<T> = Arc<Mutex<mpsc::Receiver<T>>>;

/// How long a session of a writer lets anything wait. A client that vanishes in the middle of a transaction
/// would keep its locks for hours, and everybody who waits for them.
pub(in crate::store) const PATIENCE: [(&str, &str); 7] = [
    ("idle_in_transaction_session_timeout", "10s"),
    ("lock_timeout", "8s"),
    ("statement_timeout", "15s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30000"),
];

pub(super) fn start(db: &DatabaseConnection, inboxes: Inboxes) {
    take_line(db, inboxes.events, INTAKE_PATIENCE, INTAKE_TRY);
    take_line(db, inboxes.routes, EDIT_PATIENCE, EDIT_TRY);
    take_line(db, inboxes.claims, EDIT_PATIENCE, EDIT_TRY);
    take_line(db, inboxes.changes, EDIT_PATIENCE, EDIT_TRY);
    take_line(db, inboxes.receipts, EDIT_PATIENCE, EDIT_TRY);
    for (inbox, takers) in [(inboxes.free, FREE), (inboxes.in_turn, IN_TURN)] {
        let inbox = Arc::new(Mutex::new(inbox));
        for _ in 0..takers {
            drop(tokio::spawn(take_edits(db.clone(), inbox.clone())));
        }
    }
}

fn take_line<C: Many>(
    db: &DatabaseConnection,
    inbox: mpsc::Receiver<Command<C>>,
    patience: Duration,
    each_try: Duration,
) {
    let inbox = Arc::new(Mutex::new(inbox));
    for _ in 0..BATCHES {
        let line = Line {
            db: db.clone(),
            inbox: inbox.clone(),
            patience,
            each_try,
        };
        drop(tokio::spawn(line.run()));
    }
}

/// Commands of one kind, carried out in batches.
struct Line<C: Many> {
    db: DatabaseConnection,
    inbox: Inbox<Command<C>>,
    /// How long a batch is tried while the server cannot be reached …
    patience: Duration,
    /// … and how long one try may take, should the server say nothing at all.
    each_try: Duration,
}

impl<C: Many> Line<C> {
    async fn run(self) {
        let mut batch = Vec::with_capacity(QUOTA);
        while self.inbox.lock().await.recv_many(&mut batch, QUOTA).await > 0 {
            let commands: Vec<Command<C>> = batch.drain(..).filter(|c| !c.is_vain()).collect();
            if !commands.is_empty() {
                self.commit(commands).await;
            }
        }
    }

    async fn commit(&self, commands: Vec<Command<C>>) {
        match self.keep(&commands).await {
            Ok(answers) => answer_all(commands, answers),
            // One bad row must not cost the others; alone, each is told its own fault.
            Err(error) if commands.len() > 1 && !is_away(&error) => {
                tracing::warn!(%error, "A batch of {} writes failed; trying each alone",
                    commands.len());
                for command in commands {
                    let alone = [command];
                    let answer = self.keep(&alone).await.and_then(only);
                    let [command] = alone;
                    drop(command.reply.send(answer));
                }
            }
            Err(error) => {
                tracing::debug!(%error, "The database takes no writes");
                let fault = error.fault().unwrap_or(WriteFault::Other);
                for command in commands {
                    drop(command.reply.send(Err(StoreError::Refused(fault))));
                }
            }
        }
    }

    async fn keep(&self, commands: &[Command<C>]) -> Result<Vec<C::Answer>, StoreError> {
        let mut patience = Patience::of(self.patience);
        loop {
            let done = async {
                let tx = begin(&self.db).await?;
                keep_turns(&tx, commands.iter().map(|c| c.what.turn())).await?;
                let answers = carry_out(&tx, commands).await?;
                Ok((tx, answers))
            };
            match within(self.each_try, done).await {
                Ok((tx, answers)) => match tx.commit().await {
                    Ok(()) => return Ok(answers),
                    Err(error) if C::IS_TOLD_AGAIN => patience.after(error.into()).await?,
                    Err(error) => patience.after_commit(error.into()).await?,
                },
                Err(error) => patience.after(error).await?,
            }
            if commands.iter().all(Command::is_vain) {
                return Err(StoreError::Closed);
            }
        }
    }
}

async fn take_edits(db: DatabaseConnection, inbox: Inbox<Edit>) {
    loop {
        let Some(edit) = inbox.lock().await.recv().await else {
            return;
        };
        let answer = carry_out_edit(&db, &edit).await;
        edit.answer(answer);
    }
}

async fn carry_out_edit(db: &DatabaseConnection, edit: &Edit) -> Answer {
    let mut patience = Patience::of(EDIT_PATIENCE);
    loop {
        if edit.is_vain() {
            return Err(StoreError::Closed);
        }
        let done = async {
            let tx = begin(db).await?;
            keep_turns(&tx, std::iter::once(edit.turn)).await?;
            let answer = run_one(&edit.work, &tx).await?;
            Ok((tx, answer))
        };
        match within(EDIT_TRY, done).await {
            Ok((tx, answer)) => match tx.commit().await {
                Ok(()) => return Ok(answer),
                // An outcome is dear, and telling it twice changes nothing.
                Err(error) if edit.lane == Lane::Outcome => patience.after(error.into()).await?,
                Err(error) => patience.after_commit(error.into()).await?,
            },
            Err(error) => patience.after(error).await?,
        }
    }
}

/// A server that is cut off says nothing for a quarter of an hour.
async fn within<T>(
    span: Duration,
    done: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let silent = |_| DbErr::Custom(format!("the database has not answered for {span:?}"));
    timeout(span, done).await.map_err(silent)?
}

/// The locks end with the transaction. Waiters stand in line, so that somebody who wants to be alone
/// is not passed by for ever. All take them in one order, so that no two batches wait for each other.
async fn keep_turns(tx: &Tx, turns: impl Iterator<Item = Turn>) -> Result<(), StoreError> {
    let (mut beside, mut alone) = (BTreeSet::new(), BTreeSet::new());
    for turn in turns {
        match turn {
            Turn::Free => {}
            Turn::Beside(tenant) => drop(beside.insert(fold(tenant))),
            Turn::Alone(tenant) => drop(alone.insert(fold(tenant))),
        }
    }
    for (lock, tenants) in [
        ("pg_advisory_xact_lock_shared", beside),
        ("pg_advisory_xact_lock", alone),
    ] {
        let tenants = tenants.into_iter().map(sea_orm::Value::from).collect();
        let Some(tenants) = sql::array(tenants) else {
            continue;
        };
        let query = format!(
            "SELECT {lock}($1, tenant) FROM (SELECT tenant FROM UNNEST($2::int[]) AS v (tenant) \
             ORDER BY tenant) AS ordered"
        );
        let mut bound = values![LOCK_CLASS];
        bound.push(tenants);
        sql::exec(tx, &query, bound).await?;
    }
    Ok(())
}

/// Two tenants with one number wait for each other now and then, and that is all.
fn fold(tenant: TenantId) -> i32 {
    let [.., a, b, c, d] = tenant.uuid().into_bytes();
    i32::from_be_bytes([a, b, c, d])
}

/// How long and how often a command is run again.
struct Patience {
    until: Instant,
    tries: u32,
}

impl Patience {
    fn of(span: Duration) -> Self {
        Self {
            until: Instant::now() + span,
            tries: 0,
        }
    }

    /// After a failure before the commit: nothing was kept.
    async fn after(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.tries += 1;
        if !(is_away(&error) || is_rolled_back(&error)) || Instant::now() >= self.until {
            return Err(error);
        }
        let longest = Duration::from_millis(20 << self.tries.min(5));
        let wait = rand::rng().random_range(Duration::from_millis(1)..=longest);
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// After a failed commit: only where the server said that it rolled back is it sure.
    async fn after_commit(&mut self, error: StoreError) -> Result<(), StoreError> {
        if is_rolled_back(&error) {
            self.after(error).await
        } else {
            Err(error)
        }
    }
}

/// Deadlock (40P01), a serialization failure (40001), or one of the time-outs of [`PATIENCE`]: of a lock
/// (55P03), a statement (57014), a transaction (25P03).
fn is_rolled_back(error: &StoreError) -> bool {
    let codes = ["40P01", "40001", "55P03", "57014", "25P03"];
    code(error).is_some_and(|code| codes.contains(&code.as_str()))
}

/// The server cannot be reached at the moment: it restarts (57P01 to 57P03), has no connection left
/// (53300), or the connection broke.
fn is_away(error: &StoreError) -> bool {
    if let StoreError::Db(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)) = error {
        return true;
    }
    match sqlx_error(error) {
        Some(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_)) => true,
        Some(sqlx::Error::Database(_)) => code(error).is_some_and(|code| {
            code.starts_with("57P0") || code.starts_with("08") || code == "53300"
        }),
        _ => false,
    }
}

fn code(error: &StoreError) -> Option<String> {
    match sqlx_error(error)? {
        sqlx::Error::Database(error) => error.code().map(std::borrow::Cow::into_owned),
        _ => None,
    }
}

fn sqlx_error(error: &StoreError) -> Option<&sqlx::Error> {
    match error {
        StoreError::Db(
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)),
        ) => Some(error),
        _ => None,
    }
}
