//! What we know of the `PostgreSQL` server behind our connections, and which of them we still trust.
//!
//! A pool keeps its sessions for half an hour, and a session remembers what the server was when it began:
//! read-only, or the old side of a failover. So when a session shows a fault that is not its statement's
//! own, all sessions that are as old as that fault are replaced before they are used again.
//!
//! A server can also stop keeping its word while we run. It is asked every two seconds, through a session
//! whose settings follow the server's.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{ConnectOptions, DatabaseConnection, DbErr, RuntimeErr};

use super::db::UnscopedDb;
use super::server_trouble::ServerTrouble;
use crate::store::engine::error::StoreError;

/// How often the server is asked.
const CHECK_EVERY: Duration = Duration::from_secs(2);

/// How long an answer is waited for.
const CHECK_PATIENCE: Duration = Duration::from_secs(5);

/// Sessions are replaced this often at most, so that a server in trouble is not also flooded with new ones.
const DISTRUST_EVERY: Duration = Duration::from_millis(500);

/// For how long after the server said nothing a session that comes back must answer first …
const SILENT_FOR: Duration = Duration::from_mins(1);

/// … and for how long it may take. One whose connection is cut would else keep its place in the pool
/// for a quarter of an hour.
const RETURN_PATIENCE: Duration = Duration::from_secs(5);

/// Shared by all connections of a [`crate::store::Store`].
#[derive(Clone, Default)]
pub(in crate::store) struct Server(Arc<Known>);

#[derive(Default)]
struct Known {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Sessions that began before are not used again.
    distrusted: Option<Instant>,
    /// When the server last said nothing.
    silent: Option<Instant>,
    /// As of the last look.
    troubles: Vec<ServerTrouble>,
}

impl Server {
    /// Something is wrong that may be so for every session there is.
    pub(in crate::store) fn distrust(&self) {
        let now = Instant::now();
        self.with(|state| {
            let is_new = |since: Instant| now.saturating_duration_since(since) >= DISTRUST_EVERY;
            if state.distrusted.is_none_or(is_new) {
                state.distrusted = Some(now);
            }
        });
    }

    /// It has not answered. To be reported before the session is given back.
    pub(in crate::store) fn was_silent(&self) {
        self.distrust();
        self.with(|state| state.silent = Some(Instant::now()));
    }

    /// What forbids writing at the moment.
    pub(in crate::store) fn refusal(&self) -> Option<ServerTrouble> {
        self.with(|state| state.troubles.iter().copied().find(|t| t.forbids_writing()))
    }

    pub(in crate::store) fn troubles(&self) -> Vec<ServerTrouble> {
        self.with(|state| state.troubles.clone())
    }

    fn is_trusted(&self, age: Duration) -> bool {
        self.with(|state| {
            let distrusted = state.distrusted;
            distrusted.is_none_or(|since| age < since.elapsed())
        })
    }

    fn is_silent(&self) -> bool {
        self.with(|state| state.silent.is_some_and(|at| at.elapsed() < SILENT_FOR))
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives a pool's sessions these settings, and replaces those that are not to be trusted. Settings are
    /// statements and no start-up options: a pooler between us and the server knows few of those.
    pub(in crate::store) fn watch_sessions(&self, options: &mut ConnectOptions, settings: String) {
        let (acquired, released) = (self.clone(), self.clone());
        options.map_sqlx_postgres_pool_opts(move |pool| {
            let (settings, acquired, released) =
                (settings.clone(), acquired.clone(), released.clone());
            pool.after_connect(move |session, _| {
                let settings = settings.clone();
                Box::pin(async move {
                    if !settings.is_empty() {
                        let settings = sqlx::AssertSqlSafe(settings);
                        sqlx::Executor::execute(session, settings).await?;
                    }
                    Ok(())
                })
            })
            .before_acquire(move |_, session| {
                let is_trusted = acquired.is_trusted(session.age);
                Box::pin(async move { Ok(is_trusted) })
            })
            .after_release(move |session, known| {
                let (is_trusted, is_silent) =
                    (released.is_trusted(known.age), released.is_silent());
                Box::pin(async move {
                    if is_silent {
                        return answers(session).await.map(|()| is_trusted);
                    }
                    Ok(is_trusted)
                })
            })
        });
    }

    /// Asks the server from now on, as long as anybody uses it. One that does not keep its word at the start
    /// is refused.
    pub(in crate::store) async fn watch(&self, db: DatabaseConnection) -> Result<(), StoreError> {
        let troubles = check(&db).await?;
        let breaks_its_word = |t: &&ServerTrouble| {
            matches!(
                t,
                ServerTrouble::ForgetsInCrash | ServerTrouble::AcknowledgesEarly
            )
        };
        if let Some(trouble) = troubles.iter().find(breaks_its_word) {
            return Err(StoreError::Untrusted(*trouble));
        }
        self.note(&troubles);
        let known = Arc::downgrade(&self.0);
        drop(tokio::spawn(keep_looking(known, db)));
        Ok(())
    }

    fn note(&self, now: &[ServerTrouble]) {
        let before = self.with(|state| std::mem::replace(&mut state.troubles, now.to_vec()));
        for trouble in now.iter().filter(|t| !before.contains(t)) {
            if trouble.forbids_writing() {
                tracing::error!("Nothing is written: {trouble}; {}", trouble.advice());
            } else {
                tracing::warn!("The database has a fault: {trouble}; {}", trouble.advice());
            }
        }
        for trouble in before.iter().filter(|t| !now.contains(t)) {
            tracing::info!("No longer so: {trouble}");
        }
        if now.contains(&ServerTrouble::Standby) {
            self.distrust();
        }
    }
}

async fn keep_looking(known: Weak<Known>, db: DatabaseConnection) {
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        let looked = tokio::time::timeout(CHECK_PATIENCE, check(&db)).await;
        let Some(known) = known.upgrade() else {
            return;
        };
        // Who does not answer tells nothing new; that it does not is seen by whoever writes.
        if let Ok(Ok(troubles)) = looked {
            Server(known).note(&troubles);
        }
    }
}

