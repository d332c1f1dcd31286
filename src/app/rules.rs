//! Rules: reading what was typed, and keeping it.

pub use crate::store::MessageSettings;

use serde_json::Value;

use super::{App, AppError, FieldProblem};
use crate::domain::actor::Actor;
use crate::domain::delivery::Channel;
use crate::domain::ids::{RuleId, TenantId};
use crate::domain::phone::CountryCode;
use crate::domain::rule::{Recipient, Rule, RuleDefinition, RuleSender};
use crate::domain::sender::SenderAddress;
use crate::render::Template;
use crate::render::email::EmailTemplate;
use crate::store::{MOST_RULE_EDITS, MOST_RULES, RuleEdit};

/// What stands beside a rule's definition in a form or an API body.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuleSwitches {
    pub enabled: Option<bool>,
    pub position: Option<i64>,
}

impl App {
    /// Every rule, in order.
    pub async fn rules(&self, tenant: TenantId) -> Result<Vec<Rule>, AppError> {
        Ok(self.tenant(tenant).rules().await?)
    }

    /// What rules may name, and what stands around their texts: senders, groups, brand and bank details.
    pub async fn message_settings(&self, tenant: TenantId) -> Result<MessageSettings, AppError> {
        Ok(self.tenant(tenant).message_settings().await?)
    }

    /// The longest name among the customers and vendors of the latest events: what a text may have to
    /// hold.
    pub async fn longest_party_name(&self, tenant: TenantId) -> Result<Option<String>, AppError> {
        Ok(self.tenant(tenant).longest_party_name().await?)
    }

    /// One rule.
    pub async fn rule(&self, tenant: TenantId, id: RuleId) -> Result<Rule, AppError> {
        self.tenant(tenant)
            .rule(id)
            .await?
            .ok_or(AppError::NotFound("rule"))
    }

    /// Adds a rule; it is at the end and on unless said otherwise.
    pub async fn create_rule(
        &self,
        tenant: TenantId,
        definition: &Value,
        switches: RuleSwitches,
        actor: &Actor,
    ) -> Result<Rule, AppError> {
        let definition = self.definition(tenant, definition).await?;
        self.try_sender(tenant, &definition, None).await?;
        let id = RuleId::new(self.now());
        let rule = Rule {
            id,
            version: 1,
            position: switches.position.unwrap_or_default(),
            enabled: switches.enabled.unwrap_or(true),
            definition,
        };
        let at_end = switches.position.is_none();
        let store = self.tenant(tenant);
        let edit = store
            .create_rule(rule, at_end, actor.clone(), self.now())
            .await?;
        done(edit, |why| AppError::field("name", why))?;
        self.rule(tenant, id).await
    }

    /// Replaces a rule's definition; decisions taken before keep naming the version they saw.
    pub async fn update_rule(
        &self,
        tenant: TenantId,
        id: RuleId,
        definition: &Value,
        switches: RuleSwitches,
        actor: &Actor,
    ) -> Result<Rule, AppError> {
        let old = self.rule(tenant, id).await?;
        let definition = self.definition(tenant, definition).await?;
        let before = old.definition.sender.as_ref();
        self.try_sender(tenant, &definition, before).await?;
        let rule = Rule { definition, ..old };
        let given = (switches.enabled, switches.position);
        let store = self.tenant(tenant);
        let edit = store
            .update_rule(rule, given, actor.clone(), self.now())
            .await?;
        done(edit, |why| AppError::field("name", why))?;
        self.rule(tenant, id).await
    }

    /// Switches a rule on or off; on only while what it names is there.
    pub async fn switch_rule(
        &self,
        tenant: TenantId,
        id: RuleId,
        enabled: bool,
        actor: &Actor,
    ) -> Result<(), AppError> {
        if enabled {
            let definition = self.rule(tenant, id).await?.definition;
            let tried = self.try_references(tenant, &definition).await;
            tried.map_err(switched_on)?;
        }
        let store = self.tenant(tenant);
        let edit = store
            .switch_rule(id, enabled, actor.clone(), self.now())
            .await?;
        done(edit, AppError::Conflict)
    }

    /// Moves a rule one place up or down.
    pub async fn move_rule(
        &self,
        tenant: TenantId,
        id: RuleId,
        up: bool,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let mut ids: Vec<_> = self.rules(tenant).await?.iter().map(|r| r.id).collect();
        let at = ids
            .iter()
            .position(|i| *i == id)
            .ok_or(AppError::NotFound("rule"))?;
        let to = if up {
            at.saturating_sub(1)
        } else {
            (at + 1).min(ids.len() - 1)
        };
        ids.swap(at, to);
        let store = self.tenant(tenant);
        let edit = store.order_rules(ids, actor.clone(), self.now()).await?;
        done(edit, AppError::Conflict)
    }

