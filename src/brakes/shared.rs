//! The brakes of all processes, reckoned by Redis. `lua/` holds the steps; each is one round trip.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_redis::redis::{FromRedisValue, ScriptInvocation};
use uuid::Uuid;

use super::brake::Report;
use super::breaker::BreakerState;
use super::link::{Link, Silence};
use super::lot::{Lot, micros, whole_instant};
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
    debts: Mutex<Vec<Debt>>,
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

/// When a step is taken, and the lot drawn for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: DateTime<Utc>,
    pub(super) lot: Lot,
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
pub(super) struct Loan {
    shared: Arc<Shared>,
    /// Gone when Redis heard of the end, or will hear of it.
    slip: Option<Slip>,
}

/// What a call in flight is known by.
#[derive(Debug, Clone, Copy)]
struct Slip {
    connection: Uuid,
    id: Uuid,
    began: DateTime<Utc>,
    pauses: i64,
    probe: bool,
}

/// What Redis did not hear, or may not have heard.
#[derive(Debug, Clone, Copy)]
enum Debt {
    End(Slip),
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
            debts: Mutex::default(),
        }
    }

    /// Asks for one call; `None` when Redis does not say.
    pub(super) async fn admit(
        self: &Arc<Self>,
        connection: Uuid,
        moment: Moment,
    ) -> Option<Result<Loan, Refusal>> {
        let slip = Slip {
            connection,
            id: Uuid::new_v4(),
            began: moment.now,
            pauses: 0,
            probe: false,
        };
        // Made before Redis is asked: a caller who goes away meanwhile leaves no permit behind.
        let mut loan = Loan {
            shared: Arc::clone(self),
            slip: Some(slip),
        };
        let mut call = self.call(&self.scripts.admit, connection, moment);
        call.arg(slip.id.as_simple().to_string());
        match self.ask::<(i64, i64, i64, i64)>(&call).await {
            Ok((1, pauses, probe, _)) => {
                loan.slip = Some(Slip {
                    pauses,
                    probe: probe == 1,
                    ..slip
                });
                Some(Ok(loan))
            }
            Ok((_, wait, reason, paused)) => {
                loan.slip = None;
                Some(Err(Refusal {
                    wait: duration(wait),
                    reason: reason_of(reason),
                    paused_until: instant(paused).filter(|until| moment.now < *until),
                }))
            }
            Err(silence) => {
                loan.slip = None;
                if silence == Silence::Unheard {
                    self.owe(Debt::End(slip));
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
        self.tell(Debt::Pause(connection, until)).await;
    }

    /// A pause that Redis hears of when it is back.
    pub(super) fn owe_pause(&self, connection: Uuid, until: DateTime<Utc>) {
        self.owe(Debt::Pause(connection, until));
    }

    /// Forgets pause and breaker, at the latest when Redis is back.
    pub(super) async fn release(self: &Arc<Self>, connection: Uuid) {
        self.tell(Debt::Release(connection)).await;
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

    /// Runs a script; one that is answered shows that the time to pay debts has come.
    async fn ask<T: FromRedisValue>(
        self: &Arc<Self>,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, Silence> {
        let answer = self.link.run(call).await;
        if answer.is_ok() {
            let debts = std::mem::take(&mut *self.debts());
            if !debts.is_empty() {
                let shared = Arc::clone(self);
                self.link.runtime().spawn(async move {
                    for debt in debts {
                        shared.tell(debt).await;
                    }
                });
            }
        }
        answer
    }

    /// Tells Redis what nobody waits for the answer of, now or when it is back.
    async fn tell(&self, debt: Debt) {
        let moment = Moment::without_lot(whole_instant(self.link.now()));
        let call = match debt {
            Debt::End(slip) => self.end_call(&slip, Report::Nothing, moment),
            Debt::Pause(connection, until) => {
                let mut call = self.call(&self.scripts.pause, connection, moment);
                call.arg(until.timestamp_micros());
                call
            }
            Debt::Release(connection) => self.call(&self.scripts.release, connection, moment),
        };
        if self.link.run::<i64>(&call).await.is_err() {
            self.owe(debt);
        }
    }

    fn owe(&self, debt: Debt) {
        let mut debts = self.debts();
        if debts.len() < MOST_DEBTS {
            debts.push(debt);
        }
    }

    fn debts(&self) -> MutexGuard<'_, Vec<Debt>> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_call(&self, slip: &Slip, report: Report, moment: Moment) -> ScriptInvocation<'_> {
        let (number, asked) = match report {
            Report::Nothing => (0, -1),
            Report::Succeeded => (1, -1),
            Report::Throttled(asked) => {
                let believed = |asked: Duration| micros(asked.min(self.limits.longest_retry_after));
                (2, asked.map_or(-1, believed))
            }
            Report::Failed => (3, -1),
        };
        let mut call = self.call(&self.scripts.end, slip.connection, moment);
        call.arg(slip.id.as_simple().to_string())
            .arg(number)
            .arg(slip.began.timestamp_micros())
            .arg(slip.pauses)
            .arg(u8::from(slip.probe))
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
            .arg(moment.lot.millionths())
            .arg(&self.numbers[..]);
        call
    }
}

impl Loan {
    /// Ends the call; the pause that is left then, or `None` when Redis does not say.
    pub(super) async fn end(mut self, report: Report, moment: Moment) -> Option<Duration> {
        let slip = self.slip?;
        let shared = Arc::clone(&self.shared);
        let call = shared.end_call(&slip, report, moment);
        // The slip stays until then: if this is cut short, dropping still gives the permit back.
        let answer = shared.ask(&call).await;
        self.slip = None;
        if answer.is_err() {
            shared.owe(Debt::End(slip));
        }
        answer.ok().map(duration)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(slip) = self.slip.take() {
            let shared = Arc::clone(&self.shared);
            let runtime = self.shared.link.runtime();
            runtime.spawn(async move { shared.tell(Debt::End(slip)).await });
        }
    }
}

impl Moment {
    /// For steps in which nothing is left to chance.
    const fn without_lot(now: DateTime<Utc>) -> Self {
        let lot = Lot::NONE;
        Self { now, lot }
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

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loan").field(&self.slip).finish()
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
