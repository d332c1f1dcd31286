//! Brakes per connection: concurrency, rate, pause and breaker, in the process.
//!
//! A call that may not go is told when to come back and never waits here: its job snoozes. The
//! surprising part is that the waits are *places in a line*: callers who are refused together are told
//! different times, or a backlog of 100,000 would knock again all at once, and again.
//!
//! Only counters live here. A pause that must outlive the process is kept in the database by
//! whoever was told of it, and given back with [`Brakes::pause_until`].

mod brake;
mod breaker;
mod limits;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use uuid::Uuid;

use self::brake::{Brake, Report, Ticket};
pub use self::breaker::BreakerState;
pub use self::limits::{BreakerLimits, Growth, Limits, Rate};
use crate::domain::clock::SharedClock;

/// How often idle connections are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// The brakes of all connections to one provider; clones share them.
#[derive(Debug, Clone)]
pub struct Brakes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    clock: SharedClock,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    brakes: HashMap<Uuid, Brake>,
    swept: DateTime<Utc>,
    rng: StdRng,
}

/// Whether a call may go.
#[derive(Debug)]
#[must_use]
pub enum Admission {
    /// Now. The permit counts as a call in flight until it is reported on or dropped.
    Go(Permit),
    /// Not yet: come back after this span, for this reason.
    Wait(Duration, Reason),
}

/// Why a call may not go yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The provider asked for a pause, or we chose one after it refused calls as too many.
    Paused,
    /// The provider failed several times in a row; single calls try whether it is back.
    Broken,
    /// As many calls as allowed are in flight.
    Concurrency,
    /// As many calls as allowed were made lately.
    Rate,
}

/// One call in flight. Dropped without a report, it counts neither as a success nor a failure.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    shared: Arc<Shared>,
    connection: Uuid,
    /// Gone when the call was reported on.
    ticket: Option<Ticket>,
}

/// How a connection stands, for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Calls in flight.
    pub in_flight: usize,
    /// No call before this instant.
    pub paused_until: Option<DateTime<Utc>>,
    /// How the breaker stands.
    pub breaker: BreakerState,
}

impl Brakes {
    /// Open brakes for every connection, on the time of `clock` with jitter from `rng`.
    pub fn new(limits: Limits, clock: SharedClock, rng: StdRng) -> Self {
        let inner = Inner {
            brakes: HashMap::new(),
            swept: clock.now(),
            rng,
        };
        Self(Arc::new(Shared {
            limits,
            clock,
            inner: Mutex::new(inner),
        }))
    }

    /// Asks for one call over `connection`. Ask before the attempt is written down.
    pub fn admit(&self, connection: Uuid) -> Admission {
        let now = self.0.clock.now();
        let limits = &self.0.limits;
        let mut inner = self.0.lock();
        inner.sweep(now, limits);
        let Inner { brakes, rng, .. } = &mut *inner;
        let brake = brakes.entry(connection).or_insert_with(|| Brake::new(now));
        match brake.admit(now, limits, rng) {
            Ok(ticket) => {
                let shared = Arc::clone(&self.0);
                Admission::Go(Permit {
                    shared,
                    connection,
                    ticket: Some(ticket),
                })
            }
            Err((wait, reason)) => Admission::Wait(wait, reason),
        }
    }

    /// Lets no call go before `until`; an earlier instant does not shorten a pause.
    pub fn pause_until(&self, connection: Uuid, until: DateTime<Utc>) {
        let now = self.0.clock.now();
        let mut inner = self.0.lock();
        inner
            .brakes
            .entry(connection)
            .or_insert_with(|| Brake::new(now))
            .pause_until(until);
    }

    /// Forgets pause and breaker, since a person says that it is mended; calls in flight count on.
    pub fn release(&self, connection: Uuid) {
        let now = self.0.clock.now();
        if let Some(brake) = self.0.lock().brakes.get_mut(&connection) {
            brake.release(now);
        }
    }

    /// How `connection` stands.
    pub fn status(&self, connection: Uuid) -> Status {
        let now = self.0.clock.now();
        let inner = self.0.lock();
        inner
            .brakes
            .get(&connection)
            .map_or_else(|| Brake::new(now).status(now), |b| b.status(now))
    }

    /// How many connections are remembered at the moment.
    pub fn remembered(&self) -> usize {
        self.0.lock().brakes.len()
    }
}

impl Permit {
    /// The provider answered as it should, also when it refused this one request for good reasons.
    pub fn succeeded(mut self) {
        self.report(Report::Succeeded);
    }

    /// The provider said that these are too many (429); how long no call goes now.
    pub fn throttled(mut self, retry_after: Option<Duration>) -> Duration {
        self.report(Report::Throttled(retry_after))
    }

    /// The provider failed, or nobody knows (5xx, time-out, reset).
    pub fn failed(mut self) {
        self.report(Report::Failed);
    }

    /// Ends the call, once; the pause that is left then.
    fn report(&mut self, report: Report) -> Duration {
        let Some(ticket) = self.ticket.take() else {
            return Duration::ZERO;
        };
        let now = self.shared.clock.now();
        let mut inner = self.shared.lock();
        let Inner { brakes, rng, .. } = &mut *inner;
        let Some(brake) = brakes.get_mut(&self.connection) else {
            return Duration::ZERO;
        };
        brake.end(ticket, report, now, &self.shared.limits, rng);
        brake.pause_left(now)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.report(Report::Nothing);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Drops what has been idle for long, now and then. A permit's brake is never idle.
    fn sweep(&mut self, now: DateTime<Utc>, limits: &Limits) {
        if now - self.swept >= span(SWEEP_EVERY) {
            self.swept = now;
            self.brakes.retain(|_, brake| !brake.is_idle(now, limits));
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Paused => "paused, since the provider said that it gets too much",
            Self::Broken => "the provider fails at the moment",
            Self::Concurrency => "enough calls are on their way",
            Self::Rate => "enough calls were made for now",
        })
    }
}

/// A span on the calendar; what does not fit is as good as for ever.
fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// `at + duration`, at the most the calendar's last day.
fn later(at: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    at.checked_add_signed(span(duration))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// How long from `now` to `at`; nothing when it is over.
fn left(now: DateTime<Utc>, at: DateTime<Utc>) -> Duration {
    (at - now).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests;
