//! The schema, step by step. A migration is frozen in time: it never imports today's entities.
//!
//! One schema serves both databases. What they spell differently (ids, bytes, partitions) goes
//! through `dialect`; everything else is plain SQL that both read the same way.

mod dialect;
mod m20261122_000001_first;
mod m20261122_000002_consents;
mod m20261122_000003_suspension;
mod m20261122_000004_in_flight;
mod m20261122_000005_accounts;
mod m20261127_000006_counts;
mod m20261127_000007_indexes;
mod m20261127_000008_proof;
mod m20261130_000010_replays;
mod m20261130_000015_date_format;
mod m20261130_000016_dealt;

use sea_orm_migration::prelude::*;

/// Runs the steps in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_first::Migration),
            Box::new(m20261122_000002_consents::Migration),
            Box::new(m20261122_000003_suspension::Migration),
            Box::new(m20261122_000004_in_flight::Migration),
            Box::new(m20261122_000005_accounts::Migration),
            Box::new(m20261127_000006_counts::Migration),
            Box::new(m20261127_000007_indexes::Migration),
            Box::new(m20261127_000008_proof::Migration),
            Box::new(m20261130_000010_replays::Migration),
            Box::new(m20261130_000015_date_format::Migration),
            Box::new(m20261130_000016_dealt::Migration),
        ]
    }
}

/// Steps that only add, so that programs from before them can go on: each with the last step that a program
/// must know to run beside it. None yet; `README.md` says when a step may stand here.
const ONLY_ADD: [(&str, &str); 0] = [];

/// The step that a program must at least know to run on a database that has `step`.
#[must_use]
pub fn needed_beside(step: &str) -> &str {
    let only_adds = ONLY_ADD.iter().find(|(adds, _)| *adds == step);
    only_adds.map_or(step, |(_, needs)| needs)
}
