//! Writing to `PostgreSQL`: several transactions at a time, in each process.
//!
//! What comes by the thousand goes in batches, two of each kind at a time: each statement is a
//! round trip, and each commit a flush, which the server shares among all that commit at the
//! same time. Batches take their locks in one order, since two that wait for each other stand still
//! for a second. An edit has a transaction of its own.
//!
//! A transaction that the server has rolled back (a deadlock, a restart) is run again. One whose
//! commit was not answered may be there or not: the outcome of a call is written again, which changes
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

use super::command::{Command, carry_out, only};
use super::edits::{Answer, Edit, EditInbox};
use super::{BatchCommand, TenantLock, Tx, begin};
use crate::domain::ids::TenantId;
use crate::store::engine::db::UnscopedDb;
use crate::store::engine::error::StoreError;
use crate::store::engine::faults::Fault;
use crate::store::engine::server::Server;
use crate::store::engine::sql::{self, values};
use crate::store::engine::write_fault::WriteFault;

/// How many batches of each lane are written at the same time.
const BATCHES: u32 = 2;

/// How many edits are written at the same time that wait for nobody.
const UNLOCKED: u32 = 2;

/// How many are that take a lock of their tenant, and so may wait.
const LOCKED: u32 = 2;

/// All of them.
pub(super) fn connections(lanes: usize) -> u32 {
    let lanes = u32::try_from(lanes).unwrap_or(u32::MAX);
    lanes
        .saturating_mul(BATCHES)
        .saturating_add(UNLOCKED + LOCKED)
}

/// How many commands go into one batch.
const QUOTA: usize = 64;

/// How long an event is tried while the server cannot be reached, since Zoho waits for the answer.
const INTAKE_PATIENCE: Duration = Duration::from_secs(2);

/// How long one try of an event may take, should the server say nothing at all. Longer than a lock is waited
/// for, so that the server can say that it was a lock.
const INTAKE_TRY: Duration = Duration::from_secs(5);

/// How long whoever posts an event may wait for all of it, including the time in the lane. Ten seconds are
/// promised for the whole request, and a look-up comes before.
const INTAKE_WITHIN: Duration = Duration::from_secs(7);

/// Whoever has less left than this has waited too long already. A try so short would take a slow server
/// for a silent one.
const TOO_LATE: Duration = Duration::from_secs(1);

/// How long one try of anything else may.
const EDIT_TRY: Duration = Duration::from_secs(20);

/// How long anything else is: a server restarts in less, and the outcome of a call is expensive.
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

pub(super) fn start_lane<C: BatchCommand>(pool: &ServerPool, inbox: mpsc::Receiver<Command<C>>) {
    let inbox = Arc::new(Mutex::new(inbox));
    for _ in 0..BATCHES {
        let lane = Lane {
            pool: pool.clone(),
            inbox: inbox.clone(),
            limits: if C::IS_INTAKE { INTAKE } else { OTHER },
        };
        drop(tokio::spawn(lane.run()));
    }
}

pub(super) fn start_edits(pool: &ServerPool, inbox: EditInbox) {
    for (inbox, takers) in [(inbox.unlocked, UNLOCKED), (inbox.locked, LOCKED)] {
        let inbox = Arc::new(Mutex::new(inbox));
        for _ in 0..takers {
            drop(tokio::spawn(take_edits(pool.clone(), inbox.clone())));
        }
    }
}

const INTAKE: Limits = Limits {
    patience: INTAKE_PATIENCE,
    each_try: INTAKE_TRY,
    within: Some(INTAKE_WITHIN),
};

const OTHER: Limits = Limits {
    patience: EDIT_PATIENCE,
    each_try: EDIT_TRY,
    within: None,
};

/// How long a lane tries.
#[derive(Clone, Copy)]
struct Limits {
    /// How long a batch is tried while the server cannot be reached …
    patience: Duration,
    /// … how long one try may take, should the server say nothing at all …
    each_try: Duration,
    /// … and how long whoever has waited longest may wait in all.
    within: Option<Duration>,
}

/// Connections that write, and what is known of the server behind them.
#[derive(Clone)]
pub(super) struct ServerPool {
    db: DatabaseConnection,
    server: Server,
}

