//! From JSON to a rule's definition, collecting every problem instead of stopping at the first.

mod conditions;
mod recipient;
mod template;

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::{DEFAULT_SEND_WITHIN, RuleChannel, RuleDefinition, RuleSender, Sender};
use crate::domain::event::EventType;
use crate::domain::ids::SenderId;
use crate::domain::phone::{CountryCode, to_e164};

const MAX_NAME_CHARS: usize = 100;
/// The longest sender that is a name, as carriers take it.
const MAX_SENDER_CHARS: usize = 11;
const FIELDS: [&str; 9] = [
    "name",
    "event_type",
    "conditions",
    "channel",
    "recipient",
    "sender",
    "email_sender",
    "template",
    "send_within",
];

/// What is wrong with one field, in words that say what to type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RuleProblem {
    /// The path of the field: `name`, `conditions.2.value`, `recipient.address`.
    pub field: String,
    pub message: String,
}

impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl RuleDefinition {
    /// Reads the JSON form; numbers without `+` are read in `default_country`.
    pub fn parse(
        json: &Value,
        default_country: Option<CountryCode>,
    ) -> Result<Self, Vec<RuleProblem>> {
        let mut problems = Problems::default();
        let Some(map) = json.as_object() else {
            problems.add("", "expected a JSON object");
            return Err(problems.0);
        };
        for key in map
            .keys()
            .filter(|key| !FIELDS.contains(&key.as_str()))
            .take(10)
        {
            problems.add(&short(key), "is not a field of a rule");
        }
        let name = name(map, &mut problems);
        let event_type = event_type(map, &mut problems);
        let conditions = conditions::parse(map.get("conditions"), &mut problems);
        let channel = channel(map, &mut problems);
        let recipient = recipient::parse(
            map.get("recipient"),
            (channel, default_country),
            &mut problems,
        );
        let (sender, email_sender) = senders(map, (channel, default_country), &mut problems);
        let template = template::parse(map.get("template"), channel, &mut problems);
        let send_within = send_within(map.get("send_within"), &mut problems);
        match (name, event_type, channel, recipient, template, send_within) {
            (
                Some(name),
                Some(event_type),
                Some(channel),
                Some(recipient),
                Some(template),
                Some(send_within),
            ) if problems.0.is_empty() => Ok(Self {
                name,
                event_type,
                conditions,
                channel,
                recipient,
                sender,
                email_sender,
                template,
                send_within,
            }),
            _ => Err(problems.0),
        }
    }
}

#[derive(Default)]
struct Problems(Vec<RuleProblem>);

impl Problems {
    fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(RuleProblem {
            field: field.to_owned(),
            message: message.into(),
        });
    }
}

fn name(map: &Map<String, Value>, problems: &mut Problems) -> Option<String> {
    let name = map
        .get("name")
        .and_then(Value::as_str)
        .map(str::trim)
        .unwrap_or_default();
    let length = name.chars().count();
    if length == 0 {
        problems.add("name", "type a name, such as “Overdue by 14 days”");
    } else if length > MAX_NAME_CHARS {
        problems.add("name", "is too long; 100 characters at the most");
    } else if name.chars().any(char::is_control) {
        problems.add(
            "name",
            "has line breaks or control characters; type one line",
        );
    } else {
        return Some(name.to_owned());
    }
    None
}

