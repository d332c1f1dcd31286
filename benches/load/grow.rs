//! A long history out of a short one: each stored event, with all that hangs on it, is copied again and
//! again in SQL, every copy with ids, a document and a time of its own.

use std::fmt::Write as _;

use anyhow::Context as _;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement,
};

/// Copies of one statement.
const AT_ONCE: usize = 200_000;

/// Only every tenth copy has a body: the disk is small, and lists never read them.
const BODIES: usize = 10;

/// How long ago the oldest copy was, in milliseconds: 60 days.
const SPAN_MS: i64 = 60 * 24 * 3600 * 1000;

/// A table, and the columns of which a copy has its own.
type Table = (&'static str, &'static [(&'static str, &'static str)]);

/// The tables of an event, and what a copy has for itself. `{n}` is the number of the copy, `{ms}` its
/// time; the rest is taken over.
const TABLES: [Table; 9] = [
    (
        "events",
        &[
            ("id", "{event}"),
            ("received_at", "{ms} * 1000"),
            ("routed_at", "{ms} * 1000"),
            ("document_id", "'G' || {n}"),
            ("document_number", "'G-' || {n}"),
        ],
    ),
    ("bodies", &[("event_id", "{event}")]),
    (
        "decisions",
        &[("event_id", "{event}"), ("decided_at", "{ms} * 1000")],
    ),
    (
        "deliveries",
        &[
            ("event_id", "{event}"),
            ("id", "{own}"),
            (
                "state",
                "CASE WHEN {n} % 50 = 0 THEN 'failed' ELSE 'delivered' END",
            ),
            ("due_at", "NULL"),
            ("sid", "'SMG' || {n}"),
            ("created_at", "{ms} * 1000"),
            ("updated_at", "{ms} * 1000"),
        ],
    ),
    (
        "contents",
        &[("event_id", "{event}"), ("delivery_id", "{own}")],
    ),
    (
        "attempts",
        &[
            ("event_id", "{event}"),
            ("id", "{own}"),
            ("delivery_id", "{own}"),
            ("started_at", "{ms} * 1000"),
        ],
    ),
    (
        "delivery_steps",
        &[
            ("event_id", "{event}"),
            ("delivery_id", "{own}"),
            ("at", "{ms} * 1000"),
        ],
    ),
    (
        "documents",
        &[("document_id", "'G' || {n}"), ("last_event_id", "{event}")],
    ),
    (
        "provider_messages",
        &[
            ("sid", "'SM' || {n} || {chance_text}"),
            ("event_id", "{event}"),
            ("delivery_id", "{own}"),
            ("accepted_at", "{ms} * 1000"),
        ],
    ),
];

/// Written for all copies at once and in their order, since they are chance: a page for each otherwise.
const FINGERPRINTS: Table = (
    "fingerprints",
    &[
        ("fingerprint", "{chance}"),
        ("event_id", "{event}"),
        ("received_at", "{ms} * 1000"),
    ],
);

/// Makes the history `events` long. The service does not run meanwhile.
pub(crate) async fn grow(url: &str, events: usize, now_ms: i64) -> anyhow::Result<()> {
    // One connection, for which the settings below hold.
    let mut options = ConnectOptions::new(url);
    options.max_connections(1);
    let db = Database::connect(options).await?;
    let is_file = db.get_database_backend() == DbBackend::Sqlite;
    if is_file {
        // Nothing is lost with a history that has to be copied once more.
        exec(&db, "PRAGMA journal_mode = OFF").await?;
        exec(&db, "PRAGMA synchronous = OFF").await?;
        exec(&db, "PRAGMA cache_size = -200000").await?;
    }
    exec(
        &db,
        "CREATE TABLE grown_from AS SELECT ROW_NUMBER() OVER (ORDER BY id) - 1 AS place, \
         id AS event_id, document_id AS document FROM events",
    )
    .await?;
    exec(&db, "CREATE INDEX grown_place ON grown_from (place)").await?;
    let had = count(&db, "grown_from").await?;
    // What is copied stands apart from the copies: else each portion would look through all before it.
    for (table, _) in TABLES.into_iter().chain([FINGERPRINTS]) {
        let key = key_of(table);
        exec(
            &db,
            &format!("CREATE TABLE grown_{table} AS SELECT * FROM {table}"),
        )
        .await?;
        exec(
            &db,
            &format!("CREATE INDEX grown_{table}_key ON grown_{table} ({key})"),
        )
        .await?;
    }
    let mut from = 0;
    let wanted = events.saturating_sub(had);
    let copies = |from, to| Copies {
        from,
        to,
        had,
        wanted,
        now_ms,
        is_file,
    };
    while from < wanted {
        let to = (from + AT_ONCE).min(wanted);
        for table in TABLES {
            copies(from, to).make(&db, table, "").await?;
        }
        from = to;
        crate::say(&format!("   {} of {events} events", had + from));
    }
    copies(0, wanted)
        .make(&db, FINGERPRINTS, " ORDER BY 1")
        .await?;
    for (table, _) in TABLES.into_iter().chain([FINGERPRINTS]) {
        exec(&db, &format!("DROP TABLE grown_{table}")).await?;
    }
    exec(&db, "DROP TABLE grown_from").await?;
    if is_file {
        exec(&db, "PRAGMA journal_mode = WAL").await?;
    } else {
        exec(&db, "ANALYZE").await?;
    }
    db.close().await?;
    Ok(())
}

