//! Consents at Zoho that were begun and not yet ended, so that the browser may come back to another
//! process than the one that sent it there.

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
        dialect::run(manager, CONSENTS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, "DROP TABLE IF EXISTS consents").await
    }
}

/// `state` and `session` are digests of what the browser shows; `client_secret` is sealed.
const CONSENTS: &str = "
CREATE TABLE consents (
    id {id} PRIMARY KEY,
    state {bytes} NOT NULL UNIQUE,
    session {bytes} NOT NULL,
    tenant_id {id} NOT NULL,
    region text NOT NULL,
    client_id text NOT NULL,
    client_secret {bytes} NOT NULL,
    organization_id text NOT NULL,
    actor text NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX consents_expired ON consents (expires_at);
";
