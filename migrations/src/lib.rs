//! The schema, step by step. A migration is frozen in time: it never imports today's entities.
//!
//! One schema serves both databases. What they spell differently (ids, bytes, partitions) goes
//! through `dialect`; nearly everything else is plain SQL that both read the same way.

mod dialect;
mod m20261130_000001_first;

use sea_orm_migration::prelude::*;

/// Runs the steps in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261130_000001_first::Migration)]
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
