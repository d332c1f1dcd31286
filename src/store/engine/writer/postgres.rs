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
//!
//! Whoever posts an event hears within [`INTAKE_WITHIN`] of asking, whatever else is in the batch and
//! however the server fails: not at all, slowly, or behind a lock. A batch is taken apart only for a fault
//! that is known to be one of its statements'.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use sea_orm::DatabaseConnection;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::{
    Answer, BatchCommand, Command, Edit, Inboxes, Lane, TenantLock, Tx, answer_all, begin,
    carry_out, only, run_one,
};
use crate::domain::ids::TenantId;
use crate::store::engine::db::UnscopedDb;
use crate::store::engine::faults::{self, Fault};
use crate::store::engine::server::Server;
use crate::store::engine::sql::{self, values};
use crate::store::engine::write_fault::WriteFault;
use crate::store::error::StoreError;

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

/// How long one try of an event may take, should the server say nothing at all. Longer than a lock is waited
/// for, so that the server can say that it was a lock.
const INTAKE_TRY: Duration = Duration::from_secs(5);

/// How long whoever posts an event may wait for all of it, including the time in the line. Ten seconds are
/// promised for the whole request, and a look-up comes before.
const INTAKE_WITHIN: Duration = Duration::from_secs(7);

/// Whoever has less left than this has waited too long already. A try so short would take a slow server
/// for a silent one.
const TOO_LATE: Duration = Duration::from_secs(1);

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
    ("lock_timeout", "4s"),
    ("statement_timeout", "15s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30000"),
];

pub(super) fn start(db: &DatabaseConnection, server: &Server, inboxes: Inboxes) {
    let to = Way {
        db: db.clone(),
        server: server.clone(),
    };
    let intake = Limits {
        patience: INTAKE_PATIENCE,
        each_try: INTAKE_TRY,
        within: Some(INTAKE_WITHIN),
    };
    let other = Limits {
        patience: EDIT_PATIENCE,
        each_try: EDIT_TRY,
        within: None,
    };
    take_line(&to, inboxes.events, intake);
    take_line(&to, inboxes.routes, other);
    take_line(&to, inboxes.claims, other);
    take_line(&to, inboxes.changes, other);
    take_line(&to, inboxes.receipts, other);
    for (inbox, takers) in [(inboxes.free, FREE), (inboxes.in_turn, IN_TURN)] {
        let inbox = Arc::new(Mutex::new(inbox));
        for _ in 0..takers {
            drop(tokio::spawn(take_edits(to.clone(), inbox.clone())));
        }
    }
}

fn take_line<C: BatchCommand>(to: &Way, inbox: mpsc::Receiver<Command<C>>, limits: Limits) {
    let inbox = Arc::new(Mutex::new(inbox));
    for _ in 0..BATCHES {
        let line = Line {
            to: to.clone(),
            inbox: inbox.clone(),
            limits,
        };
        drop(tokio::spawn(line.run()));
    }
}

/// How long a line tries.
#[derive(Clone, Copy)]
struct Limits {
    /// How long a batch is tried while the server cannot be reached …
    patience: Duration,
    /// … how long one try may take, should the server say nothing at all …
    each_try: Duration,
    /// … and how long whoever has waited longest may wait in all.
    within: Option<Duration>,
}

/// The way to the server.
#[derive(Clone)]
struct Way {
    db: DatabaseConnection,
    server: Server,
}

impl Way {
    /// Begins a transaction, unless what it would keep could be lost.
    async fn begin(&self) -> Result<Tx, StoreError> {
        if let Some(trouble) = self.server.refusal() {
            return Err(StoreError::Untrusted(trouble));
        }
        begin(&self.db).await
    }

    /// A server that is cut off says nothing for a quarter of an hour.
    async fn within<T>(
        &self,
        span: Duration,
        done: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut done = pin!(done);
        if let Ok(answer) = timeout(span, done.as_mut()).await {
            return answer;
        }
        // Before its session goes back to the pool with `done`.
        self.server.was_silent();
        Err(faults::silence(span))
    }

    /// Commits, within as long as a try may take.
    async fn commit(&self, span: Duration, tx: Tx) -> Result<(), StoreError> {
        self.within(span, async { Ok(tx.commit().await?) }).await
    }
}

/// Commands of one kind, carried out in batches.
struct Line<C: BatchCommand> {
    to: Way,
    inbox: Inbox<Command<C>>,
    limits: Limits,
}

impl<C: BatchCommand> Line<C> {
    async fn run(self) {
        let mut batch = Vec::with_capacity(QUOTA);
        while self.inbox.lock().await.recv_many(&mut batch, QUOTA).await > 0 {
            let (commands, late): (Vec<_>, Vec<_>) = batch
                .drain(..)
                .filter(|c| !c.is_abandoned())
                .partition(|command| self.left(command.asked) > TOO_LATE);
            refuse(
                late,
                &faults::silence(self.limits.within.unwrap_or_default()),
            );
            if !commands.is_empty() {
                self.commit(commands).await;
            }
        }
    }

    /// How long a command that was asked for then may still take.
    fn left(&self, asked: Instant) -> Duration {
        let within = self.limits.within;
        within.map_or(Duration::MAX, |within| {
            within.saturating_sub(asked.elapsed())
        })
    }

