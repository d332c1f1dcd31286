//! Replay: a person's wish to decide or send once more.

mod choice;
pub mod facts;

use chrono::TimeDelta;

use crate::app::pipeline::route::ReplayOutcome;
use crate::app::{App, AppError, job};
use crate::domain::actor::Actor;
use crate::domain::delivery::{Delivery, NewDelivery};
use crate::domain::ids::{DeliveryId, EventId, ReplayId, TenantId};
use crate::domain::replay::{Confirmed, Replay, ReplayKind};
use crate::domain::rule::DEFAULT_SEND_WITHIN;
use crate::store::{NewReplay, ReplayResult, TenantStore};
use facts::ReplayFacts;

/// The longest nonce that is taken, in bytes.
const LONGEST_NONCE: usize = 255;

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

/// A person's wish to replay.
#[derive(Debug, Clone, Default)]
pub struct ReplayWish {
    /// The same nonce gives the same replay.
    pub nonce: String,
    /// The fingerprint of the facts that were seen.
    pub confirm: String,
    /// The keys of those who are to be written to; `None` is all who can be.
    pub chosen: Option<Vec<String>>,
}

impl App {
    /// Decides an event again with today's rules, and writes to those who were chosen.
    pub async fn replay_event(
        &self,
        tenant: TenantId,
        event: EventId,
        wish: &ReplayWish,
        actor: &Actor,
    ) -> Result<Replayed, AppError> {
        let store = self.tenant(tenant);
        let mut replay = self.replay(tenant, event, None, &wish.nonce, actor)?;
        if let Some(first) = store.replay_named(&replay.nonce).await? {
            return self.carry_out(&store, first).await;
        }
        let facts = self.event_replay_facts(tenant, event).await?;
        if let Some(refusal) = refusal(&facts, wish) {
            let first = store.replay_named(&replay.nonce).await?;
            return self.carry_out(&store, first.ok_or(refusal)?).await;
        }
        replay.confirmed = Some(Confirmed {
            plan: facts.plan.clone(),
            chosen: facts.chosen(wish.chosen.as_deref())?,
        });
        // While the event is still being decided, the wish is already being carried out: deciding it
        // once more would send twice.
        let joins = facts.event.routed_at.is_none();
        replay.routed_at = joins.then_some(replay.requested_at);
        let new = NewReplay {
            address: actor.address.clone(),
            replay,
            replays_before: Some(facts.replays_before),
            delivery: None,
        };
        match self.make(&store, new).await? {
            Some(replay) => self.carry_out(&store, replay).await,
            None => Err(self.event_changed(tenant, event).await),
        }
    }

    /// Decides for a replay, unless that was done.
    async fn carry_out(&self, store: &TenantStore, replay: Replay) -> Result<Replayed, AppError> {
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

    /// The facts as they are now, since they are no longer those that were confirmed.
    async fn event_changed(&self, tenant: TenantId, event: EventId) -> AppError {
        let facts = self.event_replay_facts(tenant, event).await;
        facts.map_or_else(|error| error, |f| AppError::Unconfirmed(Box::new(f)))
    }

    /// Sends the stored text to the stored address again, as a new delivery linked to the first. The
    /// state of today counts: in rehearsal it goes to the owner, and the replay of a rehearsal after
    /// going live goes to the address that was meant, without the mark.
    pub async fn replay_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        wish: &ReplayWish,
        actor: &Actor,
    ) -> Result<Replayed, AppError> {
        let store = self.tenant(tenant);
        let replay = self.replay(tenant, id.event, Some(id), &wish.nonce, actor)?;
        if let Some(first) = store.replay_named(&replay.nonce).await? {
            return self.replayed(&store, &first).await;
        }
        let facts = self.delivery_replay_facts(tenant, id).await?;
        if let Some(refusal) = refusal(&facts, wish) {
            let first = store.replay_named(&replay.nonce).await?;
            return self.replayed(&store, &first.ok_or(refusal)?).await;
        }
        facts.chosen(wish.chosen.as_deref())?;
        let message = facts.recipients.first().map(|r| NewDelivery {
            replay: replay.id,
            ..r.message.clone()
        });
        let message = message.ok_or(AppError::NotFound("delivery"))?;
        let new = message.id;
        let wanted = NewReplay {
            address: actor.address.clone(),
            replay,
            replays_before: Some(facts.replays_before),
            delivery: Some(message),
        };
        let Some(replay) = self.make(&store, wanted).await? else {
            let facts = self.delivery_replay_facts(tenant, id).await?;
            return Err(AppError::Unconfirmed(Box::new(facts)));
        };
        let replayed = self.replayed(&store, &replay).await?;
        if replayed.deliveries.contains(&new) {
            self.wake_deliveries(tenant, &[new]).await;
        }
        Ok(replayed)
    }

