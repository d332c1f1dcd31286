//! The time of a `PostgreSQL` server, by which all processes on it go: leases, due times, windows and
//! markers of one process are judged by another, so no machine's own clock may decide about them.
//!
//! ```text
//!  the machine's steady clock ──────── uptime ──┐
//!                                               ├──► now = uptime + lead
//!  SELECT clock_timestamp(), each 5 s ── lead ──┘
//! ```
//!
//! An answer says the server's time at some moment between question and answer, so a sample is wrong
//! by half of its round trip at most, and the best one of the last minute counts. While the server does
//! not answer, the last lead goes on. Nobody asks the machine's wall clock; it is only compared.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseConnection, TransactionTrait as _};

use super::db::UnscopedDb;
use super::sql::{self, from_micros};
use crate::domain::clock::{Clock, Comparison, SharedClock, standing};
use crate::store::{Platform, Store, StoreError};

/// The server's time, in a column of microseconds; not that of the transaction's beginning.
pub(in crate::store) const NOW: &str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint";

/// How often the server is asked.
const EVERY: Duration = Duration::from_secs(5);

/// How long it is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Questions in a row, of which the quickest counts.
const QUESTIONS: usize = 3;

/// Samples kept: those of a minute.
const KEPT: usize = 12;

/// How far a machine's steady clock may drift from the server's, in parts per million.
const DRIFT_PPM: i64 = 200;

/// What neither a slow answer nor drift explains, in microseconds: the server's clock was set, another
/// server answers, or this machine slept.
const SET: i64 = 250_000;

/// A machine's clock counts as right again when it is off by less.
const RIGHT_AGAIN: TimeDelta = TimeDelta::seconds(4);

impl Store {
    /// The clock that a process on this database goes by: the server's in place of a machine's own,
    /// where there is a server.
    pub async fn clock(&self, machine: SharedClock) -> Result<SharedClock, StoreError> {
        let Some(born) = machine.steady().filter(|_| sql::is_postgres(&self.read)) else {
            return Ok(machine);
        };
        let clock = DatabaseClock {
            machine,
            born,
            estimate: Mutex::default(),
        };
        let first = sample(&self.read, &clock).await?;
        clock.estimate().take(first);
        let clock = Arc::new(clock);
        let keeping = keep(self.read.clone(), Arc::downgrade(&clock));
        drop(tokio::spawn(keeping));
        Ok(clock)
    }
}

impl Platform {
    /// The server's time, asked for at this moment; only on `PostgreSQL`.
    pub async fn server_time(&self) -> Result<DateTime<Utc>, StoreError> {
        Ok(from_micros(ask(self.db()).await?))
    }
}

#[derive(Debug)]
struct DatabaseClock {
    machine: SharedClock,
    /// Of the machine's steady clock.
    born: Instant,
    estimate: Mutex<Estimate>,
}

impl DatabaseClock {
    fn uptime(&self) -> i64 {
        let now = self.machine.steady().unwrap_or(self.born);
        let uptime = now.saturating_duration_since(self.born).as_micros();
        i64::try_from(uptime).unwrap_or(i64::MAX)
    }

    /// No panic can leave it half changed, so poison is no reason to stop.
    fn estimate(&self) -> MutexGuard<'_, Estimate> {
        self.estimate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> DateTime<Utc> {
        let uptime = self.uptime();
        from_micros(self.estimate().now(uptime))
    }

    fn comparison(&self) -> Option<Comparison> {
        let (uptime, set_at) = (self.uptime(), self.estimate().set_at);
        let since = |at: i64| Duration::from_micros((uptime - at).max(0).unsigned_abs());
        Some(Comparison {
            machine_ahead: self.machine.now() - self.now(),
            since_set: set_at.map(since),
        })
    }
}

/// What is known of the server's time. All in microseconds.
#[derive(Debug, Default)]
struct Estimate {
    samples: VecDeque<Sample>,
    /// The server's time less the uptime.
    lead: i64,
    /// The last time that was told.
    told: i64,
    /// At which uptime the server's clock was found to have been set.
    set_at: Option<i64>,
}