/// A commit that has waited for a standby this long waits for one that is away. Our own sessions only: those
/// of others may wait for another.
const CHECK: &str = "SELECT current_setting('fsync') AS fsync, \
    current_setting('synchronous_commit') AS synchronous_commit, \
    current_setting('transaction_read_only') AS is_read_only, \
    pg_is_in_recovery() AS is_standby, \
    EXISTS (SELECT 1 FROM pg_stat_activity WHERE usename = current_user \
      AND datname = current_database() AND wait_event = 'SyncRep' \
      AND query_start < clock_timestamp() - interval '4 seconds') AS is_standby_away";

async fn check(db: &DatabaseConnection) -> Result<Vec<ServerTrouble>, StoreError> {
    let Some(row) = UnscopedDb::itself(db).one(CHECK, vec![]).await? else {
        return Ok(Vec::new());
    };
    let is_off = |setting: &str| Ok::<_, StoreError>(row.get::<String>(setting)? == "off");
    let is_standby = row.get("is_standby")?;
    let seen = [
        (ServerTrouble::ForgetsInCrash, is_off("fsync")?),
        (
            ServerTrouble::AcknowledgesEarly,
            is_off("synchronous_commit")?,
        ),
        (ServerTrouble::Standby, is_standby),
        (
            ServerTrouble::ReadOnly,
            !is_standby && !is_off("is_read_only")?,
        ),
        (ServerTrouble::StandbyAway, row.get("is_standby_away")?),
    ];
    Ok(seen
        .into_iter()
        .filter_map(|(t, is_so)| is_so.then_some(t))
        .collect())
}

async fn answers(session: &mut PgConnection) -> Result<(), sqlx::Error> {
    match tokio::time::timeout(RETURN_PATIENCE, session.ping()).await {
        Ok(answered) => answered,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

/// One statement that sets these for a session.
pub(in crate::store) fn settings<'a>(all: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let all = all.into_iter();
    let each: Vec<_> = all
        .map(|(name, value)| format!("set_config('{name}', '{value}', false)"))
        .collect();
    if each.is_empty() {
        return String::new();
    }
    format!("SELECT {}", each.join(", "))
}

/// Who writes waits for the disk, however the server is set meanwhile. What waits for more than that
/// (`remote_write`, `remote_apply`), or for the local disk only, was chosen and stays.
pub(in crate::store) const SYNCHRONOUS: &str = "set_config('synchronous_commit', \
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' \
    ELSE current_setting('synchronous_commit') END, false)";

/// Two connections that speak to one session: whatever stands between lends sessions for a transaction only,
/// so that what we set and prepare in one is somebody else's in the next.
pub(in crate::store) async fn refuse_shared_sessions(
    db: &DatabaseConnection,
) -> Result<(), StoreError> {
    let pool = db.get_postgres_connection_pool();
    let (mut one, mut other) = (acquire(pool).await?, acquire(pool).await?);
    let (one, other) = (process(&mut one).await?, process(&mut other).await?);
    if one == other {
        return Err(StoreError::SharedSessions);
    }
    Ok(())
}

async fn acquire(
    pool: &sqlx::PgPool,
) -> Result<sqlx::pool::PoolConnection<sqlx::Postgres>, StoreError> {
    pool.acquire().await.map_err(failed)
}

/// Asked without a prepared statement, which is what would not work.
async fn process(session: &mut PgConnection) -> Result<i32, StoreError> {
    use sqlx::Row as _;
    let query = sqlx::raw_sql("SELECT pg_backend_pid()");
    let row = query.fetch_one(session).await.map_err(failed)?;
    row.try_get(0).map_err(failed)
}

fn failed(error: sqlx::Error) -> StoreError {
    StoreError::Db(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_are_as_old_as_a_fault_are_not_used_again() {
        let server = Server::default();
        assert!(server.is_trusted(Duration::from_hours(1)));
        server.distrust();
        assert!(!server.is_trusted(Duration::from_hours(1)));
        assert!(!server.is_trusted(Duration::from_millis(100)));
        assert!(server.is_trusted(Duration::ZERO));
    }

    #[test]
    fn what_is_chosen_is_set_in_one_statement() {
        let two = settings([("lock_timeout", "4s"), ("jit", "off")]);
        let wanted =
            "SELECT set_config('lock_timeout', '4s', false), set_config('jit', 'off', false)";
        assert_eq!(two, wanted);
        assert_eq!(settings([]), "");
    }
}
