//! How many messages went out and failed, by hour, so that nobody has to count them; and letters that
//! are over are found by when they ended, suppressions from before sources by when they came.
//!
//! Triggers keep the figures, so that no statement can forget to. One costs something only when a
//! delivery begins or ceases to be sent or failed: twice in its life at most, as a rule once.
//!
//! On `PostgreSQL` each server process of 64 has a row of its own for an hour of a tenant, else
//! transactions that run side by side would queue for it. A new delivery is counted by the statement,
//! not by the row: making a month moves rows between partitions, and that is no news.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the trait of sea-orm-migration is written so"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, MAILS).await?;
        dialect::run(manager, COUNTS).await?;
        // Whoever writes waits from the first trigger on, so that none is counted twice or never.
        let triggers: &[&str] = match manager.get_database_backend() {
            DbBackend::Postgres => &POSTGRES,
            _ => &SQLITE,
        };
        let ids = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES_IDS,
            _ => SQLITE_IDS,
        };
        for statement in triggers.iter().chain(&[FILL, ids]) {
            let statement = statement
                .replace("{sent}", SENT)
                .replace("{failed}", FAILED);
            let db = manager.get_connection();
            db.execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let on = if manager.get_database_backend() == DbBackend::Postgres {
            " ON deliveries"
        } else {
            ""
        };
        dialect::run(
            manager,
            &format!(
                "DROP TRIGGER deliveries_made{on}; DROP TRIGGER deliveries_moved{on}; \
                 DROP TABLE delivery_counts; DROP INDEX mails_ended"
            ),
        )
        .await?;
        if !on.is_empty() {
            dialect::run(
                manager,
                "DROP FUNCTION count_made; DROP FUNCTION count_moved",
            )
            .await?;
        }
        Ok(())
    }
}

const MAILS: &str = "CREATE INDEX mails_ended ON mails (updated_at) WHERE due_at IS NULL";

/// The step that gave suppressions their ids made them of chance alone; a list is in their order.
const SQLITE_IDS: &str = "
UPDATE suppressions SET id = unhex(printf('%012x7%.3s8%.15s', created_at / 1000,
    hex(randomblob(2)), hex(randomblob(8))))
WHERE hex(substr(id, 1, 6)) <> printf('%012X', created_at / 1000)
";
const POSTGRES_IDS: &str = "
UPDATE suppressions SET id = (lpad(to_hex(created_at / 1000), 12, '0')
    || '7' || left(md5(random()::text), 3) || '8' || left(md5(random()::text), 15))::uuid
WHERE left(replace(id::text, '-', ''), 12) <> lpad(to_hex(created_at / 1000), 12, '0')
";

/// The hours are of `created_at`, since 1970. A part may be negative; the sum of an hour is not.
const COUNTS: &str = "
CREATE TABLE delivery_counts (
    tenant_id {id} NOT NULL,
    hour bigint NOT NULL,
    part bigint NOT NULL,
    sent bigint NOT NULL,
    failed bigint NOT NULL,
    PRIMARY KEY (tenant_id, hour, part)
) {narrow};
";

const SENT: &str = "('accepted', 'sent', 'delivered', 'read')";
const FAILED: &str = "('failed', 'undelivered')";

const FILL: &str = "
INSERT INTO delivery_counts (tenant_id, hour, part, sent, failed)
SELECT tenant_id, created_at / 3600000000, 0,
    SUM(CASE WHEN state IN {sent} THEN 1 ELSE 0 END),
    SUM(CASE WHEN state IN {failed} THEN 1 ELSE 0 END)
FROM deliveries WHERE state IN {sent} OR state IN {failed}
GROUP BY tenant_id, created_at / 3600000000
";

const SQLITE: [&str; 2] = [
    "
CREATE TRIGGER deliveries_made AFTER INSERT ON deliveries
WHEN NEW.state IN {sent} OR NEW.state IN {failed}
BEGIN
    INSERT INTO delivery_counts (tenant_id, hour, part, sent, failed)
    VALUES (NEW.tenant_id, NEW.created_at / 3600000000, 0,
        NEW.state IN {sent}, NEW.state IN {failed})
    ON CONFLICT (tenant_id, hour, part) DO UPDATE SET
        sent = sent + excluded.sent, failed = failed + excluded.failed;
END",
    "
CREATE TRIGGER deliveries_moved AFTER UPDATE OF state ON deliveries
WHEN (NEW.state IN {sent}) <> (OLD.state IN {sent})
    OR (NEW.state IN {failed}) <> (OLD.state IN {failed})
BEGIN
    INSERT INTO delivery_counts (tenant_id, hour, part, sent, failed)
    VALUES (NEW.tenant_id, NEW.created_at / 3600000000, 0,
        (NEW.state IN {sent}) - (OLD.state IN {sent}),
        (NEW.state IN {failed}) - (OLD.state IN {failed}))
    ON CONFLICT (tenant_id, hour, part) DO UPDATE SET
        sent = sent + excluded.sent, failed = failed + excluded.failed;
END",
];

const POSTGRES: [&str; 5] = [
    // Room for new versions of a row on its page keeps them out of the index.
    "ALTER TABLE delivery_counts SET (fillfactor = 50)",
    "
CREATE FUNCTION count_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO delivery_counts AS had (tenant_id, hour, part, sent, failed)
    SELECT tenant_id, created_at / 3600000000, pg_backend_pid() % 64,
        COUNT(*) FILTER (WHERE state IN {sent}), COUNT(*) FILTER (WHERE state IN {failed})
    FROM made WHERE state IN {sent} OR state IN {failed}
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (tenant_id, hour, part) DO UPDATE SET
        sent = had.sent + excluded.sent, failed = had.failed + excluded.failed;
    RETURN NULL;
END $$",
    "
CREATE FUNCTION count_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO delivery_counts AS had (tenant_id, hour, part, sent, failed)
    VALUES (NEW.tenant_id, NEW.created_at / 3600000000, pg_backend_pid() % 64,
        (NEW.state IN {sent})::int - (OLD.state IN {sent})::int,
        (NEW.state IN {failed})::int - (OLD.state IN {failed})::int)
    ON CONFLICT (tenant_id, hour, part) DO UPDATE SET
        sent = had.sent + excluded.sent, failed = had.failed + excluded.failed;
    RETURN NULL;
END $$",
    "
CREATE TRIGGER deliveries_made AFTER INSERT ON deliveries
REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION count_made()",
    "
CREATE TRIGGER deliveries_moved AFTER UPDATE OF state ON deliveries FOR EACH ROW
WHEN ((NEW.state IN {sent}) <> (OLD.state IN {sent})
    OR (NEW.state IN {failed}) <> (OLD.state IN {failed}))
EXECUTE FUNCTION count_moved()",
];
