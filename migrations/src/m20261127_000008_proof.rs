//! What was asked of the provider and what it answered is most of a message's history, and nearly the same
//! each time: from now on it is kept compressed, beside the text of older rows.

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
        let columns = "ALTER TABLE attempts ADD COLUMN packed {bytes}; \
                       ALTER TABLE delivery_steps ADD COLUMN packed {bytes}";
        dialect::run(manager, columns).await
    }

    /// Loses what was packed: the version before cannot read it.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = "ALTER TABLE attempts DROP COLUMN packed; \
                       ALTER TABLE delivery_steps DROP COLUMN packed";
        dialect::run(manager, columns).await
    }
}
