//! A rule in words: whom it tells, and from what.

use crate::app::rules::MessageSettings;
use crate::domain::address::Address;
use crate::domain::delivery::Channel;
use crate::domain::group::Group;
use crate::domain::ids::SenderId;
use crate::domain::rule::{Recipient, RuleDefinition, RuleSender, Sender};
use crate::domain::sender::{Mailbox, SenderAddress, SenderProfile};

/// Whom a rule tells, to follow "to".
pub(in crate::web) fn recipient(of: &Recipient, groups: &[Group]) -> String {
    match of {
        Recipient::Contact { who, else_customer } => {
            let other = if *else_customer {
                ", else the customer’s primary contact"
            } else {
                ""
            };
            format!("{}{other}", who.label())
        }
        Recipient::Fixed(addresses) => {
            let all: Vec<String> = addresses.iter().map(address).collect();
            all.join(", ")
        }
        Recipient::Group(id) => {
            let group = groups.iter().find(|g| g.id == *id);
            group.map_or_else(|| "a group that is gone".to_owned(), |g| g.name.clone())
        }
        Recipient::Approvers => "those who approve the document".to_owned(),
    }
}

fn address(of: &Address) -> String {
    match of {
        Address::Phone(number) => number.grouped(),
        Address::Email(email) => email.to_string(),
    }
}

/// From what a rule sends, to follow "from".
pub(in crate::web) fn senders(of: &RuleDefinition, kept: &MessageSettings) -> String {
    let own = |channel| match channel {
        Channel::Sms => match &of.sender {
            Some(RuleSender::Own(own)) => Some(own_sender(own)),
            Some(RuleSender::Kept(id)) => Some(named(*id, kept)),
            None => None,
        },
        Channel::Email => of.email_sender.map(|id| named(id, kept)),
    };
    let used = [Channel::Sms, Channel::Email].into_iter();
    let used: Vec<_> = used.filter(|c| of.channel.uses(*c)).collect();
    let words: Vec<Option<String>> = used.iter().map(|c| own(*c)).collect();
    match words.as_slice() {
        [one] => one.clone().unwrap_or_else(|| DEFAULT.to_owned()),
        all if all.iter().all(Option::is_none) => "the default senders".to_owned(),
        all => {
            let all = all.iter().zip(&used).map(|(words, channel)| {
                let words = words.as_deref().unwrap_or(DEFAULT);
                format!("{words} ({})", channel.label())
            });
            all.collect::<Vec<_>>().join(" and ")
        }
    }
}

const DEFAULT: &str = "the default sender";

fn named(id: SenderId, kept: &MessageSettings) -> String {
    let found = kept.senders.iter().find(|s| s.id == id);
    found.map_or_else(|| "a sender that is gone".to_owned(), kept_sender)
}

/// "Acme <billing@acme.example>", or "Berlin (+49 30 …)".
pub(in crate::web) fn kept_sender(of: &SenderProfile) -> String {
    match &of.address {
        SenderAddress::Email(email) => format!("{} <{email}>", of.name),
        SenderAddress::Text(own) if of.name.is_empty() => own_sender(own),
        SenderAddress::Text(own) => format!("{} ({})", of.name, own_sender(own)),
    }
}

/// What a message goes out from, as it bears it.
pub(in crate::web) fn frozen_sender(frozen: &str) -> String {
    if let Some(Mailbox { address, name }) = Mailbox::from_frozen(frozen) {
        return format!("{name} <{address}>");
    }
    let own: Option<Sender> = serde_json::from_str(frozen).ok();
    let words = own.as_ref().map(own_sender);
    words.unwrap_or_else(|| DEFAULT.to_owned())
}

/// A number, a name, or a service.
pub(in crate::web) fn own_sender(of: &Sender) -> String {
    match of {
        Sender::From(from) => from.clone(),
        Sender::MessagingService(sid) => format!("Messaging Service {sid}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(channel: &str, sender: &serde_json::Value) -> String {
        let rule = json!({
            "name": "N", "event_type": "invoice.sent", "conditions": {"all": []},
            "channel": channel, "recipient": {"kind": "contact"}, "sender": sender,
            "template": {"body": "x", "email": {"subject": "s", "body": "b"}},
        });
        let definition = RuleDefinition::parse(&rule, None).unwrap();
        senders(&definition, &MessageSettings::default())
    }

    #[test]
    fn a_rule_of_two_channels_has_two_senders() {
        let from = json!({"from": "+447700900123"});
        assert_eq!(words("email", &json!(null)), "the default sender");
        assert_eq!(words("both", &json!(null)), "the default senders");
        assert_eq!(words("sms", &from), "+447700900123");
        assert_eq!(
            words("sms_else_email", &from),
            "+447700900123 (SMS) and the default sender (e-mail)"
        );
    }

    #[test]
    fn a_message_says_what_it_goes_out_from() {
        let mailbox = r#"{"address":"a@acme.example","name":"Acme"}"#;
        assert_eq!(frozen_sender(mailbox), "Acme <a@acme.example>");
        assert_eq!(frozen_sender(r#"{"from":"+1617"}"#), "+1617");
        assert_eq!(frozen_sender(""), "the default sender");
    }
}
