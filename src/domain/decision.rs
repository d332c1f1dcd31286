//! Decisions: what one rule said about one event, and why; all that were taken at once are a ruling.

use chrono::{DateTime, Utc};

use super::ids::{EventId, ReplayId, RuleId};
use super::rule::MetValue;

/// What a decision is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum DecisionKind {
    /// A rule was asked.
    Rule,
    /// A rule matched, but an earlier one already tells the same text to the same address.
    AlreadyTold,
    /// Another event claimed the transition first.
    AlreadyHandled,
    /// First sight of a document that is no news.
    Baseline,
    /// The path says one thing, the state another.
    Contradiction,
    /// Nothing that was not reported before.
    NothingNew,
    /// The body was not understood.
    Unrecognised,
    /// No active rule is of this type.
    NoRule,
}

impl DecisionKind {
    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// What was decided about one event at once: by routing it, or once more for a replay.
#[derive(Debug, Clone)]
pub struct Ruling {
    pub event: EventId,
    /// The replay that asked, or the nil id.
    pub replay: ReplayId,
    /// The number of the rule set that decided.
    pub rule_set: i64,
    /// In the order in which the rules were asked.
    pub decisions: Vec<Decision>,
    pub decided_at: DateTime<Utc>,
}

/// What a ruling is about as a whole: rules, where any was asked, or else why none was.
pub fn kind_of(decisions: &[Decision]) -> Option<DecisionKind> {
    if decisions.iter().any(|d| d.rule.is_some()) {
        return Some(DecisionKind::Rule);
    }
    decisions.last().map(|d| d.kind)
}

/// What one rule, or routing as a whole, said about one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// `None` when the decision concerns the event as a whole.
    pub rule: Option<RuleId>,
    pub rule_version: i64,
    pub rule_name: String,
    pub is_match: bool,
    pub kind: DecisionKind,
    /// In words.
    pub reason: String,
    /// The values met, one per condition.
    pub met: Vec<MetValue>,
}

impl Decision {
    /// A decision about an event as a whole: it is of no rule.
    pub fn whole(kind: DecisionKind, reason: String) -> Self {
        Self {
            rule: None,
            rule_version: 0,
            rule_name: String::new(),
            is_match: false,
            kind,
            reason,
            met: Vec::new(),
        }
    }
}
