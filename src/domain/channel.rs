//! Channels: over what a message goes.

use strum::VariantArray as _;

/// Where a message goes.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Channel {
    Sms,
    Email,
}

impl Channel {
    /// Every channel.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// A clerk's word.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Email => "e-mail",
        }
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Channels in their own order, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Channels(Vec<Channel>);

impl Channels {
    /// The stable text, as stored: `sms email`; empty for none.
    pub fn to_text(&self) -> String {
        let words: Vec<&str> = self.iter().map(Channel::as_str).collect();
        words.join(" ")
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.split_whitespace().map(Channel::parse).collect()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Channel> + '_ {
        self.0.iter().copied()
    }

    /// There are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Channel> for Channels {
    fn from_iter<T: IntoIterator<Item = Channel>>(of: T) -> Self {
        let mut of: Vec<Channel> = of.into_iter().collect();
        of.sort_unstable();
        of.dedup();
        Self(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_read_back_in_their_order() {
        let both: Channels = [Channel::Email, Channel::Sms, Channel::Email]
            .into_iter()
            .collect();
        assert_eq!(both.to_text(), "sms email");
        assert_eq!(Channels::parse("sms email"), Some(both));
        assert_eq!(Channels::parse(""), Some(Channels::default()));
        assert_eq!(Channels::parse("sms pigeon"), None);
    }
}
