//! A replay keeps what was confirmed: what it would have sent, and to whom of it. Whoever carries it out later
//! sends nothing else.

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
        let column = "ALTER TABLE orders ADD COLUMN confirmed text NOT NULL DEFAULT ''";
        dialect::run(manager, column).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, "ALTER TABLE orders DROP COLUMN confirmed").await
    }
}
