//! Strangers become users, users become teams: what accounts, invitations, service mail, rehearsal,
//! hours and replies need.

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
ALTER TABLE users ADD COLUMN phone text NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN phone_confirmed_at bigint;
ALTER TABLE members ADD COLUMN morning_mail boolean;
ALTER TABLE tenants ADD COLUMN is_rehearsal boolean NOT NULL DEFAULT FALSE;
ALTER TABLE tenants ADD COLUMN hours text NOT NULL DEFAULT '';
ALTER TABLE tenants ADD COLUMN morning_on text NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN broken_at bigint;
ALTER TABLE connections ADD COLUMN burst_at bigint;
ALTER TABLE connections ADD COLUMN rejected_at bigint;
ALTER TABLE rejected_requests ADD COLUMN is_forged boolean NOT NULL DEFAULT FALSE;
ALTER TABLE tenants ADD COLUMN deleted_at bigint;
ALTER TABLE api_tokens ADD COLUMN created_by text NOT NULL DEFAULT '';
ALTER TABLE audit_entries ADD COLUMN address text NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN is_rehearsal boolean NOT NULL DEFAULT FALSE;
ALTER TABLE deliveries ADD COLUMN rehearsal_to text NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN is_to_contact boolean NOT NULL DEFAULT FALSE;
CREATE INDEX events_test ON events (tenant_id, id) WHERE source = 'test';

CREATE TABLE suppressions_by_source (
    id {id} NOT NULL UNIQUE,
    tenant_id {id} NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    address_key text NOT NULL,
    source text NOT NULL,
    name text NOT NULL,
    reason text NOT NULL,
    created_by text NOT NULL,
    created_at bigint NOT NULL,
    decide_by bigint,
    PRIMARY KEY (tenant_id, channel, address_key, source)
);
INSERT INTO suppressions_by_source
    SELECT {any_id}, tenant_id, channel, address, address, source, '', reason, '', created_at, NULL
    FROM suppressions;
DROP TABLE suppressions;
ALTER TABLE suppressions_by_source RENAME TO suppressions;
CREATE INDEX suppressions_tenant ON suppressions (tenant_id, id);
CREATE INDEX suppressions_asked ON suppressions (decide_by) WHERE decide_by IS NOT NULL;

CREATE TABLE user_tokens (
    token_hash {bytes} PRIMARY KEY,
    user_id {id} NOT NULL,
    purpose text NOT NULL,
    detail text NOT NULL,
    tries bigint NOT NULL DEFAULT 0,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX user_tokens_user ON user_tokens (user_id, purpose);
CREATE INDEX user_tokens_expiry ON user_tokens (expires_at);
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE TABLE second_factors (
    user_id {id} PRIMARY KEY,
    sealed {bytes} NOT NULL,
    last_step bigint NOT NULL,
    created_at bigint NOT NULL,
    confirmed_at bigint
);
CREATE TABLE recovery_codes (
    user_id {id} NOT NULL,
    code_hash {bytes} NOT NULL,
    used_at bigint,
    PRIMARY KEY (user_id, code_hash)
) {narrow};
CREATE TABLE throttles (
    name text PRIMARY KEY,
    since bigint NOT NULL,
    tries bigint NOT NULL
) {narrow};
CREATE TABLE invitations (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    email text NOT NULL,
    role text NOT NULL,
    token_hash {bytes} NOT NULL UNIQUE,
    invited_by text NOT NULL,
    inviter_id {id},
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    UNIQUE (tenant_id, email)
);
CREATE TABLE processes (
    name text PRIMARY KEY,
    does text NOT NULL,
    version text NOT NULL,
    started_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    clock_ahead bigint NOT NULL
) {narrow};
CREATE TABLE mails (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    recipient text NOT NULL,
    kind text NOT NULL,
    once text NOT NULL UNIQUE,
    sealed {bytes} NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    tries bigint NOT NULL,
    due_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE INDEX mails_due ON mails (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX mails_tenant ON mails (tenant_id, id);
CREATE TABLE replies (
    account text NOT NULL,
    sid text NOT NULL,
    id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    address text NOT NULL,
    name text NOT NULL,
    sender text NOT NULL,
    wish text NOT NULL,
    body text NOT NULL,
    is_proven boolean NOT NULL,
    received_at bigint NOT NULL,
    seen_at bigint,
    PRIMARY KEY (tenant_id, account, sid)
);
CREATE INDEX replies_tenant ON replies (tenant_id, id);
CREATE INDEX replies_unseen ON replies (tenant_id, id) WHERE seen_at IS NULL
";

const DOWN: &str = "
DROP TABLE replies;
DROP TABLE mails;
DROP TABLE processes;
DROP TABLE invitations;
DROP TABLE throttles;
DROP TABLE recovery_codes;
DROP TABLE second_factors;
DROP TABLE user_tokens;
DROP INDEX sessions_expiry;
DROP INDEX events_test;
CREATE TABLE suppressions_by_address (
    tenant_id {id} NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    source text NOT NULL,
    reason text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, channel, address)
);
INSERT INTO suppressions_by_address
    SELECT tenant_id, channel, address, MIN(source), MIN(reason), MIN(created_at)
    FROM suppressions GROUP BY tenant_id, channel, address;
DROP TABLE suppressions;
ALTER TABLE suppressions_by_address RENAME TO suppressions;
ALTER TABLE deliveries DROP COLUMN is_to_contact;
ALTER TABLE deliveries DROP COLUMN rehearsal_to;
ALTER TABLE deliveries DROP COLUMN is_rehearsal;
ALTER TABLE audit_entries DROP COLUMN address;
ALTER TABLE api_tokens DROP COLUMN created_by;
ALTER TABLE rejected_requests DROP COLUMN is_forged;
ALTER TABLE connections DROP COLUMN rejected_at;
ALTER TABLE connections DROP COLUMN burst_at;
ALTER TABLE connections DROP COLUMN broken_at;
ALTER TABLE tenants DROP COLUMN morning_on;
ALTER TABLE tenants DROP COLUMN deleted_at;
ALTER TABLE tenants DROP COLUMN hours;
ALTER TABLE tenants DROP COLUMN is_rehearsal;
ALTER TABLE members DROP COLUMN morning_mail;
ALTER TABLE users DROP COLUMN phone_confirmed_at;
ALTER TABLE users DROP COLUMN phone
";
