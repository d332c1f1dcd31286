//! Statements about many rows at once. Each statement costs a way to the database and back, so a batch of
//! commands is told to it in as few as are wise.

use sea_orm::{ConnectionTrait, DbBackend, Value};

use super::error::StoreError;
use super::sql::{self, Row};

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

/// A row of values.
pub(super) type Values = Vec<Value>;

/// A statement with a list of rows in its middle. The first value of each row is never NULL.
#[derive(Clone, Copy)]
pub(super) enum Bulk<'a> {
    /// `INSERT INTO` a table with its columns, the rows, and what to do about those that are there.
    Insert { into: &'a str, after: &'a str },
    /// As in `UPDATE t SET … FROM (VALUES … ) AS v WHERE …`: the columns are `v.column1`, `v.column2` and
    /// so on, and a row of NULLs changes nothing.
    Joined { before: &'a str, after: &'a str },
}

impl Bulk<'_> {
    /// How many rows it changed.
    pub(super) async fn exec<C: ConnectionTrait>(
        self,
        db: &C,
        rows: Vec<Values>,
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for (text, bound) in self.statements(db.get_database_backend(), rows) {
            #[cfg(test)]
            plans::refuse_scans(db, &text, &bound).await;
            changed += sql::exec(db, &text, bound).await?;
        }
        Ok(changed)
    }

    /// The rows that it answers with.
    pub(super) async fn all<C: ConnectionTrait>(
        self,
        db: &C,
        rows: Vec<Values>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut answers = Vec::new();
        for (text, bound) in self.statements(db.get_database_backend(), rows) {
            #[cfg(test)]
            plans::refuse_scans(db, &text, &bound).await;
            answers.extend(sql::all(db, &text, bound).await?);
        }
        Ok(answers)
    }

    fn statements(self, backend: DbBackend, rows: Vec<Values>) -> Vec<(String, Values)> {
        let sizes: Vec<usize> = rows.iter().map(|row| row.iter().map(size).sum()).collect();
        let mut rows = rows.into_iter();
        chunks(&sizes, Most::of(backend))
            .map(|chunk| {
                let rows = rows.by_ref().take(chunk.len()).collect();
                match backend {
                    DbBackend::Postgres => self.of_columns(rows),
                    _ => self.of_rows(rows),
                }
            })
            .collect()
    }

    /// One array for each column: the same text for any number of rows, which is prepared and planned once.
    /// These arrays hold no NULL, so a column that has some is two arrays: which are, and what the others say.
    fn of_columns(self, rows: Vec<Values>) -> (String, Values) {
        let mut columns = vec![Column::default(); rows.first().map_or(0, Vec::len)];
        for row in rows {
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value);
            }
        }
        let (mut arrays, mut names, mut values, mut bound) = (vec![], vec![], vec![], vec![]);
        for (number, column) in (1..).zip(columns) {
            names.push(format!("column{number}"));
            arrays.push(format!("${}::{}[]", arrays.len() + 1, column.kind()));
            bound.extend(sql::array(column.values));
            if column.has_null {
                names.push(format!("null{number}"));
                arrays.push(format!("${}::boolean[]", arrays.len() + 1));
                bound.extend(sql::array(column.nulls));
                values.push(format!(
                    "CASE WHEN null{number} THEN NULL ELSE column{number} END AS column{number}"
                ));
            } else {
                values.push(format!("column{number}"));
            }
        }
        let [arrays, names, values] = [arrays, names, values].map(|list| list.join(", "));
        let list = format!("SELECT {values} FROM UNNEST({arrays}) AS u ({names})");
        let text = match self {
            Self::Insert { into, after } => format!("INSERT INTO {into} {list}{after}"),
            Self::Joined { before, after } => format!("{before}({list}){after}"),
        };
        (text, bound)
    }

    /// One row after the other, and empty ones up to one of few sizes: each statement is handed to the
    /// thread that writes and back, which costs more than a few empty rows.
    fn of_rows(self, rows: Vec<Values>) -> (String, Values) {
        let (padded, columns) = (padded(rows.len()), rows.first().map_or(0, Vec::len));
        let mut bound: Values = rows.into_iter().flatten().collect();
        // Without a type: SQLite has none for what it is given.
        bound.resize(padded * columns, Value::String(None));
        (self.padded_text(&unnamed(padded, columns)), bound)
    }

    /// `OR FAIL`: `SQLite` would copy each page aside before a statement changes it, to take back a part
    /// of the statement. Nobody here wants that: an error takes back all since the last savepoint.
    fn padded_text(self, rows: &str) -> String {
        match self {
            Self::Insert { into, after } => format!(
                "INSERT OR FAIL INTO {into} SELECT * FROM (VALUES {rows}) \
                 WHERE column1 IS NOT NULL{after}"
            ),
            Self::Joined { before, after } => {
                let text = format!("{before}(VALUES {rows}){after}");
                let verbs = [
                    ("INSERT ", "INSERT OR FAIL "),
                    ("UPDATE ", "UPDATE OR FAIL "),
                ];
                let verb = verbs.iter().find(|(verb, _)| text.starts_with(verb));
                verb.map_or(text.clone(), |(verb, or_fail)| {
                    text.replacen(verb, or_fail, 1)
                })
            }
        }
    }
}

/// The values of one column, with something in place of each NULL.
#[derive(Debug, Clone, Default)]
struct Column {
    values: Values,
    /// Which of them are NULL.
    nulls: Values,
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

    pub(super) async fn refuse_scans<C: ConnectionTrait>(db: &C, text: &str, bound: &Values) {
        if db.get_database_backend() != DbBackend::Sqlite {
            return;
        }
        let explain = format!("EXPLAIN QUERY PLAN {text}");
        for row in sql::all(db, &explain, bound.clone()).await.unwrap() {
            let step: String = row.get("detail").unwrap();
            let Some(what) = step.strip_prefix("SCAN ") else {
                continue;
            };
            let is_the_list = what == "v"
                || what.contains("VALUES CLAUSE")
                || what.starts_with("CONSTANT ROW")
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

    #[test]
    fn on_postgresql_one_text_does_for_any_number_of_rows() {
        let insert = Bulk::Insert {
            into: "t (a, b)",
            after: " RETURNING a",
        };
        let rows = |number: i64| (0..number).map(|n| sql::values![n, format!("row {n}")]);
        let (text, bound) = insert.of_columns(rows(1).collect());
        assert_eq!(
            text,
            "INSERT INTO t (a, b) SELECT column1, column2 FROM \
             UNNEST($1::bigint[], $2::text[]) AS u (column1, column2) RETURNING a"
        );
        assert_eq!(bound.len(), 2);
        assert_eq!(insert.of_columns(rows(50).collect()).0, text);
        let rows = vec![
            sql::values![1_i64, "one"],
            sql::values![None::<i64>, "none"],
        ];
        let (text, bound) = insert.of_columns(rows);
        assert_eq!(
            text,
            "INSERT INTO t (a, b) SELECT CASE WHEN null1 THEN NULL ELSE column1 END AS column1, \
             column2 FROM UNNEST($1::bigint[], $2::boolean[], $3::text[]) \
             AS u (column1, null1, column2) RETURNING a"
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
