//! Time as an argument: code asks a [`Clock`], and tests move it.
//!
//! Machines do not agree on the time, so where several share a database they go by that of its server
//! (`store::database_clock`), and the machine's own is only compared with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};

/// A machine's clock that is off by more than this is reported. One that is kept by NTP is right to a
/// few milliseconds, and log lines that are five seconds off mislead whoever compares them.
pub const OFF: TimeDelta = TimeDelta::seconds(5);

/// By how much our clock and a provider's may differ: what is signed or listed with a time is read by it.
pub const TOLERANCE: TimeDelta = TimeDelta::seconds(10);

/// Tells the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present instant.
    fn now(&self) -> DateTime<Utc>;

    /// For a machine's own clock, which may differ from those of other machines and may be set at any
    /// moment: a time that nobody can set.
    fn steady(&self) -> Option<Instant> {
        None
    }

    /// For a clock that is gone by instead of the machine's: how the two compare.
    fn comparison(&self) -> Option<Comparison> {
        None
    }
}

/// How a machine's clock compares with the one that is gone by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// How far the machine's is ahead; negative when it is behind.
    pub machine_ahead: TimeDelta,
    /// How long ago the clock that is gone by was set, if it ever was.
    pub since_set: Option<Duration>,
}

impl Comparison {
    /// Whether the machine's clock is so far off that people should know.
    pub fn is_off(&self) -> bool {
        self.machine_ahead.abs() > OFF
    }
}

/// "20 s ahead of" or "3600 s behind", for a clock that is `ahead` of another.
pub fn standing(ahead: TimeDelta) -> String {
    let way = if ahead < TimeDelta::zero() {
        "behind"
    } else {
        "ahead of"
    };
    let seconds = (ahead.abs() + TimeDelta::milliseconds(500)).num_seconds();
    format!("{seconds} s {way}")
}

/// The last moment at which something may begin. The steady clock decides, since the other may be set;
/// but on some machines it stands still while they sleep, so the other may end it too.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    steady: Instant,
    wall: SystemTime,
}

impl Deadline {
    /// So long from now.
    pub fn after(span: Duration) -> Self {
        Self {
            steady: Instant::now() + span,
            wall: SystemTime::now() + span,
        }
    }

    /// Whether it is too late.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.steady || SystemTime::now() >= self.wall
    }
}

/// A shared clock.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn steady(&self) -> Option<Instant> {
        Some(Instant::now())
    }
}

/// A clock that stands still until it is moved. Microsecond precision, as stored.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// A clock that shows `at`.
    pub fn at(at: DateTime<Utc>) -> Self {
        Self(AtomicI64::new(at.timestamp_micros()))
    }

    /// Moves the clock forward, or back by a negative span.
    pub fn advance(&self, by: TimeDelta) {
        self.0
            .fetch_add(by.num_microseconds().unwrap_or(0), Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told_with_its_direction() {
        let ahead = |seconds| Comparison {
            machine_ahead: TimeDelta::seconds(seconds),
            since_set: None,
        };
        for (seconds, is_off, says) in [
            (5, false, "5 s ahead of"),
            (-5, false, "5 s behind"),
            (6, true, "6 s ahead of"),
            (-3600, true, "3600 s behind"),
        ] {
            let compared = ahead(seconds);
            assert_eq!(compared.is_off(), is_off, "{seconds}");
            assert_eq!(standing(compared.machine_ahead), says);
        }
    }

    #[test]
    fn a_deadline_is_over_by_whichever_clock_says_so_first() {
        let (soon, hour) = (
            Deadline::after(Duration::from_mins(1)),
            Duration::from_hours(1),
        );
        assert!(!soon.is_over());
        assert!(Deadline::after(Duration::ZERO).is_over());
        let slept = Deadline {
            wall: soon.wall - hour,
            ..soon
        };
        assert!(slept.is_over(), "the steady clock stood still");
        let set_back = Deadline {
            wall: soon.wall + hour,
            steady: Instant::now(),
        };
        assert!(set_back.is_over());
    }
}
