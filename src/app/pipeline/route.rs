//! Routing: what an event tells is decided, and committed at once.
//!
//! The plan is made outside the transaction, which then checks the version of the document and the number of
//! the rule set, and starts over when one of them moved.

use std::sync::Arc;

use chrono::TimeDelta;

use super::context::RoutingInput;
use super::plan::Plan;
use super::stored_event::StoredEvent;
use crate::app::cache::AsOf;
use crate::app::sending::Departures;
use crate::app::sending::FreshDelivery;
use crate::app::{App, AppError, job};
use crate::domain::delivery::{DeliveryState, Message};
use crate::domain::ids::{EventId, ReplayId, TenantId};
use crate::store::{RouteResult, TenantStore};

/// How often a decision starts over because something moved, before the job is tried again later.
pub(super) const STARTS: usize = 20;

impl App {
    /// Decides one event. Somebody else having done so is fine.
    pub async fn route_event(&self, tenant: TenantId, id: EventId) -> Result<(), AppError> {
        let store = self.tenant(tenant);
        let mut fresh = self.caches.fresh_events.take(id);
        let mut as_of = AsOf::Lately;
        for _ in 0..STARTS {
            let stored = match fresh.take() {
                Some(fresh) => fresh,
                None => match StoredEvent::read(&store, id).await? {
                    Some(read) => Arc::new(read),
                    None => return Ok(()),
                },
            };
            if stored.event.routed_at.is_some() {
                return Ok(());
            }
            let context = self.routing_context(&store, as_of).await?;
            let input = RoutingInput {
                stored: &stored,
                replay: ReplayId::nil(),
                wished_at: stored.event.received_at,
            };
            let plan = self.plan(&store, &context, &input).await?;
            if self.commit(&store, plan, Committer::Worker).await? {
                return Ok(());
            }
            as_of = AsOf::Now;
        }
        Err(AppError::Busy)
    }

    /// Commits a plan and wakes the senders; `false` when it must be made anew. A worker sends what may leave
    /// at once; whoever waits for an answer leaves that to one.
    pub(super) async fn commit(
        &self,
        store: &TenantStore,
        plan: Plan,
        by: Committer,
    ) -> Result<bool, AppError> {
        let Plan { commit, document } = plan;
        let (tenant, now) = (store.tenant_id(), commit.routed_at);
        let queued: Vec<_> = commit
            .deliveries
            .iter()
            .filter(|d| d.state == DeliveryState::Queued)
            .map(|d| Message {
                delivery: store.as_queued(d, now),
                content: d.content.clone(),
            })
            .collect();
        let Departures { mut calls, waits } = match by {
            Committer::Worker => self.departures(store, &queued, document.as_ref()).await?,
            Committer::Person => Departures::default(),
        };
        let claims = calls.iter().map(|call| call.claim.clone()).collect();
        let routed = store.commit_and_claim(commit, claims).await?;
        match routed.result {
            RouteResult::Committed => {}
            RouteResult::Gone => return Ok(true),
            RouteResult::Stale => return Ok(false),
        }
        calls.retain(|call| routed.claimed.contains(&call.claim.attempt.delivery));
        let left = queued
            .into_iter()
            .filter(|m| !routed.claimed.contains(&m.delivery.id));
        let mut wishes = Vec::new();
        for message in left {
            let id = message.delivery.id;
            let wait = waits.get(&id).copied().unwrap_or_default();
            let due = now + TimeDelta::from_std(wait).unwrap_or_default();
            wishes.push(job::deliver(tenant, id, due));
            let document = document.clone();
            let fresh = FreshDelivery { message, document };
            self.caches.fresh_deliveries.keep(fresh, now);
        }
        self.wake(wishes).await;
        self.depart(store, calls).await?;
        Ok(true)
    }
}

/// Who commits a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Committer {
    Worker,
    Person,
}
