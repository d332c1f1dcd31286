//! What a scenario promises beside nothing lost and nothing doubled, held against what was seen: posts
//! are answered in time, work goes on soon after a fault has ended, messages leave on time, and no
//! message waits for a person unless an answer about it was lost.
//!
//! Pure, and read by two programs, as `verdict.rs` is.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// No post may wait longer for its answer, whatever the answer is.
pub(crate) const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// How soon after the end of a fault there must be a 200, and a message.
pub(crate) const BACK_WITHIN: Duration = Duration::from_secs(10);

/// How soon `/readyz` must say that nothing can be taken.
pub(crate) const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// What a scenario promises.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Promises {
    /// Each post is answered within [`ANSWERED_WITHIN`].
    pub(crate) answers: bool,
    /// Work is back within [`BACK_WITHIN`] of the end of each fault.
    pub(crate) recovers: bool,
    /// `/readyz` says within [`TOLD_WITHIN`] that something is wrong, and not for long afterwards.
    pub(crate) tells: bool,
    /// So many per cent of the messages leave within so long of their 200.
    pub(crate) on_time: Option<(usize, Duration)>,
}

/// How long posts waited for their answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) longest: Duration,
    /// Posts that waited longer than [`ANSWERED_WITHIN`].
    pub(crate) hung: usize,
}

impl Waits {
    /// One post has waited so long.
    pub(crate) fn add(&mut self, wait: Duration) {
        self.longest = self.longest.max(wait);
        self.hung += usize::from(wait > ANSWERED_WITHIN);
    }

    /// Those of others as well.
    pub(crate) fn join(&mut self, other: Self) {
        self.longest = self.longest.max(other.longest);
        self.hung += other.hung;
    }
}

/// An answer of `/readyz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) at: DateTime<Utc>,
    pub(crate) is_ready: bool,
}

/// A fault that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its end, in words.
    pub(crate) what: String,
    pub(crate) begin: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
}

/// What came how long after a fault had ended; `None` where it never came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// The end of the fault, in words.
    pub(crate) what: String,
    pub(crate) first_200: Option<Duration>,
    pub(crate) first_message: Option<Duration>,
    /// From the begin of the fault to the first `/readyz` that was 503, while it lasted.
    pub(crate) told: Option<Duration>,
    /// From its end to the last such one before the next fault.
    pub(crate) unready: Duration,
}

impl Recovery {
    /// What was seen around each fault: of all answers with 200, messages, and answers of `/readyz`.
    pub(crate) fn of_each(
        faults: &[Ended],
        answers: &[DateTime<Utc>],
        messages: &[DateTime<Utc>],
        readiness: &[Readiness],
    ) -> Vec<Self> {
        let unready: Vec<_> = readiness.iter().filter(|r| !r.is_ready).collect();
        let of = |(number, fault): (usize, &Ended)| {
            let next = faults.get(number + 1).map(|next| next.begin);
            let told = unready.iter().map(|r| r.at);
            let told = told.filter(|at| *at <= fault.end);
            let last = unready.iter().map(|r| r.at);
            let last = last.filter(|at| next.is_none_or(|next| *at < next)).max();
            Self {
                what: fault.what.clone(),
                first_200: first(fault.end, answers.iter().copied()),
                first_message: first(fault.end, messages.iter().copied()),
                told: first(fault.begin, told),
                unready: last
                    .and_then(|last| (last - fault.end).to_std().ok())
                    .unwrap_or_default(),
            }
        };
        faults.iter().enumerate().map(of).collect()
    }
}

fn first(end: DateTime<Utc>, at: impl IntoIterator<Item = DateTime<Utc>>) -> Option<Duration> {
    let earliest = at.into_iter().filter(|at| *at >= end).min()?;
    (earliest - end).to_std().ok()
}

/// What was seen of it.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) waits: Waits,
    pub(crate) recoveries: &'a [Recovery],
    /// From the 200 to the message, for each message.
    pub(crate) sends: &'a [Duration],
}