    /// Takes a rule away.
    pub async fn delete_rule(
        &self,
        tenant: TenantId,
        id: RuleId,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let store = self.tenant(tenant);
        let gone = store.delete_rule(id, actor.clone(), self.now()).await?;
        if gone {
            Ok(())
        } else {
            Err(AppError::NotFound("rule"))
        }
    }

    /// Reads a definition; national numbers are read in the tenant's country, and the template must
    /// compile for the event's kind of document.
    async fn definition(&self, tenant: TenantId, json: &Value) -> Result<RuleDefinition, AppError> {
        let row = self
            .tenant(tenant)
            .tenant()
            .await?
            .ok_or(AppError::NotFound("tenant"))?;
        let country = CountryCode::parse(&row.country).ok();
        let definition = RuleDefinition::parse(json, country).map_err(|problems| {
            let fields = problems
                .into_iter()
                .map(|p| FieldProblem::new(p.field, p.message));
            AppError::Invalid(fields.collect())
        })?;
        let kind = definition.event_type.document();
        let template = &definition.template;
        if let Err(problem) = Template::parse(&template.body, kind) {
            return Err(AppError::field("template.body", problem.to_string()));
        }
        self.try_references(tenant, &definition).await?;
        if let Some(source) = &template.email
            && let Err(problem) = EmailTemplate::parse(source, kind)
        {
            let field = format!("template.email.{}", problem.part.as_str());
            return Err(AppError::field(&field, problem.to_string()));
        }
        Ok(definition)
    }

    /// Refuses groups and senders that are not there, and senders of e-mails from which no test has arrived.
    async fn try_references(
        &self,
        tenant: TenantId,
        definition: &RuleDefinition,
    ) -> Result<(), AppError> {
        let kept = self.tenant(tenant).message_settings().await?;
        if let Recipient::Group(id) = definition.recipient
            && kept.groups.iter().all(|g| g.id != id)
        {
            let message = "there is no such group; choose one of those under Groups";
            return Err(AppError::field("recipient.group", message));
        }
        if let Some(RuleSender::Kept(id)) = definition.sender {
            let is_there = kept
                .senders
                .iter()
                .any(|s| s.id == id && matches!(s.address, SenderAddress::Text(_)));
            if !is_there {
                let message = "there is no such sender of SMS; choose one of those under Senders";
                return Err(AppError::field("sender", message));
            }
        }
        if let Some(id) = definition.email_sender {
            let sender = kept.senders.iter().find(|s| s.id == id);
            let sender = sender.filter(|s| matches!(s.address, SenderAddress::Email(_)));
            let message = match sender {
                None => "there is no such sender of e-mails; choose one of those under Senders",
                Some(s) if !s.is_usable(self.is_sandboxed()) => {
                    "no test from this sender has arrived yet; send yourself one under Senders first"
                }
                Some(_) => return Ok(()),
            };
            return Err(AppError::field("email_sender", message));
        }
        let needs_default = definition.channel.uses(Channel::Email) && !self.is_sandboxed();
        let has_default = kept.senders.iter().any(|s| {
            s.is_default && s.is_usable(false) && matches!(s.address, SenderAddress::Email(_))
        });
        if needs_default && !has_default {
            let message = "there is no default sender of e-mails from which a test has arrived; add one \
                           under Senders, and send yourself a test";
            return Err(AppError::field("email_sender", message));
        }
        Ok(())
    }

    /// Refuses a new sender of a rule that the tenant's account does not have, as far as the provider says so
    /// at once.
    async fn try_sender(
        &self,
        tenant: TenantId,
        definition: &RuleDefinition,
        before: Option<&RuleSender>,
    ) -> Result<(), AppError> {
        let new = definition.sender.as_ref().filter(|s| Some(*s) != before);
        let Some(RuleSender::Own(sender)) = new else {
            return Ok(());
        };
        match self.refuses_sender(tenant, sender).await? {
            Some(why) => Err(AppError::field("sender", why)),
            None => Ok(()),
        }
    }
}

/// Why a rule is not switched on: it has no fields there to name.
fn switched_on(error: AppError) -> AppError {
    match error {
        AppError::Invalid(problems) => {
            let why: Vec<_> = problems.into_iter().map(|p| p.message).collect();
            AppError::Conflict(format!("The rule stays off: {}", why.join("; ")))
        }
        error => error,
    }
}

/// How a change of the rules ended; `bounded` says of what kind a bound is that was reached.
fn done(edit: RuleEdit, bounded: impl FnOnce(String) -> AppError) -> Result<(), AppError> {
    match edit {
        RuleEdit::Done => Ok(()),
        RuleEdit::Gone => Err(AppError::NotFound("rule")),
        RuleEdit::TooMany => Err(bounded(format!(
            "there are {MOST_RULES} rules, as many as a company may have; delete one that is no \
             longer needed"
        ))),
        RuleEdit::TooOften => Err(bounded(format!(
            "rules were changed {MOST_RULE_EDITS} times within a day, as often as they may; try \
             again tomorrow. Switching off and deleting still work"
        ))),
    }
}
