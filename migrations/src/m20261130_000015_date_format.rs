//! How a tenant's books write dates that can be read in two ways; empty where nobody has said so.

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
        let add = "ALTER TABLE tenants ADD COLUMN date_format text NOT NULL DEFAULT ''";
        dialect::run(manager, add).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, "ALTER TABLE tenants DROP COLUMN date_format").await
    }
}
