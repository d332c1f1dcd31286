//! Decisions: what one rule said about one event, and why.

use chrono::{DateTime, Utc};

use super::ids::{DecisionId, EventId, ReplayId, RuleId};

/// What a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Nothing that was not told before.
    NothingNew,
    /// The body was not understood.
    Unrecognised,
    /// No active rule is of this type.
    NoRule,
}

impl DecisionKind {
    const ALL: [Self; 8] = [
        Self::Rule,
        Self::AlreadyTold,
        Self::AlreadyHandled,
        Self::Baseline,
        Self::Contradiction,
        Self::NothingNew,
        Self::Unrecognised,
        Self::NoRule,
    ];

    /// The stable text, as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::AlreadyTold => "already_told",
            Self::AlreadyHandled => "already_handled",
            Self::Baseline => "baseline",
            Self::Contradiction => "contradiction",
            Self::NothingNew => "nothing_new",
            Self::Unrecognised => "unrecognised",
            Self::NoRule => "no_rule",
        }
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// What one rule, or routing as a whole, said about one event.
#[derive(Debug, Clone)]
pub struct Decision {
    pub id: DecisionId,
    pub event: EventId,
    /// The replay that asked, or the nil id.
    pub replay: ReplayId,
    /// `None` when the decision concerns the event as a whole.
    pub rule: Option<RuleId>,
    pub rule_version: i64,
    pub rule_name: String,
    pub is_match: bool,
    pub kind: DecisionKind,
    /// In words.
    pub reason: String,
    /// The values met, as a JSON list.
    pub met: String,
    pub decided_at: DateTime<Utc>,
}

impl Decision {
    /// One about an event as a whole: it is of no rule.
    pub fn whole(
        event: EventId,
        replay: ReplayId,
        kind: DecisionKind,
        reason: String,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
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
}
