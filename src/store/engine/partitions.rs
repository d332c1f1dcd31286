//! The months of the history on `PostgreSQL`: ranges of the v7 id, made ahead.
//!
//! What comes for a month that is not there lies in the default partition. Nothing is wrong with it
//! there, but it is dropped with no month, so making its month moves it.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, Months, NaiveDate, NaiveTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, TransactionTrait as _};
use uuid::Uuid;

use super::db::UnscopedDb;
use super::sql::{self, values};
use crate::store::{Store, StoreError};

/// The tables of the history and the column by which they are partitioned.
const TABLES: [(&str, &str); 8] = [
    ("events", "id"),
    ("bodies", "event_id"),
    ("decisions", "event_id"),
    ("deliveries", "event_id"),
    ("contents", "event_id"),
    ("attempts", "event_id"),
    ("delivery_steps", "event_id"),
    ("receipts", "event_id"),
];

/// How many months are made ahead of the present one.
const AHEAD: u32 = 3;

/// A month that is not there so many months ahead should have been made by now: one month is left to do it.
const WARNED: u32 = AHEAD - 1;

/// One process at a time makes months.
const LOCK: i64 = 0x6d6c_635f_7061_7274;

impl Store {
    /// Makes the partitions of this month and the next few; how many were missing. None on `SQLite`.
    pub async fn make_partitions(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        if !sql::is_postgres(&self.read) {
            return Ok(0);
        }
        let first = now.date_naive().with_day(1).unwrap_or_default();
        let mut made = 0;
        for ahead in 0..=AHEAD {
            let Some(month) = first.checked_add_months(Months::new(ahead)) else {
                continue;
            };
            for (table, column) in TABLES {
                made += usize::from(self.make_partition(table, column, month).await?);
            }
        }
        Ok(made)
    }