/// Every promise that was not kept, in words.
pub(crate) fn broken(promises: Promises, outcome: &Outcome<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    let Waits { longest, hung } = outcome.waits;
    if promises.answers && hung > 0 {
        broken.push(format!(
            "{hung} posts waited longer than {} s for an answer, one of them {:.1} s",
            ANSWERED_WITHIN.as_secs(),
            longest.as_secs_f64()
        ));
    }
    if promises.recovers {
        for recovery in outcome.recoveries {
            let both = [
                ("200", recovery.first_200),
                ("message", recovery.first_message),
            ];
            for (what, after) in both {
                let told = match after {
                    Some(after) if after <= BACK_WITHIN => continue,
                    Some(after) => format!("came only after {:.1} s", after.as_secs_f64()),
                    None => "never came".to_owned(),
                };
                broken.push(format!("{}: the first {what} {told}", recovery.what));
            }
        }
    }
    if promises.tells {
        broken.extend(outcome.recoveries.iter().flat_map(untold));
    }
    if let Some((percent, within)) = promises.on_time {
        let late = outcome.sends.iter().filter(|took| **took > within).count();
        if late * 100 > outcome.sends.len() * (100 - percent) {
            broken.push(format!(
                "{late} of {} messages left later than {} s after their 200; {percent} % must be \
                 earlier",
                outcome.sends.len(),
                within.as_secs()
            ));
        }
    }
    broken
}

/// What `/readyz` did not say, or said for too long.
fn untold(recovery: &Recovery) -> Vec<String> {
    let mut broken = Vec::new();
    let what = &recovery.what;
    match recovery.told {
        Some(told) if told <= TOLD_WITHIN => {}
        Some(told) => broken.push(format!(
            "{what}: /readyz said only after {:.1} s of it that something was wrong",
            told.as_secs_f64()
        )),
        None => broken.push(format!(
            "{what}: /readyz never said that something was wrong"
        )),
    }
    if recovery.unready > BACK_WITHIN {
        broken.push(format!(
            "{what}: /readyz still said {:.1} s later that something was wrong",
            recovery.unready.as_secs_f64()
        ));
    }
    broken
}

/// What tells messages apart, as far as the provider's stand-in can: account, address and text.
pub(crate) type Key = (String, String, String);

/// A delivery that waits for a person.
#[derive(Debug, Clone)]
pub(crate) struct Doubt {
    pub(crate) delivery: String,
    pub(crate) key: Key,
}

/// What is known from outside of the calls about each kind of message.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// How often the stand-in was called, by all processes.
    pub(crate) seen: HashMap<Key, usize>,
    /// How each answer was lost that no process can have written down.
    pub(crate) lost: BTreeMap<Key, Vec<String>>,
}

/// Why a call that was begun was never seen by the stand-in.
const NEVER_LEFT: &str = "a process ended between writing an attempt down and making its call";

impl Calls {
    /// Answers lost, and calls that never left, given the attempts that the service tells of.
    pub(crate) fn with_attempts(mut self, attempts: &HashMap<Key, usize>) -> Self {
        for (key, begun) in attempts {
            let seen = self.seen.get(key).copied().unwrap_or_default();
            for _ in seen..*begun {
                let lost = self.lost.entry(key.clone()).or_default();
                lost.push(NEVER_LEFT.to_owned());
            }
        }
        self
    }

    pub(crate) fn lost_answers(&self) -> usize {
        self.lost.values().map(Vec::len).sum()
    }

    /// Why each doubt is one: by the lost answer that it comes from, or `None` where there is none.
    pub(crate) fn explain(mut self, doubts: &[Doubt]) -> Vec<(String, Option<String>)> {
        let explained = doubts.iter().map(|doubt| {
            let lost = self.lost.get_mut(&doubt.key);
            (doubt.delivery.clone(), lost.and_then(Vec::pop))
        });
        explained.collect()
    }
}
