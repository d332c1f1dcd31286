//! Delivering: every check, then claim, attempt, call, outcome; in that order, so that a crash at any
//! point leaves a row that says how far it came.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::connections::TwilioAccess;
use super::gate::Sight;
use super::outcome::{Sent, Verdict};
use super::recent::{AsOf, SeenDocument};
use super::{App, AppError, job};
use crate::brakes::{Admission, Limits, Permit};
use crate::domain::clock::Deadline;
use crate::domain::delivery::{Attempt, Delivery, DeliveryState, StepKind};
use crate::domain::gate::Judgement;
use crate::domain::ids::{AttemptId, DeliveryId, TenantId};
use crate::store::{Change, Claim, ClaimResult, Guard, TenantStore};
use crate::twilio::kept::KeptRequest;
use crate::twilio::messages::{CallTime, NewMessage};

/// How long a call may take.
const CALL: Duration = Duration::from_secs(15);

/// How long a worker has a delivery: the call, its margin, and both commits.
const LEASE: Duration = Duration::from_secs(30);

// A permit that is thought lost while its call still runs would let one more go.
const _: () = assert!(LEASE.as_secs() < Limits::twilio().permit_life.as_secs());

/// How often a claim is tried again at once after something moved.
const CLAIMS: usize = 6;

/// When to look again at a call of our own whose lease seems to be over.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long an equal message to the same number is waited for before asking again.
const EQUAL_WAIT: Duration = Duration::from_secs(2);

/// What is due in so long is found by `requeue`, a few seconds late at most.
const LEFT_TO_THE_ROW: Duration = Duration::from_mins(2);

/// How long Twilio may keep a message waiting (Messages API, `ValidityPeriod`).
const LONGEST_VALIDITY: u64 = 36_000;

/// What the worker should do with the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing more; the row says when to come back, if at all.
    Done,
    /// Come back after this long.
    In(Duration),
}

impl App {
    /// Moves a delivery on by whatever is due: send, look, poll or expire.
    pub async fn advance(&self, tenant: TenantId, id: DeliveryId) -> Result<Next, AppError> {
        let store = self.tenant(tenant);
        let queued = self.caches.recent.take_delivery(id);
        let (delivery, document) = match queued {
            Some(kept) => (kept.delivery, kept.document),
            None => match store.delivery(id).await? {
                Some(delivery) => (delivery, None),
                None => return Ok(Next::Done),
            },
        };
        let now = self.now();
        match delivery.due_at {
            Some(due) if due > now => return Ok(Next::In(until(due, now))),
            None => return Ok(Next::Done),
            Some(_) => {}
        }
        match delivery.state {
            DeliveryState::Queued => self.send(&store, delivery, document).await,
            DeliveryState::Held => self.expire(&store, &delivery).await,
            DeliveryState::Sending => self.lose_lease(&store, &delivery).await,
            DeliveryState::Unknown => self.look(&store, &delivery).await,
            DeliveryState::Accepted | DeliveryState::Sent => self.poll(&store, &delivery).await,
            _ => Ok(Next::Done),
        }
    }

    /// Sends a queued delivery, unless something stands against it.
    async fn send(
        &self,
        store: &TenantStore,
        mut delivery: Delivery,
        mut document: Option<SeenDocument>,
    ) -> Result<Next, AppError> {
        // The claim looks at all of this once more, so a *go* may be a second old; a refusal may not.
        let mut as_of = if delivery.is_rehearsal {
            AsOf::Now
        } else {
            AsOf::Lately
        };
        for _ in 0..CLAIMS {
            let sight = self.sight(store, &delivery, as_of, document.take()).await?;
            let judgement = sight.judge(&delivery, self.now());
            if judgement == Judgement::Go
                && let Some((connection, access)) = &sight.means.twilio
            {
                let permit = match self.parts.brakes.admit(connection.id.uuid()).await {
                    Admission::Go(permit) => permit,
                    Admission::Wait(span, _) => return Ok(Next::In(span)),
                };
                match self
                    .claim_and_call(store, &sight, &delivery, permit)
                    .await?
                {
                    Called::Due(due) => return Ok(self.next_at(due)),
                    Called::Done => return self.due_again(store, delivery.id).await,
                    Called::Equal(other) => {
                        let key = equal_key(access.scope(store.tenant_id()), &delivery);
                        self.caches.equals.wait(key, store.tenant_id(), delivery.id);
                        return self.wait_for_equal(store, &delivery, other).await;
                    }
                    Called::Refused => {}
                }
            } else if as_of == AsOf::Now {
                let stopped = self.stop_at_gate(store, &delivery, &sight, judgement);
                if let Some(next) = stopped.await? {
                    return Ok(next);
                }
            }
            match store.delivery(delivery.id).await? {
                Some(again) if again.state == DeliveryState::Queued => delivery = again,
                _ => return Ok(Next::Done),
            }
            as_of = AsOf::Now;
        }
        Ok(Next::In(Duration::from_secs(1)))
    }

