//! When a person dealt with what failed, or with what was not understood; empty while nobody has. Only
//! what waits for somebody is in the indexes.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the trait of sea-orm-migration is written so"
)]

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, DOWN).await
    }
}

const UP: &str = "
ALTER TABLE deliveries ADD COLUMN dealt_at bigint;
ALTER TABLE events ADD COLUMN dealt_at bigint;
CREATE INDEX deliveries_undealt ON deliveries (tenant_id, id)
    WHERE state IN ('failed', 'undelivered') AND dealt_at IS NULL;
CREATE INDEX events_undealt ON events (tenant_id, id)
    WHERE state = 'unrecognised' AND dealt_at IS NULL
";

const DOWN: &str = "
DROP INDEX deliveries_undealt;
DROP INDEX events_undealt;
ALTER TABLE deliveries DROP COLUMN dealt_at;
ALTER TABLE events DROP COLUMN dealt_at
";
