//! The back end in the process: a ring of ready jobs, a calendar of delayed ones, a book of leases.
//!
//! It forgets everything with the process, on purpose: the database knows what is due, and
//! whoever starts the process pushes it again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use uuid::Uuid;

use super::ring::Ring;
use super::{
    Ack, Degraded, Depth, Job, JobQueue, Lane, Lease, LeaseToken, Outcome, Push, QueueError,
    TenantDepth, later,
};
use crate::domain::clock::SharedClock;

/// Waiting for a due time looks at the clock again after this long, in case it was set.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// The queue in the process. Share it in an `Arc`.
#[derive(Debug)]
pub struct MemoryQueue {
    clock: SharedClock,
    state: Mutex<State>,
    wake: Notify,
}

/// Every job has one entry, and stands in exactly one of ring, calendar and lease book, as its
/// entry's `place` says.
#[derive(Debug)]
struct State {
    entries: HashMap<Arc<Job>, Entry>,
    ring: Ring<Arc<Job>>,
    calendar: BTreeMap<(DateTime<Utc>, u64), Arc<Job>>,
    leases: HashMap<LeaseToken, Arc<Job>>,
    expiries: BTreeSet<(DateTime<Utc>, LeaseToken)>,
    depths: HashMap<Uuid, TenantDepth>,
    last_number: u64,
}

#[derive(Debug)]
struct Entry {
    lane: Lane,
    attempt: u32,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Ready,
    Delayed {
        due: DateTime<Utc>,
        number: u64,
    },
    Leased {
        until: DateTime<Utc>,
        /// Pushed while it ran: comes back at this instant.
        again: Option<DateTime<Utc>>,
    },
}

impl MemoryQueue {
    /// An empty queue on the time of `clock`.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            state: Mutex::new(State::new()),
            wake: Notify::new(),
        }
    }

    /// Forgets all jobs that are not lent: somebody else hands them out now.
    pub(super) fn forget_waiting(&self) {
        self.state_at(self.clock.now()).forget_waiting();
    }

    /// The state as of now. No panic can leave it half changed, so poison is no reason to stop.
    fn state_at(&self, now: DateTime<Utc>) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.catch_up(now);
        state
    }
}