/// One answer.
#[derive(Debug, Clone, Copy)]
struct Sample {
    uptime: i64,
    lead: i64,
    /// How wrong it may be.
    error: i64,
}

impl Sample {
    fn error_at(&self, uptime: i64) -> i64 {
        self.error + (uptime - self.uptime).max(0) / 1_000_000 * DRIFT_PPM
    }
}

impl Estimate {
    /// A small step back is waited for rather than taken: what was told stays told.
    fn now(&mut self, uptime: i64) -> i64 {
        self.told = self.told.max(uptime + self.lead);
        self.told
    }

    /// Takes a sample in; by how much the server's clock was set, if it was.
    fn take(&mut self, sample: Sample) -> Option<i64> {
        let known = self.samples.iter().map(|s| s.error_at(sample.uptime)).min();
        let moved = sample.lead - self.lead;
        let was_set = known.is_some_and(|error| moved.abs() > error + sample.error + SET);
        if was_set {
            self.samples.clear();
            self.set_at = Some(sample.uptime);
            // Else the time would stand still until the server's is there again.
            self.told = i64::MIN;
        }
        self.samples.truncate(KEPT - 1);
        self.samples.push_front(sample);
        let best = self
            .samples
            .iter()
            .min_by_key(|s| s.error_at(sample.uptime));
        self.lead = best.map_or(self.lead, |best| best.lead);
        was_set.then_some(moved)
    }
}

/// Asks again and again, until nobody holds the clock any more.
async fn keep(db: DatabaseConnection, clock: Weak<DatabaseClock>) {
    let mut is_off = false;
    while let Some(clock) = clock.upgrade() {
        is_off = tell(clock.comparison(), is_off);
        let sampled = tokio::time::timeout(PATIENCE, sample(&db, &clock)).await;
        if let Ok(Ok(sample)) = sampled
            && let Some(moved) = clock.estimate().take(sample)
        {
            let standing = standing(TimeDelta::microseconds(moved));
            tracing::warn!(
                "The database's clock is {standing} what it said before; messages go by it"
            );
        }
        drop(clock);
        tokio::time::sleep(EVERY).await;
    }
}

/// Tells once when the machine's clock begins to be off, and once when it is right again; whether it
/// is off.
fn tell(comparison: Option<Comparison>, was_off: bool) -> bool {
    let Some(comparison) = comparison else {
        return was_off;
    };
    let ahead = comparison.machine_ahead;
    if !was_off && comparison.is_off() {
        tracing::warn!(
            clock.ahead_ms = ahead.num_milliseconds(),
            "This machine's clock is {} the database's. Messages go by the database's, so none is \
             late or sent twice for it, but lines of this log bear the wrong time: let the machine \
             set its clock by NTP",
            standing(ahead)
        );
        return true;
    }
    if was_off && ahead.abs() < RIGHT_AGAIN {
        tracing::info!("This machine's clock agrees with the database's again");
        return false;
    }
    was_off
}

/// The quickest of a few answers. All come over one connection, and the way to get one is not counted.
async fn sample(db: &DatabaseConnection, clock: &DatabaseClock) -> Result<Sample, StoreError> {
    let session = db.begin().await?;
    let mut best: Option<Sample> = None;
    for _ in 0..QUESTIONS {
        let asked = clock.uptime();
        let time = ask(UnscopedDb::itself(&session)).await?;
        let error = (clock.uptime() - asked) / 2;
        let uptime = asked + error;
        if best.is_none_or(|best| error < best.error) {
            best = Some(Sample {
                uptime,
                lead: time - uptime,
                error,
            });
        }
    }
    session.commit().await?;
    best.ok_or(StoreError::Closed)
}

