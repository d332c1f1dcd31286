//! The brakes of all processes, reckoned by Redis. `lua/` holds the steps; each is one round trip.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_redis::redis::{FromRedisValue, ScriptInvocation};
use uuid::Uuid;

use super::brake::Report;
use super::breaker::BreakerState;
use super::jitter::{Jitter, micros, whole_instant};
use super::link::{Link, Silence};
use super::{BreakerLimits, Limits, Reason, Status, Turn, TurnWish};
use crate::domain::transport::TransportName;
use crate::redis::Script;

/// How much is kept for Redis to hear when it is back. Permits beyond it end by themselves.
const MOST_DEBTS: usize = 10_000;

pub(super) struct Shared {
    link: Arc<Link>,
    transport: TransportName,
    limits: Limits,
    /// The limits as the scripts read them.
    numbers: [i64; 11],
    scripts: Scripts,
    pending_reports: Mutex<Vec<PendingReport>>,
}

/// One script for each step.
struct Scripts {
    admit: Script,
    end: Script,
    pause: Script,
    release: Script,
    status: Script,
    pace: Script,
}

/// When a step is taken, and the jitter drawn for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: DateTime<Utc>,
    pub(super) jitter: Jitter,
}

/// A call that may not go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    pub(super) wait: Duration,
    pub(super) reason: Reason,
    /// The pause that holds, if one does.
    pub(super) paused_until: Option<DateTime<Utc>>,
}

/// A permit of all processes. Dropped before its end was heard, it is given back by a task.
pub(super) struct SharedPermit {
    shared: Arc<Shared>,
    /// Gone when Redis heard of the end, or will hear of it.
    record: Option<PermitRecord>,
}

/// What a call in flight is known by.
#[derive(Debug, Clone, Copy)]
struct PermitRecord {
    connection: Uuid,
    id: Uuid,
    began: DateTime<Utc>,
    pauses: i64,
    probe: bool,
}

/// What Redis did not hear, or may not have heard.
#[derive(Debug, Clone, Copy)]
enum PendingReport {
    End(PermitRecord),
    Pause(Uuid, DateTime<Utc>),
    Release(Uuid),
}

impl Shared {
    pub(super) fn new(link: Link, transport: TransportName, limits: Limits) -> Self {
        Self {
            link: Arc::new(link),
            transport,
            numbers: numbers(&limits),
            limits,
            scripts: Scripts::default(),
            pending_reports: Mutex::default(),
        }
    }

    /// Asks for one call; `None` when Redis does not say.
    pub(super) async fn admit(
        self: &Arc<Self>,
        connection: Uuid,
        moment: Moment,
    ) -> Option<Result<SharedPermit, Refusal>> {
        let record = PermitRecord {
            connection,
            id: Uuid::new_v4(),
            began: moment.now,
            pauses: 0,
            probe: false,
        };
        // Made before Redis is asked: a caller who goes away meanwhile leaves no permit behind.
        let mut shared_permit = SharedPermit {
            shared: Arc::clone(self),
            record: Some(record),
        };
        let mut call = self.call(&self.scripts.admit, connection, moment);
        call.arg(record.id.as_simple().to_string());
        match self.ask::<(i64, i64, i64, i64)>(&call).await {
            Ok((1, pauses, probe, _)) => {
                shared_permit.record = Some(PermitRecord {
                    pauses,
                    probe: probe == 1,
                    ..record
                });
                Some(Ok(shared_permit))
            }
            Ok((_, wait, reason, paused)) => {
                shared_permit.record = None;
                Some(Err(Refusal {
                    wait: duration(wait),
                    reason: reason_of(reason),
                    paused_until: instant(paused).filter(|until| moment.now < *until),
                }))
            }
            Err(silence) => {
                shared_permit.record = None;
                if silence == Silence::Unheard {
                    self.owe(PendingReport::End(record));
                }
                None
            }
        }
    }

