//! Keyset pages: never an offset, never a count.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Where a page begins: strictly before (older than) or after (newer than) a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// The newest rows.
    Newest,
    /// Rows older than this id.
    Before(Uuid),
    /// Rows newer than this id.
    After(Uuid),
}

impl Cursor {
    /// The text in a URL: `b…` or `a…` with 32 digits; empty for the newest.
    pub fn to_text(self) -> String {
        match self {
            Self::Newest => String::new(),
            Self::Before(id) => format!("b{}", id.simple()),
            Self::After(id) => format!("a{}", id.simple()),
        }
    }

    /// Reads the text of a URL; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::Newest);
        }
        let (side, digits) = text.split_at_checked(1)?;
        let id = Uuid::try_parse(digits).ok()?;
        match side {
            "b" => Some(Self::Before(id)),
            "a" => Some(Self::After(id)),
            _ => None,
        }
    }
}

/// Rows, newest first, and how to go on.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Leads to newer rows, when there are any.
    pub newer: Option<Cursor>,
    /// Leads to older rows, when there are any.
    pub older: Option<Cursor>,
    /// A filter without an index looked only so far back; *older* goes on from there.
    pub searched_to: Option<DateTime<Utc>>,
}

impl<T> Page<T> {
    /// All that there is.
    pub const fn whole(rows: Vec<T>) -> Self {
        Self {
            rows,
            newer: None,
            older: None,
            searched_to: None,
        }
    }

    /// The same page of other rows, one for each.
    pub fn map<U>(self, row: impl FnMut(T) -> U) -> Page<U> {
        Page {
            rows: self.rows.into_iter().map(row).collect(),
            newer: self.newer,
            older: self.older,
            searched_to: self.searched_to,
        }
    }
}