    async fn claim_and_call(
        &self,
        store: &TenantStore,
        sight: &Sight,
        d: &Delivery,
        permit: Permit,
    ) -> Result<Called, AppError> {
        let tenant = &sight.means.tenant;
        let Some((connection, access)) = &sight.means.twilio else {
            return Ok(Called::Refused);
        };
        let attempt_no = d.attempt_no + 1;
        let callback = self.callback_url(access, d.id, attempt_no);
        let Some(sender) = access.sender(&d.sender) else {
            return Ok(Called::Refused);
        };
        let now = self.now();
        let rest = (d.expires_at - now).to_std().unwrap_or_default();
        let message = NewMessage {
            to: d.to(),
            sender: sender.as_twilio(),
            body: &d.body,
            status_callback: callback.as_deref(),
            validity_period: Some(rest.min(Duration::from_secs(LONGEST_VALIDITY))),
        };
        let request = KeptRequest::of_message(&self.parts.twilio, &access.account, &message);
        // Taken before the commit: if that takes long, the call is not begun at all.
        let start_by = Deadline::after(LEASE.saturating_sub(CALL));
        let lease_until = now + TimeDelta::from_std(LEASE).unwrap_or_default();
        let attempt = Attempt {
            id: AttemptId::new(now),
            delivery: d.id,
            attempt_no,
            connection: connection.id,
            account: connection.account.clone(),
            request: serde_json::to_string(&request).unwrap_or_default(),
            started_at: now,
            lease_until,
        };
        let claim = Claim {
            attempt,
            to: d.to().to_owned(),
            meant: d.address.clone(),
            text_hash: d.text_hash.clone(),
            is_accepted: connection.is_accepted(),
            document_version: sight.document.as_ref().map_or(0, |seen| seen.version),
            lease_owner: self.parts.lease_owner.clone(),
            hours: tenant.hours,
            zone: tenant.zone,
            now,
            is_by_database: self.clock().comparison().is_some(),
        };
        match store.claim(claim).await? {
            ClaimResult::Claimed => {}
            ClaimResult::EqualInFlight(other) => return Ok(Called::Equal(other)),
            ClaimResult::Refused => return Ok(Called::Refused),
        }
        // Until its outcome is written, or this is dropped.
        let _under_way = self.caches.calls.begin((d.id, attempt_no));
        let time = CallTime {
            timeout: CALL,
            start_by: Some(start_by),
        };
        let outcome = self
            .parts
            .twilio
            .create(&access.account, &message, time)
            .await;
        let verdict = Verdict::of(&outcome);
        let sent = Sent {
            delivery: d,
            connection,
            access,
            attempt_no,
            started_at: now,
            lease_until,
        };
        // The outcome before all else, and beside the brakes, which may have to wait for Redis:
        // nothing may lose it.
        let (settled, wait) =
            tokio::join!(self.settle(store, &sent, outcome), verdict.tell(permit));
        let settled = settled?;
        if let Some(wait) = wait {
            let until_then = self.now() + TimeDelta::from_std(wait).unwrap_or_default();
            store.pause_connection(connection.id, until_then).await?;
        }
        self.wake_equal(access.scope(store.tenant_id()), d).await;
        Ok(settled.map_or(Called::Done, |changed| Called::Due(changed.due_at)))
    }

    /// A worker died with the delivery in hand: Twilio may or may not have it.
    async fn lose_lease(&self, store: &TenantStore, d: &Delivery) -> Result<Next, AppError> {
        if let Some(rest) = self.rest_of_lease(d).await? {
            return Ok(Next::In(rest));
        }
        let now = self.now();
        let guard = Guard {
            states: &[DeliveryState::Sending],
            attempt_no: d.attempt_no,
            lease_owner: Some(d.lease_owner.clone()),
        };
        let sentence = "The worker ended before Twilio's answer was written down: Twilio may or may \
                        not have it, so we look before sending anything";
        let change = Change::to(DeliveryState::Unknown, d.id, guard, now).because(
            StepKind::LeaseExpired,
            sentence,
            "{}".to_owned(),
        );
        store
            .change(Change {
                due_at: Some(now),
                looks: Some(0),
                ..change
            })
            .await?;
        Ok(Next::In(Duration::from_millis(1)))
    }

    /// How long to wait before a lease that seems to be over is taken as such: clocks may have been set
    /// since it was given.
    async fn rest_of_lease(&self, d: &Delivery) -> Result<Option<Duration>, AppError> {
        let is_own = d.lease_owner == self.parts.lease_owner;
        if is_own && self.caches.calls.is_under_way((d.id, d.attempt_no)) {
            return Ok(Some(LOOK_AGAIN));
        }
        let Some(comparison) = self.clock().comparison() else {
            return Ok(None);
        };
        // Until those that were given by the clock as it was before are surely over.
        let since_set = comparison.since_set.unwrap_or(Duration::MAX);
        if since_set < LEASE {
            return Ok(Some(LEASE.saturating_sub(since_set)));
        }
        let time = self.store().platform().server_time().await?;
        let rest = d.lease_until.and_then(|end| (end - time).to_std().ok());
        Ok(rest.filter(|rest| !rest.is_zero()))
    }

