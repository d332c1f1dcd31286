//! The breaker: leaves a provider alone that failed several times in a row.
//!
//! Half open is not a state of its own but an opening whose time is over: nothing has to happen
//! for it, so no timer runs.

use chrono::{DateTime, Utc};

use super::jitter::Jitter;
use super::{BreakerLimits, later};

/// How the breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go.
    Closed,
    /// No call goes before this instant.
    Open {
        /// When single calls may try.
        until: DateTime<Utc>,
    },
    /// Single calls try whether the provider is back.
    HalfOpen,
}

impl BreakerState {
    /// Whether it keeps calls back.
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Closed)
    }

    /// The state of a breaker that opened until then, if it did.
    pub(super) fn at(open_until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        match open_until {
            None => Self::Closed,
            Some(until) if now < until => Self::Open { until },
            Some(_) => Self::HalfOpen,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// In a row, while closed.
    failures: u32,
    open_until: Option<DateTime<Utc>>,
    /// In a row, without a success between.
    openings: u32,
    probes_out: usize,
}

/// What the breaker says to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Pass,
    /// It may go as a try.
    Probe,
    /// Not before this instant.
    Shut(DateTime<Utc>),
    /// Others are trying at the moment.
    Busy,
}

impl Breaker {
    pub(super) fn state(&self, now: DateTime<Utc>) -> BreakerState {
        BreakerState::at(self.open_until, now)
    }

    pub(super) fn gate(&self, now: DateTime<Utc>, limits: &BreakerLimits) -> Gate {
        match self.state(now) {
            BreakerState::Closed => Gate::Pass,
            BreakerState::Open { until } => Gate::Shut(until),
            BreakerState::HalfOpen if self.probes_out < limits.probes.max(1) => Gate::Probe,
            BreakerState::HalfOpen => Gate::Busy,
        }
    }

    pub(super) const fn probe_begins(&mut self) {
        self.probes_out += 1;
    }

    pub(super) const fn probe_ends(&mut self) {
        self.probes_out = self.probes_out.saturating_sub(1);
    }

    /// The provider answered. While the breaker is open only a try's answer counts: others began
    /// before the trouble.
    pub(super) const fn answered(&mut self, probe: bool) {
        self.failures = 0;
        if probe {
            self.open_until = None;
            self.openings = 0;
        }
    }

    /// The provider failed.
    pub(super) fn failed(
        &mut self,
        probe: bool,
        now: DateTime<Utc>,
        limits: &BreakerLimits,
        jitter: Jitter,
    ) {
        let opens = match self.state(now) {
            BreakerState::Closed => {
                self.failures = self.failures.saturating_add(1);
                self.failures >= limits.failures
            }
            BreakerState::HalfOpen => probe,
            BreakerState::Open { .. } => false,
        };
        if opens {
            self.failures = 0;
            self.openings = self.openings.saturating_add(1);
            self.open_until = Some(later(now, limits.open.time(self.openings, jitter)));
        }
    }

    /// Closes, whatever was.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}
