//! Connections: a tenant's links to Zoho Books and to providers of messages.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::channel::{Channel, Channels};
use super::ids::{ConnectionId, TenantId};
use super::word::Word;

/// Whom a connection leads to: a stable word that stands in its adapter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provider(Word);

impl Provider {
    /// The provider of this word.
    ///
    /// # Panics
    ///
    /// On a word that is empty, longer than 20, or has other signs than small letters and `_`: in a constant,
    /// when it is compiled.
    pub const fn named(word: &'static str) -> Self {
        Self(Word::of(word))
    }

    /// The stable text, as stored.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        Word::parse(text).map(Self)
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.as_str())
    }
}

/// Whether a connection can be used.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
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
        self.into_str()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Until when calls wait, by channel: each API of an account counts its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pauses {
    pub sms: Option<DateTime<Utc>>,
    pub email: Option<DateTime<Utc>>,
    /// Until then some of its senders rest.
    pub senders: Option<DateTime<Utc>>,
}

impl Pauses {
    /// That of a channel.
    pub const fn of(&self, channel: Channel) -> Option<DateTime<Utc>> {
        match channel {
            Channel::Sms => self.sms,
            Channel::Email => self.email,
        }
    }

    /// The one of a whole channel that ends last.
    pub fn latest(&self) -> Option<DateTime<Utc>> {
        self.sms.max(self.email)
    }
}

/// A tenant's link to one account of a provider. Its secrets are kept apart, sealed.
#[derive(Debug, Clone)]
pub struct Connection {
    pub id: ConnectionId,
    pub tenant: TenantId,
    pub provider: Provider,
    /// What is sent over it; none for a source of events.
    pub channels: Channels,
    /// The provider's name for the account, or the organisation; empty until known.
    pub account: String,
    pub state: ConnectionState,
    /// Why it is broken, in words.
    pub reason: String,
    pub settings: Settings,
    pub pauses: Pauses,
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

    /// One text, as it was entered; empty when it was not.
    pub fn text(&self, field: &str) -> &str {
        self.0
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}
