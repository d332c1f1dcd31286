//! What the API says and hears, as JSON. Domain values inside; the schema is derived from the same
//! structs that are serialised.
//!
//! Absent values are `null`, never missing: a program sees from one answer what there could be.

pub mod audit;
pub mod brand;
pub mod connections;
pub mod groups;
pub mod history;
pub mod limits;
pub mod permissions;
pub mod replay;
pub mod rules;
pub mod senders;
pub mod suppressions;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::ids::{DeliveryId, EventId, ReplayId};
use crate::domain::page::{Cursor, Page};

/// A page of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T: ToSchema> {
    pub data: Vec<T>,
    /// Give it back as `cursor` for the next page; `null` on the last one. A page may be short, or
    /// empty, before that: a filter looks at a bounded number of rows at a time.
    pub next: Option<String>,
}

impl<T: ToSchema> List<T> {
    /// A page, each row made by `tell`.
    pub fn of<R>(page: Page<R>, tell: impl Fn(R) -> T) -> Self {
        Self {
            data: page.rows.into_iter().map(tell).collect(),
            next: page.older.map(Cursor::to_text),
        }
    }

    /// A list that is whole.
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next: None }
    }
}

/// A replay.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replay {
    #[schema(value_type = String)]
    pub id: ReplayId,
    #[schema(value_type = String)]
    pub event: EventId,
    /// What it sends; empty while the event is still being decided.
    #[schema(value_type = Vec<String>)]
    pub deliveries: Vec<DeliveryId>,
}

/// The stop switch.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stop {
    pub stopped: bool,
    pub since: Option<DateTime<Utc>>,
    pub by: Option<String>,
}

impl Stop {
    /// Since when, and by whom, sending is stopped.
    pub fn of(stopped: Option<(DateTime<Utc>, String)>) -> Self {
        let (since, by) = stopped.unzip();
        Self {
            stopped: since.is_some(),
            since,
            by,
        }
    }
}

/// Stored text that is absent when it is blank.
fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Stored JSON; were it damaged, its text.
fn json(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}
