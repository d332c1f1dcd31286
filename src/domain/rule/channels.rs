//! Over what a rule tells: one channel, both, or one where the other is not possible.

use std::fmt;

use serde::{Serialize, Serializer};
use strum::VariantArray as _;

use crate::domain::channel::Channel;

/// Over what a rule tells. Which one it is for somebody is chosen when the rule decides, never after a
/// failed send.
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
pub enum RuleChannel {
    Sms,
    Email,
    /// Each of them, as two messages.
    Both,
    /// E-mail where no mobile number is known.
    SmsElseEmail,
    /// SMS where no e-mail address is known.
    EmailElseSms,
}

impl RuleChannel {
    /// Every one.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    /// A clerk's words, to follow "send".
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sms => "an SMS",
            Self::Email => "an e-mail",
            Self::Both => "an SMS and an e-mail",
            Self::SmsElseEmail => "an SMS, or an e-mail where no mobile number is known",
            Self::EmailElseSms => "an e-mail, or an SMS where no e-mail address is known",
        }
    }

    /// Whether a message of it may go over this channel.
    pub const fn uses(self, channel: Channel) -> bool {
        match channel {
            Channel::Sms => !matches!(self, Self::Email),
            Channel::Email => !matches!(self, Self::Sms),
        }
    }

    /// Which channels are tried for somebody: all of these, or the first that reaches them.
    pub const fn tries(self) -> Tries {
        match self {
            Self::Sms => Tries::All(&[Channel::Sms]),
            Self::Email => Tries::All(&[Channel::Email]),
            Self::Both => Tries::All(&[Channel::Sms, Channel::Email]),
            Self::SmsElseEmail => Tries::First(Channel::Sms, Channel::Email),
            Self::EmailElseSms => Tries::First(Channel::Email, Channel::Sms),
        }
    }
}

/// How the channels of a rule are tried for one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    All(&'static [Channel]),
    /// The second only where the first has no address.
    First(Channel, Channel),
}

impl fmt::Display for RuleChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RuleChannel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
