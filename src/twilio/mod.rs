//! Twilio: messages, callbacks, error classes.
//!
//! The surprise: creating a message is not idempotent and has no key that would make it so
//! (Twilio's page on error 20500), so this room never repeats a call. It says how sure it is that
//! nothing was sent ([`SendFailure`]) and leaves the next step to the use cases.
//!
//! `messages`, `list` and `account` talk to Twilio through `call`; `codes` explains error codes;
//! `signature`, `callback` and `inbound` read what Twilio sends to us; `lookup` tells whether a
//! message whose answer was lost is among those that Twilio lists, which `search` reads; `email` is its API for
//! e-mail, on a host of its own; `provider` and `transport` are what the use cases see of all this.

pub mod account;
mod call;
pub mod callback;
pub mod codes;
pub mod credentials;
pub mod email;
pub mod error;
mod figures;
pub mod inbound;
pub mod kept;
pub mod list;
mod login;
pub mod lookup;
pub mod messages;
mod pace;
mod provider;
mod search;
pub mod senders;
pub mod set_up;
pub mod settings;
pub mod signature;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod test_spec;
pub mod transport;
mod trial;
mod wire;

use reqwest::Client;
use strum::VariantArray as _;
use url::Url;

use crate::domain::connection::Provider;

pub use self::account::{AccountReport, AccountStatus, AccountWarning};
pub use self::credentials::{
    Account, AccountSid, ApiKeySid, CredentialError, MessageSid, MessagingServiceSid,
};
pub use self::error::{CallError, CallFailure, Doubt, Refusal, SendError, SendFailure, Unsent};
pub use self::kept::{KeptRequest, KeptResponse};
pub use self::list::{ListQuery, Listing};
pub use self::messages::{Accepted, CallTime, Message, NewMessage, Sender};

/// The word for connections to it, as stored.
pub const PROVIDER: Provider = Provider::named("twilio");

/// Where an account's data live. Each region has its own Auth Token and keys (Twilio's pages on
/// regions); the host is chosen from this table only, since a free address would get the secret.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Default,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Region {
    /// United States, the default.
    #[default]
    Us1,
    /// Ireland.
    Ie1,
    /// Australia.
    Au1,
}

impl Region {
    /// Every region.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// A clerk's word.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Us1 => "United States",
            Self::Ie1 => "Ireland",
            Self::Au1 => "Australia",
        }
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    /// Scheme and host of the 2010 API, without a closing slash.
    pub const fn api(self) -> &'static str {
        match self {
            Self::Us1 => "https://api.twilio.com",
            Self::Ie1 => "https://api.dublin.ie1.twilio.com",
            Self::Au1 => "https://api.sydney.au1.twilio.com",
        }
    }
}

/// Twilio's API over the shared client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Twilio {
    http: Client,
    sandbox: Option<String>,
}

impl Twilio {
    /// Talks to Twilio, or to `sandbox`, which then stands for every host and region.
    pub fn new(http: Client, sandbox: Option<&Url>) -> Self {
        let sandbox = sandbox.map(|url| url.as_str().trim_end_matches('/').to_owned());
        Self { http, sandbox }
    }

    /// Whether a sandbox stands for it, so that no phone ever rings.
    pub const fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    /// The base in force for a region, without a closing slash.
    fn base(&self, region: Region) -> &str {
        self.sandbox.as_deref().unwrap_or_else(|| region.api())
    }

    /// Scheme and host of Messaging Services, which are the same for every region that we use.
    fn messaging(&self) -> &str {
        self.sandbox
            .as_deref()
            .unwrap_or("https://messaging.twilio.com")
    }

    /// Scheme and host of the API for e-mail.
    fn comms(&self) -> &str {
        self.sandbox
            .as_deref()
            .unwrap_or("https://comms.twilio.com")
    }

    /// The address of a resource below an account: `/Messages.json` and the like.
    fn account_url(&self, account: &Account, below: &str) -> String {
        let base = self.base(account.region);
        format!("{base}/2010-04-01/Accounts/{}{below}", account.account_sid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_replaces_every_host() {
        let sandbox = Url::parse("http://127.0.0.1:9999/twilio/").unwrap();
        let twilio = Twilio::new(crate::http::client().unwrap(), Some(&sandbox));
        for &region in Region::ALL {
            assert_eq!(twilio.base(region), "http://127.0.0.1:9999/twilio");
            assert_eq!(Region::parse(region.as_str()), Some(region));
        }
        assert!(twilio.is_sandbox());
    }

    #[test]
    fn the_hosts_are_twilios_own() {
        let twilio = Twilio::new(crate::http::client().unwrap(), None);
        for &region in Region::ALL {
            let host = Url::parse(twilio.base(region)).unwrap();
            assert_eq!(host.scheme(), "https");
            assert!(host.host_str().unwrap().ends_with(".twilio.com"));
        }
        assert!(!twilio.is_sandbox());
    }
}