    /// Asks for a sender's turn; `None` when Redis does not say.
    pub(super) async fn turn(
        self: &Arc<Self>,
        wish: &TurnWish,
        now: DateTime<Utc>,
    ) -> Option<Turn> {
        let shard = wish.sender.as_simple().to_string();
        let name = format!("{}:pace", self.transport);
        let mut call = self.scripts.pace.key(self.link.redis().key(&shard, &name));
        call.arg(now.timestamp_micros())
            .arg(micros(wish.takes))
            .arg(u8::from(wish.has_place))
            .arg(wish.latest.timestamp_micros());
        Some(match self.ask::<(i64, i64)>(&call).await.ok()? {
            (1, _) => Turn::Now,
            (0, at) => instant(at).map_or(Turn::TooLate, Turn::At),
            _ => Turn::TooLate,
        })
    }

    /// Lets no call go before `until`, at the latest when Redis is back.
    pub(super) async fn pause_until(self: &Arc<Self>, connection: Uuid, until: DateTime<Utc>) {
        self.tell(PendingReport::Pause(connection, until)).await;
    }

    /// A pause that Redis hears of when it is back.
    pub(super) fn owe_pause(&self, connection: Uuid, until: DateTime<Utc>) {
        self.owe(PendingReport::Pause(connection, until));
    }

    /// Forgets pause and breaker, at the latest when Redis is back.
    pub(super) async fn release(self: &Arc<Self>, connection: Uuid) {
        self.tell(PendingReport::Release(connection)).await;
    }

    /// How a connection stands; `None` when Redis does not say.
    pub(super) async fn status(
        self: &Arc<Self>,
        connection: Uuid,
        now: DateTime<Utc>,
    ) -> Option<Status> {
        let call = self.call(&self.scripts.status, connection, Moment::without_lot(now));
        let (in_flight, paused, open) = self.ask::<(i64, i64, i64)>(&call).await.ok()?;
        Some(Status {
            in_flight: usize::try_from(in_flight).unwrap_or_default(),
            paused_until: instant(paused).filter(|until| now < *until),
            breaker: BreakerState::at(instant(open), now),
            is_alone: false,
        })
    }

    /// Runs a script; one that is answered shows that pending reports may go out now.
    async fn ask<T: FromRedisValue>(
        self: &Arc<Self>,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, Silence> {
        let answer = self.link.run(call).await;
        if answer.is_ok() {
            let pending_reports = std::mem::take(&mut *self.pending_reports());
            if !pending_reports.is_empty() {
                let shared = Arc::clone(self);
                self.link.runtime().spawn(async move {
                    for debt in pending_reports {
                        shared.tell(debt).await;
                    }
                });
            }
        }
        answer
    }

    /// Tells Redis what nobody waits for the answer of, now or when it is back.
    async fn tell(&self, debt: PendingReport) {
        let moment = Moment::without_lot(whole_instant(self.link.now()));
        let call = match debt {
            PendingReport::End(record) => self.end_call(&record, Report::Nothing, moment),
            PendingReport::Pause(connection, until) => {
                let mut call = self.call(&self.scripts.pause, connection, moment);
                call.arg(until.timestamp_micros());
                call
            }
            PendingReport::Release(connection) => {
                self.call(&self.scripts.release, connection, moment)
            }
        };
        if self.link.run::<i64>(&call).await.is_err() {
            self.owe(debt);
        }
    }

    fn owe(&self, debt: PendingReport) {
        let mut pending_reports = self.pending_reports();
        if pending_reports.len() < MOST_DEBTS {
            pending_reports.push(debt);
        }
    }

    fn pending_reports(&self) -> MutexGuard<'_, Vec<PendingReport>> {
        self.pending_reports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn end_call(
        &self,
        record: &PermitRecord,
        report: Report,
        moment: Moment,
    ) -> ScriptInvocation<'_> {
        let (number, asked) = match report {
            Report::Nothing => (0, -1),
            Report::Succeeded => (1, -1),
            Report::Throttled(asked) => {
                let believed = |asked: Duration| micros(asked.min(self.limits.longest_retry_after));
                (2, asked.map_or(-1, believed))
            }
            Report::Failed => (3, -1),
        };
        let mut call = self.call(&self.scripts.end, record.connection, moment);
        call.arg(record.id.as_simple().to_string())
            .arg(number)
            .arg(record.began.timestamp_micros())
            .arg(record.pauses)
            .arg(u8::from(record.probe))
            .arg(asked);
        call
    }

