//! What a rule says about an event over a channel: its text filled in.

use std::collections::BTreeMap;
use std::sync::Arc;

use moka::sync::Cache;
use url::Url;

use super::evaluation_input::EvaluationInput;
use crate::app::App;
use crate::domain::bank_details::in_force;
use crate::domain::content::Content;
use crate::domain::currency::Currency;
use crate::domain::delivery::Channel;
use crate::domain::event::EventSource;
use crate::domain::ids::RuleId;
use crate::domain::rule::{Facts, Rule};
use crate::render::Template;
use crate::render::email::{EmailTemplate, Reader, Surroundings};

/// Compiled texts; a version of a rule never changes.
pub(in crate::app) struct TemplateCache(Cache<(RuleId, i64, Channel), Arc<Compiled>>);

impl TemplateCache {
    pub(in crate::app) fn new() -> Self {
        Self(Cache::new(10_000))
    }
}

/// A text that is ready to be filled in.
enum Compiled {
    Text(Template),
    Email(EmailTemplate),
}

/// What a text is told of its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) channel: Channel,
    /// Where answers go.
    pub(super) answers_to: Option<&'a str>,
    /// Where its reader stops reminders.
    pub(super) stop_link: Option<&'a Url>,
}

/// Where the links of test events lead: nowhere, and they are shown all the same.
const TEST_HOST: &str = "books.example";

impl App {
    /// What a rule says to somebody; or why nothing can be made of it.
    pub(super) fn said_by(
        &self,
        rule: &Rule,
        frame: Frame<'_>,
        input: &EvaluationInput<'_>,
        facts: &Facts<'_>,
    ) -> Result<Content, String> {
        let name = &rule.definition.name;
        let unfilled = |e| format!("The text of “{name}” could not be filled in: {e}");
        let content = match &*self.compiled(rule, frame.channel, input)? {
            Compiled::Text(template) => {
                let text = template.render(facts).map_err(unfilled)?;
                Content::Text(text.trim().to_owned())
            }
            Compiled::Email(template) => {
                let email = self.with_surroundings(rule, frame, input, facts, |around| {
                    template.render(facts, around)
                });
                Content::Email(email.map_err(unfilled)?)
            }
        };
        if content.text().is_empty() {
            return Err(format!("The text of “{name}” is empty for this event"));
        }
        if let Some((characters, bound)) = self.overlong(frame.channel, &content) {
            return Err(format!(
                "The text has {characters} characters; {bound}. Shorten the template of “{name}”"
            ));
        }
        Ok(content)
    }

    /// Whatever of an e-mail is not its rule's: brand, bank details, where answers go.
    fn with_surroundings<T>(
        &self,
        rule: &Rule,
        frame: Frame<'_>,
        input: &EvaluationInput<'_>,
        facts: &Facts<'_>,
        then: impl FnOnce(&Surroundings<'_>) -> T,
    ) -> T {
        let (tenant, settings) = (&input.context.tenant, &input.context.settings);
        let brand = settings
            .brand
            .brand(&tenant.name, &self.public_url().join("/"));
        let code = facts.currency.map(Currency::code);
        let bank_details = code.and_then(|code| {
            let details = in_force(&settings.bank_details, code, input.now)?;
            Some((code.to_owned(), details.text.clone()))
        });
        let bank_details: BTreeMap<String, String> = bank_details.into_iter().collect();
        let pay_hosts: &[String] = &match input.event.source {
            EventSource::Test => vec![TEST_HOST.to_owned()],
            _ => Vec::new(),
        };
        then(&Surroundings {
            brand: &brand,
            signature: &settings.brand.signature,
            bank_details: &bank_details,
            answers_to: frame.answers_to,
            reader: if rule.definition.recipient.is_contact() {
                Reader::Contact
            } else {
                Reader::Named
            },
            stop_link: frame.stop_link,
            language: "en",
            pay_hosts,
        })
    }

    fn compiled(
        &self,
        rule: &Rule,
        channel: Channel,
        input: &EvaluationInput<'_>,
    ) -> Result<Arc<Compiled>, String> {
        let key = (rule.id, rule.version, channel);
        if let Some(compiled) = self.caches.templates.0.get(&key) {
            return Ok(compiled);
        }
        let name = &rule.definition.name;
        let (source, kind) = (&rule.definition.template, input.parsed.kind);
        let invalid = |e: String| format!("The template of “{name}” is not valid: {e}");
        let compiled = match (channel, &source.email) {
            (Channel::Sms, _) => Template::parse(&source.body, kind)
                .map(Compiled::Text)
                .map_err(|e| invalid(e.to_string()))?,
            (Channel::Email, Some(email)) => EmailTemplate::parse(email, kind)
                .map(Compiled::Email)
                .map_err(|e| invalid(e.to_string()))?,
            (Channel::Email, None) => return Err(format!("“{name}” has no text for e-mails")),
        };
        let compiled = Arc::new(compiled);
        self.caches.templates.0.insert(key, compiled.clone());
        Ok(compiled)
    }
}
