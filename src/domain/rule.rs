//! Routing rules: event type and conditions lead to channel, recipient, sender and template.
//!
//! A rule's JSON form is the same in the API, in forms and in the store; [`RuleDefinition::parse`]
//! is the only way in and answers with every problem at once, each with the path of its field.

mod channels;
mod condition;
mod email_source;
mod evaluate;
mod facts;
mod fields;
mod parse;
mod ready_email;
mod recipient;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::channels::{RuleChannel, Tries};
pub use self::condition::{Condition, Conditions, DateOperand, Op, Operand};
pub use self::email_source::{EmailPart, EmailSource, MAX_LINE_CHARS};
pub use self::evaluate::{MetValue, Verdict, evaluate};
pub use self::facts::{Fact, Facts, MAX_LIST_ITEMS};
pub use self::fields::{
    OWN_FIELDS, distance, has_lines, is_base, is_known, is_money, is_price, known_fields,
    money_places, suggest,
};
pub use self::parse::RuleProblem;
pub(super) use self::parse::sender_address;
pub use self::ready_email::{READY_EMAILS, ReadyEmail};
pub use self::recipient::{MAX_ADDRESSES, Recipient, Who};
use super::channel::Channel;
use super::event::EventType;
use super::ids::{RuleId, SenderId};

/// The longest template, in bytes.
pub const MAX_TEMPLATE_BYTES: usize = 16 * 1024;

/// The most conditions of one rule.
pub const MAX_CONDITIONS: usize = 20;

/// How long a message may wait, in seconds, unless the rule says otherwise.
pub const DEFAULT_SEND_WITHIN: u32 = 86_400;

/// A rule as it stands in a tenant's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub id: RuleId,
    /// Raised by every edit of the definition.
    pub version: i64,
    /// Its place in the list; rules are asked from the lowest up.
    pub position: i64,
    pub enabled: bool,
    pub definition: RuleDefinition,
}

/// What a rule says; immutable per version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleDefinition {
    /// 1 to 100 characters.
    pub name: String,
    #[serde(serialize_with = "as_text")]
    pub event_type: EventType,
    pub conditions: Conditions,
    pub channel: RuleChannel,
    pub recipient: Recipient,
    /// Of SMS; the one that fits the recipient when none.
    pub sender: Option<RuleSender>,
    /// Of e-mails; the one that fits the recipient when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_sender: Option<SenderId>,
    pub template: TemplateSource,
    /// Seconds, 60 to 2,592,000 (30 days).
    pub send_within: u32,
}

/// Whom a rule's SMS come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSender {
    /// One that the tenant keeps.
    Kept(SenderId),
    /// One that the rule has by itself.
    Own(Sender),
}

/// Whom an SMS comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// A number in E.164 form, a short code, or an alphanumeric sender of at most 11 characters.
    From(String),
    /// A service of the account that chooses among its numbers: `MG` and 32 hexadecimal digits.
    MessagingService(String),
}

impl Sender {
    /// The number, the name or the service, as it was entered.
    pub fn as_str(&self) -> &str {
        match self {
            Self::From(text) | Self::MessagingService(text) => text,
        }
    }

    /// What is sent from it.
    pub const fn channel(&self) -> Channel {
        match self {
            Self::From(_) | Self::MessagingService(_) => Channel::Sms,
        }
    }
}

/// What a message says before it is filled in. A channel that the rule does not use may lack its part.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TemplateSource {
    /// Of an SMS.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailSource>,
}
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn as_text<S: Serializer>(event_type: &EventType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(event_type)
}

impl Serialize for RuleSender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Kept(id) => id.serialize(serializer),
            Self::Own(sender) => sender.serialize(serializer),
        }
    }
}

impl Serialize for Sender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::From(from) => map.serialize_entry("from", from)?,
            Self::MessagingService(sid) => map.serialize_entry("messaging_service_sid", sid)?,
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Sender {
    /// Reads a stored sender.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Stored {
            from: Option<String>,
            messaging_service_sid: Option<String>,
        }
        let stored = Stored::deserialize(deserializer)?;
        let sender = stored.messaging_service_sid.map(Self::MessagingService);
        sender
            .or_else(|| stored.from.map(Self::From))
            .ok_or_else(|| serde::de::Error::custom("neither `from` nor `messaging_service_sid`"))
    }
}

impl<'de> Deserialize<'de> for RuleDefinition {
    /// Reads a stored definition, whose numbers are normalised already.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = serde_json::Value::deserialize(deserializer)?;
        Self::parse(&json, None).map_err(|problems| {
            let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
            serde::de::Error::custom(words.join("; "))
        })
    }
}
