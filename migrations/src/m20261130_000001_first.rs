//! The first schema, a script per area.
//!
//! Times are microseconds since 1970 in UTC, so they sort alike on both databases. Money is in
//! ten-thousandths. Absent parts of a key are the nil id or empty text, never NULL. Ids are UUID v7,
//! so `PostgreSQL` partitions the history by ranges of them; what must be unique across its months stands in
//! tables without partitions.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the trait of sea-orm-migration is written so"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const AREAS: [&str; 8] = [
    include_str!("first/accounts.sql"),
    include_str!("first/connections.sql"),
    include_str!("first/rules.sql"),
    include_str!("first/messages.sql"),
    include_str!("first/pipeline.sql"),
    include_str!("first/sending.sql"),
    include_str!("first/recipients.sql"),
    include_str!("first/operations.sql"),
];

/// What only one of the databases has, above all the triggers that count deliveries.
const SQLITE: &str = include_str!("first/sqlite.sql");
const POSTGRES: &str = include_str!("first/postgres.sql");

/// The states of a delivery that count as sent and as failed.
const SENT: &str = "('accepted', 'sent', 'delivered', 'read')";
const FAILED: &str = "('failed', 'undelivered')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for area in AREAS {
            dialect::run(manager, area).await?;
        }
        let own = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        let own = own.replace("{sent}", SENT).replace("{failed}", FAILED);
        dialect::run(manager, &own).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            dialect::run(manager, &format!("DROP TABLE {table}")).await?;
        }
        if manager.get_database_backend() == DbBackend::Postgres {
            dialect::run(manager, "DROP FUNCTION count_made, count_moved").await?;
        }
        Ok(())
    }
}

/// Every table, the last one first.
fn tables() -> impl Iterator<Item = &'static str> {
    let lines = AREAS.into_iter().flat_map(str::lines);
    let tables = lines.filter_map(|line| line.strip_prefix("CREATE TABLE ")?.strip_suffix(" ("));
    tables.collect::<Vec<_>>().into_iter().rev()
}
