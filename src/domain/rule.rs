//! Routing rules: event type and conditions lead to channel, recipient, sender and template.
//!
//! A rule's JSON form is the same in the API, in forms and in the store; [`RuleDefinition::parse`]
//! is the only way in and answers with every problem at once, each with the path of its field.

mod condition;
mod email_source;
mod evaluate;
mod facts;
mod fields;
mod parse;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::condition::{Condition, Conditions, DateOperand, Op, Operand};
pub use self::email_source::{EmailPart, EmailSource, MAX_LINE_CHARS};
pub use self::evaluate::{MetValue, Verdict, evaluate};
pub use self::facts::{Fact, Facts, MAX_LIST_ITEMS};
pub use self::fields::{
    OWN_FIELDS, distance, is_base, is_known, is_money, is_price, known_fields, money_places,
    suggest,
};
pub use self::parse::RuleProblem;
use super::delivery::Channel;
use super::event::EventType;
use super::ids::RuleId;
use super::phone::Phone;

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
    pub channel: Channel,
    pub recipient: Recipient,
    /// The tenant's default sender when none.
    pub sender: Option<Sender>,
    pub template: TemplateSource,
    /// Seconds, 60 to 2,592,000 (30 days).
    pub send_within: u32,
}

/// Whom a message goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// The document's contact.
    Contact,
    /// Always this number.
    Fixed(Phone),
}

/// Whom a message comes from.
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

/// The text of a message before it is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TemplateSource {
    pub body: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn as_text<S: Serializer>(event_type: &EventType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(event_type)
}

impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Contact => map.serialize_entry("kind", "contact")?,
            Self::Fixed(address) => {
                map.serialize_entry("kind", "fixed")?;
                map.serialize_entry("address", address)?;
            }
        }
        map.end()
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
