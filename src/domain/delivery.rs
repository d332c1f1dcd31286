//! Deliveries: one message to one address, its states and what may follow what.

use std::fmt;

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    Sms,
}

impl Channel {
    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
        }
    }

    /// A clerk's word.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
        }
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        (text == "sms").then_some(Self::Sms)
    }
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// Waits for its turn or its due time.
    Queued,
    /// Waits for a person: stopped, paused, no connection or a broken one.
    Held,
    /// A worker has it; the call is under way.
    Sending,
    /// The provider may or may not have it.
    Unknown,
    /// The provider has it.
    Accepted,
    /// The provider handed it to the carrier.
    Sent,
    /// The carrier confirmed it.
    Delivered,
    /// The recipient opened it.
    Read,
    /// Refused for good.
    Failed,
    /// The carrier could not deliver it.
    Undelivered,
    /// The address must not be written to.
    Suppressed,
    /// A person called it off.
    Canceled,
    /// Its time ran out before it could be sent.
    Expired,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 13] = [
        Self::Queued,
        Self::Held,
        Self::Sending,
        Self::Unknown,
        Self::Accepted,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Failed,
        Self::Undelivered,
        Self::Suppressed,
        Self::Canceled,
        Self::Expired,
    ];

    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Held => "held",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Undelivered => "undelivered",
            Self::Suppressed => "suppressed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }

    /// A clerk's words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Queued => "Waiting",
            Self::Held => "Held",
            Self::Sending => "Sending",
            Self::Unknown => "Needs you",
            Self::Accepted => "Twilio has it",
            Self::Sent => "Sent",
            Self::Delivered => "Delivered",
            Self::Read => "Read",
            Self::Failed => "Failed",
            Self::Undelivered => "Not delivered",
            Self::Suppressed => "Suppressed",
            Self::Canceled => "Canceled",
            Self::Expired => "Expired",
        }
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Nothing will change this any more, save a receipt that ranks higher.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Held | Self::Sending | Self::Unknown | Self::Accepted | Self::Sent)
    }

    /// The same event and address must not be replayed while one of these is open.
    pub const fn blocks_replay(self) -> bool {
        matches!(self, Self::Queued | Self::Sending | Self::Held | Self::Unknown)
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A status word of Twilio's Messages API, ranked so that a state never goes backwards
/// (Twilio's spec, `message` enum `status`; callbacks come in any order).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderStatus {
    Accepted,
    Scheduled,
    Queued,
    Sending,
    Sent,
    Delivered,
    Read,
    Failed,
    Undelivered,
    Canceled,
}

impl ProviderStatus {
    /// Every status that can change a delivery.
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Scheduled,
        Self::Queued,
        Self::Sending,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Failed,
        Self::Undelivered,
        Self::Canceled,
    ];

    /// Twilio's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Undelivered => "undelivered",
            Self::Canceled => "canceled",
        }
    }

    /// Reads Twilio's word. An unknown word (or `partially_delivered`, `receiving`, `received`)
    /// means "no change" and gives `None`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// accepted, scheduled 0 < queued 1 < sending 2 < sent 3 < canceled 4 < failed 5 <
    /// undelivered 6 < delivered 7 < read 8. A status is applied only when its rank is above the
    /// one held. The order is total wherever states differ, so callbacks in any order end in the
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

    /// The delivery state that this status stands for.
    pub const fn state(self) -> DeliveryState {
        match self {
            Self::Accepted | Self::Scheduled | Self::Queued | Self::Sending => DeliveryState::Accepted,
            Self::Sent => DeliveryState::Sent,
            Self::Delivered => DeliveryState::Delivered,
            Self::Read => DeliveryState::Read,
            Self::Failed => DeliveryState::Failed,
            Self::Undelivered => DeliveryState::Undelivered,
            Self::Canceled => DeliveryState::Canceled,
        }
    }
}
