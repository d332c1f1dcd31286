//! The demo's clock: set to the past while that is played, and the machine's afterwards.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::clock::{Clock, SharedClock};

/// No time of the past is set.
const PRESENT: i64 = i64::MIN;

/// Stands still at a time of the past until it is moved, or goes with the machine's.
#[derive(Debug)]
pub(super) struct DemoClock {
    machine: SharedClock,
    /// In microseconds, as stored.
    past: AtomicI64,
}

impl DemoClock {
    pub(super) fn new(machine: SharedClock) -> Self {
        Self {
            machine,
            past: AtomicI64::new(PRESENT),
        }
    }

    /// Shows `at`. Never earlier than before: ids that were made already would be later than those made
    /// next.
    pub(super) fn set(&self, at: DateTime<Utc>) {
        let at = at.timestamp_micros();
        let later = |past: i64| (past < at).then_some(at);
        // One that is later already stays.
        let _ = self
            .past
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }

    pub(super) fn advance(&self, by: TimeDelta) {
        self.set(self.now() + by);
    }

    /// Goes with the machine's clock from now on.
    pub(super) fn return_to_present(&self) {
        self.past.store(PRESENT, Ordering::SeqCst);
    }
}

impl Clock for DemoClock {
    fn now(&self) -> DateTime<Utc> {
        match self.past.load(Ordering::SeqCst) {
            PRESENT => self.machine.now(),
            past => DateTime::from_timestamp_micros(past).unwrap_or_default(),
        }
    }

    fn steady(&self) -> Option<Instant> {
        match self.past.load(Ordering::SeqCst) {
            PRESENT => self.machine.steady(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::clock::FixedClock;

    #[test]
    fn the_past_only_goes_forward_and_ends_in_the_present() {
        let today: DateTime<Utc> = "2027-03-04T10:00:00Z".parse().unwrap();
        let clock = DemoClock::new(Arc::new(FixedClock::at(today)));
        assert_eq!(clock.now(), today);
        let past = today - TimeDelta::days(10);
        clock.set(past);
        assert_eq!(clock.now(), past);
        clock.advance(TimeDelta::minutes(1));
        clock.set(past);
        assert_eq!(clock.now(), past + TimeDelta::minutes(1));
        clock.return_to_present();
        assert_eq!(clock.now(), today);
    }
}
