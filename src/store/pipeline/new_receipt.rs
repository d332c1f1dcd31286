//! A status that the provider reported, before it is kept.

use chrono::{DateTime, Utc};

use crate::domain::ids::DeliveryId;
use crate::domain::report::Status;
use crate::domain::sender_rest::LimitHit;

/// A report that came to an address of ours.
pub const CALLBACK: &str = "callback";

/// A status that the provider reported.
#[derive(Debug, Clone)]
pub struct NewReceipt {
    /// Our id, when the report bears it; otherwise the sid tells.
    pub delivery: Option<DeliveryId>,
    /// The attempt in the report's address, when it bears one.
    pub attempt_no: Option<i64>,
    /// As the provider calls itself.
    pub provider: String,
    pub account: String,
    pub sid: String,
    /// The provider's own word.
    pub word: String,
    /// What the word means; `None` changes nothing.
    pub status: Option<Status>,
    pub error_code: i64,
    /// The recipient does not want to be written to again.
    pub is_opt_out: bool,
    /// The limit that stopped the message.
    pub hit: Option<LimitHit>,
    /// The state in words, for the delivery's row.
    pub reason: String,
    /// [`CALLBACK`] or `poll`.
    pub source: &'static str,
    pub is_verified: bool,
    pub detail: String,
    /// When to look next, while the state is not final.
    pub due_at: Option<DateTime<Utc>>,
    pub now: DateTime<Utc>,
}