    fn call<'s>(
        &self,
        script: &'s Script,
        connection: Uuid,
        moment: Moment,
    ) -> ScriptInvocation<'s> {
        // A shard per connection: its keys share a slot, and connections spread over a cluster.
        let shard = connection.as_simple().to_string();
        let key = |what: &str| {
            let name = format!("{}:{what}", self.transport);
            self.link.redis().key(&shard, &name)
        };
        let mut call = script.key(key("brake"));
        call.key(key("permits"))
            .key(key("probes"))
            .arg(moment.now.timestamp_micros())
            .arg(moment.jitter.millionths())
            .arg(&self.numbers[..]);
        call
    }
}

impl SharedPermit {
    /// Ends the call; the pause that is left then, or `None` when Redis does not say.
    pub(super) async fn end(mut self, report: Report, moment: Moment) -> Option<Duration> {
        let record = self.record?;
        let shared = Arc::clone(&self.shared);
        let call = shared.end_call(&record, report, moment);
        // The record stays until then: if this is cut short, dropping still gives the permit back.
        let answer = shared.ask(&call).await;
        self.record = None;
        if answer.is_err() {
            shared.owe(PendingReport::End(record));
        }
        answer.ok().map(duration)
    }
}

impl Drop for SharedPermit {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            let shared = Arc::clone(&self.shared);
            let runtime = self.shared.link.runtime();
            runtime.spawn(async move { shared.tell(PendingReport::End(record)).await });
        }
    }
}

impl Moment {
    /// For steps in which nothing is left to chance.
    const fn without_lot(now: DateTime<Utc>) -> Self {
        let jitter = Jitter::NONE;
        Self { now, jitter }
    }
}

impl Default for Scripts {
    fn default() -> Self {
        /// Every script begins with what they share.
        macro_rules! script {
            ($name:literal) => {
                Script::new(concat!(
                    include_str!("lua/common.lua"),
                    include_str!(concat!("lua/", $name, ".lua"))
                ))
            };
        }
        Self {
            admit: script!("admit"),
            end: script!("end"),
            pause: script!("pause"),
            release: script!("release"),
            status: script!("status"),
            pace: Script::new(include_str!("lua/pace.lua")),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("link", &self.link)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SharedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedPermit").field(&self.record).finish()
    }
}

/// The limits in the order in which `lua/common.lua` names them.
fn numbers(limits: &Limits) -> [i64; 11] {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let BreakerLimits {
        failures,
        open,
        probes,
    } = limits.breaker;
    [
        count(limits.concurrency),
        limits.rate.map_or(0, |rate| micros(rate.interval())),
        limits.rate.map_or(0, |rate| micros(rate.ahead())),
        micros(limits.pause.first),
        micros(limits.pause.cap),
        i64::from(failures),
        micros(open.first),
        micros(open.cap),
        count(probes),
        micros(limits.forget_after),
        micros(limits.permit_life),
    ]
}

/// As `lua/admit.lua` numbers them.
const fn reason_of(number: i64) -> Reason {
    match number {
        0 => Reason::Paused,
        1 => Reason::Broken,
        2 => Reason::Concurrency,
        _ => Reason::Rate,
    }
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// An instant; 0 is none.
fn instant(micros: i64) -> Option<DateTime<Utc>> {
    (micros > 0)
        .then(|| DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC))
}
