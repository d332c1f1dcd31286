//! The outcome of a call: what the provider's answer, or its absence, means for the delivery.

use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use rand::RngExt as _;

use super::Link;
use crate::app::{App, AppError};
use crate::brakes::Permit;
use crate::domain::connection::{Connection, ConnectionState};
use crate::domain::delivery::{Channel, Delivery, DeliveryState, Hold, StepKind};
use crate::store::{Change, Guard, KnownMessage, TenantStore};
use crate::transport::{Accepted, FailureKind, SendFailure};

/// A call that was made.
pub(super) struct Sent<'a> {
    pub(super) delivery: &'a Delivery,
    pub(super) link: &'a Link,
    pub(super) attempt_no: i64,
    pub(super) started_at: DateTime<Utc>,
    pub(super) lease_until: DateTime<Utc>,
}

/// The state of a delivery has changed.
pub(super) struct Changed {
    /// When its next step is due, if there is one.
    pub(super) due_at: Option<DateTime<Utc>>,
}

impl App {
    /// Writes the outcome of a call. It is appended always; the state changes only while this
    /// attempt is still the one that counts.
    pub(super) async fn record_outcome(
        &self,
        store: &TenantStore,
        sent: &Sent<'_>,
        outcome: Result<Accepted, SendFailure>,
    ) -> Result<Option<Changed>, AppError> {
        let now = self.now();
        let change = match &outcome {
            Ok(accepted) => self.accepted(sent, accepted, now),
            Err(failure) => failed(sent, failure, now),
        };
        let due_at = change.due_at;
        let changed = store
            .change(Change {
                is_outcome: true,
                ..change
            })
            .await?;
        if let Err(SendFailure {
            kind: FailureKind::Credentials { reason },
            ..
        }) = outcome
        {
            self.break_connection(store, sent, reason).await?;
        }
        Ok(changed.then_some(Changed { due_at }))
    }

    /// Marks the connection as broken, unless its credentials were replaced since this call began:
    /// then what waits for new ones goes on.
    async fn break_connection(
        &self,
        store: &TenantStore,
        sent: &Sent<'_>,
        reason: String,
    ) -> Result<(), AppError> {
        let id = sent.link.connection.id;
        let mark = |state, reason| store.set_connection_state(id, state, reason, None, self.now());
        if self.is_current(store, &sent.link.connection).await? {
            mark(ConnectionState::Broken, reason).await?;
            // Saved in between: the new credentials have not been refused.
            if self.is_current(store, &sent.link.connection).await? {
                self.tell_trouble(store.tenant_id()).await;
                return Ok(());
            }
            mark(ConnectionState::Ready, String::new()).await?;
        }
        let name = sent.link.transport.words().name;
        let sentence = format!("Released: the credentials of {name} were replaced meanwhile");
        let channels = &sent.link.connection.channels;
        self.release_over(channels, store.tenant_id(), vec![Hold::Broken], &sentence)
            .await
    }

    /// Whether a call with these credentials still says something about the connection.
    pub(in crate::app) async fn is_current(
        &self,
        store: &TenantStore,
        used: &Connection,
    ) -> Result<bool, AppError> {
        let now = store.connection_by_id(used.id).await?;
        Ok(now.is_some_and(|now| (&now.account, now.login) == (&used.account, used.login)))
    }

