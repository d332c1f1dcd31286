//! What a rule says about an event over a channel: its text filled in.

use std::sync::Arc;

use moka::sync::Cache;

use super::evaluation_input::EvaluationInput;
use crate::app::App;
use crate::domain::content::Content;
use crate::domain::delivery::Channel;
use crate::domain::document::DocumentKind;
use crate::domain::ids::RuleId;
use crate::domain::rule::{Facts, Rule};
use crate::render::Template;

/// Compiled templates; a version of a rule never changes.
pub(in crate::app) struct TemplateCache(Cache<(RuleId, i64), Arc<Template>>);

impl TemplateCache {
    pub(in crate::app) fn new() -> Self {
        Self(Cache::new(10_000))
    }
}

impl App {
    /// What a rule says to somebody; or why nothing can be made of it.
    pub(super) fn said_by(
        &self,
        rule: &Rule,
        channel: Channel,
        input: &EvaluationInput<'_>,
        facts: &Facts<'_>,
    ) -> Result<Content, String> {
        match channel {
            Channel::Sms => self.text(rule, input.parsed.kind, facts).map(Content::Text),
            Channel::Email => Err("E-mails cannot be written yet".to_owned()),
        }
    }

    fn text(&self, rule: &Rule, kind: DocumentKind, facts: &Facts<'_>) -> Result<String, String> {
        let template = self.template(rule, kind)?;
        let text = template.render(facts).map_err(|e| {
            format!(
                "The text of “{}” could not be filled in: {e}",
                rule.definition.name
            )
        })?;
        let text = text.trim().to_owned();
        if text.is_empty() {
            return Err(format!(
                "The text of “{}” is empty for this event",
                rule.definition.name
            ));
        }
        let content = Content::Text(text);
        if let Some((characters, bound)) = self.overlong(Channel::Sms, &content) {
            return Err(format!(
                "The text has {characters} characters; {bound}. Shorten the template of “{}”",
                rule.definition.name
            ));
        }
        let Content::Text(text) = content else {
            return Ok(String::new());
        };
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
}
