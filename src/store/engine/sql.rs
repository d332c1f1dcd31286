//! The few helpers around hand-written SQL: `$1`-style statements that both databases read.

use chrono::{DateTime, Utc};
use sea_orm::{DbBackend, QueryResult, TryGetable, Value};
use uuid::Uuid;

use crate::store::engine::error::StoreError;

/// Values in the order of `$1`, `$2`, …
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(sea_orm::Value::from($value)),*] };
}
pub(in crate::store) use values;

/// How a session of `PostgreSQL` plans that goes by keys only. Left to itself the planner thinks each
/// statement over again, which takes longer than carrying it out where the history is partitioned; and it
/// reads a table as a whole while it believes that it is small. So a statement is planned once, and for
/// any size.
pub(in crate::store) const BY_KEYS: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // A plan that cannot do without reading a whole table counts as expensive enough to be compiled.
    ("jit", "off"),
];

/// A row that names what it could not understand.
pub(in crate::store) struct Row(QueryResult);

impl Row {
    pub(in crate::store) const fn of(row: QueryResult) -> Self {
        Self(row)
    }

    pub(in crate::store) fn get<T: TryGetable>(&self, column: &str) -> Result<T, StoreError> {
        Ok(self.0.try_get("", column)?)
    }

    pub(in crate::store) fn time(&self, column: &str) -> Result<DateTime<Utc>, StoreError> {
        Ok(from_micros(self.get(column)?))
    }

    pub(in crate::store) fn time_opt(
        &self,
        column: &str,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(from_micros))
    }

    /// A column whose text must be one of ours; `table` and `id` name the row if it is not.
    pub(in crate::store) fn word<T>(
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

/// Which of the two databases it is.
pub(in crate::store) trait Backend: Copy {
    fn backend(self) -> DbBackend;
}

/// Whether the other end is a `PostgreSQL` server, where others write at the same time.
pub(in crate::store) fn is_postgres(db: impl Backend) -> bool {
    db.backend() == DbBackend::Postgres
}

/// What locks the rows of a `SELECT`; nothing where only one writes.
pub(in crate::store) fn for_update(db: impl Backend) -> &'static str {
    if is_postgres(db) { " FOR UPDATE" } else { "" }
}

/// The operator and the pattern that find a text anywhere in another, whatever its case and taken
/// literally. Left to themselves the databases fold ASCII alone, or what their locale knows; so each
/// letter stands beside its other forms.
pub(in crate::store) fn anywhere(db: impl Backend, text: &str) -> (&'static str, String) {
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
pub(in crate::store) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// An instant that may be absent.
pub(in crate::store) fn micros_opt(at: Option<DateTime<Utc>>) -> Option<i64> {
    at.map(micros)
}

/// The stored instant; what does not fit a date is 1970.
pub(in crate::store) fn from_micros(at: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at).unwrap_or_default()
}

/// `$1, $2, $3` for `count` values, numbered from `first`.
pub(in crate::store) fn placeholders(count: usize, first: usize) -> String {
    (first..first + count)
        .map(|n| format!("${n}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `= ANY ($1)` or `IN ($1, $2)`, numbered from `first`, and what to bind, which must not be nothing: one
/// text for any number where each text is planned anew.
pub(in crate::store) fn among(
    db: impl Backend,
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
pub(in crate::store) fn array(list: Vec<Value>) -> Option<Value> {
    let kind = list.first()?.array_type();
    Some(Value::Array(kind, Some(Box::new(list))))
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
