//! How an event becomes decisions and deliveries, and deliveries messages: the hot path.

pub(in crate::store) mod claims;
pub(in crate::store) mod commands;
pub(in crate::store) mod contents;
pub(in crate::store) mod decisions;
pub(in crate::store) mod deliveries;
pub(in crate::store) mod documents;
pub(in crate::store) mod due;
pub(in crate::store) mod events;
pub(in crate::store) mod ingest;
pub(in crate::store) mod new_deliveries;
pub(in crate::store) mod outcomes;
pub(in crate::store) mod receipts;
pub(in crate::store) mod renewals;
pub(in crate::store) mod replays;
pub(in crate::store) mod route;
pub(in crate::store) mod sender_rests;
pub(in crate::store) mod undelivered;
