//! An attempt: claim, call, outcome; in that order, so that a crash at any point leaves a row that says how
//! far it came.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::fresh_deliveries::SeenDocument;
use super::gate::Sight;
use super::outcome::{Sent, Verdict, rests_until};
use super::{Link, Next, duplicate_waiters, queued};
use crate::app::cache::AsOf;
use crate::app::{App, AppError};
use crate::brakes::{Admission, Limits, Permit, Turn};
use crate::domain::address::key_of;
use crate::domain::clock::Deadline;
use crate::domain::content::Content;
use crate::domain::delivery::{
    Attempt, Channel, Channels, Delivery, DeliveryState, Message, StepKind,
};
use crate::domain::gate::Judgement;
use crate::domain::ids::{AttemptId, DeliveryId};
use crate::store::{Change, Claim, ClaimResult, Guard, TenantStore};
use crate::transport::{CallTime, Outgoing};

/// How long a worker has a delivery: the call, its margin, and both commits.
const LEASE: Duration = Duration::from_secs(30);

// A permit that is thought lost while its call still runs would let one more go.
const _: () = assert!(LEASE.as_secs() < Limits::careful().permit_life.as_secs());

/// How often a claim is tried again at once after something moved.
const CLAIMS: usize = 6;

/// When to look again at a call of our own whose lease seems to be over.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long an equal message to the same number is waited for before asking again.
const EQUAL_WAIT: Duration = Duration::from_secs(2);

