//! Connections: a tenant's links to Zoho Books and Twilio.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use uuid::Uuid;

use super::ids::{ConnectionId, TenantId};

/// Whom a connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    Zoho,
    Twilio,
}

impl Provider {
    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zoho => "zoho",
            Self::Twilio => "twilio",
        }
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Zoho, Self::Twilio]
            .into_iter()
            .find(|p| p.as_str() == text)
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
    /// The provider's account: Twilio's Account SID, Zoho's organisation id; empty until known.
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

/// What is entered besides secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Twilio: the API key's SID; empty when the Auth Token is used.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_key_sid: String,
    /// Twilio: the default sender.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// Twilio: the default Messaging Service, instead of a sender.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub messaging_service_sid: String,
    /// Zoho: the data centre.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// Zoho: the client's id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub client_id: String,
    /// Zoho: the name of the organisation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub organisation: String,
    /// Zoho: what we asked to read and were not allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_scopes: Vec<String>,
}