#[async_trait]
impl JobQueue for MemoryQueue {
    fn name(&self) -> &'static str {
        "this process"
    }

    async fn push(&self, batch: Vec<Push>) -> Result<(), QueueError> {
        let now = self.clock.now();
        {
            let mut state = self.state_at(now);
            for push in batch {
                state.push(push, now);
            }
        }
        self.wake.notify_waiters();
        Ok(())
    }

    async fn reserve(&self, max: usize, lease: Duration) -> Result<Vec<Lease>, QueueError> {
        let now = self.clock.now();
        let until = later(now, lease);
        let mut state = self.state_at(now);
        // Wakes nobody: who sleeps was woken by what made these jobs ready, and looks after us.
        Ok(std::iter::from_fn(|| state.lend(until)).take(max).collect())
    }

    async fn ack(&self, batch: Vec<Ack>) -> Result<usize, QueueError> {
        let now = self.clock.now();
        let acked = {
            let mut state = self.state_at(now);
            batch.into_iter().filter(|end| state.ack(*end, now)).count()
        };
        self.wake.notify_waiters();
        Ok(acked)
    }

    async fn wait_ready(&self) -> Result<(), QueueError> {
        loop {
            // Hears every wake-up from here on, also one before it is awaited.
            let woken = self.wake.notified();
            let now = self.clock.now();
            let next = {
                let state = self.state_at(now);
                if !state.ring.is_empty() {
                    return Ok(());
                }
                state.next_change()
            };
            let Some(next) = next else {
                woken.await;
                continue;
            };
            let sleep = (next - now).to_std().unwrap_or_default().min(LONGEST_SLEEP);
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    async fn depths(&self) -> Result<Vec<TenantDepth>, QueueError> {
        Ok(self
            .state_at(self.clock.now())
            .depths
            .values()
            .copied()
            .collect())
    }

    async fn health(&self) -> Result<(), Degraded> {
        Ok(())
    }
}

impl State {
    fn new() -> Self {
        Self {
            entries: HashMap::new(),
            ring: Ring::new(),
            calendar: BTreeMap::new(),
            leases: HashMap::new(),
            expiries: BTreeSet::new(),
            depths: HashMap::new(),
            last_number: 0,
        }
    }

    /// When waiting alone makes a job ready.
    fn next_change(&self) -> Option<DateTime<Utc>> {
        let due = self.calendar.first_key_value().map(|((due, _), _)| *due);
        let expiry = self.expiries.first().map(|(until, _)| *until);
        due.into_iter().chain(expiry).min()
    }

    /// Delayed jobs whose time has come become ready, and leases that are over come back.
    fn catch_up(&mut self, now: DateTime<Utc>) {
        while let Some(first) = self.calendar.first_entry()
            && first.key().0 <= now
        {
            let job = first.remove();
            self.put(&job, now, now, |_| {});
        }
        while let Some((until, token)) = self.expiries.first().copied()
            && until <= now
        {
            self.expiries.remove(&(until, token));
            if let Some(job) = self.leases.remove(&token) {
                self.put(&job, now, now, |entry| entry.lane = Lane::Retry);
            }
        }
    }

    fn push(&mut self, push: Push, now: DateTime<Utc>) {
        let Push { job, due } = push;
        let Some((job, _)) = self.entries.get_key_value(&job) else {
            let job = Arc::new(job);
            let entry = Entry {
                lane: Lane::Fresh,
                attempt: 0,
                place: Place::Ready,
            };
            self.entries.insert(Arc::clone(&job), entry);
            self.place(&job, due, now);
            return;
        };
        let job = Arc::clone(job);
        let Some(entry) = self.entries.get_mut(&job) else {
            return;
        };
        match &mut entry.place {
            Place::Ready => {}
            Place::Delayed { due: known, number } => {
                let key = (*known, *number);
                if due < key.0 {
                    self.calendar.remove(&key);
                    self.put(&job, due, now, |_| {});
                }
            }
            Place::Leased { again, .. } => {
                *again = Some(again.map_or(due, |known| known.min(due)));
            }
        }
    }

    fn forget_waiting(&mut self) {
        let is_lent = |entry: &Entry| matches!(entry.place, Place::Leased { .. });
        let waiting: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| !is_lent(entry))
            .map(|(job, _)| Arc::clone(job))
            .collect();
        for job in &waiting {
            self.uncount(job);
            self.entries.remove(job);
        }
        self.ring = Ring::new();
        self.calendar.clear();
    }

    fn lend(&mut self, until: DateTime<Utc>) -> Option<Lease> {
        let job = self.ring.next()?;
        let token = LeaseToken(Uuid::from_u128(u128::from(self.next_number())));
        self.uncount(&job);
        let entry = self.entries.get_mut(&job)?;
        entry.attempt = entry.attempt.saturating_add(1);
        entry.place = Place::Leased { until, again: None };
        let lease = Lease {
            token,
            job: Job::clone(&job),
            attempt: entry.attempt,
            lane: entry.lane,
            until,
        };
        self.count(&job);
        self.expiries.insert((until, token));
        self.leases.insert(token, job);
        Some(lease)
    }

    fn ack(&mut self, end: Ack, now: DateTime<Utc>) -> bool {
        let Some(job) = self.leases.remove(&end.token) else {
            return false;
        };
        let Some(Place::Leased { until, again }) = self.entries.get(&job).map(|e| e.place) else {
            return false;
        };
        self.expiries.remove(&(until, end.token));
        let sooner = |due: DateTime<Utc>| again.map_or(due, |again| again.min(due));
        match (end.outcome, again) {
            (Outcome::Done | Outcome::Cancel, None) => {
                self.uncount(&job);
                self.entries.remove(&job);
            }
            (Outcome::Done | Outcome::Cancel, Some(again)) => self.put(&job, again, now, |entry| {
                entry.lane = Lane::Fresh;
                entry.attempt = 0;
            }),
            (Outcome::Retry(due), _) => {
                self.put(&job, sooner(due), now, |entry| entry.lane = Lane::Retry);
            }
            (Outcome::Snooze(due), _) => self.put(&job, sooner(due), now, |entry| {
                entry.attempt = entry.attempt.saturating_sub(1);
            }),
        }
        true
    }

    /// Moves a job, already taken from where it stood, to the ring or the calendar.
    fn put(
        &mut self,
        job: &Arc<Job>,
        due: DateTime<Utc>,
        now: DateTime<Utc>,
        change: impl FnOnce(&mut Entry),
    ) {
        self.uncount(job);
        if let Some(entry) = self.entries.get_mut(job) {
            change(entry);
        }
        self.place(job, due, now);
    }

    fn place(&mut self, job: &Arc<Job>, due: DateTime<Utc>, now: DateTime<Utc>) {
        let number = self.next_number();
        let Some(entry) = self.entries.get_mut(job) else {
            return;
        };
        if due <= now {
            entry.place = Place::Ready;
            self.ring.push(job.tenant, entry.lane, Arc::clone(job));
        } else {
            entry.place = Place::Delayed { due, number };
            self.calendar.insert((due, number), Arc::clone(job));
        }
        self.count(job);
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn count(&mut self, job: &Job) {
        if let Some(depth) = self.depth_of(job) {
            *depth += 1;
        }
    }

    fn uncount(&mut self, job: &Job) {
        if let Some(depth) = self.depth_of(job) {
            *depth -= 1;
        }
        if self
            .depths
            .get(&job.tenant)
            .is_some_and(|depth| depth.total() == 0)
        {
            self.depths.remove(&job.tenant);
        }
    }

    /// The number that counts this job where it stands at the moment.
    fn depth_of(&mut self, job: &Job) -> Option<&mut usize> {
        let entry = self.entries.get(job)?;
        let tenant = self
            .depths
            .entry(job.tenant)
            .or_insert_with(|| TenantDepth::none(job.tenant));
        let lane: &mut Depth = match entry.lane {
            Lane::Fresh => &mut tenant.fresh,
            Lane::Retry => &mut tenant.retry,
        };
        Some(match entry.place {
            Place::Ready => &mut lane.ready,
            Place::Delayed { .. } => &mut lane.delayed,
            Place::Leased { .. } => &mut lane.leased,
        })
    }
}

#[cfg(test)]
mod tests;