    fn accepted(&self, sent: &Sent<'_>, accepted: &Accepted, now: DateTime<Utc>) -> Change {
        let (d, connection) = (sent.delivery, &sent.link.connection);
        let state = if accepted.is_opt_out {
            DeliveryState::Suppressed
        } else {
            accepted.status.into()
        };
        let kind = match (accepted.is_opt_out, accepted.status.is_failure()) {
            (true, _) => StepKind::Suppressed,
            (false, true) => StepKind::Refused,
            (false, false) => StepKind::Accepted,
        };
        let first_poll = first_poll(sent.link, self.takes_callbacks());
        let guard = Guard {
            states: &[
                DeliveryState::Sending,
                DeliveryState::Unknown,
                DeliveryState::Queued,
                DeliveryState::Held,
                // Ended while the answer was lost: what the provider has is what happened.
                DeliveryState::Expired,
                DeliveryState::Canceled,
            ],
            attempt_no: sent.attempt_no,
            lease_owner: None,
        };
        let detail = serde_json::json!({ "response": &accepted.response }).to_string();
        let change = Change::to(state, d.id, guard, now);
        Change {
            suppress: accepted.is_opt_out.then(|| opt_out(d, accepted.error_code)),
            due_at: (!state.is_final()).then(|| now + first_poll),
            looks: Some(0),
            error_code: accepted.error_code,
            releases_send_lock: true,
            accepts: (!connection.is_accepted()).then_some((connection.id, connection.login)),
            message: Some(KnownMessage {
                provider: sent.link.transport.words().name.to_owned(),
                account: connection.account.clone(),
                sid: accepted.id.clone(),
                channel: d.channel,
                address: d.to().to_owned(),
                status: accepted.status,
                accepted_at: sent.started_at,
            }),
            ..change.because(kind, accepted.sentence.clone(), detail)
        }
    }
}

/// When a message is asked about first, after it was accepted.
pub(in crate::app) fn first_poll(link: &Link, takes_callbacks: bool) -> TimeDelta {
    let plan = super::poll::plan(Some(link), takes_callbacks);
    TimeDelta::seconds(plan.first().copied().unwrap_or(900))
}

/// What a failed call means for the delivery.
fn failed(sent: &Sent<'_>, failure: &SendFailure, now: DateTime<Utc>) -> Change {
    let d = sent.delivery;
    let sentence = failure.sentence.clone();
    let detail = serde_json::json!({ "response": &failure.response }).to_string();
    let guard = |states| Guard {
        states,
        attempt_no: sent.attempt_no,
        lease_owner: None,
    };
    // A definite "no" also ends a delivery whose lease ran out meanwhile.
    let open = guard(&[DeliveryState::Sending, DeliveryState::Unknown]);
    let to = |state, guard| Change::to(state, d.id, guard, now);
    let queued = |open| to(DeliveryState::Queued, open);
    let change = match &failure.kind {
        FailureKind::Refused { is_opt_out: true } => Change {
            suppress: Some(opt_out(d, failure.error_code)),
            ..to(DeliveryState::Suppressed, open).because(StepKind::Suppressed, sentence, detail)
        },
        FailureKind::Refused { is_opt_out: false } | FailureKind::Unbuildable => {
            to(DeliveryState::Failed, open).because(StepKind::Refused, sentence, detail)
        }
        FailureKind::Credentials { .. } => Change {
            hold: Some(Hold::Broken),
            due_at: Some(d.expires_at),
            ..to(DeliveryState::Held, open).because(StepKind::Held, sentence, detail)
        },
        FailureKind::Ambiguous => {
            let lost = guard(&[DeliveryState::Sending]);
            // It keeps its lock: an equal message that went now could be taken for it.
            return Change {
                due_at: Some(sent.lease_until),
                looks: Some(0),
                ..to(DeliveryState::Unknown, lost).because(StepKind::Unknown, sentence, detail)
            };
        }
        FailureKind::Throttled { retry_after } => {
            let wait = back_off(d.tries, 1, *retry_after);
            retry(queued(open), d, wait, &sentence, detail)
        }
        FailureKind::TryLater { retry_after } => {
            let wait = back_off(d.tries, 120, *retry_after);
            retry(queued(open), d, wait, &sentence, detail)
        }
        FailureKind::Unreachable | FailureKind::TooLate => {
            let wait = back_off(d.tries, 1, None);
            retry(queued(open), d, wait, &sentence, detail)
        }
        FailureKind::DailyLimit { .. } => {
            let next = next_day(now);
            let then = if next < d.expires_at {
                let midnight = sent.link.transport.words().midnight;
                format!("trying again tomorrow, {midnight}")
            } else {
                "tomorrow is too late for it, so it will expire".to_owned()
            };
            let sentence = format!("Nothing was sent: {sentence}; {then}");
            Change {
                due_at: Some(next.min(d.expires_at)),
                tries: Some(d.tries + 1),
                ..queued(open).because(StepKind::Retry, sentence, detail)
            }
        }
    };
    Change {
        error_code: failure.error_code,
        releases_send_lock: true,
        ..change
    }
}

