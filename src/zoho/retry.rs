//! When a refused call is tried again.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// After this pause.
    After(Duration),
    /// With the caller's own back-off and jitter.
    Backoff,
    /// Tomorrow (UTC): the daily quota is used up and Zoho did not say when it begins anew.
    Tomorrow,
    /// At once with a fresh access token, once; refused again, a person must look.
    FreshToken,
    /// Never by itself: a person must mend something.
    Never,
}

impl Retry {
    /// The earliest instant to try again, where the advice alone gives it.
    pub fn at(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::After(pause) => now.checked_add_signed(TimeDelta::from_std(pause).ok()?),
            // Five minutes past midnight: our clock and theirs may differ.
            Self::Tomorrow => now
                .date_naive()
                .checked_add_days(Days::new(1))
                .map(|day| day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::minutes(5)),
            Self::FreshToken => Some(now),
            Self::Backoff | Self::Never => None,
        }
    }
}
