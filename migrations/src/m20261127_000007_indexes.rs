//! An event or a message passes through its first states within a second, and each move took a row of
//! every index to another place. Now an index holds what stays: an event from when it is decided, a message
//! from when nobody is about to send it. What is on its way is in indexes of its own, which are small.

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
DROP INDEX events_state;
DROP INDEX events_type;
DROP INDEX events_document;
DROP INDEX events_party;
DROP INDEX deliveries_state;
CREATE INDEX events_received ON events (tenant_id, id) WHERE state = 'received';
CREATE INDEX events_state ON events (tenant_id, state, id) WHERE state <> 'received';
CREATE INDEX events_type ON events (tenant_id, event_type, id) WHERE event_type <> '';
CREATE INDEX events_document ON events (tenant_id, document_id, id) WHERE document_id <> '';
CREATE INDEX events_party ON events (tenant_id, party_id, id) WHERE party_id <> '';
CREATE INDEX deliveries_moving ON deliveries (tenant_id, state, id)
    WHERE state IN ('queued', 'sending');
CREATE INDEX deliveries_state ON deliveries (tenant_id, state, id)
    WHERE state NOT IN ('queued', 'sending')
";

const DOWN: &str = "
DROP INDEX events_received;
DROP INDEX events_state;
DROP INDEX events_type;
DROP INDEX events_document;
DROP INDEX events_party;
DROP INDEX deliveries_moving;
DROP INDEX deliveries_state;
CREATE INDEX events_state ON events (tenant_id, state, id);
CREATE INDEX events_type ON events (tenant_id, event_type, id);
CREATE INDEX events_document ON events (tenant_id, document_id, id);
CREATE INDEX events_party ON events (tenant_id, party_id, id);
CREATE INDEX deliveries_state ON deliveries (tenant_id, state, id)
";
