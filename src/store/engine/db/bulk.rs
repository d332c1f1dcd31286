//! Statements about many rows at once. Each statement costs a way to the database and back, so a batch of
//! commands is put in as few as are wise.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use sea_orm::{DbBackend, DbErr, Value};

use super::tenancy::{self, Filter};
use super::{Backend as _, BatchDb, Scope, TenantDb};
use crate::domain::ids::TenantId;
use crate::store::engine::error::StoreError;
use crate::store::engine::sql::{self, Row};

/// How much goes into one statement.
#[derive(Clone, Copy)]
struct Most {
    /// Of values.
    bytes: usize,
    rows: usize,
}

impl Most {
    /// Over TLS, sqlx 0.9.0 writes more than 16 KB to a server in two records without `TCP_NODELAY`, and
    /// the second waits about 40 ms (`benches/README.md`). A file waits for nothing, but each number of
    /// rows is a text of its own.
    const fn of(backend: DbBackend) -> Self {
        match backend {
            DbBackend::Postgres => Self {
                bytes: 15_000,
                rows: 256,
            },
            _ => Self {
                bytes: usize::MAX,
                rows: 64,
            },
        }
    }
}

/// The values of one row, each beside the name of its column. The first is never NULL.
#[derive(Clone)]
pub(in crate::store) struct Record {
    pub(in crate::store) columns: &'static [&'static str],
    pub(in crate::store) values: Vec<Value>,
}

/// A [`Record`]: `record![id: …, state: …]`.
macro_rules! record {
    ($($column:ident: $value:expr),+ $(,)?) => {
        $crate::store::engine::db::bulk::Record {
            columns: &[$(stringify!($column)),+],
            values: vec![$(sea_orm::Value::from($value)),+],
        }
    };
}
pub(in crate::store) use record;

/// A statement over a list of records, which all have the same columns.
#[derive(Clone, Copy)]
pub(in crate::store) enum Bulk<'a> {
    /// Each record becomes a row.
    Insert {
        into: &'static str,
        /// Columns with what is the same in every row, in SQL.
        constants: &'static [(&'static str, &'static str)],
        /// What to do about rows that are there, and what to answer.
        after: &'static str,
    },
    /// The records are the table `v`, as in `UPDATE t SET … FROM v WHERE …` and `SELECT … FROM v JOIN t
    /// ON …`: named once, and a record of NULLs must change nothing.
    Joined(&'a str),
}

/// Where something stands that lasts as long as the program and never changes: what stands in the same
/// place is the same.
type Place = (usize, usize);

fn place<T>(of: &'static [T]) -> Place {
    (of.as_ptr().addr(), of.len())
}

/// Inserts that were found to keep to their tenants, by where their table, their columns and what comes after
/// stand: their text need not be put together to be known again.
static INSERTS: RwLock<BTreeSet<[Place; 3]>> = RwLock::new(BTreeSet::new());

fn inserts() -> RwLockReadGuard<'static, BTreeSet<[Place; 3]>> {
    INSERTS.read().unwrap_or_else(PoisonError::into_inner)
}

