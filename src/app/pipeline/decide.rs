//! Deciding: every active rule of the event's type says yes or no, with the reason and the values
//! met; every yes becomes a delivery to one address.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache;

use super::recipients::{Finder, Reached};
use crate::app::App;
use crate::app::recent::RoutingContext;
use crate::domain::assertion::{Assertion, Says, Seen};
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::delivery::{Channel, DeliveryState, NewDelivery, rehearsal_mark};
use crate::domain::document::{Document, DocumentKind, ParsedDocument, Person};
use crate::domain::event::{Event, EventSource, EventType};
use crate::domain::ids::{DecisionId, DeliveryId, EventId, ReplayId, RuleId};
use crate::domain::phone::{E164, key_of};
use crate::domain::rule::{Facts, Recipient, Rule, evaluate};
use crate::domain::states;
use crate::render::Template;

/// Twilio takes at most this many characters (Messages API, `Body`).
const LONGEST_TEXT: usize = 1600;

/// What is decided about.
pub(in crate::app) struct EvaluationInput<'a> {
    pub(in crate::app) context: &'a RoutingContext,
    pub(in crate::app) event: &'a Event,
    /// The replay that asks, or the nil id.
    pub(in crate::app) replay: ReplayId,
    pub(in crate::app) event_type: EventType,
    /// Steps that it passed over and that may be told, the latest first.
    pub(in crate::app) passed_over: &'a [EventType],
    /// The document as it is known with this event.
    pub(in crate::app) document: &'a Document,
    pub(in crate::app) parsed: &'a ParsedDocument,
    /// People remembered for the customer or vendor.
    pub(in crate::app) remembered: &'a [Person],
    /// From when `send_within` runs.
    pub(in crate::app) wished_at: DateTime<Utc>,
    pub(in crate::app) now: DateTime<Utc>,
}

/// What the rules say.
#[derive(Default)]
pub(in crate::app) struct Verdicts {
    pub(in crate::app) decisions: Vec<Decision>,
    pub(in crate::app) deliveries: Vec<NewDelivery>,
    /// Active rules of other types.
    pub(in crate::app) not_asked: i64,
}

impl Verdicts {
    /// No rule was asked: one decision about the event as a whole.
    pub(in crate::app) fn whole(decision: Decision) -> Self {
        Self {
            decisions: vec![decision],
            ..Self::default()
        }
    }
}

/// Compiled templates; a version of a rule never changes.
pub(in crate::app) struct TemplateCache(Cache<(RuleId, i64), Arc<Template>>);

impl TemplateCache {
    pub(in crate::app) fn new() -> Self {
        Self(Cache::new(10_000))
    }
}

impl App {
    /// Asks every active rule of the event's type, in order; where there is none, those of the nearest step
    /// that was passed over.
    pub(in crate::app) fn decide(&self, input: &EvaluationInput<'_>) -> Verdicts {
        let context = input.context;
        let mut verdicts = Verdicts::default();
        let asked = input.type_asked();
        if asked != input.event_type {
            let reason = format!(
                "no active rule is about “{}”; as it was passed over, those about “{}” are asked",
                input.event_type.words(),
                asked.words()
            );
            let decision = input.whole(DecisionKind::NoRule, reason);
            verdicts.decisions.push(decision);
        }
        let finder = Finder::new(input);
        for rule in context.rules.iter().filter(|r| r.enabled) {
            if rule.definition.event_type == asked {
                self.ask(rule, input, &finder, &mut verdicts);
            } else {
                verdicts.not_asked += 1;
            }
        }
        // Marked at the end: what is one wish when live is one in the rehearsal of it.
        if context.tenant.is_rehearsal {
            for delivery in &mut verdicts.deliveries {
                rehearse(delivery, context.rehearsal_to.as_ref());
            }
        }
        if verdicts.decisions.is_empty() {
            let reason = format!("no active rule is about “{}”", input.event_type.words());
            verdicts
                .decisions
                .push(input.whole(DecisionKind::NoRule, reason));
        }
        verdicts
    }

