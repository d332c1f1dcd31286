//! Twilio's JSON as it arrives; never leaves this room.
//!
//! The surprise: nearly every field may be null and numbers come as text (Twilio's spec), so a
//! field that is not what we expect is read as absent rather than spoiling the whole answer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A Message (`api.v2010.account.message`).
#[derive(Debug, Deserialize)]
pub(super) struct MessageJson {
    #[serde(default, deserialize_with = "text")]
    pub(super) sid: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) to: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) from: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) body: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) direction: Option<String>,
    #[serde(default, deserialize_with = "number")]
    pub(super) num_segments: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    pub(super) error_code: Option<i64>,
    #[serde(default, deserialize_with = "text")]
    pub(super) error_message: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) date_created: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) date_sent: Option<String>,
}

/// A page of Messages.
#[derive(Debug, Deserialize)]
pub(super) struct PageJson {
    pub(super) messages: Vec<MessageJson>,
    #[serde(default, deserialize_with = "text")]
    pub(super) next_page_uri: Option<String>,
}

/// An error body; any part may be missing.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorJson {
    #[serde(default, deserialize_with = "number")]
    pub(super) code: Option<i64>,
    #[serde(default, deserialize_with = "text")]
    pub(super) message: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) more_info: Option<String>,
}

/// An Account. The answer bears `auth_token` in clear, which is not even read here.
#[derive(Debug, Deserialize)]
pub(super) struct AccountJson {
    #[serde(default, deserialize_with = "text")]
    pub(super) sid: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) status: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "text")]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) friendly_name: Option<String>,
}

/// `api.v2010.account.balance`.
#[derive(Debug, Deserialize)]
pub(super) struct BalanceJson {
    #[serde(default, deserialize_with = "text")]
    pub(super) balance: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) currency: Option<String>,
}

/// A page of `usage.usage_record_this_month`.
#[derive(Debug, Deserialize)]
pub(super) struct UsageJson {
    pub(super) usage_records: Vec<UsageRecordJson>,
}

/// One category of usage: its price is a number in Twilio's specification and a text in its answers.
#[derive(Debug, Deserialize)]
pub(super) struct UsageRecordJson {
    #[serde(default, deserialize_with = "text")]
    pub(super) category: Option<String>,
    #[serde(default, deserialize_with = "number")]
    pub(super) count: Option<i64>,
    #[serde(default, deserialize_with = "decimal")]
    pub(super) price: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) price_unit: Option<String>,
}

/// A page of `IncomingPhoneNumber`.
#[derive(Debug, Deserialize)]
pub(super) struct NumbersJson {
    pub(super) incoming_phone_numbers: Vec<NumberJson>,
}

/// An `IncomingPhoneNumber`.
#[derive(Debug, Deserialize)]
pub(super) struct NumberJson {
    #[serde(default, deserialize_with = "text")]
    pub(super) phone_number: Option<String>,
    #[serde(default)]
    pub(super) capabilities: Option<CapabilitiesJson>,
}

/// What a number can do.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct CapabilitiesJson {
    #[serde(default)]
    pub(super) sms: Option<bool>,
}

/// A page of `ShortCode`.
#[derive(Debug, Deserialize)]
pub(super) struct ShortCodesJson {
    pub(super) short_codes: Vec<ShortCodeJson>,
}

/// A `ShortCode`.
#[derive(Debug, Deserialize)]
pub(super) struct ShortCodeJson {
    #[serde(default, deserialize_with = "text")]
    pub(super) short_code: Option<String>,
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

/// A decimal as text, also when written as a number.
fn decimal<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// A number, also when written as text.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// An RFC 2822 date, as in bodies (`+0000`) and in the `Date` header (`GMT`).
pub(super) fn date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim())
        .ok()
        .map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_fields_are_absent_and_numbers_may_be_text() {
        let json = r#"{"sid":7,"status":null,"num_segments":"2","error_code":30006,"tags":{}}"#;
        let message: MessageJson = serde_json::from_str(json).unwrap();
        assert_eq!(message.sid, None);
        assert_eq!(message.num_segments, Some(2));
        assert_eq!(message.error_code, Some(30006));
    }

    #[test]
    fn both_forms_of_a_date_are_read() {
        let body = date("Thu, 24 Aug 2023 05:01:45 +0000").unwrap();
        assert_eq!(date("Thu, 24 Aug 2023 05:01:45 GMT"), Some(body));
        assert_eq!(body.to_rfc3339(), "2023-08-24T05:01:45+00:00");
        assert_eq!(date("yesterday"), None);
    }
}
