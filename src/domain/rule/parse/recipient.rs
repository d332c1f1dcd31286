//! Whom a rule tells, from its JSON.

use serde_json::Value;

use super::Problems;
use crate::domain::address::{Address, Email};
use crate::domain::channel::Channel;
use crate::domain::phone::{CountryCode, to_e164};
use crate::domain::rule::{MAX_ADDRESSES, Recipient, RuleChannel, Who};

pub(super) fn parse(
    json: Option<&Value>,
    (channel, default_country): (Option<RuleChannel>, Option<CountryCode>),
    problems: &mut Problems,
) -> Option<Recipient> {
    let part = |name: &str| json.and_then(|json| json.get(name));
    match part("kind").and_then(Value::as_str) {
        Some("contact") => contact(part("who"), part("else_customer"), problems),
        Some("fixed") => {
            // A single one may stand alone.
            let typed = match (part("addresses"), part("address")) {
                (Some(Value::Array(list)), _) => list.iter().map(text).collect(),
                (None | Some(Value::Null), Some(one)) => vec![text(one)],
                _ => Vec::new(),
            };
            fixed(&typed, (channel, default_country), problems)
        }
        Some("group") => {
            let id = part("group").and_then(Value::as_str);
            let id = id.and_then(|id| id.trim().parse().ok());
            if id.is_none() {
                problems.add("recipient.group", "choose a group (grp_…)");
            }
            id.map(Recipient::Group)
        }
        Some("approvers") => Some(Recipient::Approvers),
        _ => {
            problems.add(
                "recipient.kind",
                "choose contact, fixed, group or approvers",
            );
            None
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn contact(
    who: Option<&Value>,
    else_customer: Option<&Value>,
    problems: &mut Problems,
) -> Option<Recipient> {
    let who = match who {
        None | Some(Value::Null) => Some(Who::First),
        Some(value) => value.as_str().and_then(Who::parse),
    };
    if who.is_none() {
        problems.add("recipient.who", "choose first, primary or all");
    }
    let else_customer = match else_customer {
        None | Some(Value::Null) => Some(false),
        Some(value) => value.as_bool(),
    };
    if else_customer.is_none() {
        problems.add("recipient.else_customer", "choose true or false");
    }
    Some(Recipient::Contact {
        who: who?,
        else_customer: else_customer?,
    })
}

fn fixed(
    typed: &[&str],
    (channel, default_country): (Option<RuleChannel>, Option<CountryCode>),
    problems: &mut Problems,
) -> Option<Recipient> {
    let before = problems.0.len();
    let mut addresses: Vec<Address> = Vec::new();
    for (row, text) in typed.iter().take(MAX_ADDRESSES + 1).enumerate() {
        match address(text, default_country) {
            Ok(address) if addresses.iter().all(|a| a.key() != address.key()) => {
                addresses.push(address);
            }
            Ok(_) => {}
            Err(why) => {
                let field = if typed.len() == 1 {
                    "recipient.address".to_owned()
                } else {
                    format!("recipient.addresses.{row}")
                };
                problems.add(&field, why);
            }
        }
    }
    if typed.len() > MAX_ADDRESSES {
        problems.add("recipient.addresses", "20 addresses at the most");
    } else if typed.is_empty() {
        let message = "type a phone number or an e-mail address";
        problems.add("recipient.address", message);
    } else if let Some(channel) = channel
        && problems.0.len() == before
    {
        let has = |of| addresses.iter().any(|a| a.channel() == of);
        let missing = match channel {
            RuleChannel::Sms => !has(Channel::Sms),
            RuleChannel::Email => !has(Channel::Email),
            RuleChannel::Both => !has(Channel::Sms) || !has(Channel::Email),
            RuleChannel::SmsElseEmail | RuleChannel::EmailElseSms => false,
        };
        if missing {
            let message = match channel {
                RuleChannel::Email => "type an e-mail address, since the rule sends e-mails",
                RuleChannel::Both => "type a phone number and an e-mail address",
                _ => "type a phone number, since the rule sends SMS",
            };
            problems.add("recipient.address", message);
        }
    }
    (problems.0.len() == before).then_some(Recipient::Fixed(addresses))
}

/// What has an `@` is an e-mail address, anything else is to be a number.
fn address(text: &str, default_country: Option<CountryCode>) -> Result<Address, String> {
    if text.contains('@') {
        let email = Email::parse(text).map_err(|e| format!("the address {e}"))?;
        return Ok(Address::Email(email));
    }
    let number = to_e164(text, default_country).map_err(|problem| problem.to_string())?;
    Ok(Address::Phone(number))
}
