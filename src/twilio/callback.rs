//! Status callbacks: what Twilio says about a message later.
//!
//! The surprise: a callback bears no time and comes in any order, twice, or never. It is a fact to
//! be folded by rank, not an instruction; a word we do not know changes nothing.

use std::borrow::Cow;

use chrono::NaiveDateTime;

use super::kept::cut;
use super::{AccountSid, MessageSid, MessagingServiceSid};
use crate::domain::report::Status;

/// Longest body that is read, in bytes.
pub const LONGEST_BODY: usize = 64 * 1024;
/// Most fields that are read; Twilio adds fields without notice, but not hundreds.
const MOST_FIELDS: usize = 200;
/// Longest value that is kept, in bytes.
const LONGEST_VALUE: usize = 500;

/// Why a callback could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// More than 64 KiB or 200 fields.
    #[error("the callback is too large")]
    TooLarge,
    /// No valid `MessageSid`, or none at all.
    #[error("the callback names no message")]
    NoMessage,
}

/// A status callback. Every part but the message may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusCallback {
    pub message_sid: MessageSid,
    /// `None` for a word that means "no change".
    pub status: Option<Status>,
    /// Twilio's word as received, for the receipt.
    pub status_word: String,
    pub error_code: Option<i32>,
    /// Only sometimes sent, even with a code.
    pub error_message: Option<String>,
    pub account_sid: Option<AccountSid>,
    pub messaging_service_sid: Option<MessagingServiceSid>,
    pub to: Option<String>,
    pub from: Option<String>,
    /// When the carrier was done (`RawDlrDoneDate`), to the minute. In no known time zone: to be
    /// shown, never compared.
    pub carrier_done: Option<NaiveDateTime>,
}

/// Reads the raw form body of a status callback. The current names win over their old copies
/// (`SmsSid`, `SmsStatus`).
pub fn parse(body: &[u8]) -> Result<StatusCallback, CallbackError> {
    let fields = Fields::read(body)?;
    let word = fields
        .kept("MessageStatus")
        .or_else(|| fields.kept("SmsStatus"));
    let word = word.unwrap_or_default();
    let code = fields.value("ErrorCode").and_then(|code| code.parse().ok());
    Ok(StatusCallback {
        message_sid: fields.message_sid()?,
        status: Status::parse(&word),
        status_word: cut(&word, 40).to_owned(),
        error_code: code.filter(|code| *code != 0),
        error_message: fields.kept("ErrorMessage"),
        account_sid: fields.account_sid(),
        messaging_service_sid: fields.messaging_service_sid(),
        to: fields.kept("To"),
        from: fields.kept("From"),
        carrier_done: fields
            .value("RawDlrDoneDate")
            .and_then(|text| NaiveDateTime::parse_from_str(text, "%y%m%d%H%M").ok()),
    })
}

/// The fields of a form, bounded. Of a name that occurs twice the first counts.
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Fields<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, CallbackError> {
        if body.len() > LONGEST_BODY {
            return Err(CallbackError::TooLarge);
        }
        let mut fields = Vec::new();
        for field in form_urlencoded::parse(body) {
            if fields.len() == MOST_FIELDS {
                return Err(CallbackError::TooLarge);
            }
            fields.push(field);
        }
        Ok(Self(fields))
    }

    /// A value, trimmed but not cut.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.trim())
    }

    /// A value fit to be kept: cut, without control characters, never empty.
    pub(super) fn kept(&self, name: &str) -> Option<String> {
        let text = cut(self.value(name)?, LONGEST_VALUE).replace(char::is_control, " ");
        (!text.is_empty()).then_some(text)
    }

    pub(super) fn message_sid(&self) -> Result<MessageSid, CallbackError> {
        let sid = self.value("MessageSid").or_else(|| self.value("SmsSid"));
        MessageSid::parse(sid.unwrap_or_default()).map_err(|_| CallbackError::NoMessage)
    }

    pub(super) fn account_sid(&self) -> Option<AccountSid> {
        AccountSid::parse(self.value("AccountSid")?).ok()
    }

    pub(super) fn messaging_service_sid(&self) -> Option<MessagingServiceSid> {
        MessagingServiceSid::parse(self.value("MessagingServiceSid")?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SID: &str = "SM0123456789abcdef0123456789abcdef";

    fn parsed(rest: &str) -> StatusCallback {
        parse(format!("MessageSid={SID}&{rest}").as_bytes()).unwrap()
    }

    #[test]
    fn a_failure_is_read_with_its_code() {
        let callback = parsed(
            "SmsStatus=sent&MessageStatus=undelivered&ErrorCode=30006&To=%2B447700900123\
             &From=%2B15005550006&ApiVersion=2010-04-01&RawDlrDoneDate=2308240501\
             &AccountSid=AC0123456789abcdef0123456789abcdef&New=x",
        );
        assert_eq!(callback.status, Some(Status::Undelivered));
        assert_eq!(callback.error_code, Some(30006));
        assert_eq!(callback.to.as_deref(), Some("+447700900123"));
        assert!(callback.account_sid.is_some() && callback.messaging_service_sid.is_none());
        assert_eq!(
            callback.carrier_done.unwrap().to_string(),
            "2023-08-24 05:01:00"
        );
    }

    #[test]
    fn an_unknown_word_changes_nothing_but_is_kept() {
        let callback = parsed("MessageStatus=partially_delivered&ErrorCode=&RawDlrDoneDate=soon");
        assert_eq!(callback.status, None);
        assert_eq!(callback.status_word, "partially_delivered");
        assert_eq!((callback.error_code, callback.carrier_done), (None, None));
    }

    #[test]
    fn old_names_serve_where_the_current_ones_are_missing() {
        let callback = parse(format!("SmsSid={SID}&SmsStatus=delivered").as_bytes()).unwrap();
        assert_eq!(callback.message_sid.as_str(), SID);
        assert_eq!(callback.status, Some(Status::Delivered));
    }

    #[test]
    fn without_a_message_it_is_refused() {
        for body in ["", "MessageStatus=sent", "MessageSid=SM1", "MessageSid="] {
            assert_eq!(parse(body.as_bytes()), Err(CallbackError::NoMessage));
        }
    }

    #[test]
    fn it_is_bounded() {
        let many = format!("MessageSid={SID}&{}", "a=b&".repeat(MOST_FIELDS));
        assert_eq!(parse(many.as_bytes()), Err(CallbackError::TooLarge));
        assert_eq!(
            parse(&vec![b'a'; LONGEST_BODY + 1]),
            Err(CallbackError::TooLarge)
        );
        let long = parsed(&format!("ErrorMessage={}", "x".repeat(5_000)));
        assert_eq!(long.error_message.unwrap().len(), LONGEST_VALUE);
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&body);
            let mut named = format!("MessageSid={SID}&MessageStatus=").into_bytes();
            named.extend(body);
            prop_assert!(parse(&named).is_ok());
        }
    }
}
