//! How hard each brake bites. The numbers come from the providers' pages; where those are silent,
//! they are careful guesses that a 429 corrects.

use std::time::Duration;

use super::jitter::{Jitter, whole};

/// The limits of one connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Calls in flight at the same time.
    pub concurrency: usize,
    /// Calls over time; `None` where only concurrency is limited.
    pub rate: Option<Rate>,
    /// The pauses after answers of 429.
    pub pause: Growth,
    /// The longest `Retry-After` that is believed.
    pub longest_retry_after: Duration,
    /// When a failing provider is left alone, and for how long.
    pub breaker: BreakerLimits,
    /// Idle connections are forgotten after this long.
    pub forget_after: Duration,
    /// A shared permit that nobody gave back for so long is thought lost with its process. Longer
    /// than any call takes.
    pub permit_life: Duration,
}

/// So many calls in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many calls …
    pub calls: u32,
    /// … in this time.
    pub per: Duration,
    /// How many of them may go at once.
    pub burst: u32,
}

/// When the breaker opens, and how it closes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerLimits {
    /// Opens after so many failures in a row.
    pub failures: u32,
    /// How long it stays open before single calls try again.
    pub open: Growth,
    /// How many calls may try at the same time.
    pub probes: usize,
}

/// A time that doubles from `first` up to `cap`, spread over its upper half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// The first time.
    pub first: Duration,
    /// The longest time.
    pub cap: Duration,
}

impl Limits {
    /// Where a provider does not say how much it bears: a few calls at a time, and short pauses that grow.
    pub const fn careful() -> Self {
        Self {
            concurrency: 20,
            rate: None,
            pause: Growth {
                first: Duration::from_millis(100),
                cap: Duration::from_secs(30),
            },
            longest_retry_after: Duration::from_hours(1),
            breaker: BreakerLimits {
                failures: 5,
                open: Growth {
                    first: Duration::from_secs(5),
                    cap: Duration::from_mins(5),
                },
                probes: 1,
            },
            forget_after: Duration::from_mins(10),
            // A call ends within the 30 seconds of its delivery's lease, or is not begun.
            permit_life: Duration::from_secs(45),
        }
    }

    /// Zoho Books: 100 requests a minute per organisation and 5 at a time on the free plan ("API
    /// call limit"). Others of the customer's tools share them, so a tenth is left over.
    pub const fn zoho_books() -> Self {
        Self {
            concurrency: 5,
            rate: Some(Rate {
                calls: 90,
                per: Duration::from_mins(1),
                burst: 10,
            }),
            pause: Growth {
                first: Duration::from_secs(1),
                cap: Duration::from_mins(2),
            },
            // A spent daily budget is told with the time until the next day.
            longest_retry_after: Duration::from_hours(24),
            ..Self::careful()
        }
    }

    /// What one process of `processes` may do when it cannot ask the others.
    pub(super) fn share(&self, processes: u32) -> Self {
        let part = |whole: u32| (whole / processes.max(1)).max(1);
        let width = usize::try_from(processes.max(1)).unwrap_or(usize::MAX);
        Self {
            concurrency: (self.concurrency / width).max(1),
            rate: self.rate.map(|rate| Rate {
                calls: part(rate.calls),
                per: rate.per,
                burst: part(rate.burst),
            }),
            ..*self
        }
    }
}

impl Rate {
    /// The time between two calls that keep the rate evenly.
    pub(super) fn interval(&self) -> Duration {
        whole(self.per / self.calls.max(1))
    }

    /// How far ahead of an even rate a burst may run.
    pub(super) fn ahead(&self) -> Duration {
        self.interval().saturating_mul(self.burst.saturating_sub(1))
    }
}

impl Growth {
    /// The time number `times`, counted from 1.
    pub(super) fn time(&self, times: u32, jitter: Jitter) -> Duration {
        let doublings = times.saturating_sub(1).min(31);
        let half = whole(self.first.saturating_mul(1 << doublings).min(self.cap) / 2);
        half + jitter.of(half)
    }
}
