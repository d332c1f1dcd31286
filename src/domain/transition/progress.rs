//! How far a document has come, and what of that may be told.

use super::Observation;
use super::claim::Ledger;
use super::step::{Step, steps};
use crate::domain::document::Document;
use crate::domain::event::EventType;
use crate::domain::states;

/// The steps that a document has come to, nearest first.
pub(super) struct Progress {
    pub(super) steps: Vec<Step>,
    /// Which of them may be told.
    tellable: Vec<bool>,
    /// Why the last must not be told.
    pub(super) denial: Option<String>,
}

impl Progress {
    pub(super) fn of(state: &Document, seen: &Observation<'_>) -> Self {
        let steps = steps(state);
        let current = state.with_applied(seen.applied);
        let forbids = |s: &Step| states::forbids(s.event_type, &current, seen.calendar);
        Self {
            denial: steps.last().and_then(forbids),
            tellable: steps.iter().map(|s| forbids(s).is_none()).collect(),
            steps,
        }
    }

    /// The furthest step that may be told, and where it stands.
    pub(super) fn furthest(&self) -> Option<(usize, &Step)> {
        let at = self.tellable.iter().rposition(|t| *t)?;
        Some((at, &self.steps[at]))
    }

    /// What may be claimed: a last step that must not be told may become true later.
    pub(super) fn claimable(&self) -> &[Step] {
        let untold = usize::from(self.denial.is_some());
        &self.steps[..self.steps.len() - untold]
    }

    /// The steps before the furthest that may be told and were not, the latest first.
    pub(super) fn passed_over(&self, ledger: &Ledger<'_>) -> Vec<EventType> {
        let furthest = self.furthest().map_or(0, |(at, _)| at);
        let nearer = self.steps.iter().zip(&self.tellable).take(furthest).rev();
        let untold = nearer.filter(|(s, tellable)| **tellable && ledger.holder(s).is_none());
        untold.map(|(s, _)| s.event_type).collect()
    }
}