impl ServerPool {
    pub(super) fn new(db: &DatabaseConnection, server: &Server) -> Self {
        Self {
            db: db.clone(),
            server: server.clone(),
        }
    }

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
        Err(StoreError::silence(span))
    }

    /// Commits, within as long as a try may take.
    async fn commit(&self, span: Duration, tx: Tx) -> Result<(), StoreError> {
        self.within(span, async { Ok(tx.commit().await?) }).await
    }
}

/// Commands of one kind, carried out in batches.
struct Lane<C: BatchCommand> {
    pool: ServerPool,
    inbox: Inbox<Command<C>>,
    limits: Limits,
}

impl<C: BatchCommand> Lane<C> {
    async fn run(self) {
        let mut batch = Vec::with_capacity(QUOTA);
        while self.inbox.lock().await.recv_many(&mut batch, QUOTA).await > 0 {
            let (commands, late): (Vec<_>, Vec<_>) = batch
                .drain(..)
                .filter(|c| !c.is_abandoned())
                .partition(|command| self.left(command.asked) > TOO_LATE);
            refuse(
                late,
                &StoreError::silence(self.limits.within.unwrap_or_default()),
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
            Ok(answers) => {
                for (command, answer) in commands.into_iter().zip(answers) {
                    drop(command.reply.send(Ok(answer)));
                }
            }
            // One bad row must not cost the others; alone, each hears its own fault.
            Err(error) if commands.len() > 1 && error.whose() == Fault::Own => {
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
                let tx = self.pool.begin().await?;
                take_locks(&tx, commands.iter().map(|c| c.what.tenant_lock())).await?;
                let answers = carry_out(&tx, commands).await?;
                Ok((tx, answers))
            };
            // What is left to the oldest of them is left to the batch.
            let each_try = || self.limits.each_try.min(self.left(asked));
            match self.pool.within(each_try(), done).await {
                Ok((tx, answers)) => match self.pool.commit(each_try(), tx).await {
                    Ok(()) => return Ok(answers),
                    Err(error) if C::IS_RETRIED => patience.after(&self.pool, error).await?,
                    Err(error) => patience.after_commit(&self.pool, error).await?,
                },
                Err(error) => patience.after(&self.pool, error).await?,
            }
            if commands.iter().all(Command::is_abandoned) {
                return Err(StoreError::Closed);
            }
            if self.left(asked) <= TOO_LATE {
                return Err(StoreError::silence(asked.elapsed()));
            }
        }
    }
}

async fn take_edits(pool: ServerPool, inbox: Inbox<Edit>) {
    loop {
        let Some(edit) = inbox.lock().await.recv().await else {
            return;
        };
        let answer = carry_out_edit(&pool, &edit).await;
        edit.answer(answer);
    }
}

async fn carry_out_edit(pool: &ServerPool, edit: &Edit) -> Answer {
    let mut patience = Patience::of(EDIT_PATIENCE);
    loop {
        if edit.is_abandoned() {
            return Err(StoreError::Closed);
        }
        let done = async {
            let tx = pool.begin().await?;
            take_locks(&tx, std::iter::once(edit.lock)).await?;
            let answer = edit.carry_out(&tx).await?;
            Ok((tx, answer))
        };
        match pool.within(EDIT_TRY, done).await {
            Ok((tx, answer)) => match pool.commit(EDIT_TRY, tx).await {
                Ok(()) => return Ok(answer),
                Err(error) if edit.is_retried() => patience.after(pool, error).await?,
                Err(error) => patience.after_commit(pool, error).await?,
            },
            Err(error) => patience.after(pool, error).await?,
        }
    }
}

/// The locks end with the transaction. Waiters stand in line, so that somebody who wants to be alone
/// is not passed by permanently. All take them in one order, so that no two batches wait for each other.
async fn take_locks(tx: &Tx, locks: impl Iterator<Item = TenantLock>) -> Result<(), StoreError> {
    let (mut beside, mut alone) = (BTreeSet::new(), BTreeSet::new());
    for lock in locks {
        match lock {
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
    async fn after(&mut self, pool: &ServerPool, error: StoreError) -> Result<(), StoreError> {
        let fault = error.whose();
        if fault == Fault::Server && error.was_shown_by_a_session() {
            pool.server.distrust();
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
    async fn after_commit(
        &mut self,
        pool: &ServerPool,
        error: StoreError,
    ) -> Result<(), StoreError> {
        if error.left_nothing() {
            return self.after(pool, error).await;
        }
        pool.server.distrust();
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