impl Bulk<'_> {
    pub(in crate::store) const fn insert(into: &'static str, after: &'static str) -> Self {
        Self::Insert {
            into,
            constants: &[],
            after,
        }
    }

    /// How many rows it changed.
    pub(in crate::store) async fn exec(
        self,
        db: BatchDb<'_>,
        records: Vec<Record>,
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for (text, bound) in self.admitted(db, records)? {
            #[cfg(test)]
            plans::refuse_scans(db, &text, &bound).await;
            changed += super::exec(db.db, &text, bound).await?;
        }
        Ok(changed)
    }

    /// The rows that it answers with.
    pub(in crate::store) async fn all(
        self,
        db: BatchDb<'_>,
        records: Vec<Record>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut answers = Vec::new();
        for (text, bound) in self.admitted(db, records)? {
            #[cfg(test)]
            plans::refuse_scans(db, &text, &bound).await;
            answers.extend(super::all(db.db, &text, bound).await?);
        }
        Ok(answers)
    }

    /// Its statements, if it keeps to the tenants that its records name.
    fn admitted(
        self,
        db: BatchDb<'_>,
        records: Vec<Record>,
    ) -> Result<Vec<(String, Vec<Value>)>, StoreError> {
        match (db.scope, records.first()) {
            (Scope::None, _) | (_, None) => {}
            (Scope::Each, Some(first)) => self.admit(first.columns)?,
            (Scope::Tenant(tenant), Some(first)) => {
                self.admit(first.columns)?;
                refuse_others(&records, tenant)?;
            }
        }
        self.statements(db.backend(), records)
    }

    fn admit(self, columns: &'static [&'static str]) -> Result<(), StoreError> {
        let filter = || Filter::Records {
            has_tenant: columns.contains(&"tenant_id"),
        };
        match self {
            Self::Insert { into, after, .. } => {
                let parts = [
                    place(into.as_bytes()),
                    place(columns),
                    place(after.as_bytes()),
                ];
                if inserts().contains(&parts) {
                    return Ok(());
                }
                let insert = format!("INSERT INTO {into} ({}){after}", columns.join(", "));
                tenancy::admit(&insert, filter())?;
                let mut inserts = INSERTS.write().unwrap_or_else(PoisonError::into_inner);
                inserts.insert(parts);
                Ok(())
            }
            Self::Joined(text) => tenancy::admit(text, filter()),
        }
    }

    fn statements(
        self,
        backend: DbBackend,
        records: Vec<Record>,
    ) -> Result<Vec<(String, Vec<Value>)>, StoreError> {
        let names = records.first().map_or(&[][..], |record| record.columns);
        let is_like_first =
            |record: &Record| std::ptr::eq(record.columns, names) || record.columns == names;
        if !records.iter().all(is_like_first) {
            let says = format!("not all records of a statement have the columns {names:?}");
            return Err(DbErr::Custom(says).into());
        }
        let sizes = records.iter().map(|r| r.values.iter().map(size).sum());
        let sizes: Vec<usize> = sizes.collect();
        let mut rows = records.into_iter().map(|record| record.values);
        let statements = chunks(&sizes, Most::of(backend)).map(|chunk| {
            let rows = rows.by_ref().take(chunk.len());
            match backend {
                DbBackend::Postgres => self.of_columns(names, rows),
                _ => self.of_rows(names, rows),
            }
        });
        Ok(statements.collect())
    }

    /// One array for each column: the same text for any number of rows, which is prepared and planned once.
    /// These arrays hold no NULL, so a column that has some is two arrays: which are, and what the others say.
    fn of_columns(
        self,
        names: &[&str],
        rows: impl Iterator<Item = Vec<Value>>,
    ) -> (String, Vec<Value>) {
        let mut columns = vec![Column::default(); names.len()];
        for row in rows {
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value);
            }
        }
        let (mut arrays, mut unnested, mut values, mut bound) = (vec![], vec![], vec![], vec![]);
        for (name, column) in names.iter().zip(columns) {
            unnested.push((*name).to_owned());
            arrays.push(format!("${}::{}[]", arrays.len() + 1, column.kind()));
            bound.extend(sql::array(column.values));
            if column.has_null {
                unnested.push(format!("{name}_is_null"));
                arrays.push(format!("${}::boolean[]", arrays.len() + 1));
                bound.extend(sql::array(column.nulls));
                values.push(format!(
                    "CASE WHEN {name}_is_null THEN NULL ELSE {name} END AS {name}"
                ));
            } else {
                values.push((*name).to_owned());
            }
        }
        let [arrays, unnested] = [arrays, unnested].map(|list| list.join(", "));
        let list = format!("FROM UNNEST({arrays}) AS u ({unnested})");
        let text = match self {
            Self::Insert {
                into,
                constants,
                after,
            } => {
                let (columns, values) = with_constants(names, &values, constants);
                format!("INSERT INTO {into} ({columns}) SELECT {values} {list}{after}")
            }
            Self::Joined(text) => format!("WITH v AS (SELECT {} {list}) {text}", values.join(", ")),
        };
        (text, bound)
    }

    /// One row after the other, and empty ones up to one of few sizes: each statement is handed to the
    /// thread that writes and back, which costs more than a few empty rows.
    fn of_rows(
        self,
        names: &[&str],
        rows: impl ExactSizeIterator<Item = Vec<Value>>,
    ) -> (String, Vec<Value>) {
        let padded = padded(rows.len());
        let mut bound: Vec<Value> = rows.flatten().collect();
        // Without a type: SQLite has none for what it is given.
        bound.resize(padded * names.len(), Value::String(None));
        (self.padded_text(names, padded), bound)
    }

    /// `OR FAIL`: `SQLite` would copy each page aside before a statement changes it, to take back a part
    /// of the statement. Nobody here wants that: an error takes back all since the last savepoint.
    ///
    /// `CROSS JOIN`: each record is one look-up in an index; `SQLite` would sometimes read the whole table.
    fn padded_text(self, names: &[&str], rows: usize) -> String {
        let values = unnamed(rows, names.len());
        match self {
            Self::Insert {
                into,
                constants,
                after,
            } => {
                let (columns, selected) = with_constants(names, &["*"], constants);
                format!(
                    "INSERT OR FAIL INTO {into} ({columns}) SELECT {selected} \
                     FROM (VALUES {values}) WHERE column1 IS NOT NULL{after}"
                )
            }
            Self::Joined(text) => {
                let text = match text.strip_prefix("UPDATE ") {
                    Some(update) => format!("UPDATE OR FAIL {update}"),
                    None => text.replacen("FROM v JOIN ", "FROM v CROSS JOIN ", 1),
                };
                format!("WITH v ({}) AS (VALUES {values}) {text}", names.join(", "))
            }
        }
    }
}

