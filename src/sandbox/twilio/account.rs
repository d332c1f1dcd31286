//! Registered accounts: credentials, senders, and what each credential may do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::error::Refusal;
use crate::sandbox::log::basic_pair;

/// An account to register. What is left out is made up, with Twilio's shapes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewAccount {
    /// `AC` + 32 hex.
    pub sid: Option<String>,
    /// The Auth Token: password of the account SID, and the key of every signature.
    pub auth_token: Option<String>,
    /// Shown by `GET /Accounts/{sid}.json`.
    pub friendly_name: Option<String>,
    /// A suspended or closed account cannot send (403).
    pub status: AccountStatus,
    /// A trial account writes to verified numbers only, with a prefix.
    #[serde(rename = "type")]
    pub kind: AccountKind,
    /// Test credentials: magic numbers only, no callbacks, everything but messages is 403.
    pub test_credentials: bool,
    /// Senders that belong to the account: E.164, short codes, alphanumeric ids, `whatsapp:+…`.
    pub numbers: Vec<String>,
    /// Messaging Services.
    pub services: Vec<NewService>,
    /// API keys.
    pub api_keys: Vec<NewKey>,
    /// Recipients that a trial account may write to.
    pub verified: Vec<String>,
    /// Content templates by `HX…` sid, with `{{1}}` placeholders.
    pub contents: BTreeMap<String, String>,
    /// Where inbound messages are posted; must be loopback.
    pub inbound_url: Option<String>,
    /// Requests at once before 429/20429; the sandbox's setting when left out.
    pub concurrency_limit: Option<usize>,
    /// The amount shown by `Balance.json`, as text.
    pub balance: Option<String>,
}

/// `active`, `suspended` or `closed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    #[default]
    Active,
    Suspended,
    Closed,
}

/// `Full` or `Trial`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountKind {
    #[default]
    Full,
    Trial,
}

/// A Messaging Service to register.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewService {
    /// `MG` + 32 hex.
    pub sid: Option<String>,
    /// Its name.
    pub friendly_name: Option<String>,
    /// Its pool; the first is picked when a message names none.
    pub senders: Vec<String>,
    /// Used when a message brings no callback address of its own.
    pub status_callback: Option<String>,
}

/// An API key to register.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewKey {
    /// `SK` + 32 hex.
    pub sid: Option<String>,
    /// Its secret.
    pub secret: Option<String>,
    /// How far it reaches.
    pub kind: KeyKind,
    /// What a restricted key may do.
    pub may: Vec<Permission>,
}

/// The reach of an API key (facts 2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Everything but `/Accounts`.
    #[default]
    Standard,
    /// As the Auth Token.
    Main,
    /// Only what is listed.
    Restricted,
}

/// What a request wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    Account,
    Balance,
    MessagesCreate,
    MessagesRead,
    UsageRead,
    NumbersRead,
    ServicesRead,
    EmailsCreate,
    EmailsRead,
}

/// Everything needed to talk as a registered account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credentials {
    /// `AC…`.
    pub account_sid: String,
    /// Its Auth Token.
    pub auth_token: String,
    /// `SK…` and secret of each key, in the order given.
    pub api_keys: Vec<(String, String)>,
    /// `MG…` of each service, in the order given.
    pub services: Vec<String>,
    /// The senders.
    pub numbers: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) sid: String,
    pub(super) auth_token: String,
    pub(super) friendly_name: String,
    pub(super) status: AccountStatus,
    pub(super) kind: AccountKind,
    pub(super) test_credentials: bool,
    pub(super) numbers: Vec<String>,
    pub(super) services: Vec<Service>,
    pub(super) verified: Vec<String>,
    pub(super) contents: BTreeMap<String, String>,
    pub(super) inbound_url: Option<String>,
    pub(super) concurrency_limit: Option<usize>,
    pub(super) balance: String,
    keys: Vec<Key>,
    in_flight: Arc<AtomicUsize>,
}

#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) sid: String,
    pub(super) friendly_name: String,
    pub(super) senders: Vec<String>,
    pub(super) status_callback: Option<String>,
}

#[derive(Debug, Clone)]
struct Key {
    sid: String,
    secret: String,
    kind: KeyKind,
    may: Vec<Permission>,
}