    /// Its time ran out, or the timer came too early.
    pub(super) async fn expire(&self, store: &TenantStore, d: &Delivery) -> Result<Next, AppError> {
        let now = self.now();
        if d.expires_at > now {
            return Ok(Next::In(until(d.expires_at, now)));
        }
        let guard = Guard {
            states: &[DeliveryState::Queued, DeliveryState::Held],
            attempt_no: d.attempt_no,
            lease_owner: None,
        };
        let waited = if d.reason.is_empty() {
            "its turn"
        } else {
            d.reason.as_str()
        };
        let sentence = format!("Not sent: its time ran out while it waited ({waited})");
        let change = Change::to(DeliveryState::Expired, d.id, guard, now).because(
            StepKind::Expired,
            sentence,
            "{}".to_owned(),
        );
        store
            .change(Change {
                leaves_flight: true,
                ..change
            })
            .await?;
        Ok(Next::Done)
    }

    /// Equal texts to one number go one at a time, so that a lost one can be told from the next. Of
    /// another tenant's message no more is told than that.
    async fn wait_for_equal(
        &self,
        store: &TenantStore,
        d: &Delivery,
        other: Option<DeliveryId>,
    ) -> Result<Next, AppError> {
        let now = self.now();
        let sentence = match other {
            Some(other) => {
                format!("Waits until an equal message to the same number is settled ({other})")
            }
            None => "Waits for an equal message on this Twilio account".to_owned(),
        };
        if d.reason != sentence {
            let change = Change::to(DeliveryState::Queued, d.id, queued(d), now).because(
                StepKind::Waits,
                sentence,
                "{}".to_owned(),
            );
            store
                .change(Change {
                    due_at: Some(now),
                    ..change
                })
                .await?;
        }
        Ok(Next::In(EQUAL_WAIT))
    }

    /// A retry is due at a time of its own; everything else is woken by its row.
    async fn due_again(&self, store: &TenantStore, id: DeliveryId) -> Result<Next, AppError> {
        let due = store.delivery(id).await?.and_then(|d| d.due_at);
        Ok(self.next_at(due))
    }

    /// What is due much later is left to its row: it would only fill the queue until then.
    fn next_at(&self, due: Option<DateTime<Utc>>) -> Next {
        let wait = due.map(|due| until(due, self.now()));
        wait.filter(|wait| *wait < LEFT_TO_THE_ROW)
            .map_or(Next::Done, Next::In)
    }

    /// Where Twilio reports the fate of this attempt; `None` where it could not reach us.
    fn callback_url(&self, access: &TwilioAccess, id: DeliveryId, attempt: i64) -> Option<String> {
        let token = access
            .hook_token
            .as_deref()
            .filter(|_| self.takes_callbacks())?;
        // Three tries on errors and time-outs (Twilio's connection overrides); not part of the
        // signed address.
        let path = format!("/hooks/twilio/{token}/status?d={id}&a={attempt}");
        Some(format!(
            "{}#rc=3&rp=5xx,ct,rt&ct=2000",
            self.public_url().join(&path)
        ))
    }

    /// Lets the next equal message go, if one waits in this process.
    pub(super) async fn wake_equal(&self, scope: String, d: &Delivery) {
        if let Some((tenant, next)) = self.caches.equals.next(&equal_key(scope, d)) {
            self.wake_deliveries(tenant, &[next]).await;
        }
    }

    /// Wakes deliveries that were released.
    pub(super) async fn wake_deliveries(&self, tenant: TenantId, ids: &[DeliveryId]) {
        let now = self.now();
        self.wake(
            ids.iter()
                .map(|id| job::deliver(tenant, *id, now))
                .collect(),
        )
        .await;
    }
}

/// Deliveries that this process has in hand. A clock that is set may end their leases on paper; the
/// calls go on, within bounds of their own.
#[derive(Default)]
pub(super) struct Calls(Mutex<HashSet<Try>>);

/// A delivery and the number of its attempt.
type Try = (DeliveryId, i64);

impl Calls {
    fn begin(&self, of: Try) -> Call<'_> {
        self.all().insert(of);
        Call { all: self, of }
    }

    fn is_under_way(&self, of: Try) -> bool {
        self.all().contains(&of)
    }

    fn all(&self) -> MutexGuard<'_, HashSet<Try>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends when dropped.
struct Call<'a> {
    all: &'a Calls,
    of: Try,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.all.all().remove(&self.of);
    }
}

/// How far a claim came.
enum Called {
    /// Its outcome is written: when the next step is due, if there is one.
    Due(Option<DateTime<Utc>>),
    Done,
    Equal(Option<DeliveryId>),
    Refused,
}

/// What makes two messages equal.
fn equal_key(scope: String, d: &Delivery) -> super::equals::Equal {
    let person = crate::domain::phone::key_of(d.to()).into_owned();
    (scope, person, d.text_hash.clone())
}

/// Still waiting for its turn.
pub(super) fn queued(d: &Delivery) -> Guard {
    Guard {
        states: &[DeliveryState::Queued],
        attempt_no: d.attempt_no,
        lease_owner: None,
    }
}

pub(super) fn until(due: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (due - now)
        .to_std()
        .unwrap_or_default()
        .max(Duration::from_millis(1))
}
