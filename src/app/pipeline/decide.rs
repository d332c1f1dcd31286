//! Deciding: every active rule of the event's type says yes or no, with the reason and the values
//! met; every yes becomes a delivery to each address.

use super::evaluation_input::EvaluationInput;
use super::recipients::Finder;
use crate::app::App;
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::delivery::{DeliveryState, NewDelivery};
use crate::domain::event::EventType;
use crate::domain::rule::{Facts, Rule, evaluate};
use crate::domain::states;

/// What the rules say.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) decisions: Vec<Decision>,
    pub(super) deliveries: Vec<NewDelivery>,
    /// Active rules of other types.
    pub(super) not_asked: i64,
}

impl Decided {
    /// No rule was asked: one decision about the event as a whole.
    pub(super) fn whole(decision: Decision) -> Self {
        Self {
            decisions: vec![decision],
            ..Self::default()
        }
    }
}

impl App {
    /// Asks every active rule of the event's type, in order; where there is none, those of the nearest step
    /// that was passed over.
    pub(super) fn decide(&self, input: &EvaluationInput<'_>) -> Decided {
        let context = input.context;
        let mut decided = Decided::default();
        let asked = input.type_asked();
        if asked != input.event_type {
            let reason = format!(
                "no active rule is about “{}”; as it was passed over, those about “{}” are asked",
                input.event_type.label(),
                asked.label()
            );
            let decision = Decision::whole(DecisionKind::NoRule, reason);
            decided.decisions.push(decision);
        }
        let finder = Finder::new(input);
        for rule in context.rules.iter().filter(|r| r.enabled) {
            if rule.definition.event_type == asked {
                self.ask(rule, input, &finder, &mut decided);
            } else {
                decided.not_asked += 1;
            }
        }
        // Marked at the end: what is one wish when live is one in the rehearsal of it.
        if context.tenant.is_rehearsal {
            for delivery in &mut decided.deliveries {
                self.rehearse_message(delivery, &context.rehearsal_to);
            }
        }
        if decided.decisions.is_empty() {
            let reason = format!("no active rule is about “{}”", input.event_type.label());
            let decision = Decision::whole(DecisionKind::NoRule, reason);
            decided.decisions.push(decision);
        }
        decided
    }

    fn ask(
        &self,
        rule: &Rule,
        input: &EvaluationInput<'_>,
        finder: &Finder<'_, '_>,
        decided: &mut Decided,
    ) {
        let all = finder.reach(&rule.definition);
        let label = Some(input.event.label.as_str()).filter(|l| !l.is_empty());
        let today = input
            .wished_at
            .with_timezone(&input.context.tenant.zone)
            .date_naive();
        let facts_of = |person| Facts::of(input.parsed, person, label, today);
        let facts = facts_of(all.first().and_then(|reached| reached.person));
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
            kind: DecisionKind::Rule,
            reason: verdict.reason,
            met: verdict.values,
        };
        if decision.is_match {
            let mut is_told_by_others = !all.is_empty();
            for reached in all {
                for note in &reached.notes {
                    decision.reason = format!("{}; {note}", decision.reason);
                }
                let facts = facts_of(reached.person);
                let delivery = self.message(rule, input, reached, &facts);
                if let Some(by) = already_told(&delivery, &decided.deliveries) {
                    decision.reason = format!("{}; already told by “{by}”", decision.reason);
                } else {
                    decided.deliveries.push(delivery);
                    is_told_by_others = false;
                }
            }
            if is_told_by_others {
                decision.kind = DecisionKind::AlreadyTold;
            }
        }
        decided.decisions.push(decision);
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
        rule.definition.recipient.is_contact()
            && self.replay.is_nil()
            && states::is_draft(self.document)
    }
}

/// Two rules of one event that lead to the same text to the same address are one wish.
fn already_told<'d>(new: &NewDelivery, told: &'d [NewDelivery]) -> Option<&'d str> {
    told.iter()
        .find(|d| {
            d.state == DeliveryState::Queued
                && new.state == DeliveryState::Queued
                && (d.person(), &d.content) == (new.person(), &new.content)
        })
        .map(|d| d.rule_name.as_str())
}