impl App {
    /// Sends a queued delivery, unless something stands against it.
    pub(super) async fn send(
        &self,
        store: &TenantStore,
        mut delivery: Delivery,
        kept: Option<(Content, Option<SeenDocument>)>,
    ) -> Result<Next, AppError> {
        // The claim looks at all of this once more, so a *go* may be a second old; a refusal may not.
        let mut as_of = if delivery.is_rehearsal {
            AsOf::Now
        } else {
            AsOf::Lately
        };
        let mut has_turn = false;
        let (mut content, mut document) = kept.map_or((None, None), |(c, d)| (Some(c), d));
        for _ in 0..CLAIMS {
            let sight = self.sight(store, &delivery, as_of, document.take()).await?;
            let judgement = sight.judge(&delivery, self.now());
            if judgement == Judgement::Go
                && let Some(link) = &sight.context.link
            {
                let permit = match link.admit().await {
                    Admission::Go(permit) => permit,
                    Admission::Wait(span, _) => return Ok(Next::In(span)),
                };
                let content = match content.take() {
                    Some(content) => content,
                    None => self.content(store, delivery.id).await?,
                };
                if !has_turn && let Some(wish) = sight.context.turn_of(&delivery, &content) {
                    match link.turn(wish).await {
                        Turn::Now => has_turn = true,
                        turn => return self.wait_for_turn(store, &sight, &delivery, turn).await,
                    }
                }
                let message = Message {
                    delivery: delivery.clone(),
                    content,
                };
                let call = self.prepare(&sight, link, message, permit);
                match self.claim_and_call(store, call).await? {
                    Called::Due(due) => return Ok(self.next_at(due)),
                    Called::Done => return self.due_again(store, delivery.id).await,
                    Called::Equal(other) => {
                        let key = equal_key(link.scope(store.tenant_id()), &delivery);
                        self.caches
                            .duplicate_waiters
                            .wait(key, store.tenant_id(), delivery.id);
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
            (as_of, content) = (AsOf::Now, None);
        }
        Ok(Next::In(Duration::from_secs(1)))
    }

    async fn claim_and_call(
        &self,
        store: &TenantStore,
        call: PreparedCall,
    ) -> Result<Called, AppError> {
        match store.claim(call.claim.clone()).await? {
            ClaimResult::Claimed => self.call(store, call).await,
            ClaimResult::EqualInFlight(other) => Ok(Called::Equal(other)),
            ClaimResult::Refused => Ok(Called::Refused),
        }
    }

    /// A call with all that its claim writes.
    pub(super) fn prepare(
        &self,
        sight: &Sight,
        link: &Link,
        message: Message,
        permit: Permit,
    ) -> PreparedCall {
        let d = &message.delivery;
        let (tenant, connection) = (&sight.context.tenant, &link.connection);
        let now = self.now();
        // Taken before the commit: if that takes long, the call is not begun at all.
        let timeout = link.transport.limits().call;
        let start_by = Deadline::after(LEASE.saturating_sub(timeout));
        let hooks = self.takes_callbacks();
        let mut call = PreparedCall {
            claim: Claim {
                attempt: Attempt {
                    id: AttemptId::new(now),
                    delivery: d.id,
                    attempt_no: d.attempt_no + 1,
                    connection: connection.id,
                    account: connection.account.clone(),
                    request: String::new(),
                    started_at: now,
                    lease_until: now + TimeDelta::from_std(LEASE).unwrap_or_default(),
                },
                to: d.to().to_owned(),
                meant: d.address.clone(),
                channel: d.channel,
                fingerprint: d.fingerprint.clone(),
                scope: d.scope(),
                member: d.member,
                is_accepted: connection.is_accepted(),
                document_version: sight.document.as_ref().map_or(0, |seen| seen.version),
                lease_owner: self.parts.lease_owner.clone(),
                hours: tenant.hours,
                zone: tenant.zone,
                now,
                is_by_database: self.clock().comparison().is_some(),
            },
            sender: sight.context.sender_of(&message.delivery).to_owned(),
            message,
            link: link.clone(),
            hooks: hooks.then(|| self.public_url().join("/hooks")),
            time: CallTime {
                timeout,
                start_by: Some(start_by),
            },
            permit,
        };
        call.claim.attempt.request = link.transport.request(&call.outgoing());
        call
    }

    /// Calls, once the claim is committed, and writes the outcome.
    pub(super) async fn call(
        &self,
        store: &TenantStore,
        call: PreparedCall,
    ) -> Result<Called, AppError> {
        let (d, link, attempt) = (&call.message.delivery, &call.link, &call.claim.attempt);
        // Until its outcome is written, or this is dropped.
        let _under_way = self.caches.calls.begin((d.id, attempt.attempt_no));
        let outcome = link.transport.send(&call.outgoing(), call.time).await;
        let verdict = Verdict::of(&outcome);
        let rests_until = rests_until(&outcome, self.now());
        let sent = Sent {
            delivery: d,
            link,
            attempt_no: attempt.attempt_no,
            started_at: attempt.started_at,
            lease_until: attempt.lease_until,
        };
        // The outcome before all else, and beside the brakes, which may have to wait for Redis:
        // nothing may lose it.
        let (recorded, wait) = tokio::join!(
            self.record_outcome(store, &sent, outcome),
            verdict.tell(call.permit)
        );
        let recorded = recorded?;
        let wait = wait.map(|w| self.now() + TimeDelta::from_std(w).unwrap_or_default());
        let whole = (link.connection.channels.clone(), rests_until);
        if verdict == Verdict::Crowds {
            // In the brakes alone: it is over before a row could tell others.
            self.slow_others(link, d.channel, wait).await;
        }
        let own = (
            Channels::from_iter([d.channel]),
            wait.filter(|_| verdict != Verdict::Crowds),
        );
        for (channels, until_then) in [whole, own] {
            if let Some(until_then) = until_then {
                store
                    .pause_connection(link.connection.id, channels, until_then)
                    .await?;
            }
        }
        self.wake_equal(link.scope(store.tenant_id()), d).await;
        Ok(recorded.map_or(Called::Done, |changed| Called::Due(changed.due_at)))
    }

    /// The calls of an account are counted together, whichever of its APIs they ask.
    async fn slow_others(&self, link: &Link, told: Channel, until_then: Option<DateTime<Utc>>) {
        let Some(until_then) = until_then else { return };
        for (kind, brakes) in self.parts.transports.brakes(link.connection.provider) {
            if kind.channel() != told {
                let connection = link.connection.id.uuid();
                brakes.pause_until(connection, until_then).await;
            }
        }
    }

    /// What a message says; it is kept as long as the message waits.
    pub(super) async fn content(
        &self,
        store: &TenantStore,
        id: DeliveryId,
    ) -> Result<Content, AppError> {
        let content = store.content(id).await?;
        content.ok_or(AppError::NotFound("content"))
    }

    /// A worker died with the delivery in hand: the provider may or may not have it.
    pub(super) async fn lose_lease(
        &self,
        store: &TenantStore,
        d: &Delivery,
    ) -> Result<Next, AppError> {
        if let Some(rest) = self.rest_of_lease(d).await? {
            return Ok(Next::In(rest));
        }
        let now = self.now();
        let guard = Guard {
            states: &[DeliveryState::Sending],
            attempt_no: d.attempt_no,
            lease_owner: Some(d.lease_owner.clone()),
        };
        let name = self.provider_words(d.channel).name;
        let sentence = format!(
            "The worker ended before {name}'s answer was written down: {name} may or may not have it, \
             so we look before sending anything"
        );
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

    /// Equal texts to one number go one at a time, so that a lost one can be told from the next. Of
    /// another tenant's message no more is told than that.
    async fn wait_for_equal(
        &self,
        store: &TenantStore,
        d: &Delivery,
        other: Option<DeliveryId>,
    ) -> Result<Next, AppError> {
        let now = self.now();
        let sentence = if let Some(other) = other {
            format!("Waits until an equal message to the same address is settled ({other})")
        } else {
            let name = self.provider_words(d.channel).name;
            format!("Waits for an equal message on this {name} account")
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
    pub(super) async fn due_again(
        &self,
        store: &TenantStore,
        id: DeliveryId,
    ) -> Result<Next, AppError> {
        let due = store.delivery(id).await?.and_then(|d| d.due_at);
        Ok(self.next_at(due))
    }

    /// Lets the next equal message go, if one waits in this process.
    pub(in crate::app) async fn wake_equal(&self, scope: String, d: &Delivery) {
        if let Some((tenant, next)) = self.caches.duplicate_waiters.next(&equal_key(scope, d)) {
            self.wake_deliveries(tenant, &[next]).await;
        }
    }
}

/// Deliveries that this process has in hand. A clock that is set may end their leases on paper; the
/// calls go on, within bounds of their own.
#[derive(Default)]
pub(in crate::app) struct Calls(Mutex<HashSet<Try>>);

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

/// A call that may be made once its claim is committed.
pub(in crate::app) struct PreparedCall {
    pub(in crate::app) claim: Claim,
    message: Message,
    /// What it goes out from.
    sender: String,
    link: Link,
    /// Where callbacks go, if they can reach us.
    hooks: Option<String>,
    time: CallTime,
    permit: Permit,
}

impl PreparedCall {
    fn outgoing(&self) -> Outgoing<'_> {
        let (d, attempt) = (&self.message.delivery, &self.claim.attempt);
        Outgoing {
            mark: Some((d.id, attempt.attempt_no)),
            to: d.to(),
            reader: d.reader(),
            sender: &self.sender,
            content: &self.message.content,
            hooks: self.hooks.as_deref(),
            within: (d.expires_at - attempt.started_at)
                .to_std()
                .unwrap_or_default(),
        }
    }
}

/// How far a claim came.
pub(super) enum Called {
    /// Its outcome is written: when the next step is due, if there is one.
    Due(Option<DateTime<Utc>>),
    Done,
    Equal(Option<DeliveryId>),
    Refused,
}

/// What makes two messages equal.
fn equal_key(scope: String, d: &Delivery) -> duplicate_waiters::Equal {
    let person = key_of(d.channel, d.to()).into_owned();
    (scope, d.channel, person, d.fingerprint.clone())
}
