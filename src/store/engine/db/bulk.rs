//! Statements about many rows at once. Each statement costs a way to the database and back, so a batch of
//! commands is told to it in as few as are wise.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use sea_orm::{DbBackend, DbErr, Value};

use super::tenancy::{self, Filter};
use super::{Backend as _, BatchDb, Scope, TenantDb};
use crate::domain::ids::TenantId;
use crate::store::engine::sql::{self, Row};
use crate::store::error::StoreError;

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
mod tests {
    use super::*;

    const MOST: Most = Most {
        bytes: 15_000,
        rows: 64,
    };

    fn lengths(rows: &[usize]) -> Vec<usize> {
        chunks(rows, MOST).map(<[_]>::len).collect()
    }

    #[test]
    fn statements_are_small() {
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&[100; 7]), [7]);
        assert_eq!(lengths(&[1; 200]), [64, 64, 64, 8]);
        assert_eq!(lengths(&[5000; 5]), [3, 2]);
        assert_eq!(lengths(&[90_000, 10, 90_000]), [1, 1, 1]);
    }

    #[test]
    fn padded_statements_have_few_texts_and_few_empty_rows() {
        let sizes: std::collections::BTreeSet<usize> = (1..=64).map(padded).collect();
        assert_eq!(
            Vec::from_iter(sizes),
            [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]
        );
        for rows in 1..=64 {
            assert!(
                padded(rows) >= rows && padded(rows) * 2 <= rows * 3,
                "{rows}"
            );
        }
        assert_eq!(unnamed(2, 3), "(?,?,?),(?,?,?)");
    }

    const INSERT: Bulk<'static> = Bulk::Insert {
        into: "t",
        constants: &[("c", "''")],
        after: " RETURNING a",
    };

    fn records(number: i64) -> Vec<Record> {
        let record = |n| record![a: n, b: format!("row {n}")];
        (0..number).map(record).collect()
    }

    fn only(bulk: Bulk<'_>, backend: DbBackend, records: Vec<Record>) -> (String, Vec<Value>) {
        let mut statements = bulk.statements(backend, records).unwrap();
        assert_eq!(statements.len(), 1);
        statements.remove(0)
    }

    #[test]
    fn on_postgresql_one_text_does_for_any_number_of_records() {
        let of = |number| only(INSERT, DbBackend::Postgres, records(number));
        let (text, bound) = of(1);
        assert_eq!(
            text,
            "INSERT INTO t (a, b, c) SELECT a, b, '' FROM \
             UNNEST($1::bigint[], $2::text[]) AS u (a, b) RETURNING a"
        );
        assert_eq!(bound.len(), 2);
        assert_eq!(of(50).0, text);
    }

    #[test]
    fn on_postgresql_a_column_with_nulls_is_two_arrays() {
        let records = vec![
            record![a: 1_i64, b: "one"],
            record![a: None::<i64>, b: "none"],
        ];
        let update = Bulk::Joined("UPDATE t SET a = v.a FROM v WHERE t.b = v.b");
        let (text, bound) = only(update, DbBackend::Postgres, records);
        assert_eq!(
            text,
            "WITH v AS (SELECT CASE WHEN a_is_null THEN NULL ELSE a END AS a, b FROM \
             UNNEST($1::bigint[], $2::boolean[], $3::text[]) AS u (a, a_is_null, b)) \
             UPDATE t SET a = v.a FROM v WHERE t.b = v.b"
        );
        assert_eq!(
            bound,
            [
                sql::array(sql::values![1_i64, 0_i64]).unwrap(),
                sql::array(sql::values![false, true]).unwrap(),
                sql::array(sql::values!["one", "none"]).unwrap(),
            ]
        );
    }

    #[test]
    fn on_sqlite_records_are_padded_and_each_is_looked_up() {
        let of = |bulk, number| only(bulk, DbBackend::Sqlite, records(number));
        let (text, bound) = of(INSERT, 2);
        assert_eq!(
            text,
            "INSERT OR FAIL INTO t (a, b, c) SELECT *, '' FROM (VALUES (?,?),(?,?)) \
             WHERE column1 IS NOT NULL RETURNING a"
        );
        assert_eq!(bound.len(), 4);
        let select = Bulk::Joined("SELECT t.* FROM v JOIN t ON t.a = v.a JOIN w ON w.a = t.a");
        assert_eq!(
            of(select, 1).0,
            "WITH v (a, b) AS (VALUES (?,?)) \
             SELECT t.* FROM v CROSS JOIN t ON t.a = v.a JOIN w ON w.a = t.a"
        );
        let update = Bulk::Joined("UPDATE t SET b = v.b FROM v WHERE t.a = v.a");
        assert!(
            of(update, 1)
                .0
                .ends_with(") UPDATE OR FAIL t SET b = v.b FROM v WHERE t.a = v.a")
        );
        assert_eq!(of(update, 5).1.len(), 12);
    }

    #[test]
    fn records_of_another_tenant_are_refused() {
        let tenant = TenantId::from_uuid(uuid::Uuid::from_u128(1));
        let of = |tenant: u128| vec![record![id: 1_i64, tenant_id: uuid::Uuid::from_u128(tenant)]];
        assert!(refuse_others(&of(1), tenant).is_ok());
        assert!(refuse_others(&of(2), tenant).is_err());
    }

    /// A refusal panics in a build that looks for mistakes.
    fn is_admitted(bulk: Bulk<'_>, record: &Record) -> bool {
        std::panic::catch_unwind(|| bulk.admit(record.columns)).is_ok_and(|r| r.is_ok())
    }

    #[test]
    fn an_insert_is_known_again_by_all_of_its_parts() {
        let tenant = uuid::Uuid::nil();
        let with_tenant = record![id: tenant, tenant_id: tenant];
        let without = record![id: tenant];
        let take = " ON CONFLICT (id) DO UPDATE SET id = excluded.id";
        for _ in 0..2 {
            assert!(is_admitted(Bulk::insert("rules", ""), &with_tenant));
            assert!(!is_admitted(Bulk::insert("rules", ""), &without));
            assert!(!is_admitted(Bulk::insert("rules", take), &with_tenant));
            assert!(is_admitted(Bulk::insert("digests", ""), &without));
        }
    }

    #[test]
    fn records_with_other_columns_are_refused() {
        for backend in [DbBackend::Postgres, DbBackend::Sqlite] {
            let records = vec![record![a: 1_i64, b: 2_i64], record![b: 2_i64, a: 1_i64]];
            assert!(INSERT.statements(backend, records).is_err());
            assert!(INSERT.statements(backend, vec![]).unwrap().is_empty());
        }
    }

    proptest::proptest! {
        #[test]
        fn every_row_is_in_one_statement(rows in proptest::collection::vec(0_usize..40_000, 0..300)) {
            let all: Vec<usize> = chunks(&rows, MOST).flatten().copied().collect();
            proptest::prop_assert_eq!(&all, &rows);
            for chunk in chunks(&rows, MOST) {
                proptest::prop_assert!(chunk.len() == 1 || chunk.iter().sum::<usize>() <= MOST.bytes);
            }
        }
    }
}
