//! What became of a message, as its provider tells: neutral of provider and channel. Each provider's own
//! words are read by its adapter.

use chrono_tz::Tz;
use strum::VariantArray as _;

/// How far a message has come, ranked so that a state never goes backwards: reports come in any order.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Status {
    /// The provider has it.
    Accepted,
    /// The provider keeps it for a later hour.
    Scheduled,
    Queued,
    Sending,
    /// Handed to the carrier, or to the recipient's mail server.
    Sent,
    Delivered,
    /// The recipient opened it.
    Read,
    Failed,
    /// It was sent and did not arrive.
    Undelivered,
    Canceled,
}

impl Status {
    /// Every status that can change a delivery.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    /// accepted, scheduled 0 < queued 1 < sending 2 < sent 3 < canceled 4 < failed 5 <
    /// undelivered 6 < delivered 7 < read 8. A status is applied only when its rank is above the
    /// one held. The order is total wherever states differ, so reports in any order end in the
    /// same state: the failures beat ranks 0 to 3, and a confirmed delivery is never unsaid.
    pub const fn rank(self) -> i16 {
        match self {
            Self::Accepted | Self::Scheduled => 0,
            Self::Queued => 1,
            Self::Sending => 2,
            Self::Sent => 3,
            Self::Canceled => 4,
            Self::Failed => 5,
            Self::Undelivered => 6,
            Self::Delivered => 7,
            Self::Read => 8,
        }
    }

    /// Whether it is the end of a message that did not arrive.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Undelivered | Self::Canceled)
    }
}

/// A limit that stopped a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HitLimit {
    /// What carriers take from its sender in a short time.
    SenderRate,
    /// What one carrier takes within a day of this zone; other carriers' numbers are not concerned.
    CarrierDay(Tz),
    /// What the account may send within a day.
    AccountDay,
}

/// What a provider says of a message: in an answer, when it is asked, or by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What its word means; `None` changes nothing.
    pub status: Option<Status>,
    /// The provider's own word, for the receipt.
    pub word: String,
    /// The provider's error code, or 0.
    pub error_code: i64,
    /// The provider's words about the error; data.
    pub said: Option<String>,
    /// The recipient does not want to be written to.
    pub is_opt_out: bool,
    /// The limit that stopped it.
    pub limit: Option<HitLimit>,
    /// What else it said, as JSON, for the details of the message.
    pub detail: String,
}
