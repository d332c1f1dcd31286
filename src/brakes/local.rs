//! The brakes of one process, by connection.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::brake::{Brake, Report, Ticket};
use super::jitter::Jitter;
use super::{Limits, Reason, Status, span};

/// How often idle connections are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Local {
    limits: Limits,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    brakes: HashMap<Uuid, Brake>,
    swept: DateTime<Utc>,
}

impl Local {
    pub(super) fn new(limits: Limits, now: DateTime<Utc>) -> Self {
        let inner = Inner {
            brakes: HashMap::new(),
            swept: now,
        };
        Self {
            limits,
            inner: Mutex::new(inner),
        }
    }

    pub(super) fn admit(
        &self,
        connection: Uuid,
        now: DateTime<Utc>,
        jitter: Jitter,
    ) -> Result<Ticket, (Duration, Reason)> {
        self.lock()
            .brake(connection, now, &self.limits)
            .admit(now, &self.limits, jitter)
    }

    /// Counts a call that was let go elsewhere.
    pub(super) fn note(&self, connection: Uuid, now: DateTime<Utc>) -> Ticket {
        self.lock()
            .brake(connection, now, &self.limits)
            .note(now, &self.limits)
    }

    /// Ends a call; the pause that is left then.
    pub(super) fn end(
        &self,
        connection: Uuid,
        ticket: Ticket,
        report: Report,
        now: DateTime<Utc>,
        jitter: Jitter,
    ) -> Duration {
        let mut inner = self.lock();
        let Some(brake) = inner.brakes.get_mut(&connection) else {
            return Duration::ZERO;
        };
        brake.end(ticket, report, now, &self.limits, jitter);
        brake.pause_left(now)
    }

    pub(super) fn pause_until(&self, connection: Uuid, until: DateTime<Utc>, now: DateTime<Utc>) {
        self.lock()
            .brake(connection, now, &self.limits)
            .pause_until(until);
    }

    pub(super) fn release(&self, connection: Uuid, now: DateTime<Utc>) {
        if let Some(brake) = self.lock().brakes.get_mut(&connection) {
            brake.release(now);
        }
    }

    pub(super) fn status(&self, connection: Uuid, now: DateTime<Utc>) -> Status {
        self.lock()
            .brakes
            .get(&connection)
            .filter(|brake| !brake.is_idle(now, &self.limits))
            .map_or_else(|| Brake::new(now).status(now), |brake| brake.status(now))
    }

    pub(super) fn remembered(&self) -> usize {
        self.lock().brakes.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The brake of `connection`: a new one where none is, or where it has been idle for long.
    fn brake(&mut self, connection: Uuid, now: DateTime<Utc>, limits: &Limits) -> &mut Brake {
        self.sweep(now, limits);
        let brake = self
            .brakes
            .entry(connection)
            .or_insert_with(|| Brake::new(now));
        if brake.is_idle(now, limits) {
            *brake = Brake::new(now);
        }
        brake
    }

    /// Drops what has been idle for long, now and then. A permit's brake is never idle.
    fn sweep(&mut self, now: DateTime<Utc>, limits: &Limits) {
        if now - self.swept >= span(SWEEP_EVERY) {
            self.swept = now;
            self.brakes.retain(|_, brake| !brake.is_idle(now, limits));
        }
    }
}
