//! Suppressions: addresses that must not be written to.
//!
//! An address may be suppressed for several reasons at once, each of which is lifted on its own: a
//! person's START takes back their STOP, never what somebody here decided.

use chrono::{DateTime, Utc};
use strum::VariantArray as _;

use super::channel::Channel;
use super::ids::SuppressionId;
use super::provider::ProviderWords;

/// Who or what wanted it.
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
pub enum Source {
    /// The recipient wrote STOP.
    Stop,
    /// The recipient pressed *stop reminders here* in an e-mail.
    Reader,
    /// The provider says that the recipient has opted out.
    Provider,
    /// The address does not exist, or no longer.
    Bounce,
    /// Somebody of the tenant.
    Hand,
    /// The recipient wrote something that may mean STOP: only until a person has said, or two working days
    /// are over.
    Asked,
}

impl Source {
    /// Every source.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// What a clerk calls it, where messages to the address go through this provider.
    pub const fn label(self, provider: &ProviderWords) -> &'static str {
        match self {
            Self::Stop => "Wrote STOP",
            Self::Reader => "Stopped reminders",
            Self::Provider => provider.opted_out,
            Self::Bounce => "Bounced",
            Self::Hand => "By hand",
            Self::Asked => "May have asked to stop",
        }
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    /// The recipient's own wish: only they can take it back, by writing START or on the page where they
    /// stopped reminders.
    pub const fn is_own_wish(self) -> bool {
        matches!(self, Self::Stop | Self::Reader | Self::Provider)
    }
}

/// Why an address is not written to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    pub reason: String,
    /// Only until a person has said whether it shall be so.
    pub is_asked: bool,
}

/// One reason why an address must not be written to.
#[derive(Debug, Clone)]
pub struct Suppression {
    pub id: SuppressionId,
    pub channel: Channel,
    /// Normalised; none once the person was erased.
    pub address: Option<String>,
    pub source: Source,
    /// Only reminders of one customer may not be written to it.
    pub is_of_reminders: bool,
    /// Whose address it is, as the last message to it had it; empty when unknown.
    pub name: String,
    /// In words.
    pub reason: String,
    /// Who added it by hand; empty otherwise.
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

impl Suppression {
    /// What the security log calls it.
    pub fn subject(&self) -> String {
        self.address.clone().unwrap_or_else(|| self.id.to_string())
    }
}
