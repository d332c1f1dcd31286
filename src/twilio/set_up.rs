//! What is typed to connect an account: its SID, an Auth Token or an API key, and a sender.
//!
//! Blank secrets keep the stored ones while the SIDs stay the same.

use secrecy::{ExposeSecret as _, SecretString};

use super::credentials::{AccountSid, ApiKeySid, MessagingServiceSid, parse_secret};
use super::login::{API_KEY_SECRET, AUTH_TOKEN};
use super::settings::TwilioSettings;
use crate::domain::connection::Settings;
use crate::domain::phone::{CountryCode, to_e164};
use crate::transport::{Before, Problem, SetUp, Typed};

/// What is typed, by names that cannot be mistyped.
#[derive(Debug, Clone, Default)]
pub struct TwilioInput {
    pub account_sid: String,
    pub auth_token: Option<SecretString>,
    pub api_key_sid: String,
    pub api_key_secret: Option<SecretString>,
    pub from: String,
    pub messaging_service_sid: String,
}

impl From<TwilioInput> for Typed {
    fn from(input: TwilioInput) -> Self {
        Self::default()
            .field("account_sid", input.account_sid)
            .secret(AUTH_TOKEN, input.auth_token)
            .field("api_key_sid", input.api_key_sid)
            .secret(API_KEY_SECRET, input.api_key_secret)
            .field("from", input.from)
            .field("messaging_service_sid", input.messaging_service_sid)
    }
}

/// Reads what was typed.
pub(super) fn read(typed: &Typed, before: &Before<'_>) -> Result<SetUp, Vec<Problem>> {
    let mut reading = Reading {
        typed,
        before,
        secrets: Vec::new(),
        removed: Vec::new(),
        problems: Vec::new(),
    };
    let account_sid = AccountSid::parse(typed.text("account_sid"))
        .map_err(|e| reading.refuse("account_sid", e.to_string()))
        .ok();
    let is_same_account = before
        .connection
        .zip(account_sid.as_ref())
        .is_some_and(|(old, sid)| old.account == sid.as_str());
    let key = typed.text("api_key_sid");
    reading.credentials(key, is_same_account);
    let from = sender_from(typed.text("from"), before.country)
        .map_err(|message| reading.refuse("from", message))
        .unwrap_or_default();
    let service = typed.text("messaging_service_sid");
    if !service.is_empty()
        && let Err(error) = MessagingServiceSid::parse(service)
    {
        reading.refuse("messaging_service_sid", error.to_string());
    }
    if from.is_empty() && service.is_empty() && reading.problems.is_empty() {
        let message = "type the number to send from, or choose a Messaging Service";
        reading.refuse("from", message);
    }
    match account_sid {
        Some(account_sid) if reading.problems.is_empty() => Ok(SetUp {
            account: account_sid.to_string(),
            settings: Settings::of(&TwilioSettings {
                api_key_sid: key.to_owned(),
                from,
                messaging_service_sid: service.to_owned(),
            }),
            secrets: reading.secrets,
            removed: reading.removed,
        }),
        _ => Err(reading.problems),
    }
}

struct Reading<'a> {
    typed: &'a Typed,
    before: &'a Before<'a>,
    secrets: Vec<(&'static str, SecretString)>,
    removed: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn refuse(&mut self, field: &'static str, message: impl Into<String>) {
        self.problems.push(Problem::new(field, message));
    }

    fn credentials(&mut self, key: &str, is_same_account: bool) {
        let has_token = self.take(AUTH_TOKEN, is_same_account);
        let old = self.before.connection;
        let old = old.map(|old| TwilioSettings::of(&old.settings));
        let is_same_key = is_same_account && old.is_some_and(|old| old.api_key_sid == key);
        let has_key_secret = self.take(API_KEY_SECRET, is_same_key && !key.is_empty());
        if key.is_empty() && has_token == Some(false) {
            let message = "type the Auth Token, or an API key with its secret";
            self.refuse(AUTH_TOKEN, message);
        }
        if !key.is_empty() {
            if let Err(error) = ApiKeySid::parse(key) {
                self.refuse("api_key_sid", error.to_string());
            }
            if has_key_secret == Some(false) {
                self.refuse(API_KEY_SECRET, "type the secret of the API key");
            }
        }
    }

    /// Whether there is such a secret now, typed or kept; `None` where what was typed is none.
    fn take(&mut self, field: &'static str, is_same: bool) -> Option<bool> {
        match self.typed.secret_of(field) {
            Some(typed) => match parse_secret(typed.expose_secret()) {
                Ok(secret) => {
                    self.secrets.push((field, secret));
                    Some(true)
                }
                Err(error) => {
                    self.refuse(field, error.to_string());
                    None
                }
            },
            None if is_same && self.before.secrets.iter().any(|(name, _)| name == field) => {
                Some(true)
            }
            None => {
                self.removed.push(field);
                Some(false)
            }
        }
    }
}

/// A number of the account, a short code, or an alphanumeric sender of at most 11 characters.
fn sender_from(text: &str, country: Option<CountryCode>) -> Result<String, String> {
    let letters = text.chars().any(|c| c.is_ascii_alphabetic());
    let allowed = |c: char| c.is_ascii_alphanumeric() || " -+_&".contains(c);
    let is_short = (5..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if text.is_empty() || is_short {
        return Ok(text.to_owned());
    }
    if letters {
        return if text.len() <= 11 && text.chars().all(allowed) {
            Ok(text.to_owned())
        } else {
            Err("a sender name has at most 11 letters, digits and spaces".to_owned())
        };
    }
    to_e164(text, country)
        .map(|n| n.to_string())
        .map_err(|e| e.to_string())
}
