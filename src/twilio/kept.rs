//! What an attempt keeps of a call: enough to prove what was said, nothing that opens a door.
//!
//! The surprise: the callback address is shortened too. Its path bears a token which, for
//! connections without an Auth Token, is all that protects the callback.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Serialize;
use url::Url;

/// Longest body of an answer that is kept, in bytes.
const LONGEST_BODY: usize = 16 * 1024;

/// From so many calls at once on an account is crowded. Twilio does not publish where it answers 429 (20429);
/// 100 is what its customers report.
const CROWD: u32 = 80;

/// A request as kept: method, address and form. Never headers, so never `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptRequest {
    pub method: &'static str,
    pub url: String,
    /// Names and values in the order sent; the callback address shortened to its host.
    pub form: Vec<(String, String)>,
}

impl KeptRequest {
    /// The form as text, one `Name: value` per line, for the page of an attempt.
    pub fn form_text(&self) -> String {
        let lines: Vec<_> = self
            .form
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        lines.join("\n")
    }
}

/// Names and values, in the order in which they are sent.
pub(super) type Form<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// A form as it is kept.
pub(super) fn redacted(form: Form<'_>) -> Vec<(String, String)> {
    form.into_iter()
        .map(|(name, value)| {
            let value = if name == "StatusCallback" {
                origin_only(&value)
            } else {
                value.into_owned()
            };
            (name.to_owned(), value)
        })
        .collect()
}

fn origin_only(url: &str) -> String {
    Url::parse(url).map_or_else(
        |_| "(hidden)".to_owned(),
        |url| format!("{}/(hidden)", url.origin().ascii_serialization()),
    )
}

/// An answer as kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptResponse {
    /// The HTTP status.
    pub http: u16,
    /// Twilio's clock (`Date` header).
    pub date: Option<DateTime<Utc>>,
    /// `Twilio-Request-Id`, which Twilio's support asks for.
    pub request_id: Option<String>,
    /// How many calls of the account Twilio counted at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_requests: Option<u32>,
    /// The body as text, at most 16 KiB; empty when it could not be read.
    pub body: String,
}

impl KeptResponse {
    /// Whether so many calls of the account were under way that more of them may soon be refused.
    pub(super) fn is_crowded(&self) -> bool {
        self.concurrent_requests >= Some(CROWD)
    }
}

/// Cuts at a character boundary, at most `limit` bytes.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// A body as kept text: bad UTF-8 replaced, cut, no NUL (PostgreSQL refuses it in text).
pub(super) fn body_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(LONGEST_BODY)]);
    cut(&text, LONGEST_BODY).replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::super::credentials::User;
    use super::super::messages::NewMessage;
    use super::super::{Account, AccountSid, Region, Sender, Twilio};
    use super::*;

    #[test]
    fn a_kept_request_has_the_text_but_no_credential_and_no_callback_token() {
        let account = Account {
            account_sid: AccountSid::parse(&format!("AC{}", "a".repeat(32))).unwrap(),
            user: User::AuthToken,
            secret: SecretString::from("topsecret"),
            region: Region::Ie1,
        };
        let message = NewMessage {
            to: "+447700900123",
            sender: Sender::From("+15005550006"),
            body: "INV-7 is due",
            status_callback: Some("https://example.com/hooks/twilio/tokentoken/status?n=dlv_1"),
            validity_period: None,
        };
        let twilio = Twilio::new(crate::http::client().unwrap(), None);
        let kept = KeptRequest::of_message(&twilio, &account, &message);
        let json = serde_json::to_string(&kept).unwrap();
        assert!(json.contains("https://api.dublin.ie1.twilio.com/2010-04-01/Accounts/ACaaa"));
        assert!(json.contains("+447700900123") && json.contains("INV-7 is due"));
        assert!(!json.contains("topsecret") && !json.contains("tokentoken"));
        assert!(
            kept.form_text()
                .contains("StatusCallback: https://example.com/(hidden)")
        );
    }

    #[test]
    fn a_kept_body_is_bounded_and_storable() {
        let long = "\u{20ac}".repeat(LONGEST_BODY);
        assert!(body_text(long.as_bytes()).len() <= LONGEST_BODY + 3);
        assert_eq!(body_text(b"a\0b"), "a\u{fffd}b");
        assert_eq!(cut("\u{20ac}", 2), "");
    }
}
