//! Chance and time as numbers that both back ends reckon with: whole millionths and microseconds,
//! which Lua's floating-point numbers hold exactly.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::RngExt;
use rand::rngs::StdRng;

/// What a jitter counts in.
const MILLIONTHS: u32 = 1_000_000;

/// A jitter drawn for one step, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Jitter(u32);

impl Jitter {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn draw(rng: &mut StdRng) -> Self {
        Self(rng.random_range(0..=MILLIONTHS))
    }

    /// The part of `span` that was drawn, up to all of it.
    pub(super) fn of(self, span: Duration) -> Duration {
        let part = span.as_micros() * u128::from(self.0) / u128::from(MILLIONTHS);
        Duration::from_micros(u64::try_from(part).unwrap_or(u64::MAX))
    }

    pub(super) const fn millionths(self) -> u32 {
        self.0
    }
}

/// A span without what is less than a microsecond.
pub(super) fn whole(span: Duration) -> Duration {
    Duration::from_micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}

/// An instant without what is less than a microsecond.
pub(super) fn whole_instant(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// A span in microseconds, as the scripts read it.
pub(super) fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