/// Some copies out of all that are wanted.
#[derive(Clone, Copy)]
struct Copies {
    from: usize,
    to: usize,
    /// How many events there were to be copied.
    had: usize,
    wanted: usize,
    now_ms: i64,
    is_file: bool,
}

impl Copies {
    async fn make(self, db: &DatabaseConnection, table: Table, order: &str) -> anyhow::Result<()> {
        let (name, own) = table;
        let copy = self.of(name, &columns(db, name).await?, own)? + order;
        let made = exec(db, &copy).await;
        made.with_context(|| format!("{name}: {copy}"))
    }

    /// The `INSERT … SELECT` for one table.
    fn of(self, table: &str, columns: &[String], own: &[(&str, &str)]) -> anyhow::Result<String> {
        let Self {
            from,
            to,
            had,
            wanted,
            now_ms,
            is_file,
        } = self;
        let first = now_ms - SPAN_MS;
        let step = SPAN_MS / i64::try_from(wanted.max(1))?.min(SPAN_MS);
        let ms = format!("({first} + s.n * {step})");
        let id = |tag: u8| {
            if is_file {
                format!("unhex(printf('%012x7%03x{tag}%015x', {ms}, s.n & 4095, s.n))")
            } else {
                format!(
                    "(lpad(to_hex({ms}), 12, '0') || '7' || lpad(to_hex(s.n & 4095), 3, '0') \
                 || '{tag}' || lpad(to_hex(s.n), 15, '0'))::uuid"
                )
            }
        };
        let (chance, chance_text, series) = if is_file {
            (
                "randomblob(32)",
                "hex(randomblob(12))",
                format!(
                    "WITH RECURSIVE s(n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM s \
                 WHERE n + 1 < {to}) "
                ),
            )
        } else {
            (
                "sha256(convert_to(s.n::text || random()::text, 'UTF8'))",
                "md5(random()::text)",
                String::new(),
            )
        };
        let mut values = String::new();
        for column in columns {
            let written = own.iter().find(|(name, _)| name == column);
            let value = written.map_or_else(
                || format!("t.{column}"),
                |(_, text)| {
                    // Of one width, so that what is in the order of texts comes in order.
                    text.replace(
                        "|| {n}",
                        &format!(
                            "|| {}",
                            if is_file {
                                "printf('%09d', s.n)"
                            } else {
                                "lpad(s.n::text, 9, '0')"
                            }
                        ),
                    )
                    .replace("{n}", "s.n")
                    .replace("{ms}", &ms)
                    .replace("{event}", &id(8))
                    .replace("{own}", &id(9))
                    .replace("{chance}", chance)
                    .replace("{chance_text}", chance_text)
                },
            );
            let comma = if values.is_empty() { "" } else { ", " };
            write!(values, "{comma}{value}")?;
        }
        let place = if table == "documents" {
            "document"
        } else {
            "event_id"
        };
        let key = format!("t.{} = g.{place}", key_of(table));
        let some = if table == "bodies" {
            format!(" WHERE s.n % {BODIES} = 0")
        } else {
            String::new()
        };
        let series_of = if is_file {
            "s".to_owned()
        } else {
            format!("generate_series({from}::bigint, {}) AS s(n)", to - 1)
        };
        let join = if is_file { "CROSS JOIN" } else { "JOIN" };
        // Else SQLite copies each page aside, to take back a part of the statement.
        let insert = if is_file { "INSERT OR FAIL" } else { "INSERT" };
        Ok(format!(
            "{series}{insert} INTO {table} ({}) SELECT {values} FROM {series_of} \
         {join} grown_from g ON g.place = s.n % {had} {join} grown_{table} t ON {key}{some}",
            columns.join(", ")
        ))
    }
}

/// By which column a row is found for its event.
fn key_of(table: &str) -> &'static str {
    match table {
        "events" => "id",
        "documents" => "document_id",
        _ => "event_id",
    }
}

async fn columns(db: &DatabaseConnection, table: &str) -> anyhow::Result<Vec<String>> {
    let backend = db.get_database_backend();
    let query = match backend {
        DbBackend::Sqlite => {
            format!("SELECT name AS column_name FROM pragma_table_info('{table}')")
        }
        _ => format!(
            "SELECT column_name::text FROM information_schema.columns WHERE table_name = '{table}'"
        ),
    };
    let rows = db
        .query_all_raw(Statement::from_string(backend, query))
        .await?;
    let names = rows.iter().map(|row| row.try_get("", "column_name"));
    Ok(names.collect::<Result<_, _>>()?)
}

async fn count(db: &DatabaseConnection, table: &str) -> anyhow::Result<usize> {
    let query = format!("SELECT COUNT(*) AS n FROM {table}");
    let row = db
        .query_one_raw(Statement::from_string(db.get_database_backend(), query))
        .await?;
    let n: i64 = row.context("no count")?.try_get("", "n")?;
    Ok(usize::try_from(n)?)
}

async fn exec(db: &DatabaseConnection, sql: &str) -> anyhow::Result<()> {
    db.execute_unprepared(sql).await?;
    Ok(())
}
