//! The first schema.
//!
//! Times are microseconds since 1970 in UTC, so they sort alike on both databases. Money is in
//! ten-thousandths. Absent parts of a key are the nil id or empty text, never NULL. Ids are UUID v7,
//! so `PostgreSQL` partitions the history by ranges of them.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the trait of sea-orm-migration is written so"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables of the history, which `PostgreSQL` partitions by month.
const PARTITIONED: [&str; 7] = [
    "events",
    "bodies",
    "decisions",
    "deliveries",
    "attempts",
    "delivery_steps",
    "receipts",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for script in [
            ACCOUNTS,
            CONNECTIONS,
            HISTORY,
            UNIQUE_ACROSS_MONTHS,
            RULES,
            BESIDE,
        ] {
            dialect::run(manager, script).await?;
        }
        if manager.get_database_backend() == DbBackend::Postgres {
            let db = manager.get_connection();
            for table in PARTITIONED {
                db.execute_unprepared(&format!(
                    "CREATE TABLE {table}_default PARTITION OF {table} DEFAULT"
                ))
                .await?;
            }
            db.execute_unprepared("ALTER TABLE bodies ALTER COLUMN body SET STORAGE EXTERNAL")
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ALL_TABLES {
            manager
                .get_connection()
                .execute_unprepared(&format!("DROP TABLE IF EXISTS {table}"))
                .await?;
        }
        Ok(())
    }
}

const ACCOUNTS: &str = "
CREATE TABLE data_keys (
    id {id} PRIMARY KEY,
    master_key_id text NOT NULL,
    wrapped {bytes} NOT NULL,
    created_at bigint NOT NULL
);
CREATE TABLE tenants (
    id {id} PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    status text NOT NULL,
    country text NOT NULL,
    zone text NOT NULL,
    currency text NOT NULL,
    rule_set bigint NOT NULL DEFAULT 0,
    stopped_at bigint,
    stopped_by text NOT NULL DEFAULT '',
    created_at bigint NOT NULL
);
CREATE TABLE users (
    id {id} PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    password_hash text NOT NULL,
    is_operator boolean NOT NULL,
    created_at bigint NOT NULL
);
CREATE TABLE members (
    tenant_id {id} NOT NULL,
    user_id {id} NOT NULL,
    role text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) {narrow};
