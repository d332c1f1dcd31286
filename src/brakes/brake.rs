//! The brake of one connection: pause, breaker, concurrency and rate, asked in this order, since
//! only the last one spends something by being asked.
//!
//! `lua/` reckons the same for all processes, step by step and to the microsecond: whoever changes
//! one changes the other, and a test compares them.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::breaker::{Breaker, BreakerState, Gate};
use super::jitter::{Jitter, whole};
use super::{Limits, Reason, Status, later, left, span};

/// What a call is thought to take before one was seen.
const FIRST_GUESS: Duration = Duration::from_millis(250);

/// A guess stays between these, so that one odd call does not spoil the line.
const SHORTEST_CALL: Duration = Duration::from_millis(10);
const LONGEST_CALL: Duration = Duration::from_secs(10);

/// The line has places for so long; who finds it full gets one of them by jitter.
const LINE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Brake {
    in_flight: usize,
    paused_until: Option<DateTime<Utc>>,
    /// How many pauses there were.
    pauses: u64,
    /// Answers of 429 in a row, as pauses count them.
    throttles: u32,
    /// When the next call would be due if calls kept the rate evenly (GCRA).
    next_even: DateTime<Utc>,
    /// The first free place in the line of those who were refused.
    line_end: DateTime<Utc>,
    /// How long a call takes, as a moving average.
    call: Duration,
    breaker: Breaker,
    touched: DateTime<Utc>,
}

/// What a brake remembers of a call that it let go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    began: DateTime<Utc>,
    /// Twenty calls in flight that all meet one 429 are one reason to pause, not twenty: a call
    /// from before the last pause does not lengthen the next.
    pauses: u64,
    probe: bool,
}

/// What a call told of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    Succeeded,
    Throttled(Option<Duration>),
    Failed,
    Nothing,
}

