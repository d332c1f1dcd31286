//! Connections: a tenant's links to Zoho Books and to providers of messages.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::delivery::Channel;
use super::ids::{ConnectionId, TenantId};

/// Whom a connection leads to: a stable word that stands in its adapter. One that no adapter of this
/// binary owns can still be read, so that its rows take no page down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provider([u8; LONGEST]);

/// How many letters such a word has at most.
const LONGEST: usize = 20;

impl Provider {
    /// The provider of this word.
    ///
    /// # Panics
    ///
    /// On a word that is empty, too long, or has other signs than small letters and `_`: in a constant, when
    /// it is compiled.
    pub const fn named(word: &'static str) -> Self {
        match Self::read(word.as_bytes()) {
            Some(provider) => provider,
            None => panic!("not the word of a provider"),
        }
    }

    /// The stable text, as stored.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(LONGEST);
        str::from_utf8(&self.0[..end]).unwrap_or_default()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::read(text.as_bytes())
    }

    const fn read(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let (mut word, mut at) = ([0; LONGEST], 0);
        while at < text.len() {
            if !(text[at].is_ascii_lowercase() || text[at] == b'_') {
                return None;
            }
            word[at] = text[at];
            at += 1;
        }
        Some(Self(word))
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.as_str())
    }
}

/// Whether a connection can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// Made, nothing entered yet.
    New,
    Ready,
    /// The provider refused the credential: deliveries are held until it is mended.
    Broken,
}

impl ConnectionState {
    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Ready => "ready",
            Self::Broken => "broken",
        }
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::New, Self::Ready, Self::Broken]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// A tenant's link to one account of a provider. Its secrets are kept apart, sealed.
#[derive(Debug, Clone)]
pub struct Connection {
    pub id: ConnectionId,
    pub tenant: TenantId,
    pub provider: Provider,
    /// What is sent over it; none for a source of events.
    pub channel: Option<Channel>,
    /// The provider's name for the account, or the organisation; empty until known.
    pub account: String,
    pub state: ConnectionState,
    /// Why it is broken, in words.
    pub reason: String,
    pub settings: Settings,
    /// Calls wait until then.
    pub paused_until: Option<DateTime<Utc>>,
    pub checked_at: Option<DateTime<Utc>>,
    /// What the last check said.
    pub checked: String,
    /// Names the credentials that are stored: another one with each change of them.
    pub login: Uuid,
    /// When the provider first accepted these credentials. Until then they prove nothing: anybody may
    /// type any account and invent the rest.
    pub accepted_at: Option<DateTime<Utc>>,
}

impl Connection {
    /// Whether the provider has accepted the credentials that are stored.
    pub fn is_accepted(&self) -> bool {
        self.accepted_at.is_some()
    }
}

/// What is entered besides secrets: fields that only the adapter knows, under names of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(Map<String, Value>);

impl Settings {
    /// What an adapter wants stored.
    pub fn of(fields: &impl Serialize) -> Self {
        match serde_json::to_value(fields) {
            Ok(Value::Object(fields)) => Self(fields),
            _ => Self::default(),
        }
    }

    /// What an adapter had stored; fields that it does not understand count as not entered.
    pub fn read<T: DeserializeOwned + Default>(&self) -> T {
        serde_json::from_value(Value::Object(self.0.clone())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_no_adapter_owns_is_read_and_shown_as_it_is() {
        let known = Provider::named("carrier_pigeon");
        assert_eq!(Provider::parse("carrier_pigeon"), Some(known));
        assert_eq!(Provider::parse("owl").unwrap().as_str(), "owl");
        for odd in ["", "Owl", "owl\0", "o w l", "an_owl_with_a_very_long_name"] {
            assert_eq!(Provider::parse(odd), None, "{odd}");
        }
    }
}