fn event_type(map: &Map<String, Value>, problems: &mut Problems) -> Option<EventType> {
    let text = map
        .get("event_type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    EventType::from_str(text.trim())
        .map_err(|unknown| problems.add("event_type", unknown.to_string()))
        .ok()
}

fn channel(map: &Map<String, Value>, problems: &mut Problems) -> Option<RuleChannel> {
    match map.get("channel") {
        None | Some(Value::Null) => Some(RuleChannel::Sms),
        Some(value) => {
            let channel = value.as_str().and_then(RuleChannel::parse);
            if channel.is_none() {
                let all = "choose sms, email, both, sms_else_email or email_else_sms";
                problems.add("channel", all);
            }
            channel
        }
    }
}

/// The senders of SMS and of e-mails. One that the tenant keeps may stand in `sender` for a rule that only
/// sends e-mails.
fn senders(
    map: &Map<String, Value>,
    (channel, default_country): (Option<RuleChannel>, Option<CountryCode>),
    problems: &mut Problems,
) -> (Option<RuleSender>, Option<SenderId>) {
    let sender = sender(map.get("sender"), default_country, problems);
    let email_sender = match map.get("email_sender") {
        None | Some(Value::Null) => None,
        Some(value) => kept(value).or_else(|| {
            problems.add(
                "email_sender",
                "expected null or the id of a sender (snd_…)",
            );
            None
        }),
    };
    match (channel, sender, email_sender) {
        (Some(RuleChannel::Email), Some(RuleSender::Kept(id)), None) => (None, Some(id)),
        (_, sender, email_sender) => (sender, email_sender),
    }
}

fn kept(value: &Value) -> Option<SenderId> {
    value.as_str()?.trim().parse().ok()
}

fn sender(
    json: Option<&Value>,
    default_country: Option<CountryCode>,
    problems: &mut Problems,
) -> Option<RuleSender> {
    let map = match json {
        None | Some(Value::Null) => return None,
        Some(Value::Object(map)) if map.len() == 1 => map,
        Some(other) => {
            let kept = kept(other).map(RuleSender::Kept);
            if kept.is_none() {
                problems.add(
                    "sender",
                    "expected null, the id of a sender (snd_…), {\"from\": …} or \
                     {\"messaging_service_sid\": …}",
                );
            }
            return kept;
        }
    };
    if let Some(from) = map.get("from").and_then(Value::as_str) {
        return match sender_address(from, default_country) {
            Ok(from) => Some(RuleSender::Own(Sender::From(from))),
            Err(message) => {
                problems.add("sender.from", message);
                None
            }
        };
    }
    let sid = map
        .get("messaging_service_sid")
        .and_then(Value::as_str)
        .map(str::trim);
    let is_sid = |sid: &&str| {
        sid.len() == 34
            && sid.starts_with("MG")
            && sid.bytes().skip(2).all(|b| b.is_ascii_hexdigit())
    };
    if let Some(sid) = sid.filter(is_sid) {
        return Some(RuleSender::Own(Sender::MessagingService(sid.to_owned())));
    }
    let field = "sender.messaging_service_sid";
    problems.add(field, "type MG and 32 hexadecimal digits");
    None
}

pub(in crate::domain) fn sender_address(
    from: &str,
    default_country: Option<CountryCode>,
) -> Result<String, String> {
    let from = from.trim();
    if from.chars().any(|letter| letter.is_ascii_alphabetic()) {
        let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || " -+_&".contains(letter);
        return if from.len() <= MAX_SENDER_CHARS && from.chars().all(is_allowed) {
            Ok(from.to_owned())
        } else {
            Err("a sender’s name has at most 11 of A–Z a–z 0–9 space - + _ &".to_owned())
        };
    }
    // A short code is dialled as it is and has no E.164 form.
    if (5..=6).contains(&from.len()) && from.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(from.to_owned());
    }
    to_e164(from, default_country)
        .map(|number| number.to_string())
        .map_err(|problem| problem.to_string())
}

fn send_within(json: Option<&Value>, problems: &mut Problems) -> Option<u32> {
    let text = match json {
        None | Some(Value::Null) => return Some(DEFAULT_SEND_WITHIN),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(_) => String::new(),
    };
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| (60..=2_592_000).contains(seconds));
    if seconds.is_none() {
        problems.add(
            "send_within",
            "type seconds, from 60 (a minute) to 2592000 (30 days)",
        );
    }
    seconds
}

fn short(key: &str) -> String {
    key.chars()
        .filter(|letter| !letter.is_control())
        .take(60)
        .collect()
}

#[cfg(test)]
mod tests;