/// The columns that are inserted and what is selected for them, each list as one text.
fn with_constants(
    names: &[&str],
    selected: &[impl AsRef<str>],
    constants: &[(&str, &str)],
) -> (String, String) {
    let (constant_names, constant_values): (Vec<&str>, Vec<&str>) =
        constants.iter().copied().unzip();
    let selected: Vec<&str> = selected.iter().map(AsRef::as_ref).collect();
    (
        [names, &constant_names].concat().join(", "),
        [selected, constant_values].concat().join(", "),
    )
}

fn refuse_others(records: &[Record], tenant: TenantId) -> Result<(), StoreError> {
    let tenant = Value::from(tenant.uuid());
    let is_own = |record: &Record| {
        let mut columns = record.columns.iter().zip(&record.values);
        columns.all(|(column, value)| *column != "tenant_id" || *value == tenant)
    };
    if records.iter().all(is_own) {
        return Ok(());
    }
    Err(StoreError::NotOfTenant("a record of another".to_owned()))
}

impl TenantDb<'_> {
    /// Adds a row, which bears the tenant; how many were added.
    pub(in crate::store) async fn insert(
        self,
        into: &str,
        row: Record,
        after: &str,
    ) -> Result<u64, StoreError> {
        let columns = row.columns.join(", ");
        let values = sql::placeholders(row.values.len(), 2);
        let insert =
            format!("INSERT INTO {into} (tenant_id, {columns}) VALUES ($1, {values}){after}");
        self.exec(&insert, row.values).await
    }
}

/// The values of one column, with something in place of each NULL.
#[derive(Debug, Clone, Default)]
struct Column {
    values: Vec<Value>,
    /// Which of them are NULL.
    nulls: Vec<Value>,
    has_null: bool,
}

impl Column {
    fn push(&mut self, value: Value) {
        let is_null = value == value.as_null();
        self.has_null |= is_null;
        self.nulls.push(is_null.into());
        self.values
            .push(if is_null { value.dummy_value() } else { value });
    }

    /// Its type in `PostgreSQL`.
    fn kind(&self) -> &'static str {
        match self.values.first() {
            Some(Value::Uuid(_)) => "uuid",
            Some(Value::BigInt(_)) => "bigint",
            Some(Value::Int(_)) => "integer",
            Some(Value::SmallInt(_)) => "smallint",
            Some(Value::Bool(_)) => "boolean",
            Some(Value::Bytes(_)) => "bytea",
            _ => "text",
        }
    }
}

/// `(?, ?), (?, ?)`. SQLite looks a name up among all the others whenever its value is given, so that
/// thousands of names would take millions of steps.
fn unnamed(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; rows].join(",")
}

/// The next of 1, 2, 3, 4, 6, 8, 12, 16, 24 and so on.
fn padded(rows: usize) -> usize {
    let above = rows.next_power_of_two();
    let between = above / 4 * 3;
    if between >= rows { between } else { above }
}

/// How many bytes of a statement a value comes to, about.
fn size(value: &Value) -> usize {
    match value {
        Value::String(Some(text)) => text.len() + 4,
        Value::Bytes(Some(bytes)) => bytes.len() + 4,
        Value::Bool(_) | Value::SmallInt(_) | Value::Int(_) => 8,
        Value::BigInt(_) => 12,
        _ => 20,
    }
}

/// Rows by the size of their statement.
fn chunks(sizes: &[usize], most: Most) -> impl Iterator<Item = &[usize]> {
    let mut rest = sizes;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest
            .iter()
            .take(most.rows)
            .take_while(|size| {
                bytes = size.saturating_add(bytes);
                bytes <= most.bytes
            })
            .count();
        let number = fitting.max(rest.len().min(1));
        let (now, later) = rest.split_at_checked(number)?;
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

/// Every batched statement of every test is looked at: one that reads a table from end to end is as fast
/// as any other while the table is short.
#[cfg(test)]
mod plans {
    use super::*;

    pub(super) async fn refuse_scans(db: BatchDb<'_>, text: &str, bound: &[Value]) {
        if db.backend() != DbBackend::Sqlite {
            return;
        }
        let explain = format!("EXPLAIN QUERY PLAN {text}");
        for row in super::super::all(db.db, &explain, bound.to_vec())
            .await
            .unwrap()
        {
            let step: String = row.get("detail").unwrap();
            let Some(what) = step.strip_prefix("SCAN ") else {
                continue;
            };
            let is_the_list = what == "v"
                || what.contains("VALUES CLAUSE")
                || what.contains("CONSTANT ROW")
                || what.starts_with("(subquery");
            assert!(is_the_list, "{step}: {text}");
        }
    }
}

#[cfg(test)]
mod tests;