impl Brake {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self {
            in_flight: 0,
            paused_until: None,
            pauses: 0,
            throttles: 0,
            next_even: now,
            line_end: now,
            call: FIRST_GUESS,
            breaker: Breaker::default(),
            touched: now,
        }
    }

    pub(super) fn admit(
        &mut self,
        now: DateTime<Utc>,
        limits: &Limits,
        jitter: Jitter,
    ) -> Result<Ticket, (Duration, Reason)> {
        self.touched = now;
        if let Some((from, reason)) = self.refusal(now, limits) {
            return Err((self.place(from, now, limits, jitter), reason));
        }
        let probe = self.breaker.gate(now, &limits.breaker) == Gate::Probe;
        if let Some(rate) = limits.rate {
            self.next_even = later(self.next_even.max(now), rate.interval());
        }
        Ok(self.goes(now, probe))
    }

    /// Counts a call that all processes together let go. It is newer word of the provider than a
    /// breaker that opened here, so its answer counts as a probe's. Of the rate here it spends
    /// nothing: that is one process's share, which all together outrun.
    pub(super) fn note(&mut self, now: DateTime<Utc>, limits: &Limits) -> Ticket {
        self.touched = now;
        let probe = self.breaker.gate(now, &limits.breaker) != Gate::Pass;
        self.goes(now, probe)
    }

    const fn goes(&mut self, now: DateTime<Utc>, probe: bool) -> Ticket {
        if probe {
            self.breaker.probe_begins();
        }
        self.in_flight += 1;
        Ticket {
            began: now,
            pauses: self.pauses,
            probe,
        }
    }

    /// From when on it is worth asking again, and why not now.
    fn refusal(&self, now: DateTime<Utc>, limits: &Limits) -> Option<(DateTime<Utc>, Reason)> {
        if let Some(until) = self.paused_until
            && now < until
        {
            return Some((until, Reason::Paused));
        }
        match self.breaker.gate(now, &limits.breaker) {
            Gate::Shut(until) => return Some((until, Reason::Broken)),
            Gate::Busy => return Some((later(now, self.call), Reason::Broken)),
            Gate::Pass | Gate::Probe => {}
        }
        if self.in_flight >= limits.concurrency.max(1) {
            return Some((later(now, self.step(limits)), Reason::Concurrency));
        }
        let rate = limits.rate?;
        let from = self.next_even.checked_sub_signed(span(rate.ahead()))?;
        (now < from).then_some((from, Reason::Rate))
    }

    /// A place in the line of the refused, not before `from`.
    fn place(
        &mut self,
        from: DateTime<Utc>,
        now: DateTime<Utc>,
        limits: &Limits,
        jitter: Jitter,
    ) -> Duration {
        let mut at = self.line_end.max(from);
        if at <= later(from, LINE) {
            self.line_end = later(at, self.step(limits));
        } else {
            at = later(from, jitter.of(LINE));
        }
        left(now, at).max(Duration::from_millis(1))
    }

    /// The time between two places: how fast calls are served, and a little faster, since it is
    /// worse when a free place waits than when somebody asks twice.
    fn step(&self, limits: &Limits) -> Duration {
        let width = u32::try_from(limits.concurrency.max(1)).unwrap_or(u32::MAX);
        let served = whole(self.call * 4 / 5 / width);
        limits
            .rate
            .map_or(served, |rate| served.max(rate.interval()))
    }

    pub(super) fn end(
        &mut self,
        ticket: Ticket,
        report: Report,
        now: DateTime<Utc>,
        limits: &Limits,
        jitter: Jitter,
    ) {
        self.touched = now;
        self.in_flight = self.in_flight.saturating_sub(1);
        if ticket.probe {
            self.breaker.probe_ends();
        }
        if report != Report::Nothing {
            let took = left(ticket.began, now).clamp(SHORTEST_CALL, LONGEST_CALL);
            self.call = whole(self.call * 7 / 8 + took / 8);
        }
        match report {
            Report::Nothing => {}
            Report::Failed => self
                .breaker
                .failed(ticket.probe, now, &limits.breaker, jitter),
            Report::Succeeded => {
                self.breaker.answered(ticket.probe);
                if ticket.pauses == self.pauses {
                    self.throttles = 0;
                }
            }
            Report::Throttled(retry_after) => {
                // It refuses, but it answers.
                self.breaker.answered(ticket.probe);
                self.throttled(ticket, retry_after, now, limits, jitter);
            }
        }
    }

    fn throttled(
        &mut self,
        ticket: Ticket,
        retry_after: Option<Duration>,
        now: DateTime<Utc>,
        limits: &Limits,
        jitter: Jitter,
    ) {
        if ticket.pauses == self.pauses {
            self.pauses += 1;
            self.throttles = self.throttles.saturating_add(1);
            self.pause_until(later(now, limits.pause.time(self.throttles, jitter)));
        }
        if let Some(asked) = retry_after {
            self.pause_until(later(now, whole(asked.min(limits.longest_retry_after))));
        }
    }

    pub(super) fn pause_until(&mut self, until: DateTime<Utc>) {
        self.paused_until = Some(self.paused_until.map_or(until, |known| known.max(until)));
    }

    pub(super) fn pause_left(&self, now: DateTime<Utc>) -> Duration {
        self.paused_until
            .map_or(Duration::ZERO, |until| left(now, until))
    }

    pub(super) fn release(&mut self, now: DateTime<Utc>) {
        self.paused_until = None;
        self.throttles = 0;
        self.line_end = now;
        self.breaker.reset();
    }

    pub(super) fn status(&self, now: DateTime<Utc>) -> Status {
        Status {
            in_flight: self.in_flight,
            paused_until: self.paused_until.filter(|until| now < *until),
            breaker: self.breaker.state(now),
            is_alone: false,
        }
    }

    /// Whether forgetting it changes nothing that matters.
    pub(super) fn is_idle(&self, now: DateTime<Utc>, limits: &Limits) -> bool {
        self.in_flight == 0
            && self.pause_left(now).is_zero()
            && !matches!(self.breaker.state(now), BreakerState::Open { .. })
            && self.next_even <= now
            && now - self.touched >= span(limits.forget_after)
    }
}
