//! Brakes per connection: concurrency, rate, pause and breaker, in the process or shared.
//!
//! A call that may not go is told when to come back and never waits here: its job snoozes. The
//! surprising part is that the waits are *places in a line*: callers who are refused together are told
//! different times, or a backlog of 100,000 would knock again all at once, and again.
//!
//! Only counters live here. A pause that must outlive them is kept in the database by whoever was
//! told of it, and given back with [`Brakes::pause_until`].
//!
//! # Two back ends
//!
//! [`Brakes::new`] reckons in the process (`local.rs`, `brake.rs`, `breaker.rs`), [`Brakes::shared`] in
//! Redis for all processes (`link.rs`, `shared.rs`, `lua/`). They reckon the same to the microsecond;
//! time and chance always come from the caller. Processes on several machines should agree on the
//! time to within seconds, since instants of one are read by another.
//!
//! ```text
//!  mlc:<namespace>:{<connection>}:<transport>:brake     hash: pause, breaker, rate, line, length of a call
//!  mlc:<namespace>:{<connection>}:<transport>:permits   sorted set: calls in flight, by when they are lost
//!  mlc:<namespace>:{<connection>}:<transport>:probes    sorted set: those of them that try a broken provider
//!
//!        admit.lua            the call            end.lua
//!  ask ───────────► permit ─────────────► report ─────────► counters, pause, breaker
//!        └────────► wait, reason                └─ process killed: lost after `permit_life`
//! ```
//!
//! A sender may have a pace beside that (`pace.rs`, `lua/pace.lua`): a line of its own under
//! `mlc:<namespace>:{<sender>}:<transport>:pace`, asked only for senders that have one.
//!
//! Asking and ending are one round trip each, over one connection that all callers share. Every key
//! expires: the sets when their last permit is lost, the hash [`Limits::forget_after`] after nothing in
//! it matters any more. Nothing is asked while nothing is sent.
//!
//! # When Redis is gone
//!
//! Redis never stops a call and its absence never lets one go unbraked. A call waits for Redis at the
//! most 250 ms; after a failure Redis is not asked for a second, then one caller tries. Meanwhile (and
//! while the first connection is being made) each process keeps to one part in [`SHARE`] of the
//! limits by itself. What it knows then is not nothing: all its calls were counted in the process as
//! well, so its own pauses, its breaker and what it has in flight hold on. Calls let go by the one are
//! unknown to the other, so for the length of a call after each change the processes' shares may be in
//! flight on top of the limit; a 429 corrects that. What Redis did not hear (permits given back, pauses,
//! releases) is told when it is back. A Redis that comes back empty counts anew, and the ends of calls
//! from before still teach it what they met.

mod brake;
mod breaker;
mod jitter;
mod limits;
mod link;
mod local;
mod pace;
mod shared;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use tokio::runtime::Handle;
use uuid::Uuid;

use self::brake::{Report, Ticket};
pub use self::breaker::BreakerState;
use self::jitter::{Jitter, whole_instant};
pub use self::limits::{BreakerLimits, Growth, Limits, Rate};
use self::link::Link;
use self::local::Local;
use self::pace::Paces;
pub use self::pace::{Turn, TurnWish};
use self::shared::{Moment, Shared, SharedPermit};
use crate::domain::clock::SharedClock;
use crate::domain::transport::TransportName;
use crate::redis::Redis;

/// While Redis is gone a process keeps to one part in so many of each limit: few installations have
/// more processes that send, and one alone still sends several messages at a time.
pub const SHARE: u32 = 4;

/// The brakes of one transport over all connections; clones share them.
#[derive(Debug, Clone)]
pub struct Brakes(Arc<House>);

#[derive(Debug)]
struct House {
    clock: SharedClock,
    rng: Mutex<StdRng>,
    /// The brakes themselves, or what stands in for Redis.
    local: Local,
    paces: Paces,
    shared: Option<Arc<Shared>>,
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
    house: Arc<House>,
    connection: Uuid,
    /// Gone when the call was reported on.
    ticket: Option<Ticket>,
    /// What Redis gave out; it hears of the end.
    shared: Option<SharedPermit>,
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
    /// Redis is gone: this is what this process alone knows.
    pub is_alone: bool,
}

impl Brakes {
    /// Open brakes for every connection, on the time of `clock` with jitter from `rng`.
    pub fn new(limits: Limits, clock: SharedClock, rng: StdRng) -> Self {
        Self(Arc::new(House {
            local: Local::new(limits, clock.now()),
            paces: Paces::default(),
            rng: Mutex::new(rng),
            clock,
            shared: None,
        }))
    }

    /// Brakes that all processes share which name the same `transport` on the same `redis`, on the time
    /// of `clock` with jitter from `rng`. Connections to Redis live on the runtime from which this is
    /// called.
    ///
    /// # Panics
    ///
    /// When it is called outside a runtime.
    pub fn shared(
        limits: Limits,
        clock: SharedClock,
        rng: StdRng,
        redis: Redis,
        transport: TransportName,
    ) -> Self {
        let link = Link::new(redis, transport, clock.clone(), Handle::current());
        Self(Arc::new(House {
            local: Local::new(limits.share(SHARE), clock.now()),
            paces: Paces::default(),
            rng: Mutex::new(rng),
            clock,
            shared: Some(Arc::new(Shared::new(link, transport, limits))),
        }))
    }

