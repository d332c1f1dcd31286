//! The few helpers around hand-written SQL: `$1`-style statements that both databases read.

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, RuntimeErr, Statement, TryGetable, Value,
};
use uuid::Uuid;

use super::error::StoreError;

/// Values in the order of `$1`, `$2`, …
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(sea_orm::Value::from($value)),*] };
}
pub(super) use values;

/// How a session of `PostgreSQL` plans that goes by keys only. Left to itself the planner thinks each
/// statement over again, which takes longer than carrying it out where the history is partitioned; and it
/// reads a table as a whole while it believes that it is small. So a statement is planned once, and for
/// any size.
pub(super) const BY_KEYS: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // A plan that cannot do without reading a whole table counts as dear enough to be compiled.
    ("jit", "off"),
];

/// Runs a statement; how many rows it changed.
pub(super) async fn exec<C: ConnectionTrait>(
    db: &C,
    sql: &str,
    values: Vec<Value>,
) -> Result<u64, StoreError> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(db.execute_raw(statement).await?.rows_affected())
}

/// All rows of a query.
pub(super) async fn all<C: ConnectionTrait>(
    db: &C,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<Row>, StoreError> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    #[cfg(test)]
    plans::refuse_long_ways(db, &statement).await;
    let rows = match db.query_all_raw(statement.clone()).await {
        Err(error) if is_outdated(&error) => db.query_all_raw(prepared_anew(statement)).await?,
        rows => rows?,
    };
    Ok(rows.into_iter().map(Row).collect())
}

/// The first row of a query.
pub(super) async fn one<C: ConnectionTrait>(
    db: &C,
    sql: &str,
    values: Vec<Value>,
) -> Result<Option<Row>, StoreError> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let row = match db.query_one_raw(statement.clone()).await {
        Err(error) if is_outdated(&error) => db.query_one_raw(prepared_anew(statement)).await?,
        row => row?,
    };
    Ok(row.map(Row))
}

/// A newer version has added a column to a table since this connection prepared its `SELECT *`;
/// `PostgreSQL` then refuses the statement for as long as the connection lasts (0A000).
fn is_outdated(error: &DbErr) -> bool {
    let (DbErr::Query(RuntimeErr::SqlxError(error)) | DbErr::Exec(RuntimeErr::SqlxError(error))) =
        error
    else {
        return false;
    };
    error.as_database_error().is_some_and(|error| {
        error.code().as_deref() == Some("0A000") && error.message().contains("cached plan")
    })
}

/// Another text is another statement, which is prepared on the table as it is now.
fn prepared_anew(mut statement: Statement) -> Statement {
    statement.sql.push_str(" -- again");
    statement
}

/// A row that names what it could not understand.
pub(super) struct Row(QueryResult);

impl Row {
    pub(super) fn get<T: TryGetable>(&self, column: &str) -> Result<T, StoreError> {
        Ok(self.0.try_get("", column)?)
    }

    pub(super) fn time(&self, column: &str) -> Result<DateTime<Utc>, StoreError> {
        Ok(from_micros(self.get(column)?))
    }

    pub(super) fn time_opt(&self, column: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(from_micros))
    }

    /// A column whose text must be one of ours; `table` and `id` name the row if it is not.
    pub(super) fn word<T>(
        &self,
        table: &'static str,
        column: &'static str,
        row: Uuid,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        parse(&text).ok_or(StoreError::BadRow { table, column, row })
    }
}

/// Whether the other end is a `PostgreSQL` server, where others write at the same time.
pub(super) fn is_postgres<C: ConnectionTrait>(db: &C) -> bool {
    db.get_database_backend() == DbBackend::Postgres
}

/// Whether a tenant has as many rows of these (a table and `WHERE … $1 …`) as it may: asked within the
/// transaction that adds one, which runs alone within the tenant.
pub(super) async fn is_full<C: ConnectionTrait>(
    db: &C,
    such: &str,
    tenant: uuid::Uuid,
    most: i64,
) -> Result<bool, StoreError> {
    let last = format!("SELECT 1 AS one FROM {such} LIMIT 1 OFFSET $2");
    Ok(one(db, &last, values![tenant, most - 1]).await?.is_some())
}

/// What locks the rows of a `SELECT`; nothing where only one writes.
pub(super) fn for_update<C: ConnectionTrait>(db: &C) -> &'static str {
    if is_postgres(db) { " FOR UPDATE" } else { "" }
}

