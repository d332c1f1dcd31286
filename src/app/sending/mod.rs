//! Sending: a delivery becomes a message, or says what it waits for.
//!
//! ```text
//!                 ┌──────────── gate: may it go? ── no ──► held, canceled, suppressed, waits for its hour
//!                 │ yes
//!  queued ── attempt: claim, call ── outcome ──► accepted ── poll, receipts ──► sent, delivered, failed …
//!    ▲                   │                          ▲
//!    │                   └─ nobody knows ─► unknown │
//!    └────────────────── absent ────────────── reconcile
//! ```
//!
//! What may leave at once is claimed by the commit that makes it (`at_once`) and begins with the call.
//! Each step is written before the next one begins, so that a crash at any point leaves a row that says
//! how far it came.

mod at_once;
pub(super) mod attempt;
mod context;
pub(super) mod duplicate_waiters;
mod fresh_deliveries;
mod gate;
mod outcome;
mod poll;
pub mod receipts;
mod reconcile;
mod turn;

use std::time::Duration;

use chrono::{DateTime, Utc};

pub(super) use self::at_once::Departures;
pub(super) use self::context::{Link, SendingContext};
pub(super) use self::fresh_deliveries::{FreshDeliveries, FreshDelivery, SeenDocument};
pub(super) use self::outcome::{Verdict, first_poll};
use super::{App, AppError, job};
use crate::domain::delivery::{Delivery, DeliveryState, StepKind};
use crate::domain::ids::{DeliveryId, TenantId};
use crate::store::{Change, Guard, TenantStore};

/// What is due in so long is found by `requeue`, a few seconds late at most.
const LEFT_TO_THE_ROW: Duration = Duration::from_mins(2);

/// What the worker should do with the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing more; the row says when to come back, if at all.
    Done,
    /// Come back after this long.
    In(Duration),
}

impl App {
    /// Moves a delivery on by whatever is due: send, reconcile, poll or expire.
    pub async fn advance(&self, tenant: TenantId, id: DeliveryId) -> Result<Next, AppError> {
        let store = self.tenant(tenant);
        let queued = self.caches.fresh_deliveries.take(id);
        let (delivery, kept) = match queued {
            Some(kept) => (
                kept.message.delivery,
                Some((kept.message.content, kept.document)),
            ),
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
            DeliveryState::Queued => Box::pin(self.send(&store, delivery, kept)).await,
            DeliveryState::Held => self.expire(&store, &delivery).await,
            DeliveryState::Sending => self.lose_lease(&store, &delivery).await,
            DeliveryState::Unknown => self.reconcile(&store, &delivery).await,
            DeliveryState::Accepted | DeliveryState::Sent => self.poll(&store, &delivery).await,
            _ => Ok(Next::Done),
        }
    }

    /// Its time ran out, or the timer came too early.
    async fn expire(&self, store: &TenantStore, d: &Delivery) -> Result<Next, AppError> {
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

    /// What is due much later is left to its row: it would only fill the queue until then.
    fn next_at(&self, due: Option<DateTime<Utc>>) -> Next {
        let wait = due.map(|due| until(due, self.now()));
        wait.filter(|wait| *wait < LEFT_TO_THE_ROW)
            .map_or(Next::Done, Next::In)
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