    /// Asks for one call over `connection`. Ask before the attempt is written down.
    pub async fn admit(&self, connection: Uuid) -> Admission {
        let moment = self.0.moment();
        let local = &self.0.local;
        let (ticket, shared) = match self.0.ask(connection, moment).await {
            Some(Ok(shared)) => (local.note(connection, moment.now), Some(shared)),
            Some(Err((wait, reason))) => return Admission::Wait(wait, reason),
            None => match local.admit(connection, moment.now, moment.jitter) {
                Ok(ticket) => (ticket, None),
                Err((wait, reason)) => return Admission::Wait(wait, reason),
            },
        };
        Admission::Go(Permit {
            house: Arc::clone(&self.0),
            connection,
            ticket: Some(ticket),
            shared,
        })
    }

    /// Asks for a sender's turn, which is taken where it is now. Ask once a call may go.
    pub async fn turn(&self, wish: TurnWish) -> Turn {
        let now = self.0.now();
        let share = match &self.0.shared {
            None => 1,
            Some(shared) => match shared.turn(&wish, now).await {
                Some(turn) => return turn,
                None => SHARE,
            },
        };
        self.0.paces.ask(&wish, now, share)
    }

    /// Lets no call go before `until`; an earlier instant does not shorten a pause.
    pub async fn pause_until(&self, connection: Uuid, until: DateTime<Utc>) {
        let until = whole_instant(until);
        self.0.local.pause_until(connection, until, self.0.now());
        if let Some(shared) = &self.0.shared {
            shared.pause_until(connection, until).await;
        }
    }

    /// Forgets pause and breaker, since a person says that it is mended; calls in flight count on.
    pub async fn release(&self, connection: Uuid) {
        self.0.local.release(connection, self.0.now());
        if let Some(shared) = &self.0.shared {
            shared.release(connection).await;
        }
    }

    /// How `connection` stands.
    pub async fn status(&self, connection: Uuid) -> Status {
        let now = self.0.now();
        let alone = || self.0.local.status(connection, now);
        match &self.0.shared {
            None => alone(),
            Some(shared) => match shared.status(connection, now).await {
                Some(status) => status,
                None => Status {
                    is_alone: true,
                    ..alone()
                },
            },
        }
    }

    /// How many connections this process remembers at the moment.
    pub fn remembered(&self) -> usize {
        self.0.local.remembered()
    }
}

impl Permit {
    /// The provider answered as it should, also when it refused this one request for good reasons.
    pub async fn succeeded(self) {
        self.report(Report::Succeeded).await;
    }

    /// The provider said that these are too many (429); how long no call goes now.
    pub async fn throttled(self, retry_after: Option<Duration>) -> Duration {
        self.report(Report::Throttled(retry_after)).await
    }

    /// The provider took the call and is near to taking no more; how long no call goes now. To the brakes that
    /// is a 429 before it comes.
    pub async fn crowded(self) -> Duration {
        self.throttled(None).await
    }

    /// The provider failed, or nobody knows (5xx, time-out, reset).
    pub async fn failed(self) {
        self.report(Report::Failed).await;
    }

    /// Ends the call; the pause that is left then.
    async fn report(mut self, report: Report) -> Duration {
        let moment = self.house.moment();
        let here = self.end_here(report, moment);
        let Some(shared) = self.shared.take() else {
            return here;
        };
        let Some(left) = shared.end(report, moment).await else {
            if !here.is_zero() {
                self.house
                    .owe_pause(self.connection, later(moment.now, here));
            }
            return here;
        };
        self.house
            .heed(self.connection, later(moment.now, left), moment.now);
        left
    }

    /// Ends the call in this process, once.
    fn end_here(&mut self, report: Report, moment: Moment) -> Duration {
        let Some(ticket) = self.ticket.take() else {
            return Duration::ZERO;
        };
        let Moment { now, jitter } = moment;
        self.house
            .local
            .end(self.connection, ticket, report, now, jitter)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            let moment = self.house.moment();
            self.end_here(Report::Nothing, moment);
        }
    }
}

impl House {
    /// Asks Redis, if there is one that says something.
    async fn ask(
        &self,
        connection: Uuid,
        moment: Moment,
    ) -> Option<Result<SharedPermit, (Duration, Reason)>> {
        let answer = self.shared.as_ref()?.admit(connection, moment).await?;
        Some(answer.map_err(|refusal| {
            if let Some(until) = refusal.paused_until {
                self.heed(connection, until, moment.now);
            }
            (refusal.wait, refusal.reason)
        }))
    }

    /// Keeps in mind what Redis said of a pause, for when it is gone.
    fn heed(&self, connection: Uuid, until: DateTime<Utc>, now: DateTime<Utc>) {
        if now < until {
            self.local.pause_until(connection, until, now);
        }
    }

    fn owe_pause(&self, connection: Uuid, until: DateTime<Utc>) {
        if let Some(shared) = &self.shared {
            shared.owe_pause(connection, until);
        }
    }

    fn moment(&self) -> Moment {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        Moment {
            now: self.now(),
            jitter: Jitter::draw(&mut rng),
        }
    }

    fn now(&self) -> DateTime<Utc> {
        whole_instant(self.clock.now())
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

/// A span on the calendar; what does not fit is as good as endless.
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