impl Account {
    /// Fills the gaps. Errors name the value of the wrong shape.
    pub(super) fn from_new(new: NewAccount) -> Result<Self, String> {
        let sid = shaped("AC", new.sid)?;
        let mut services = Vec::new();
        for service in new.services {
            let sid = shaped("MG", service.sid)?;
            services.push(Service {
                friendly_name: service
                    .friendly_name
                    .unwrap_or_else(|| "Reminders".to_owned()),
                senders: service.senders,
                status_callback: service.status_callback,
                sid,
            });
        }
        let mut keys = Vec::new();
        for key in new.api_keys {
            keys.push(Key {
                sid: shaped("SK", key.sid)?,
                secret: key.secret.unwrap_or_else(random_hex),
                kind: key.kind,
                may: key.may,
            });
        }
        Ok(Self {
            auth_token: new.auth_token.unwrap_or_else(random_hex),
            friendly_name: new
                .friendly_name
                .unwrap_or_else(|| "Sandbox account".to_owned()),
            status: new.status,
            kind: new.kind,
            test_credentials: new.test_credentials,
            numbers: new.numbers,
            services,
            verified: new.verified,
            contents: new.contents,
            inbound_url: new.inbound_url,
            concurrency_limit: new.concurrency_limit,
            balance: new.balance.unwrap_or_else(|| "42.50".to_owned()),
            keys,
            in_flight: Arc::default(),
            sid,
        })
    }

    pub(super) fn credentials(&self) -> Credentials {
        Credentials {
            account_sid: self.sid.clone(),
            auth_token: self.auth_token.clone(),
            api_keys: self
                .keys
                .iter()
                .map(|key| (key.sid.clone(), key.secret.clone()))
                .collect(),
            services: self
                .services
                .iter()
                .map(|service| service.sid.clone())
                .collect(),
            numbers: self.numbers.clone(),
        }
    }

    /// Whether these credentials are this account's, whatever they may do.
    pub(super) fn knows(&self, user: &str, password: &str) -> bool {
        if user == self.sid {
            return same(password, &self.auth_token);
        }
        self.keys
            .iter()
            .any(|key| key.sid == user && same(password, &key.secret))
    }

    /// Refuses credentials that are not this account's, or that may not do `wanted`.
    pub(super) fn admit(
        &self,
        user: &str,
        password: &str,
        wanted: Permission,
    ) -> Result<(), Refusal> {
        if !self.knows(user, password) {
            return Err(Refusal::unauthorised());
        }
        let allowed = match self.keys.iter().find(|key| key.sid == user) {
            None => true,
            Some(key) => match key.kind {
                KeyKind::Main => true,
                KeyKind::Standard => wanted != Permission::Account,
                KeyKind::Restricted => key.may.contains(&wanted),
            },
        };
        if !allowed {
            return Err(Refusal::unauthorised());
        }
        if self.test_credentials && wanted != Permission::MessagesCreate {
            return Err(Refusal::new(
                403,
                20008,
                "Resource not accessible with Test Account Credentials",
            ));
        }
        Ok(())
    }

    /// Counts one more request at once, until the guard is dropped.
    pub(super) fn enter(&self) -> InFlight {
        let count = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        InFlight {
            counter: Arc::clone(&self.in_flight),
            count,
        }
    }
}

/// One request in progress.
pub(super) struct InFlight {
    counter: Arc<AtomicUsize>,
    pub(super) count: usize,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The user name and password of a Basic `Authorization` header.
pub(super) fn basic(header: Option<&str>) -> Result<(String, String), Refusal> {
    let (scheme, encoded) = header
        .and_then(|header| header.split_once(' '))
        .ok_or_else(Refusal::unauthorised)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Refusal::unauthorised());
    }
    basic_pair(encoded).ok_or_else(Refusal::unauthorised)
}

/// Whether `sid` is `prefix` + 32 hex digits.
pub(super) fn is_sid(prefix: &str, sid: &str) -> bool {
    sid.strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

pub(super) fn random_sid(prefix: &str) -> String {
    format!("{prefix}{}", random_hex())
}

fn random_hex() -> String {
    Uuid::new_v4().simple().to_string()
}

fn shaped(prefix: &str, sid: Option<String>) -> Result<String, String> {
    match sid {
        None => Ok(random_sid(prefix)),
        Some(sid) if is_sid(prefix, &sid) => Ok(sid),
        Some(sid) => Err(format!(
            "`{sid}` is not `{prefix}` followed by 32 hex digits"
        )),
    }
}

fn same(given: &str, kept: &str) -> bool {
    given.as_bytes().ct_eq(kept.as_bytes()).into()
}