CREATE INDEX members_user ON members (user_id);
CREATE TABLE sessions (
    token_hash {bytes} PRIMARY KEY,
    user_id {id} NOT NULL,
    csrf text NOT NULL,
    address text NOT NULL,
    agent text NOT NULL,
    created_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE TABLE api_tokens (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    token_hash {bytes} NOT NULL UNIQUE,
    maker_id {id},
    created_at bigint NOT NULL,
    used_at bigint,
    expires_at bigint,
    ended_at bigint,
    revoked_at bigint
);
CREATE INDEX api_tokens_tenant ON api_tokens (tenant_id, id);
";

/// `login` names the credentials that are stored, `accepted_at` is when the provider first accepted these.
const CONNECTIONS: &str = "
CREATE TABLE connections (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    provider text NOT NULL,
    name text NOT NULL,
    account text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    settings text NOT NULL,
    paused_until bigint,
    checked_at bigint,
    checked text NOT NULL,
    login {id},
    accepted_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    UNIQUE (tenant_id, provider, name)
);
CREATE TABLE secrets (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    connection_id {id} NOT NULL,
    name text NOT NULL,
    sealed {bytes} NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint
);
CREATE INDEX secrets_connection ON secrets (connection_id, name);
CREATE TABLE hooks (
    token text PRIMARY KEY,
    provider text NOT NULL,
    tenant_id {id} NOT NULL,
    connection_id {id} NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint
);
CREATE INDEX hooks_connection ON hooks (connection_id);
";

const HISTORY: &str = "
CREATE TABLE events (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    connection_id {id} NOT NULL,
    source text NOT NULL,
    path_type text NOT NULL,
    label text NOT NULL,
    event_type text NOT NULL,
    state text NOT NULL,
    document_kind text NOT NULL,
    document_id text NOT NULL,
    document_number text NOT NULL,
    party_id text NOT NULL,
    party_name text NOT NULL,
    amount bigint,
    currency text NOT NULL,
    rules_not_asked bigint NOT NULL,
    received_at bigint NOT NULL,
    routed_at bigint
) {by_id};
CREATE INDEX events_tenant ON events (tenant_id, id);
CREATE INDEX events_state ON events (tenant_id, state, id);
CREATE INDEX events_type ON events (tenant_id, event_type, id);
CREATE INDEX events_document ON events (tenant_id, document_id, id);
CREATE INDEX events_party ON events (tenant_id, party_id, id);
CREATE INDEX events_unrouted ON events (id) WHERE routed_at IS NULL;
CREATE TABLE bodies (
    event_id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    content_type text NOT NULL,
    query text NOT NULL,
    dictionary smallint NOT NULL,
    raw_size bigint NOT NULL,
    body {bytes} NOT NULL
) {by_event};
CREATE TABLE decisions (
    event_id {id} NOT NULL,
    id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    order_id {id} NOT NULL,
    rule_id {id} NOT NULL,
    rule_version bigint NOT NULL,
    rule_name text NOT NULL,
    matched boolean NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    met text NOT NULL,
    decided_at bigint NOT NULL,
    PRIMARY KEY (event_id, id)
) {by_event};
CREATE TABLE deliveries (
    event_id {id} NOT NULL,
    id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    rule_id {id} NOT NULL,
    rule_version bigint NOT NULL,
    rule_name text NOT NULL,
    order_id {id} NOT NULL,
    replay_of {id} NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    recipient text NOT NULL,
    sender text NOT NULL,
    body text NOT NULL,
    text_hash {bytes} NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    hold text NOT NULL,
    due_at bigint,
    expires_at bigint NOT NULL,
    connection_id {id} NOT NULL,
    account text NOT NULL,
    lease_owner text NOT NULL,
    lease_until bigint,
    attempt_no bigint NOT NULL,
    tries bigint NOT NULL,
    absents bigint NOT NULL,
    looks bigint NOT NULL,
    sid text NOT NULL,
    provider_rank smallint NOT NULL,
    error_code bigint NOT NULL,
    source_connection_id {id} NOT NULL,
    document_kind text NOT NULL,
    document_id text NOT NULL,
    says text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (event_id, id),
    UNIQUE (event_id, rule_id, channel, address, order_id)
) {by_event};
CREATE INDEX deliveries_tenant ON deliveries (tenant_id, id);
CREATE INDEX deliveries_state ON deliveries (tenant_id, state, id);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE attempts (
    event_id {id} NOT NULL,
    id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    attempt_no bigint NOT NULL,
    connection_id {id} NOT NULL,
    account text NOT NULL,
    request text NOT NULL,
    started_at bigint NOT NULL,
    lease_until bigint NOT NULL,
    PRIMARY KEY (event_id, id)
) {by_event};
CREATE TABLE delivery_steps (
    event_id {id} NOT NULL,
    id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    attempt_no bigint NOT NULL,
    kind text NOT NULL,
    sentence text NOT NULL,
    detail text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (event_id, id)
) {by_event};
CREATE TABLE receipts (
    event_id {id} NOT NULL,
    id {id} NOT NULL,
    tenant_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    account text NOT NULL,
    sid text NOT NULL,
    status text NOT NULL,
    error_code bigint NOT NULL,
    source text NOT NULL,
    verified boolean NOT NULL,
    detail text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (event_id, id),
    UNIQUE (event_id, account, sid, status, error_code, verified)
) {by_event};
";

/// The `scope` of a text in flight is the provider's account, or the tenant's id while the provider has not
/// accepted its credentials.
const UNIQUE_ACROSS_MONTHS: &str = "
CREATE TABLE digests (
    digest {bytes} PRIMARY KEY,
    event_id {id} NOT NULL,
    received_at bigint NOT NULL
) {narrow};
CREATE TABLE documents (
    connection_id {id} NOT NULL,
    kind text NOT NULL,
    document_id text NOT NULL,
    tenant_id {id} NOT NULL,
    version bigint NOT NULL,
    state text NOT NULL,
    applied text NOT NULL,
    last_event_id {id} NOT NULL,
    first_received_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (connection_id, kind, document_id)
);
CREATE TABLE transitions (
    connection_id {id} NOT NULL,
    kind text NOT NULL,
    document_id text NOT NULL,
    event_type text NOT NULL,
    discriminator text NOT NULL,
    tenant_id {id} NOT NULL,
    event_id {id} NOT NULL,
    told text NOT NULL,
    claimed_at bigint NOT NULL,
    PRIMARY KEY (connection_id, kind, document_id, event_type, discriminator)
) {narrow};
CREATE TABLE people (
    connection_id {id} NOT NULL,
    party_id text NOT NULL,
    person_id text NOT NULL,
    tenant_id {id} NOT NULL,
    person text NOT NULL,
    seen_at bigint NOT NULL,
    PRIMARY KEY (connection_id, party_id, person_id)
);
CREATE TABLE provider_messages (
    account text NOT NULL,
    sid text NOT NULL,
    tenant_id {id} NOT NULL,
    event_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    attempt_no bigint NOT NULL,
    address text NOT NULL,
    accepted_at bigint NOT NULL,
    PRIMARY KEY (account, sid)
) {narrow};
CREATE INDEX provider_messages_accepted ON provider_messages (account, accepted_at);
CREATE TABLE in_flight (
    scope text NOT NULL,
    address text NOT NULL,
    text_hash {bytes} NOT NULL,
    tenant_id {id} NOT NULL,
    event_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    since bigint NOT NULL,
    PRIMARY KEY (scope, address, text_hash)
) {narrow};
CREATE TABLE unmatched_receipts (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    account text NOT NULL,
    sid text NOT NULL,
    status text NOT NULL,
    error_code bigint NOT NULL,
    verified boolean NOT NULL,
    detail text NOT NULL,
    at bigint NOT NULL,
    word text NOT NULL,
    opted_out boolean NOT NULL,
    reason text NOT NULL,
    UNIQUE (tenant_id, account, sid, status, error_code, verified)
);
CREATE INDEX unmatched_receipts_tenant ON unmatched_receipts (tenant_id, id);
CREATE TABLE orders (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    kind text NOT NULL,
    event_id {id} NOT NULL,
    delivery_id {id} NOT NULL,
    nonce text NOT NULL,
    requested_by text NOT NULL,
    requested_at bigint NOT NULL,
    routed_at bigint,
    UNIQUE (tenant_id, nonce)
);
CREATE INDEX orders_event ON orders (event_id);
CREATE INDEX orders_unrouted ON orders (id) WHERE routed_at IS NULL;
";

const RULES: &str = "
CREATE TABLE rules (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    position bigint NOT NULL,
    enabled boolean NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    deleted_at bigint
);
CREATE INDEX rules_tenant ON rules (tenant_id, position);
CREATE TABLE rule_versions (
    rule_id {id} NOT NULL,
    version bigint NOT NULL,
    tenant_id {id} NOT NULL,
    definition text NOT NULL,
    created_by text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (rule_id, version)
);
";

const BESIDE: &str = "
CREATE TABLE suppressions (
    tenant_id {id} NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    source text NOT NULL,
    reason text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (tenant_id, channel, address)
);
CREATE TABLE rejected_requests (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    connection_id {id} NOT NULL,
    path text NOT NULL,
    address text NOT NULL,
    reason text NOT NULL,
    compared text NOT NULL,
    like_it bigint NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX rejected_requests_tenant ON rejected_requests (tenant_id, id);
CREATE TABLE audit_entries (
    id {id} PRIMARY KEY,
    tenant_id {id} NOT NULL,
    at bigint NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail text NOT NULL
);
CREATE INDEX audit_entries_tenant ON audit_entries (tenant_id, id);
CREATE TABLE schema_steps (
    step text PRIMARY KEY,
    needs text NOT NULL,
    program text NOT NULL
);
";

const ALL_TABLES: [&str; 30] = [
    "schema_steps",
    "audit_entries",
    "rejected_requests",
    "suppressions",
    "rule_versions",
    "rules",
    "orders",
    "unmatched_receipts",
    "in_flight",
    "provider_messages",
    "people",
    "transitions",
    "documents",
    "digests",
    "receipts",
    "delivery_steps",
    "attempts",
    "deliveries",
    "decisions",
    "bodies",
    "events",
    "hooks",
    "secrets",
    "connections",
    "api_tokens",
    "sessions",
    "members",
    "users",
    "tenants",
    "data_keys",
];