    fn ask(
        &self,
        rule: &Rule,
        input: &EvaluationInput<'_>,
        finder: &Finder<'_, '_>,
        verdicts: &mut Verdicts,
    ) {
        let reached = finder.reach(&rule.definition.recipient);
        let label = Some(input.event.label.as_str()).filter(|l| !l.is_empty());
        let today = input
            .wished_at
            .with_timezone(&input.context.tenant.zone)
            .date_naive();
        let facts = Facts::of(input.parsed, reached.person, label, today);
        let mut verdict = evaluate(&rule.definition.conditions, &facts);
        if verdict.matched && input.is_kept_inside(rule) {
            verdict.matched = false;
            verdict.reason = format!(
                "{}: drafts are told to nobody outside",
                states::described(input.document)
            );
        }
        let mut decision = Decision {
            rule: Some(rule.id),
            rule_version: rule.version,
            rule_name: rule.definition.name.clone(),
            is_match: verdict.matched,
            met: serde_json::to_string(&verdict.values).unwrap_or_else(|_| "[]".to_owned()),
            ..input.whole(DecisionKind::Rule, verdict.reason)
        };
        if verdict.matched {
            for note in &reached.notes {
                decision.reason = format!("{}; {note}", decision.reason);
            }
            let delivery = self.delivery(rule, input, reached, &facts);
            match already_told(&delivery, &verdicts.deliveries) {
                Some(by) => {
                    decision.kind = DecisionKind::AlreadyTold;
                    decision.reason = format!("{}; already told by “{by}”", decision.reason);
                }
                None => verdicts.deliveries.push(delivery),
            }
        }
        verdicts.decisions.push(decision);
    }

    /// The message that a matching rule asks for; what cannot be sent has failed already, and says
    /// why.
    fn delivery(
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
        let (body, problem) = match text {
            Ok(body) => (body, problem),
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
            body,
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

    pub(in crate::app) fn text(
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
        if characters > LONGEST_TEXT {
            return Err(format!(
                "The text has {characters} characters; Twilio takes at most {LONGEST_TEXT}. \
                 Shorten the template of “{}”",
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
}

impl EvaluationInput<'_> {
    /// Rules about what are asked.
    fn type_asked(&self) -> EventType {
        let has_rule = |wanted: EventType| {
            let rules = &self.context.rules;
            rules
                .iter()
                .any(|r| r.enabled && r.definition.event_type == wanted)
        };
        if has_rule(self.event_type) {
            return self.event_type;
        }
        let nearest = self.passed_over.iter().copied().find(|t| has_rule(*t));
        nearest.unwrap_or(self.event_type)
    }

    /// Whether the document is no business of the rule's recipient yet. A person who replays has seen that.
    fn is_kept_inside(&self, rule: &Rule) -> bool {
        matches!(rule.definition.recipient, Recipient::Contact)
            && self.replay.is_nil()
            && states::is_draft(self.document)
    }

    /// What a message about the event says of the document. A replay is a person's word: they saw the
    /// document as it is now.
    fn assertion(&self, event_type: EventType) -> Assertion {
        let seen = Seen::of(self.document);
        Assertion {
            source: self.event.connection,
            kind: self.parsed.kind,
            document: self.parsed.id.clone(),
            says: Says {
                event_type,
                confirmed: (!self.replay.is_nil()).then(|| seen.clone()),
                seen,
            },
        }
    }

    /// A decision about the event as a whole.
    fn whole(&self, kind: DecisionKind, reason: String) -> Decision {
        whole(self.event.id, self.replay, kind, reason, self.now)
    }
}

/// A decision about an event as a whole: it is of no rule.
pub(in crate::app) fn whole(
    event: EventId,
    replay: ReplayId,
    kind: DecisionKind,
    reason: String,
    now: DateTime<Utc>,
) -> Decision {
    Decision {
        id: DecisionId::new(now),
        event,
        replay,
        rule: None,
        rule_version: 0,
        rule_name: String::new(),
        is_match: false,
        kind,
        reason,
        met: "[]".to_owned(),
        decided_at: now,
    }
}

/// Makes a delivery one that goes to the owner, with the mark of whom it was meant for.
pub(in crate::app) fn rehearse(d: &mut NewDelivery, owner: Option<&E164>) {
    d.is_rehearsal = true;
    d.rehearsal_to = owner.map(E164::to_string).unwrap_or_default();
    if d.state != DeliveryState::Queued {
        return;
    }
    d.body
        .insert_str(0, &rehearsal_mark(&d.recipient, &d.address));
    let characters = d.body.chars().count();
    if characters > LONGEST_TEXT {
        d.state = DeliveryState::Failed;
        d.due_at = None;
        d.reason = format!(
            "With the mark of the rehearsal the text has {characters} characters; Twilio takes at \
             most {LONGEST_TEXT}. Live it would be sent"
        );
    }
}

/// Two rules of one event that lead to the same text to the same address are one wish.
fn already_told<'d>(new: &NewDelivery, told: &'d [NewDelivery]) -> Option<&'d str> {
    told.iter()
        .find(|d| {
            d.state == DeliveryState::Queued
                && new.state == DeliveryState::Queued
                && (d.channel, key_of(&d.address), &d.body)
                    == (new.channel, key_of(&new.address), &new.body)
        })
        .map(|d| d.rule_name.as_str())
}