    /// What became of a message's replay.
    async fn replayed(&self, store: &TenantStore, replay: &Replay) -> Result<Replayed, AppError> {
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

    fn replay(
        &self,
        tenant: TenantId,
        event: EventId,
        delivery: Option<DeliveryId>,
        nonce: &str,
        actor: &Actor,
    ) -> Result<Replay, AppError> {
        if nonce.is_empty() || nonce.len() > LONGEST_NONCE {
            let message = format!("give 1 to {LONGEST_NONCE} characters of your own choice");
            return Err(AppError::field("Idempotency-Key", message));
        }
        let now = self.now();
        let kind = match delivery {
            Some(_) => ReplayKind::Delivery,
            None => ReplayKind::Event,
        };
        // A nonce belongs to one wish: the same text for another target is another nonce.
        let target = delivery.map_or_else(|| event.to_string(), |d| d.to_string());
        Ok(Replay {
            id: ReplayId::new(now),
            tenant,
            kind,
            event,
            delivery,
            nonce: format!("{}:{target}:{nonce}", kind.as_str()),
            requested_by: actor.name.clone(),
            requested_at: now,
            routed_at: (kind == ReplayKind::Delivery).then_some(now),
            confirmed: None,
        })
    }

    /// Keeps a wish; `None` when something came in between since its facts were read.
    async fn make(&self, store: &TenantStore, new: NewReplay) -> Result<Option<Replay>, AppError> {
        let replay = new.replay.clone();
        match store.create_replay(new).await? {
            ReplayResult::Made => Ok(Some(replay)),
            ReplayResult::Repeated(first) => Ok(Some(first)),
            ReplayResult::Stale => Ok(None),
            ReplayResult::Blocked(open) => Err(AppError::Open(open)),
            ReplayResult::Suppressed(why) => Err(AppError::Suppressed(why)),
        }
    }

    /// The rule's own time if the rule is still there.
    pub(in crate::app) async fn send_within(
        &self,
        store: &TenantStore,
        old: &Delivery,
    ) -> Result<TimeDelta, AppError> {
        let rule = store.rule(old.rule).await?;
        let seconds = rule.map_or(DEFAULT_SEND_WITHIN, |r| r.definition.send_within);
        Ok(TimeDelta::seconds(seconds.into()))
    }
}

/// What stands against a wish: something on its way, an address that must not be written to, or other facts
/// than those that were confirmed.
fn refusal(facts: &ReplayFacts, wish: &ReplayWish) -> Option<AppError> {
    if let Some(open) = &facts.open {
        return Some(AppError::Open(open.id));
    }
    let only = facts
        .recipients
        .first()
        .filter(|_| facts.delivery.is_some());
    if let Some(why) = only.and_then(|r| r.refused.clone()) {
        return Some(AppError::Suppressed(why));
    }
    let is_confirmed = wish.confirm == facts.fingerprint;
    (!is_confirmed).then(|| AppError::Unconfirmed(Box::new(facts.clone())))
}

async fn made_for(store: &TenantStore, replay: &Replay) -> Result<Vec<DeliveryId>, AppError> {
    let made = store.deliveries_of(replay.event).await?;
    let made = made.iter().filter(|d| d.replay == replay.id);
    Ok(made.map(|d| d.id).collect())
}
