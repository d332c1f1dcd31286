//! How far a delivery has come.

use strum::VariantArray as _;

use crate::domain::provider::ProviderWords;
use crate::domain::report::Status;

/// How far a delivery has come.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
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
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// What a clerk calls it, where the message goes through this provider.
    pub const fn label(self, provider: &ProviderWords) -> &'static str {
        match self {
            Self::Queued => "Waiting",
            Self::Held => "Held",
            Self::Sending => "Sending",
            Self::Unknown => "Needs you",
            Self::Accepted => provider.has_it,
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
        text.parse().ok()
    }

    /// Nothing will change this any more, save a receipt that ranks higher.
    pub const fn is_final(self) -> bool {
        !matches!(
            self,
            Self::Queued | Self::Held | Self::Sending | Self::Unknown | Self::Accepted | Self::Sent
        )
    }

    /// The same event and address must not be replayed while one of these is open.
    pub const fn blocks_replay(self) -> bool {
        matches!(
            self,
            Self::Queued | Self::Sending | Self::Held | Self::Unknown
        )
    }
}

/// The state of a delivery whose provider reports this status.
impl From<Status> for DeliveryState {
    fn from(status: Status) -> Self {
        match status {
            Status::Accepted | Status::Scheduled | Status::Queued | Status::Sending => {
                Self::Accepted
            }
            Status::Sent => Self::Sent,
            Status::Delivered => Self::Delivered,
            Status::Read => Self::Read,
            Status::Failed => Self::Failed,
            Status::Undelivered => Self::Undelivered,
            Status::Canceled => Self::Canceled,
        }
    }
}
