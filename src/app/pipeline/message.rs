//! The message that a matching rule asks for: its text, its address, and the mark of a rehearsal.

use std::sync::Arc;

use chrono::TimeDelta;
use moka::sync::Cache;

use super::evaluation_input::EvaluationInput;
use super::recipients::Reached;
use crate::app::App;
use crate::domain::content::Content;
use crate::domain::delivery::{Channel, DeliveryState, NewDelivery, rehearsal_mark};
use crate::domain::document::DocumentKind;
use crate::domain::event::EventSource;
use crate::domain::ids::{DeliveryId, RuleId};
use crate::domain::phone::Phone;
use crate::domain::rule::{Facts, Recipient, Rule};
use crate::render::Template;

/// Compiled templates; a version of a rule never changes.
pub(in crate::app) struct TemplateCache(Cache<(RuleId, i64), Arc<Template>>);

impl TemplateCache {
    pub(in crate::app) fn new() -> Self {
        Self(Cache::new(10_000))
    }
}

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
        let text = self.text(rule, input.parsed.kind, facts);
        let (address, problem) = match reached.address {
            Ok(number) => (number.to_string(), None),
            Err(why) => (String::new(), Some(why)),
        };
        let (text, problem) = match text {
            Ok(text) => (text, problem),
            Err(why) => (String::new(), problem.or(Some(why))),
        };
        let sender = rule.definition.sender.as_ref();
        let sender = sender
            .and_then(|s| serde_json::to_string(s).ok())
            .unwrap_or_default();
        let expires_at =
            input.wished_at + TimeDelta::seconds(i64::from(rule.definition.send_within));
        NewDelivery {
            id: DeliveryId::new(input.event.id, input.now),
            rule: rule.id,
            rule_version: rule.version,
            rule_name: rule.definition.name.clone(),
            replay: input.replay,
            replay_of: None,
            channel: Channel::Sms,
            address,
            recipient: reached.name,
            is_to_contact: matches!(rule.definition.recipient, Recipient::Contact)
                && input.event.source != EventSource::Test,
            asserts: Some(input.assertion(rule.definition.event_type)),
            is_rehearsal: false,
            rehearsal_to: String::new(),
            sender,
            content: Content::Text(text),
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

    pub(super) fn text(
        &self,
        rule: &Rule,
        kind: DocumentKind,
        facts: &Facts<'_>,
    ) -> Result<String, String> {
        let template = self.template(rule, kind)?;
        let text = template.render(facts).map_err(|e| {
            format!(
                "The text of “{}” could not be filled in: {e}",
                rule.definition.name
            )
        })?;
        let text = text.trim().to_owned();
        let characters = text.chars().count();
        if text.is_empty() {
            return Err(format!(
                "The text of “{}” is empty for this event",
                rule.definition.name
            ));
        }
        if let Some(bound) = self.overlong(characters) {
            return Err(format!(
                "The text has {characters} characters; {bound}. Shorten the template of “{}”",
                rule.definition.name
            ));
        }
        Ok(text)
    }

    fn template(&self, rule: &Rule, kind: DocumentKind) -> Result<Arc<Template>, String> {
        let key = (rule.id, rule.version);
        if let Some(template) = self.caches.templates.0.get(&key) {
            return Ok(template);
        }
        let template = Template::parse(&rule.definition.template.body, kind).map_err(|e| {
            format!(
                "The template of “{}” is not valid: {e}",
                rule.definition.name
            )
        })?;
        let template = Arc::new(template);
        self.caches.templates.0.insert(key, template.clone());
        Ok(template)
    }

    /// Makes a delivery one that goes to the owner, with the mark of whom it was meant for.
    pub(super) fn rehearse_message(&self, d: &mut NewDelivery, owner: Option<&Phone>) {
        d.is_rehearsal = true;
        d.rehearsal_to = owner.map(Phone::to_string).unwrap_or_default();
        if d.state != DeliveryState::Queued {
            return;
        }
        let mark = rehearsal_mark(&d.recipient, &d.address);
        d.content = d.content.clone().with_mark(&mark);
        let characters = d.content.text().chars().count();
        if let Some(bound) = self.overlong(characters) {
            d.state = DeliveryState::Failed;
            d.due_at = None;
            d.reason = format!(
                "With the mark of the rehearsal the text has {characters} characters; {bound}. Live \
                 it would be sent"
            );
        }
    }

    /// What the provider takes, where so many characters are more.
    fn overlong(&self, characters: usize) -> Option<String> {
        let longest = self.parts.transports.longest_text(Channel::Sms);
        let name = self.provider_words(Channel::Sms).name;
        (characters > longest).then(|| format!("{name} takes at most {longest}"))
    }
}
