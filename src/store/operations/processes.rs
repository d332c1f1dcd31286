//! The processes that run on this database, and what they have in hand.

use chrono::{DateTime, TimeDelta, Utc};

use crate::store::engine::sql::{Row, is_postgres, micros, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError};

/// A process, as it last showed itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Unlike that of any process before it; what stands in leases.
    pub name: String,
    /// `serve`, `serve --no-worker` or `work`.
    pub does: String,
    pub version: String,
    pub started_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    /// How far its machine's clock is ahead of the database's; zero where there is no other clock.
    pub clock_ahead: TimeDelta,
    /// Deliveries leased by it.
    pub in_hand: i64,
}

impl Platform {
    /// Notes that a process is alive, and forgets those unseen since `forget`.
    pub async fn beat(&self, process: Process, forget: DateTime<Utc>) -> Result<(), StoreError> {
        let work = self.writer().record(work!([process], async |tx| {
            let beat = "INSERT INTO processes (name, does, version, started_at, seen_at, \
                        clock_ahead) VALUES ($1, $2, $3, $4, $5, $6) \
                        ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, \
                        clock_ahead = excluded.clock_ahead";
            let (started, seen) = (micros(process.started_at), micros(process.seen_at));
            let ahead = process.clock_ahead.num_microseconds().unwrap_or_default();
            let row = values![
                process.name,
                process.does,
                process.version,
                started,
                seen,
                ahead
            ];
            tx.exec(beat, row).await?;
            let old = "DELETE FROM processes WHERE seen_at < $1";
            tx.exec(old, values![micros(forget)]).await.map(drop)
        }));
        work.await
    }

    /// When a process showed itself last, as others read it.
    pub async fn last_seen(&self, name: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = "SELECT seen_at FROM processes WHERE name = $1";
        let row = self.db().one(query, values![name]).await?;
        row.map(|row| row.time("seen_at")).transpose()
    }

    /// Processes seen lately, the newest first.
    pub async fn processes(&self) -> Result<Vec<Process>, StoreError> {
        let query = "SELECT p.*, (SELECT COUNT(*) FROM deliveries d WHERE d.due_at IS NOT NULL \
                     AND d.state = 'sending' AND d.lease_owner = p.name) AS in_hand \
                     FROM processes p ORDER BY p.started_at DESC LIMIT 200";
        let rows = self.db().all(query, vec![]).await?;
        rows.iter().map(process).collect()
    }

    /// Of the processes seen since `since`, the clock that is furthest off, if one is by more than
    /// `by`: how far it is ahead.
    pub async fn clock_off(
        &self,
        since: DateTime<Utc>,
        by: TimeDelta,
    ) -> Result<Option<TimeDelta>, StoreError> {
        let query = "SELECT clock_ahead FROM processes WHERE seen_at >= $1 \
                     AND ABS(clock_ahead) > $2 ORDER BY ABS(clock_ahead) DESC LIMIT 1";
        let bound = values![micros(since), by.num_microseconds().unwrap_or(i64::MAX)];
        let row = self.db().one(query, bound).await?;
        let ahead = row.map(|row| row.get("clock_ahead")).transpose()?;
        Ok(ahead.map(TimeDelta::microseconds))
    }

    /// Deliveries leased by processes that are not known.
    pub async fn orphaned_leases(&self) -> Result<u64, StoreError> {
        let query = "SELECT COUNT(*) AS n FROM deliveries d WHERE d.due_at IS NOT NULL \
                     AND d.state = 'sending' AND NOT EXISTS \
                     (SELECT 1 FROM processes p WHERE p.name = d.lease_owner)";
        let row = self.db().one(query, vec![]).await?;
        let count: i64 = row.map_or(Ok(0), |r| r.get("n"))?;
        Ok(count.unsigned_abs())
    }

    /// What the database is, and its version.
    pub async fn engine(&self) -> Result<(&'static str, String), StoreError> {
        let (kind, query) = if is_postgres(self.db()) {
            (
                "PostgreSQL",
                "SELECT current_setting('server_version') AS version",
            )
        } else {
            ("SQLite", "SELECT sqlite_version() AS version")
        };
        let row = self.db().one(query, vec![]).await?;
        let version = row.map_or(Ok(String::new()), |r| r.get("version"))?;
        Ok((kind, version))
    }
}

fn process(row: &Row) -> Result<Process, StoreError> {
    Ok(Process {
        name: row.get("name")?,
        does: row.get("does")?,
        version: row.get("version")?,
        started_at: row.time("started_at")?,
        seen_at: row.time("seen_at")?,
        clock_ahead: TimeDelta::microseconds(row.get("clock_ahead")?),
        in_hand: row.get("in_hand")?,
    })
}