    async fn commit(&self, commands: Vec<Command<C>>) {
        match self.keep(&commands).await {
            Ok(answers) => answer_all(commands, answers),
            // One bad row must not cost the others; alone, each is told its own fault.
            Err(error) if commands.len() > 1 && faults::of(&error) == Fault::Own => {
                tracing::warn!(%error, "A batch of {} writes failed; trying each alone",
                    commands.len());
                for command in commands {
                    let alone = [command];
                    let answer = self.keep(&alone).await.and_then(only);
                    let [command] = alone;
                    drop(command.reply.send(answer));
                }
            }
            Err(error) => refuse(commands, &error),
        }
    }

    async fn keep(&self, commands: &[Command<C>]) -> Result<Vec<C::Answer>, StoreError> {
        let asked = commands.iter().map(|c| c.asked).min();
        let asked = asked.unwrap_or_else(Instant::now);
        let mut patience = Patience::of(self.limits.patience);
        loop {
            let done = async {
                let tx = self.to.begin().await?;
                keep_turns(&tx, commands.iter().map(|c| c.what.tenant_lock())).await?;
                let answers = carry_out(&tx, commands).await?;
                Ok((tx, answers))
            };
            // What is left to the oldest of them is left to the batch.
            let each_try = || self.limits.each_try.min(self.left(asked));
            match self.to.within(each_try(), done).await {
                Ok((tx, answers)) => match self.to.commit(each_try(), tx).await {
                    Ok(()) => return Ok(answers),
                    Err(error) if C::IS_RETRIED => patience.after(&self.to, error).await?,
                    Err(error) => patience.after_commit(&self.to, error).await?,
                },
                Err(error) => patience.after(&self.to, error).await?,
            }
            if commands.iter().all(Command::is_abandoned) {
                return Err(StoreError::Closed);
            }
            if self.left(asked) <= TOO_LATE {
                return Err(faults::silence(asked.elapsed()));
            }
        }
    }
}

async fn take_edits(to: Way, inbox: Inbox<Edit>) {
    loop {
        let Some(edit) = inbox.lock().await.recv().await else {
            return;
        };
        let answer = carry_out_edit(&to, &edit).await;
        edit.answer(answer);
    }
}

async fn carry_out_edit(to: &Way, edit: &Edit) -> Answer {
    let mut patience = Patience::of(EDIT_PATIENCE);
    loop {
        if edit.is_abandoned() {
            return Err(StoreError::Closed);
        }
        let done = async {
            let tx = to.begin().await?;
            keep_turns(&tx, std::iter::once(edit.turn)).await?;
            let answer = run_one(&edit.work, &tx).await?;
            Ok((tx, answer))
        };
        match to.within(EDIT_TRY, done).await {
            Ok((tx, answer)) => match to.commit(EDIT_TRY, tx).await {
                Ok(()) => return Ok(answer),
                // An outcome is dear, and telling it twice changes nothing.
                Err(error) if edit.lane == Lane::Outcome => patience.after(to, error).await?,
                Err(error) => patience.after_commit(to, error).await?,
            },
            Err(error) => patience.after(to, error).await?,
        }
    }
}

/// The locks end with the transaction. Waiters stand in line, so that somebody who wants to be alone
/// is not passed by for ever. All take them in one order, so that no two batches wait for each other.
async fn keep_turns(tx: &Tx, turns: impl Iterator<Item = TenantLock>) -> Result<(), StoreError> {
    let (mut beside, mut alone) = (BTreeSet::new(), BTreeSet::new());
    for turn in turns {
        match turn {
            TenantLock::None => {}
            TenantLock::Shared(tenant) => drop(beside.insert(fold(tenant))),
            TenantLock::Exclusive(tenant) => drop(alone.insert(fold(tenant))),
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
        UnscopedDb::itself(tx).exec(&query, bound).await?;
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
    async fn after(&mut self, to: &Way, error: StoreError) -> Result<(), StoreError> {
        let fault = faults::of(&error);
        if fault == Fault::Server && faults::was_shown_by_a_session(&error) {
            to.server.distrust();
        }
        self.tries += 1;
        if fault == Fault::Own || Instant::now() >= self.until {
            return Err(error);
        }
        let longest = Duration::from_millis(20 << self.tries.min(5));
        let wait = rand::rng().random_range(Duration::from_millis(1)..=longest);
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// After a failed commit: only where the server said that it rolled back is it sure.
    async fn after_commit(&mut self, to: &Way, error: StoreError) -> Result<(), StoreError> {
        if faults::left_nothing(&error) {
            return self.after(to, error).await;
        }
        to.server.distrust();
        Err(error)
    }
}

/// Callers hear that it was not kept; who watches the writer tells it at length, and once.
fn refuse<C: BatchCommand>(commands: Vec<Command<C>>, error: &StoreError) {
    if commands.is_empty() {
        return;
    }
    tracing::debug!(%error, "The database takes no writes");
    let fault = error.fault().unwrap_or(WriteFault::Other);
    for command in commands {
        drop(command.reply.send(Err(StoreError::Refused(fault))));
    }
}
