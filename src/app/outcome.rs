//! The outcome of a call: what each answer of Twilio's, or its absence, means for the delivery.

use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use rand::RngExt as _;

use super::connections::TwilioAccess;
use super::{App, AppError};
use crate::brakes::Permit;
use crate::domain::connection::{Connection, ConnectionState};
use crate::domain::delivery::{Channel, Delivery, DeliveryState, Hold, StepKind};
use crate::store::{Change, Guard, KnownMessage, TenantStore};
use crate::twilio::codes;
use crate::twilio::error::{SendError, SendFailure, Unsent};
use crate::twilio::messages::Accepted;

/// A call that was made.
pub(super) struct Sent<'a> {
    pub(super) delivery: &'a Delivery,
    pub(super) connection: &'a Connection,
    pub(super) access: &'a TwilioAccess,
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
    pub(super) async fn settle(
        &self,
        store: &TenantStore,
        sent: &Sent<'_>,
        outcome: Result<Accepted, SendError>,
    ) -> Result<Option<Changed>, AppError> {
        let now = self.now();
        let change = match &outcome {
            Ok(accepted) => self.accepted(sent, accepted, now),
            Err(error) => failed(sent, error, now),
        };
        let due_at = change.due_at;
        let changed = store
            .change(Change {
                is_outcome: true,
                ..change
            })
            .await?;
        if let Err(SendError {
            kind: SendFailure::Credentials(refusal),
            ..
        }) = &outcome
        {
            let reason = match refusal.code {
                Some(code) => refusal.entry().what_with(code),
                None => format!("Twilio refuses the credentials (HTTP {})", refusal.http),
            };
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
        let id = sent.connection.id;
        let mark = |state, reason| store.set_connection_state(id, state, reason, None, self.now());
        if self.is_current(store, sent.access).await? {
            mark(ConnectionState::Broken, reason).await?;
            // Saved in between: the new credentials have not been refused.
            if self.is_current(store, sent.access).await? {
                self.tell_trouble(store.tenant_id()).await;
                return Ok(());
            }
            mark(ConnectionState::Ready, String::new()).await?;
        }
        let sentence = "Released: the credentials of Twilio were replaced meanwhile";
        self.release(store.tenant_id(), vec![Hold::Broken], sentence)
            .await
    }

    /// Whether a call with these credentials still says something about the connection.
    pub(super) async fn is_current(
        &self,
        store: &TenantStore,
        used: &TwilioAccess,
    ) -> Result<bool, AppError> {
        let now = self.twilio_of(store).await?;
        Ok(now.is_some_and(|(_, now)| now.is_same_login(used)))
    }

    fn accepted(&self, sent: &Sent<'_>, accepted: &Accepted, now: DateTime<Utc>) -> Change {
        let d = sent.delivery;
        let code = accepted.error_code.unwrap_or_default();
        let has_failed = matches!(
            accepted.status.state(),
            DeliveryState::Failed | DeliveryState::Undelivered | DeliveryState::Canceled
        );
        let opted_out = has_failed && codes::explain(code).is_opt_out();
        let state = if opted_out {
            DeliveryState::Suppressed
        } else {
            accepted.status.state()
        };
        let first_poll = super::poll::first(self.takes_callbacks());
        let guard = Guard {
            states: &[
                DeliveryState::Sending,
                DeliveryState::Unknown,
                DeliveryState::Queued,
                DeliveryState::Held,
                // Ended while the answer was lost: what Twilio has is what happened.
                DeliveryState::Expired,
                DeliveryState::Canceled,
            ],
            attempt_no: sent.attempt_no,
            lease_owner: None,
        };
        let mut sentence = format!("Twilio has it ({})", accepted.sid);
        if let Some(segments) = accepted.num_segments {
            sentence = format!(
                "{sentence}, {segments} segment{}",
                if segments == 1 { "" } else { "s" }
            );
        }
        let mut kind = StepKind::Accepted;
        if has_failed {
            kind = if opted_out {
                StepKind::Suppressed
            } else {
                StepKind::Refused
            };
            let words = accepted.error_message.as_deref().unwrap_or_default();
            sentence = codes::sentence_with(code, d.to(), Some(d.reader()), words);
        }
        let detail = serde_json::json!({ "response": &accepted.response }).to_string();
        Change {
            suppress: opted_out.then(|| opt_out(d)),
            due_at: (!state.is_final()).then(|| now + first_poll),
            looks: Some(0),
            error_code: accepted.error_code.unwrap_or_default().into(),
            leaves_flight: true,
            accepts: (!sent.connection.is_accepted())
                .then_some((sent.connection.id, sent.connection.login)),
            message: Some(KnownMessage {
                account: sent.connection.account.clone(),
                sid: accepted.sid.to_string(),
                address: d.to().to_owned(),
                status: accepted.status,
                accepted_at: sent.started_at,
            }),
            ..Change::to(state, d.id, guard, now).because(kind, sentence, detail)
        }
    }
}

