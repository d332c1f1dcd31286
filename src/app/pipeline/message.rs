//! The message that a matching rule asks for: what it says, its address, and the mark of a rehearsal.

use chrono::TimeDelta;

use super::evaluation_input::EvaluationInput;
use super::recipients::Reached;
use super::said::Frame;
use crate::app::App;
use crate::app::reminder_stops::Reminded;
use crate::domain::address::{Address, OwnAddresses};
use crate::domain::content::Content;
use crate::domain::delivery::{Channel, Delivery, DeliveryState, NewDelivery, rehearsal_mark};
use crate::domain::event::EventSource;
use crate::domain::ids::{DeliveryId, SenderId};
use crate::domain::phone::{CountryCode, country_from_text};
use crate::domain::rule::{Facts, Rule, RuleSender};
use crate::domain::sender::{Mailbox, SenderProfile, SenderWish, choose};

impl App {
    /// The message that a matching rule asks for; what cannot be sent has failed already, and says
    /// why.
    pub(super) fn message(
        &self,
        rule: &Rule,
        input: &EvaluationInput<'_>,
        reached: Reached<'_>,
        facts: &Facts<'_>,
    ) -> NewDelivery {
        let channel = reached.channel;
        let from = self.sender(rule, &reached, input);
        let is_to_contact =
            rule.definition.recipient.is_contact() && input.event.source != EventSource::Test;
        let asserts = input.assertion(rule.definition.event_type);
        let (address, problem) = match &reached.address {
            Ok(address) => (address.to_string(), None),
            Err(why) => (String::new(), Some(why.clone())),
        };
        let stop_link = self.stop_link(&Reminded {
            tenant: input.context.tenant.id,
            event: input.event.id,
            channel,
            address: &address,
            is_to_contact,
            scope: &asserts.scope(),
        });
        let frame = Frame {
            channel,
            answers_to: from.map(|s| s.address.as_str()),
            stop_link: stop_link.as_ref(),
        };
        let said = self.said_by(rule, frame, input, facts);
        let (content, problem) = match said {
            Ok(content) => (content, problem),
            Err(why) => (Content::nothing(channel), problem.or(Some(why))),
        };
        let expires_at =
            input.wished_at + TimeDelta::seconds(i64::from(rule.definition.send_within));
        NewDelivery {
            id: DeliveryId::new(input.event.id, input.now),
            rule: rule.id,
            rule_version: rule.version,
            rule_name: rule.definition.name.clone(),
            replay: input.replay,
            replay_of: None,
            channel,
            address,
            recipient: reached.name,
            is_to_contact,
            member: reached.member,
            asserts: Some(asserts),
            is_rehearsal: false,
            rehearsal_to: String::new(),
            sender: frozen(rule, channel, from),
            content,
            state: if problem.is_some() {
                DeliveryState::Failed
            } else {
                DeliveryState::Queued
            },
            due_at: problem.is_none().then_some(input.now),
            reason: problem.unwrap_or_default(),
            expires_at,
        }
    }

    /// Makes a delivery one that goes to the owner, with the mark of whom it was meant for.
    pub(super) fn rehearse_message(&self, d: &mut NewDelivery, owner: &OwnAddresses) {
        d.is_rehearsal = true;
        d.rehearsal_to = owner
            .of(d.channel)
            .map(|own| own.to_string())
            .unwrap_or_default();
        if d.state != DeliveryState::Queued {
            return;
        }
        let mark = rehearsal_mark(&d.recipient, &d.address);
        d.content = d.content.clone().with_mark(&mark);
        if let Some((characters, bound)) = self.overlong(d.channel, &d.content) {
            d.state = DeliveryState::Failed;
            d.due_at = None;
            d.reason = format!(
                "With the mark of the rehearsal the text has {characters} characters; {bound}. Live \
                 it would be sent"
            );
        }
    }

    /// What the provider takes, where a text has more characters; an e-mail's bound is its size.
    pub(super) fn overlong(&self, channel: Channel, content: &Content) -> Option<(usize, String)> {
        let Content::Text(text) = content else {
            return None;
        };
        let characters = text.chars().count();
        let longest = self.parts.transports.longest_text(channel);
        let name = self.provider_words(channel).name;
        (characters > longest).then(|| (characters, format!("{name} takes at most {longest}")))
    }
}

impl App {
    /// Which of the tenant's senders a message is to come from.
    fn sender<'i>(
        &self,
        rule: &Rule,
        reached: &Reached<'_>,
        input: &EvaluationInput<'i>,
    ) -> Option<&'i SenderProfile> {
        let kept = &input.context.settings.senders;
        if kept.is_empty() {
            return None;
        }
        let party = input.parsed.party.as_ref();
        let wish = SenderWish {
            transports: &self.transport_names(reached.channel),
            rule: named(rule, reached.channel),
            customer: party.map_or("", |p| p.id.as_str()),
            country: country_of(reached, input),
            is_sandboxed: self.is_sandboxed(),
        };
        choose(kept, &wish)
    }
}

impl App {
    /// Where answers to a message go that was made already.
    pub(super) fn answers_to(&self, d: &Delivery, kept: &[SenderProfile]) -> Option<String> {
        if let Some(mailbox) = Mailbox::from_frozen(&d.sender) {
            return Some(mailbox.address);
        }
        let wish = SenderWish {
            transports: &self.transport_names(d.channel),
            is_sandboxed: self.is_sandboxed(),
            ..SenderWish::default()
        };
        choose(kept, &wish).map(|s| s.address.as_str().to_owned())
    }
}

/// The sender that a rule names for a channel.
fn named(rule: &Rule, channel: Channel) -> Option<SenderId> {
    match (channel, &rule.definition.sender) {
        (Channel::Sms, Some(RuleSender::Kept(id))) => Some(*id),
        (Channel::Sms, _) => None,
        (Channel::Email, _) => rule.definition.email_sender,
    }
}

/// What a message comes from, as messages bear it; empty for the default, which is chosen when it leaves.
fn frozen(rule: &Rule, channel: Channel, from: Option<&SenderProfile>) -> String {
    if let (Channel::Sms, Some(RuleSender::Own(own))) = (channel, &rule.definition.sender) {
        return serde_json::to_string(own).unwrap_or_default();
    }
    let is_default = |s: &&SenderProfile| s.is_default && Some(s.id) != named(rule, channel);
    let chosen = from.filter(|s| !is_default(s));
    chosen.map(SenderProfile::frozen).unwrap_or_default()
}

/// Where a recipient is: a number says so, an e-mail address does not, but its document may.
fn country_of(reached: &Reached<'_>, input: &EvaluationInput<'_>) -> Option<CountryCode> {
    match &reached.address {
        Ok(Address::Phone(number)) => number.country(),
        _ => input.parsed.country.as_deref().and_then(country_from_text),
    }
}
