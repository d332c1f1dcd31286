//! Statements about many rows at once. Each statement costs a way to the database and back, so a batch of
//! commands is told to it in as few as are wise.

use sea_orm::{DbBackend, Value};

use super::error::StoreError;
use super::sql::{self, Row, tuples};
use super::writer::Tx;

/// How much goes into one statement.
#[derive(Clone, Copy)]
struct Most {
    /// Of values.
    bytes: usize,
    rows: usize,
}

impl Most {
    /// Over TLS, sqlx 0.9.0 writes more than 16 KB to a server in two records without `TCP_NODELAY`, and
    /// the second waits about 40 ms (`benches/README.md`). A file waits for nothing.
    const fn of(backend: DbBackend) -> Self {
        match backend {
            DbBackend::Postgres => Self {
                bytes: 15_000,
                rows: 64,
            },
            _ => Self {
                bytes: usize::MAX,
                rows: 256,
            },
        }
    }
}

/// A row of values.
pub(super) type Values = Vec<Value>;

/// A statement with a list of rows in its middle, as in `INSERT INTO t (a, b) VALUES … ON CONFLICT …` or
/// `UPDATE t SET … FROM (VALUES …) AS v WHERE …`, whose columns are then `v.column1`, `v.column2` and so on.
#[derive(Clone, Copy)]
pub(super) struct Bulk<'a> {
    pub(super) before: &'a str,
    pub(super) after: &'a str,
}

impl Bulk<'_> {
    /// How many rows it changed.
    pub(super) async fn exec(self, tx: &Tx, rows: Vec<Values>) -> Result<u64, StoreError> {
        let mut changed = 0;
        for (text, bound) in self.statements(tx, rows) {
            changed += sql::exec(tx, &text, bound).await?;
        }
        Ok(changed)
    }

    /// The rows that it answers with.
    pub(super) async fn all(self, tx: &Tx, rows: Vec<Values>) -> Result<Vec<Row>, StoreError> {
        let mut answers = Vec::new();
        for (text, bound) in self.statements(tx, rows) {
            answers.extend(sql::all(tx, &text, bound).await?);
        }
        Ok(answers)
    }

    fn statements(self, tx: &Tx, rows: Vec<Values>) -> Vec<(String, Values)> {
        let most = Most::of(sea_orm::ConnectionTrait::get_database_backend(tx));
        let columns = rows.first().map_or(0, Vec::len);
        let sizes: Vec<usize> = rows.iter().map(|row| row.iter().map(size).sum()).collect();
        let mut rows = rows.into_iter();
        chunks(&sizes, most)
            .map(|chunk| {
                let text = format!(
                    "{}{}{}",
                    self.before,
                    tuples(chunk.len(), columns, 1),
                    self.after
                );
                (text, rows.by_ref().take(chunk.len()).flatten().collect())
            })
            .collect()
    }
}

/// How many bytes of a statement a value comes to, about.
fn size(value: &Value) -> usize {
    match value {
        Value::String(Some(text)) => text.len() + 4,
        Value::Bytes(Some(bytes)) => bytes.len() + 4,
        _ => 20,
    }
}

/// Rows by the size of their statement. Their number is a power of two, since each number is a text of
/// its own that the server prepares and the client remembers.
fn chunks(sizes: &[usize], most: Most) -> impl Iterator<Item = &[usize]> {
    let mut rest = sizes;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest
            .iter()
            .take(most.rows)
            .take_while(|size| {
                bytes += *size;
                bytes <= most.bytes
            })
            .count();
        let number = match fitting {
            0 => rest.len().min(1),
            n => 1 << n.ilog2(),
        };
        let (now, later) = rest.split_at_checked(number)?;
        rest = later;
        (!now.is_empty()).then_some(now)
    })
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
    fn statements_are_small_and_of_few_texts() {
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&[100; 7]), [4, 2, 1]);
        assert_eq!(lengths(&[1; 200]), [64, 64, 64, 8]);
        assert_eq!(lengths(&[5000; 5]), [2, 2, 1]);
        assert_eq!(lengths(&[90_000, 10, 90_000]), [1, 1, 1]);
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
