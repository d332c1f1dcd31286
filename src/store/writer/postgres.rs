//! Writing to `PostgreSQL`: several transactions at a time, in each process.
//!
//! Events go in batches, since a hook's callers wait for nothing but the flush. Every other command
//! has a transaction of its own: two that lock the same rows in another order would else stop each
//! other for a second, and the server shares one flush among all that commit at the same time anyway.
//!
//! A transaction that the server has rolled back (a deadlock, a restart) is run again. One whose
//! commit was not answered may be there or not: the outcome of a call is told again, which changes
//! nothing if it is there; anything else is reported as failed, and whoever asked looks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use sea_orm::sqlx;
use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr, RuntimeErr};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::{Answer, Edit, Inboxes, Intake, Lane, Turn, Tx, begin, run_one};
use crate::domain::event::Ingested;
use crate::domain::ids::TenantId;
use crate::store::error::StoreError;
use crate::store::ingest::{self, PreparedEvent};
use crate::store::sql::{self, values};

/// How many batches of events are written at the same time.
const INTAKES: u32 = 2;

/// How many commands are that wait for nobody.
const FREE: u32 = 3;

/// How many are that keep a turn within their tenant, and so may wait.
const IN_TURN: u32 = 4;

/// All of them.
pub(super) const CONNECTIONS: u32 = INTAKES + FREE + IN_TURN;

/// How many events go into one batch.
const INGEST_QUOTA: usize = 64;

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

/// What a session of a writer goes by. A client that vanishes in the middle of a transaction would keep
/// its locks for hours, and everybody who waits for them.
pub(in crate::store) const SESSION: [(&str, &str); 7] = [
    ("idle_in_transaction_session_timeout", "10s"),
    ("lock_timeout", "8s"),
    ("statement_timeout", "15s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30000"),
];

pub(super) fn start(db: &DatabaseConnection, inboxes: Inboxes) {
    let events = Arc::new(Mutex::new(inboxes.intake));
    for _ in 0..INTAKES {
        drop(tokio::spawn(take_events(db.clone(), events.clone())));
    }
    for (inbox, takers) in [(inboxes.free, FREE), (inboxes.in_turn, IN_TURN)] {
        let inbox = Arc::new(Mutex::new(inbox));
        for _ in 0..takers {
            drop(tokio::spawn(take_edits(db.clone(), inbox.clone())));
        }
    }
}

async fn take_events(db: DatabaseConnection, inbox: Inbox<Intake>) {
    let mut batch = Vec::with_capacity(INGEST_QUOTA);
    while inbox.lock().await.recv_many(&mut batch, INGEST_QUOTA).await > 0 {
        let (events, replies): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|i| (i.event, i.reply)).unzip();
        let whole: Vec<_> = events.iter().collect();
        match keep(&db, &whole).await {
            Ok(kept) => {
                for (reply, kept) in replies.into_iter().zip(kept) {
                    drop(reply.send(Ok(kept)));
                }
            }
            // One bad row must not cost the others; alone, each is told its own fault.
            Err(error) if events.len() > 1 && !is_away(&error) => {
                let rows = events.len();
                tracing::warn!(%error, "A batch of {rows} events failed; trying each alone");
                for (event, reply) in events.iter().zip(replies) {
                    let kept = keep(&db, &[event]).await;
                    drop(
                        reply.send(
                            kept.and_then(|k| k.into_iter().next().ok_or(StoreError::Closed)),
                        ),
                    );
                }
            }
            Err(error) => {
                tracing::error!(%error, "The database takes no events");
                for reply in replies {
                    drop(reply.send(Err(refused())));
                }
            }
        }
    }
}

async fn keep(
    db: &DatabaseConnection,
    events: &[&PreparedEvent],
) -> Result<Vec<Ingested>, StoreError> {
    let mut patience = Patience::of(INTAKE_PATIENCE);
    loop {
        let done = async {
            let tx = begin(db).await?;
            let kept = ingest::insert(&tx, events).await?;
            Ok((tx, kept))
        };
        match within(INTAKE_TRY, done).await {
            Ok((tx, kept)) => match tx.commit().await {
                Ok(()) => return Ok(kept),
                Err(error) => patience.after_commit(error.into()).await?,
            },
            Err(error) => patience.after(error).await?,
        }
    }
}

async fn take_edits(db: DatabaseConnection, inbox: Inbox<Edit>) {
    loop {
        let Some(edit) = inbox.lock().await.recv().await else {
            return;
        };
        let answer = carry_out(&db, &edit).await;
        drop(edit.reply.send(answer));
    }
}

async fn carry_out(db: &DatabaseConnection, edit: &Edit) -> Answer {
    let mut patience = Patience::of(EDIT_PATIENCE);
    loop {
        if edit.is_vain() {
            return Err(StoreError::Closed);
        }
        let done = async {
            let tx = begin(db).await?;
            keep_turn(&tx, edit.turn).await?;
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

/// The lock ends with the transaction. Waiters stand in line, so that somebody who wants to be alone
/// is not passed by for ever.
async fn keep_turn(tx: &Tx, turn: Turn) -> Result<(), StoreError> {
    let (lock, tenant) = match turn {
        Turn::Free => return Ok(()),
        Turn::Beside(tenant) => ("SELECT pg_advisory_xact_lock_shared($1, $2)", tenant),
        Turn::Alone(tenant) => ("SELECT pg_advisory_xact_lock($1, $2)", tenant),
    };
    sql::exec(tx, lock, values![LOCK_CLASS, fold(tenant)])
        .await
        .map(drop)
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

/// Deadlock (40P01), a serialization failure (40001), or one of the time-outs of [`SESSION`]: of a lock
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

fn refused() -> StoreError {
    StoreError::Db(DbErr::Custom("the database takes no events".to_owned()))
}
