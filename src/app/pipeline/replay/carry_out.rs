//! A replay is carried out: once, whoever finds its row.

use chrono::TimeDelta;

use crate::app::cache::AsOf;
use crate::app::pipeline::context::RoutingInput;
use crate::app::pipeline::route::{Committer, STARTS};
use crate::app::pipeline::stored_event::StoredEvent;
use crate::app::{App, AppError, job};
use crate::domain::ids::{DeliveryId, EventId, ReplayId, TenantId};
use crate::domain::replay::Replay;
use crate::store::TenantStore;

/// A replay that was made.
#[derive(Debug, Clone)]
pub struct Replayed {
    pub replay: ReplayId,
    pub event: EventId,
    pub deliveries: Vec<DeliveryId>,
    /// The event is still being decided; the deliveries follow.
    pub is_pending: bool,
    /// Contacts are not written to at this time of day: it waits for the next opening.
    pub waits: bool,
}

/// How a replay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayOutcome {
    Done,
    /// It was decided, but would send something else than was confirmed: nothing is sent.
    Changed,
    /// The event itself is not decided yet: the replay waits for it.
    EventWaits,
}

impl App {
    /// Decides for a replay, unless that was done.
    pub(super) async fn carry_out(
        &self,
        store: &TenantStore,
        replay: Replay,
    ) -> Result<Replayed, AppError> {
        let (tenant, event) = (store.tenant_id(), replay.event);
        let known = store
            .event(event)
            .await?
            .ok_or(AppError::NotFound("event"))?;
        let joins = known.routed_at.is_none();
        let is_pending = match self.run_replay(tenant, replay.id).await {
            Ok(ReplayOutcome::Done) => joins,
            Ok(ReplayOutcome::Changed) => return Err(self.event_changed(tenant, event).await),
            Ok(ReplayOutcome::EventWaits) | Err(AppError::Busy) => true,
            Err(error) => return Err(error),
        };
        if is_pending {
            let soon = self.now() + TimeDelta::seconds(1);
            self.wake(vec![job::run_replay(tenant, replay.id, soon)])
                .await;
        }
        Ok(Replayed {
            replay: replay.id,
            event,
            deliveries: made_for(store, &replay).await?,
            is_pending,
            waits: false,
        })
    }

    /// Decides an event again for a replay, with today's rules.
    pub async fn run_replay(
        &self,
        tenant: TenantId,
        id: ReplayId,
    ) -> Result<ReplayOutcome, AppError> {
        let store = self.tenant(tenant);
        for _ in 0..STARTS {
            let Some(replay) = store.replay(id).await? else {
                return Ok(ReplayOutcome::Done);
            };
            if replay.routed_at.is_some() {
                return Ok(ReplayOutcome::Done);
            }
            let Some(stored) = StoredEvent::read(&store, replay.event).await? else {
                return Ok(ReplayOutcome::Done);
            };
            if stored.event.routed_at.is_none() {
                return Ok(ReplayOutcome::EventWaits);
            }
            let context = self.routing_context(&store, AsOf::Now).await?;
            let input = RoutingInput {
                stored: &stored,
                replay: replay.id,
                wished_at: replay.requested_at,
            };
            let mut plan = self.plan(&store, &context, &input).await?;
            let is_confirmed = replay
                .confirmed
                .as_ref()
                .is_none_or(|confirmed| plan.keep_confirmed(confirmed));
            if self.commit(&store, plan, Committer::Person).await? {
                return Ok(if is_confirmed {
                    ReplayOutcome::Done
                } else {
                    ReplayOutcome::Changed
                });
            }
        }
        Err(AppError::Busy)
    }

    /// The facts as they are now, since they are no longer those that were confirmed.
    pub(super) async fn event_changed(&self, tenant: TenantId, event: EventId) -> AppError {
        let facts = self.event_replay_facts(tenant, event).await;
        facts.map_or_else(|error| error, |f| AppError::Unconfirmed(Box::new(f)))
    }

    /// What became of a message's replay.
    pub(super) async fn replayed(
        &self,
        store: &TenantStore,
        replay: &Replay,
    ) -> Result<Replayed, AppError> {
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let old = match replay.delivery {
            Some(id) => store.delivery(id).await?,
            None => None,
        };
        let is_to_contact = old.is_some_and(|d| d.is_to_contact);
        let opening = row.opening_for(is_to_contact, self.now());
        Ok(Replayed {
            replay: replay.id,
            event: replay.event,
            deliveries: made_for(store, replay).await?,
            is_pending: false,
            waits: opening.is_some() && !row.is_rehearsal,
        })
    }
}

async fn made_for(store: &TenantStore, replay: &Replay) -> Result<Vec<DeliveryId>, AppError> {
    let made = store.deliveries_of(replay.event).await?;
    let made = made.iter().filter(|d| d.replay == replay.id);
    Ok(made.map(|d| d.id).collect())
}
