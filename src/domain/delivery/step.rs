//! What happened to a delivery: calls to its provider, steps, and what the provider said later.

use chrono::{DateTime, Utc};

use crate::domain::ids::{AttemptId, ConnectionId, DeliveryId, ReceiptId, StepId};

/// One call to the provider, written before the call.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub id: AttemptId,
    pub delivery: DeliveryId,
    pub attempt_no: i64,
    pub connection: ConnectionId,
    pub account: String,
    /// The request as JSON, without credentials.
    pub request: String,
    pub started_at: DateTime<Utc>,
    pub lease_until: DateTime<Utc>,
}

/// What happened to a delivery, appended.
#[derive(Debug, Clone)]
pub struct Step {
    pub id: StepId,
    pub delivery: DeliveryId,
    pub attempt_no: i64,
    pub kind: StepKind,
    /// One sentence for the page.
    pub sentence: String,
    /// JSON: the response, the evidence of a reconciliation; `{}` when there is none.
    pub detail: String,
    pub at: DateTime<Utc>,
}

/// The kinds of steps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum StepKind {
    Accepted,
    Refused,
    Retry,
    Unknown,
    LeaseExpired,
    Held,
    Released,
    Expired,
    Suppressed,
    Canceled,
    /// Its document says otherwise by now.
    Untrue,
    /// Its text was made anew, since its document has changed.
    Renewed,
    Look,
    Found,
    Absent,
    NeedsPerson,
    Resolved,
    Waits,
    Double,
    Unconfirmed,
    GaveUp,
    /// Its reader stopped reminders by the link in it.
    ReaderStopped,
    /// Its reader took that back.
    ReaderResumed,
}

impl StepKind {
    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// What the provider said later.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub id: ReceiptId,
    pub delivery: DeliveryId,
    pub sid: String,
    /// The provider's own word.
    pub status: String,
    /// The provider's error code, or 0.
    pub error_code: i64,
    /// `callback`, `poll`, `look` or `answer`.
    pub source: String,
    pub is_verified: bool,
    /// JSON.
    pub detail: String,
    pub at: DateTime<Utc>,
}