/// What a failed call means for the delivery.
fn failed(sent: &Sent<'_>, error: &SendError, now: DateTime<Utc>) -> Change {
    let d = sent.delivery;
    let detail = serde_json::json!({ "response": &error.response }).to_string();
    let code = error.code().unwrap_or_default();
    let guard = |states| Guard {
        states,
        attempt_no: sent.attempt_no,
        lease_owner: None,
    };
    // A definite "no" also settles a delivery whose lease ran out meanwhile.
    let open = guard(&[DeliveryState::Sending, DeliveryState::Unknown]);
    let to = |state, guard| Change::to(state, d.id, guard, now);
    let change = match &error.kind {
        SendFailure::Refused(_) if codes::explain(code).is_opt_out() => Change {
            suppress: Some(opt_out(d)),
            ..to(DeliveryState::Suppressed, open).because(
                StepKind::Suppressed,
                refusal(error, d),
                detail,
            )
        },
        SendFailure::Refused(_) => {
            to(DeliveryState::Failed, open).because(StepKind::Refused, refusal(error, d), detail)
        }
        SendFailure::NotSent(Unsent::Unbuildable) => {
            let sentence = "The request to Twilio could not be built; nothing was sent";
            to(DeliveryState::Failed, open).because(StepKind::Refused, sentence, detail)
        }
        SendFailure::Credentials(_) => Change {
            hold: Some(Hold::Broken),
            due_at: Some(d.expires_at),
            ..to(DeliveryState::Held, open).because(
                StepKind::Held,
                format!(
                    "Twilio refused the credentials{}. Enter them again under Connections",
                    error
                        .code()
                        .map_or_else(String::new, |code| format!(" ({code})"))
                ),
                detail,
            )
        },
        SendFailure::Ambiguous { why, .. } => {
            let sentence = format!("{why}: Twilio may or may not have it");
            let change = to(DeliveryState::Unknown, guard(&[DeliveryState::Sending])).because(
                StepKind::Unknown,
                sentence,
                detail,
            );
            return Change {
                due_at: Some(sent.lease_until),
                looks: Some(0),
                ..change
            };
        }
        SendFailure::Throttled { retry_after, .. } | SendFailure::TryLater { retry_after, .. } => {
            let least = if matches!(error.kind, SendFailure::TryLater { .. }) {
                120
            } else {
                1
            };
            let wait = back_off(d.tries, least, *retry_after);
            retry(
                to(DeliveryState::Queued, open),
                d,
                wait,
                &error.to_string(),
                detail,
            )
        }
        SendFailure::DailyLimit { code } => {
            let next = next_day(now);
            let then = if next < d.expires_at {
                "trying again tomorrow, when Twilio's day begins (00:00 UTC)"
            } else {
                "tomorrow is too late for it, so it will expire"
            };
            let what = codes::explain(*code).what_with(*code);
            Change {
                due_at: Some(next.min(d.expires_at)),
                tries: Some(d.tries + 1),
                ..to(DeliveryState::Queued, open).because(
                    StepKind::Retry,
                    format!("Nothing was sent: {what}; {then}"),
                    detail,
                )
            }
        }
        SendFailure::NotSent(_) => {
            let wait = back_off(d.tries, 1, None);
            retry(
                to(DeliveryState::Queued, open),
                d,
                wait,
                &error.to_string(),
                detail,
            )
        }
    };
    Change {
        error_code: code.into(),
        leaves_flight: true,
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

fn refusal(error: &SendError, d: &Delivery) -> String {
    let words = match &error.kind {
        SendFailure::Refused(refusal) => refusal.message.as_str(),
        _ => "",
    };
    let code = error.code().unwrap_or_default();
    codes::sentence_with(code, d.to(), Some(d.reader()), words)
}

fn opt_out(d: &Delivery) -> (Channel, String, String) {
    let why = "The recipient has opted out (21610)".to_owned();
    (d.channel, d.to().to_owned(), why)
}

/// When a limit for the day is lifted. Twilio does not say by which zone it counts, so it is midnight
/// in UTC, and a few minutes so that not all come at once.
fn next_day(now: DateTime<Utc>) -> DateTime<Utc> {
    let midnight = now.date_naive().and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(1);
    midnight + TimeDelta::seconds(rand::rng().random_range(0..600))
}

/// Until when an outcome stops the whole connection: one limit is the account's, not a sender's.
pub(super) fn rests_until(
    outcome: &Result<Accepted, SendError>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    match outcome.as_ref().map_err(|e| &e.kind) {
        Err(SendFailure::DailyLimit { code: 63038 }) => Some(next_day(now)),
        _ => None,
    }
}

/// What an outcome says about the provider, for the brakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answers.
    Answers,
    /// It wants fewer calls; perhaps after this long.
    Throttles(Option<Duration>),
    /// It fails, or nobody knows.
    Fails,
    /// Nothing: it was not called.
    Nothing,
}

impl Verdict {
    pub(super) fn of(outcome: &Result<Accepted, SendError>) -> Self {
        match outcome.as_ref().map_err(|e| &e.kind) {
            Err(SendFailure::Throttled { retry_after, .. }) => Self::Throttles(*retry_after),
            Err(SendFailure::Ambiguous { .. } | SendFailure::NotSent(Unsent::Unreachable(_))) => {
                Self::Fails
            }
            Ok(_)
            | Err(
                SendFailure::Refused(_)
                | SendFailure::TryLater { .. }
                | SendFailure::DailyLimit { .. }
                | SendFailure::Credentials(_),
            ) => Self::Answers,
            Err(SendFailure::NotSent(_)) => Self::Nothing,
        }
    }

    /// Tells the brakes; how long the connection must rest, if it must.
    pub(super) async fn tell(self, permit: Permit) -> Option<Duration> {
        match self {
            Self::Throttles(retry_after) => return Some(permit.throttled(retry_after).await),
            Self::Fails => permit.failed().await,
            Self::Answers => permit.succeeded().await,
            Self::Nothing => drop(permit),
        }
        None
    }
}