    /// Months (`2026-12`) that begin within two months and are not there yet, with a table that lacks
    /// each. Workers and `migrate` make them earlier, so somebody must see why they cannot.
    pub async fn missing_months(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Vec<(String, &'static str)>, StoreError> {
        if !sql::is_postgres(&self.read) {
            return Ok(Vec::new());
        }
        let query = "SELECT c.relname::text AS name FROM pg_inherits i \
                     JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent \
                     WHERE pg_table_is_visible(p.oid) AND p.relkind = 'p'";
        let rows = UnscopedDb::itself(&self.read).all(query, vec![]).await?;
        let names = rows.iter().map(|row| row.get("name"));
        let names: BTreeSet<String> = names.collect::<Result<_, _>>()?;
        let first = now.date_naive().with_day(1).unwrap_or_default();
        let months = (0..=WARNED).filter_map(|ahead| first.checked_add_months(Months::new(ahead)));
        let missing = months.filter_map(|month| {
            let lacks = |table: &&str| !names.contains(&partition(table, month));
            let (table, _) = TABLES.into_iter().find(|(table, _)| lacks(table))?;
            Some((month.format("%Y-%m").to_string(), table))
        });
        Ok(missing.collect())
    }

    /// One transaction for each table, so that its locks are held for a moment only.
    async fn make_partition(
        &self,
        table: &str,
        column: &str,
        month: NaiveDate,
    ) -> Result<bool, StoreError> {
        let name = partition(table, month);
        let exists = "SELECT 1 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
                      WHERE i.inhparent = to_regclass($1) AND c.relname = $2";
        let known = values![table, name.clone()];
        let db = UnscopedDb::itself(&self.read);
        if db.one(exists, known.clone()).await?.is_some() {
            return Ok(false);
        }
        let tx = self.read.begin().await?;
        let db = UnscopedDb::itself(&tx);
        let lock = "SELECT pg_advisory_xact_lock($1)";
        db.exec(lock, values![LOCK]).await?;
        // Whoever holds the table for long keeps the month waiting, and not the month everybody else. Others
        // who make months are waited for: they take no longer than this.
        tx.execute_unprepared("SET LOCAL lock_timeout = '3s'")
            .await?;
        if db.one(exists, known).await?.is_some() {
            return Ok(false);
        }
        let range = (
            first_id(month),
            first_id(month.checked_add_months(Months::new(1)).unwrap_or(month)),
        );
        attach(&tx, table, column, &name, range).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// The default partition stands aside meanwhile: it may hold rows of the range.
async fn attach(
    tx: &DatabaseTransaction,
    table: &str,
    column: &str,
    name: &str,
    (from, to): (Uuid, Uuid),
) -> Result<(), StoreError> {
    for statement in [
        format!("ALTER TABLE {table} DETACH PARTITION {table}_default"),
        format!("CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ('{from}') TO ('{to}')"),
        format!(
            "WITH moved AS (DELETE FROM {table}_default \
             WHERE {column} >= '{from}' AND {column} < '{to}' RETURNING *) \
             INSERT INTO {name} SELECT * FROM moved"
        ),
        format!("ALTER TABLE {table} ATTACH PARTITION {table}_default DEFAULT"),
    ] {
        tx.execute_unprepared(&statement).await?;
    }
    if table == "bodies" {
        let plain = format!("ALTER TABLE {name} ALTER COLUMN body SET STORAGE EXTERNAL");
        tx.execute_unprepared(&plain).await?;
    }
    Ok(())
}

fn partition(table: &str, month: NaiveDate) -> String {
    format!("{table}_{}", month.format("%Y_%m"))
}

/// The smallest v7 id of a month: its first millisecond and nothing else.
fn first_id(month: NaiveDate) -> Uuid {
    let start = month.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
    Uuid::from_u128(u128::from(start.unsigned_abs()) << 80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::EventId;
    use crate::testing::TestDatabase;

    fn day(text: &str) -> DateTime<Utc> {
        format!("{text}T12:00:00Z").parse().unwrap()
    }

    #[test]
    fn ids_of_a_month_lie_between_its_first_and_the_next_months() {
        let month = |text: &str| first_id(day(text).date_naive());
        let id = |text: &str| EventId::new(text.parse().unwrap()).uuid();
        assert!(id("2026-10-31T23:59:59.999Z") < month("2026-11-01"));
        assert!(id("2026-11-01T00:00:00Z") >= month("2026-11-01"));
        assert!(id("2026-11-30T23:59:59.999Z") < month("2026-12-01"));
    }

    async fn rows(store: &Store, table: &str) -> i64 {
        let count = format!("SELECT COUNT(*) AS n FROM {table}");
        let row = UnscopedDb::itself(&store.read)
            .one(&count, vec![])
            .await
            .unwrap();
        row.unwrap().get("n").unwrap()
    }

    async fn add_event(store: &Store, at: DateTime<Utc>) -> Uuid {
        let id = EventId::new(at).uuid();
        let insert = "INSERT INTO events (id, tenant_id, connection_id, source, path_type, label, \
                      event_type, state, document_kind, document_id, document_number, party_id, \
                      party_name, currency, rules_not_asked, received_at) \
                      VALUES ($1, $1, $1, '', '', '', '', '', '', '', '', '', '', '', 0, 0)";
        UnscopedDb::itself(&store.read)
            .exec(insert, values![id])
            .await
            .unwrap();
        id
    }

    #[tokio::test]
    async fn months_are_made_ahead_once_and_take_what_came_before_them() {
        let database = TestDatabase::migrated().await;
        let store = Store::open(&database.url()).await.unwrap();
        let now = day("2026-11-22");
        if database.is_file() {
            assert_eq!(store.make_partitions(now).await.unwrap(), 0);
            return;
        }
        // Ids never go back within a process, so the older one is made first.
        let old = add_event(&store, day("2025-01-01")).await;
        let id = add_event(&store, now).await;
        assert_eq!(rows(&store, "events_default").await, 2);
        assert_eq!(store.make_partitions(now).await.unwrap(), 8 * 4);
        assert_eq!(store.make_partitions(now).await.unwrap(), 0);
        assert_eq!(rows(&store, "events_2026_11").await, 1);
        assert_eq!(rows(&store, "events_default").await, 1);
        assert_eq!(rows(&store, "events").await, 2);
        add_event(&store, day("2027-02-28")).await;
        assert_eq!(rows(&store, "events_2027_02").await, 1);
        // A month later one more is made.
        assert_eq!(store.make_partitions(day("2026-12-01")).await.unwrap(), 8);
        for id in [id, old] {
            let plan = format!("EXPLAIN SELECT * FROM events WHERE id = '{id}'");
            let plan = UnscopedDb::itself(&store.read)
                .all(&plan, vec![])
                .await
                .unwrap();
            let lines: Vec<String> = plan.iter().map(|r| r.get("QUERY PLAN").unwrap()).collect();
            let months = [
                "default", "2026_11", "2026_12", "2027_01", "2027_02", "2027_03",
            ];
            let is_read =
                |month: &&str| lines.iter().any(|l| l.contains(&format!("events_{month}")));
            let read = months.iter().filter(|m| is_read(m)).count();
            assert_eq!(read, 1, "{lines:#?}");
        }
    }

    #[tokio::test]
    async fn two_processes_make_months_at_once() {
        let database = TestDatabase::migrated().await;
        let one = Store::open(&database.url()).await.unwrap();
        let other = Store::open(&database.url()).await.unwrap();
        let now = day("2026-11-22");
        let (a, b) = tokio::join!(one.make_partitions(now), other.make_partitions(now));
        let wanted = if database.is_file() { 0 } else { 8 * 4 };
        assert_eq!(a.unwrap() + b.unwrap(), wanted);
    }
}