fn retry(change: Change, d: &Delivery, wait: Duration, why: &str, detail: String) -> Change {
    let due = change.now + TimeDelta::from_std(wait).unwrap_or_default();
    let sentence = format!(
        "{why}; nothing was sent. Next try in {} s",
        wait.as_secs().max(1)
    );
    Change {
        due_at: Some(due.min(d.expires_at)),
        tries: Some(d.tries + 1),
        ..change.because(StepKind::Retry, sentence, detail)
    }
}

/// Doubles from `least` seconds up to ten minutes, with jitter; never sooner than asked.
fn back_off(tries: i64, least: u64, retry_after: Option<Duration>) -> Duration {
    let doublings = u32::try_from(tries.clamp(0, 10)).unwrap_or(10);
    let step = Duration::from_secs((least << doublings).min(600));
    let jittered = step.mul_f64(rand::rng().random_range(0.5..=1.0));
    jittered.max(retry_after.unwrap_or_default())
}

fn opt_out(d: &Delivery, error_code: i64) -> (Channel, String, String) {
    let why = format!("The recipient has opted out ({error_code})");
    (d.channel, d.to().to_owned(), why)
}

/// When a limit for the day is lifted. Providers do not say by which zone they count, so it is midnight
/// in UTC, and a few minutes so that not all come at once.
fn next_day(now: DateTime<Utc>) -> DateTime<Utc> {
    let midnight = now.date_naive().and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(1);
    midnight + TimeDelta::seconds(rand::rng().random_range(0..600))
}

/// Until when an outcome stops the whole connection: one limit is the account's, not a sender's.
pub(super) fn rests_until(
    outcome: &Result<Accepted, SendFailure>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    match outcome.as_ref().map_err(|failure| &failure.kind) {
        Err(FailureKind::DailyLimit {
            is_of_account: true,
        }) => Some(next_day(now)),
        _ => None,
    }
}

/// What an outcome says about the provider, for the brakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Verdict {
    /// It answers.
    Answers,
    /// It answers, and the whole account has nearly as many calls under way as it bears.
    Crowds,
    /// It wants fewer calls; perhaps after this long.
    Throttles(Option<Duration>),
    /// It fails, or nobody knows.
    Fails,
    /// Nothing: it was not called.
    Nothing,
}

impl Verdict {
    pub(in crate::app) fn of(outcome: &Result<Accepted, SendFailure>) -> Self {
        let is_crowded = match outcome {
            Ok(accepted) => accepted.is_crowded,
            Err(failure) => failure.is_crowded,
        };
        match outcome.as_ref().map_err(|failure| &failure.kind) {
            Err(FailureKind::Throttled { retry_after }) => Self::Throttles(*retry_after),
            Err(FailureKind::Ambiguous | FailureKind::Unreachable) => Self::Fails,
            Err(FailureKind::Unbuildable | FailureKind::TooLate) => Self::Nothing,
            _ if is_crowded => Self::Crowds,
            Ok(_)
            | Err(
                FailureKind::Refused { .. }
                | FailureKind::TryLater { .. }
                | FailureKind::DailyLimit { .. }
                | FailureKind::Credentials { .. },
            ) => Self::Answers,
        }
    }

    /// Tells the brakes; how long no call goes now, if it must be so.
    pub(in crate::app) async fn tell(self, permit: Permit) -> Option<Duration> {
        match self {
            Self::Throttles(retry_after) => return Some(permit.throttled(retry_after).await),
            Self::Crowds => return Some(permit.crowded().await),
            Self::Fails => permit.failed().await,
            Self::Answers => permit.succeeded().await,
            Self::Nothing => drop(permit),
        }
        None
    }
}
