//! How an event becomes decisions and deliveries, and deliveries messages: the hot path.

pub(in crate::store) mod claims;
pub(in crate::store) mod commands;
pub(in crate::store) mod contents;
pub(in crate::store) mod dealt;
pub(in crate::store) mod decisions;
pub(in crate::store) mod deliveries;
pub(in crate::store) mod documents;
pub(in crate::store) mod due;
pub(in crate::store) mod events;
pub(in crate::store) mod index_predicates;
pub(in crate::store) mod ingest;
pub(in crate::store) mod new_deliveries;
pub(in crate::store) mod new_receipt;
pub(in crate::store) mod outcomes;
pub(in crate::store) mod provider_messages;
pub(in crate::store) mod receipts;
pub(in crate::store) mod reminder_stops;
pub(in crate::store) mod renewals;
pub(in crate::store) mod replays;
pub(in crate::store) mod route;
pub(in crate::store) mod route_commit;
pub(in crate::store) mod row_locks;
pub(in crate::store) mod send_lock;
pub(in crate::store) mod sender_rests;
pub(in crate::store) mod steps;
pub(in crate::store) mod undelivered;

use crate::store::engine::partitions::Partitioned;

/// The tables of the history.
pub(in crate::store) const PARTITIONED: [Partitioned; 8] = [
    partitioned("events", "id"),
    Partitioned {
        compressed: Some("body"),
        ..partitioned("bodies", "event_id")
    },
    partitioned("decisions", "event_id"),
    partitioned("deliveries", "event_id"),
    partitioned("contents", "event_id"),
    partitioned("attempts", "event_id"),
    partitioned("delivery_steps", "event_id"),
    partitioned("receipts", "event_id"),
];

const fn partitioned(table: &'static str, by: &'static str) -> Partitioned {
    Partitioned {
        table,
        by,
        compressed: None,
    }
}
