//! The schema: bringing it up to date, and telling whether this program and a database fit together.
//!
//! Telling only reads, since a role that serves or checks needs no right to make tables. Each step that
//! `migrate` applies leaves a row saying which program brought it and which step a program must at least
//! know to run beside it, so that an older program can say what it lacks, or go on.

use std::collections::BTreeSet;

use migrations::Migrator;
use sea_orm_migration::MigratorTrait as _;

use super::db::UnscopedDb;
use super::sql::{self, values};
use super::writer;
use crate::store::{Store, StoreError};

/// The advisory lock under which the schema changes on `PostgreSQL`: any number, but always this one.
const LOCK: i64 = 0x6d6c_636f_6e6e;

/// How a database stands to this program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// Steps that are missing in the database.
    pub pending: usize,
    /// What the database has that this program does not know.
    pub newer: Option<NewerSchema>,
}

/// Steps of a later program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewerSchema {
    /// The last of them.
    pub step: String,
    /// The program that brought it; empty when that is not known.
    pub program: String,
    /// Whether this program may run beside them.
    pub is_compatible: bool,
}

/// A step that was applied and is not ours.
struct Unknown {
    step: String,
    needs: String,
    program: String,
}

impl Store {
    /// Brings the schema up to date, all of it or nothing; who else wants to waits meanwhile.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        // One transaction is also one connection: others of the pool would still know the tables as
        // they were before a step.
        let tx = writer::begin(&self.read).await?;
        if sql::is_postgres(&tx) {
            let lock = "SELECT pg_advisory_xact_lock($1)";
            UnscopedDb::itself(&tx).one(lock, values![LOCK]).await?;
        }
        Migrator::up(&tx, None).await?;
        for step in ours() {
            let insert = "INSERT INTO schema_steps (step, needs, program) VALUES ($1, $2, $3) \
                          ON CONFLICT (step) DO NOTHING";
            let needs = migrations::needed_beside(&step).to_owned();
            let row = values![step, needs, env!("CARGO_PKG_VERSION")];
            UnscopedDb::itself(&tx).exec(insert, row).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// How the database stands to this program; only reads.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        let db = UnscopedDb::itself(&self.read);
        if !has_table(db, "seaql_migrations").await? {
            return Ok(Schema {
                pending: ours().len(),
                newer: None,
            });
        }
        let rows = db
            .all("SELECT version FROM seaql_migrations", vec![])
            .await?;
        let applied = rows.iter().map(|row| row.get("version"));
        let applied: BTreeSet<String> = applied.collect::<Result<_, _>>()?;
        let ours = ours();
        let pending = ours.difference(&applied).count();
        let foreign: BTreeSet<&String> = applied.difference(&ours).collect();
        if foreign.is_empty() {
            let newer = None;
            return Ok(Schema { pending, newer });
        }
        let mut unknown = Vec::new();
        if has_table(db, "schema_steps").await? {
            let query = "SELECT step, needs, program FROM schema_steps";
            for row in db.all(query, vec![]).await? {
                unknown.push(Unknown {
                    step: row.get("step")?,
                    needs: row.get("needs")?,
                    program: row.get("program")?,
                });
            }
        }
        unknown.retain(|told| foreign.contains(&told.step));
        Ok(Schema {
            pending,
            newer: Some(newer(&ours, &foreign, &unknown)),
        })
    }

    /// How many steps of the schema are missing.
    pub async fn pending_migrations(&self) -> Result<usize, StoreError> {
        Ok(self.schema().await?.pending)
    }
}

fn newer(ours: &BTreeSet<String>, foreign: &BTreeSet<&String>, unknown: &[Unknown]) -> NewerSchema {
    let last = foreign.last().map(|step| (*step).clone());
    let step = last.unwrap_or_default();
    let program = unknown.iter().find(|told| told.step == step);
    NewerSchema {
        program: program.map(|told| told.program.clone()).unwrap_or_default(),
        // A step of which nothing is told may be anything.
        is_compatible: unknown.len() == foreign.len()
            && unknown.iter().all(|told| ours.contains(&told.needs)),
        step,
    }
}

/// The names of the steps that this program knows; they sort in their order.
fn ours() -> BTreeSet<String> {
    let all = Migrator::migrations();
    all.iter().map(|step| step.name().to_owned()).collect()
}

async fn has_table(db: UnscopedDb<'_>, name: &str) -> Result<bool, StoreError> {
    let query = if sql::is_postgres(db) {
        "SELECT 1 AS one WHERE to_regclass($1) IS NOT NULL"
    } else {
        "SELECT 1 AS one FROM sqlite_master WHERE type = 'table' AND name = $1"
    };
    Ok(db.one(query, values![name]).await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDatabase;

    async fn with_steps(steps: &[(&str, Option<(&str, &str)>)]) -> (TestDatabase, Store) {
        let database = TestDatabase::empty().await;
        let store = Store::open(&database.url()).await.unwrap();
        store.migrate().await.unwrap();
        for (step, told) in steps {
            let applied = "INSERT INTO seaql_migrations (version, applied_at) VALUES ($1, 0)";
            UnscopedDb::itself(&store.read)
                .exec(applied, values![*step])
                .await
                .unwrap();
            if let Some((needs, program)) = told {
                let insert = "INSERT INTO schema_steps (step, needs, program) VALUES ($1, $2, $3)";
                let row = values![*step, *needs, *program];
                UnscopedDb::itself(&store.read)
                    .exec(insert, row)
                    .await
                    .unwrap();
            }
        }
        (database, store)
    }

    #[tokio::test]
    async fn a_schema_is_read_without_being_made() {
        let database = TestDatabase::empty().await;
        let store = Store::open(&database.url()).await.unwrap();
        let schema = store.schema().await.unwrap();
        assert_eq!((schema.pending, schema.newer), (ours().len(), None));
        assert!(
            !has_table(UnscopedDb::itself(&store.read), "seaql_migrations")
                .await
                .unwrap()
        );
        store.migrate().await.unwrap();
        assert_eq!(store.schema().await.unwrap(), Schema::default());
    }

    #[tokio::test]
    async fn the_program_before_goes_on_beside_a_step_that_only_adds() {
        let last = ours().last().unwrap().clone();
        let (_database, store) =
            with_steps(&[("m20990101_000001_adds", Some((&last, "9.1.0")))]).await;
        let newer = store.schema().await.unwrap().newer.unwrap();
        assert!(newer.is_compatible);
        assert_eq!(
            (newer.step.as_str(), newer.program.as_str()),
            ("m20990101_000001_adds", "9.1.0")
        );
        // Migrating again takes nothing back and is no fault of this program.
        assert_eq!(store.pending_migrations().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_step_that_takes_away_or_tells_nothing_needs_its_own_program() {
        let (adds, takes) = ("m20990101_000001_adds", "m20990102_000001_takes_away");
        let last = ours().last().unwrap().clone();
        let added = (adds, Some((last.as_str(), "9.1.0")));
        for second in [
            (takes, Some((adds, "9.2.0"))),
            (takes, Some((takes, "9.2.0"))),
            (takes, None),
        ] {
            let (_database, store) = with_steps(&[added, second]).await;
            let newer = store.schema().await.unwrap().newer.unwrap();
            assert!(!newer.is_compatible, "{second:?}");
            assert_eq!(newer.step, takes);
            let program = second.1.map_or("", |(_, program)| program);
            assert_eq!(newer.program, program);
        }
    }
}