/// Keeps whoever else works on these messages of the provider's (account, sid) waiting until our
/// transaction ends: a report that comes while the answer to the call is written must find it, or be
/// found by it. In one order everywhere, so that no two wait for each other.
pub(super) async fn hold_messages<'a, C: ConnectionTrait>(
    tx: &C,
    messages: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), StoreError> {
    if !is_postgres(tx) {
        return Ok(());
    }
    let names: std::collections::BTreeSet<String> = messages
        .map(|(account, sid)| format!("{account}/{sid}"))
        .collect();
    let Some(names) = array(names.into_iter().map(Value::from).collect()) else {
        return Ok(());
    };
    let query = "SELECT pg_advisory_xact_lock(k) FROM (SELECT DISTINCT hashtextextended(v.name, 0) AS k \
                 FROM UNNEST($1::text[]) AS v (name) ORDER BY k) AS keys";
    exec(tx, query, vec![names]).await.map(drop)
}

/// The operator and the pattern that find a text anywhere in another, whatever its case and taken
/// literally. Left to themselves the databases fold ASCII alone, or what their locale knows; so each
/// letter stands beside its other forms.
pub(super) fn anywhere<C: ConnectionTrait>(db: &C, text: &str) -> (&'static str, String) {
    if is_postgres(db) {
        (
            "~",
            pattern(text, |sign| {
                sign.is_ascii_punctuation().then(|| format!("\\{sign}"))
            }),
        )
    } else {
        let special = |sign| "*?[".contains(sign).then(|| format!("[{sign}]"));
        ("GLOB", format!("*{}*", pattern(text, special)))
    }
}

/// `[iI][nN][vV]`, with what is special spelled so that it means itself.
fn pattern(text: &str, special: impl Fn(char) -> Option<String>) -> String {
    let mut pattern = String::with_capacity(text.len() * 4);
    for letter in text.chars() {
        let lower = single(letter.to_lowercase());
        let forms = [lower, lower.and_then(|l| single(l.to_uppercase()))];
        match forms {
            [Some(lower), Some(upper)] if lower != upper => {
                pattern.extend(['[', lower, upper, ']']);
            }
            _ => match special(letter) {
                Some(spelled) => pattern.push_str(&spelled),
                None => pattern.push(letter),
            },
        }
    }
    pattern
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    let first = letters.next();
    first.filter(|_| letters.next().is_none())
}

/// An instant as stored: microseconds since 1970 in UTC.
pub(super) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// An instant that may be absent.
pub(super) fn micros_opt(at: Option<DateTime<Utc>>) -> Option<i64> {
    at.map(micros)
}

/// The stored instant; what does not fit a date is 1970.
pub(super) fn from_micros(at: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at).unwrap_or_default()
}

/// `$1, $2, $3` for `count` values, numbered from `first`.
pub(super) fn placeholders(count: usize, first: usize) -> String {
    (first..first + count)
        .map(|n| format!("${n}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `= ANY ($1)` or `IN ($1, $2)`, numbered from `first`, and what to bind, which must not be nothing: one
/// text for any number where each text is planned anew.
pub(super) fn among<C: ConnectionTrait>(
    db: &C,
    list: Vec<Value>,
    first: usize,
) -> (String, Vec<Value>) {
    if is_postgres(db) {
        let bound = array(list).into_iter().collect();
        (format!("= ANY (${first})"), bound)
    } else {
        (format!("IN ({})", placeholders(list.len(), first)), list)
    }
}

/// Values of one type, none of them NULL, as one value of `PostgreSQL`; `None` when there are none.
pub(super) fn array(list: Vec<Value>) -> Option<Value> {
    let kind = list.first()?.array_type();
    Some(Value::Array(kind, Some(Box::new(list))))
}

/// What an event has is asked for by its id: a plan that goes through all messages of the tenant instead is
/// as fast as any other while these are few.
#[cfg(test)]
mod plans {
    use super::*;

    pub(super) async fn refuse_long_ways<C: ConnectionTrait>(db: &C, statement: &Statement) {
        if is_postgres(db) || !statement.sql.contains("event_id") || statement.sql.starts_with('E')
        {
            return;
        }
        let mut explain = statement.clone();
        explain.sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
        for row in db.query_all_raw(explain).await.unwrap() {
            let step: String = row.try_get("", "detail").unwrap();
            let is_long = step.contains("INDEX deliveries_tenant (tenant_id=?)");
            assert!(!is_long, "{step}: {}", statement.sql);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_beside_their_other_case_and_signs_mean_themselves() {
        let plain = |_| None;
        assert_eq!(pattern("Jöß 漢1", plain), "[jJ][öÖ]ß 漢1");
        let special = |sign| "*?[".contains(sign).then(|| format!("[{sign}]"));
        assert_eq!(pattern("*[^]", special), "[*][[]^]");
    }
}