async fn ask(db: UnscopedDb<'_>) -> Result<i64, StoreError> {
    let query = format!("SELECT {NOW} AS now");
    let row = db.one(&query, vec![]).await?;
    row.map_or(Err(StoreError::Closed), |row| row.get("now"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn sample(uptime: i64, lead: i64, error: i64) -> Sample {
        Sample {
            uptime,
            lead,
            error,
        }
    }

    #[test]
    fn the_quickest_answer_counts_until_it_is_old() {
        let mut estimate = Estimate::default();
        estimate.take(sample(0, 1000 * SECOND, 400));
        assert_eq!(estimate.now(SECOND), 1001 * SECOND);
        // Slow ways: their time may be as wrong as they took.
        for n in 1..=11 {
            let set = estimate.take(sample(5 * n * SECOND, 1000 * SECOND + 90_000, 100_000));
            assert_eq!((set, estimate.lead), (None, 1000 * SECOND));
        }
        // The server's clock runs a little faster; a minute later nothing else is known.
        for n in 12..24 {
            estimate.take(sample(5 * n * SECOND, 1000 * SECOND + 70, 500));
        }
        assert_eq!(estimate.lead, 1000 * SECOND + 70);
        assert_eq!(estimate.set_at, None);
    }

    #[test]
    fn it_never_goes_back_for_a_better_answer() {
        let mut estimate = Estimate::default();
        estimate.take(sample(0, 100_000, 90_000));
        let told = estimate.now(SECOND);
        estimate.take(sample(SECOND, 20_000, 300));
        assert_eq!(estimate.now(SECOND + 1), told, "it waits");
        assert_eq!(estimate.now(2 * SECOND), 2 * SECOND + 20_000);
    }

    #[test]
    fn a_clock_that_was_set_is_followed_at_once_and_told_once() {
        let hour = 3600 * SECOND;
        for moved in [hour, -hour, 20 * SECOND] {
            let mut estimate = Estimate::default();
            estimate.take(sample(0, 9 * hour, 300));
            estimate.now(5 * SECOND);
            let set = estimate.take(sample(5 * SECOND, 9 * hour + moved, 2000));
            assert_eq!(set, Some(moved));
            assert_eq!(estimate.now(5 * SECOND), 9 * hour + moved + 5 * SECOND);
            assert_eq!(estimate.set_at, Some(5 * SECOND));
            let again = estimate.take(sample(10 * SECOND, 9 * hour + moved, 300));
            assert_eq!(again, None);
        }
    }

    #[test]
    fn an_answer_that_took_long_sets_nothing() {
        let mut estimate = Estimate::default();
        estimate.take(sample(0, 0, 300));
        // The server stood still for two seconds between its answer and ours.
        let set = estimate.take(sample(10 * SECOND, -SECOND, SECOND));
        assert_eq!((set, estimate.lead), (None, 0));
    }

    #[test]
    fn a_clock_that_is_off_is_told_when_it_begins_and_when_it_is_over() {
        let mut is_off = false;
        for (seconds, expected) in [(1, false), (6, true), (5, true), (-2, false), (-5, false)] {
            let comparison = Comparison {
                machine_ahead: TimeDelta::seconds(seconds),
                since_set: None,
            };
            is_off = tell(Some(comparison), is_off);
            assert_eq!(is_off, expected, "{seconds}");
        }
    }

    #[tokio::test]
    async fn a_file_has_no_other_clock_than_the_machines_and_tests_keep_theirs() {
        let database = crate::testing::TestDatabase::migrated().await;
        let store = Store::open(&database.url()).await.unwrap();
        let fixed: SharedClock =
            Arc::new(crate::domain::clock::FixedClock::at(DateTime::UNIX_EPOCH));
        let kept = store.clock(fixed.clone()).await.unwrap();
        assert!(Arc::ptr_eq(&kept, &fixed));
        let machine: SharedClock = Arc::new(crate::domain::clock::SystemClock);
        let clock = store.clock(machine).await.unwrap();
        assert_eq!(clock.comparison().is_none(), database.is_file());
    }
}
