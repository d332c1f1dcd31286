//! Replay: a person's wish to decide or send once more.

mod choice;
pub mod facts;

use chrono::TimeDelta;

use crate::app::pipeline::route::Ordered;
use crate::app::{App, AppError, job};
use crate::domain::actor::Actor;
use crate::domain::delivery::{Delivery, NewDelivery};
use crate::domain::ids::{DeliveryId, EventId, OrderId, TenantId};
use crate::domain::order::{Confirmed, Order, OrderKind};
use crate::domain::rule::DEFAULT_SEND_WITHIN;
use crate::store::{NewOrder, OrderResult, TenantStore};
use facts::ReplayFacts;

/// The longest nonce that is taken, in bytes.
const LONGEST_NONCE: usize = 255;

/// A replay that was made.
#[derive(Debug, Clone)]
pub struct Replayed {
    pub order: OrderId,
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
        let mut order = self.order(tenant, event, None, &wish.nonce, actor)?;
        if let Some(first) = store.order_named(&order.nonce).await? {
            return self.carry_out(&store, first).await;
        }
        let facts = self.event_replay_facts(tenant, event).await?;
        if let Some(refusal) = refusal(&facts, wish) {
            let first = store.order_named(&order.nonce).await?;
            return self.carry_out(&store, first.ok_or(refusal)?).await;
        }
        order.confirmed = Some(Confirmed {
            plan: facts.plan.clone(),
            chosen: facts.chosen(wish.chosen.as_deref())?,
        });
        // While the event is still being decided, the wish is already being carried out: deciding it
        // once more would send twice.
        let joins = facts.event.routed_at.is_none();
        order.routed_at = joins.then_some(order.requested_at);
        let new = NewOrder {
            address: actor.address.clone(),
            order,
            orders_before: Some(facts.orders_before),
            delivery: None,
        };
        match self.make(&store, new).await? {
            Some(order) => self.carry_out(&store, order).await,
            None => Err(self.event_changed(tenant, event).await),
        }
    }

    /// Decides for an order, unless that was done.
    async fn carry_out(&self, store: &TenantStore, order: Order) -> Result<Replayed, AppError> {
        let (tenant, event) = (store.tenant_id(), order.event);
        let known = store
            .event(event)
            .await?
            .ok_or(AppError::NotFound("event"))?;
        let joins = known.routed_at.is_none();
        let is_pending = match self.route_order(tenant, order.id).await {
            Ok(Ordered::Done) => joins,
            Ok(Ordered::Changed) => return Err(self.event_changed(tenant, event).await),
            Ok(Ordered::EventWaits) | Err(AppError::Busy) => true,
            Err(error) => return Err(error),
        };
        if is_pending {
            let soon = self.now() + TimeDelta::seconds(1);
            self.wake(vec![job::route_order(tenant, order.id, soon)])
                .await;
        }
        Ok(Replayed {
            order: order.id,
            event,
            deliveries: made_for(store, &order).await?,
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
        let order = self.order(tenant, id.event, Some(id), &wish.nonce, actor)?;
        if let Some(first) = store.order_named(&order.nonce).await? {
            return self.replayed(&store, &first).await;
        }
        let facts = self.delivery_replay_facts(tenant, id).await?;
        if let Some(refusal) = refusal(&facts, wish) {
            let first = store.order_named(&order.nonce).await?;
            return self.replayed(&store, &first.ok_or(refusal)?).await;
        }
        facts.chosen(wish.chosen.as_deref())?;
        let message = facts.recipients.first().map(|r| NewDelivery {
            order: order.id,
            ..r.message.clone()
        });
        let message = message.ok_or(AppError::NotFound("delivery"))?;
        let new = message.id;
        let wanted = NewOrder {
            address: actor.address.clone(),
            order,
            orders_before: Some(facts.orders_before),
            delivery: Some(message),
        };
        let Some(order) = self.make(&store, wanted).await? else {
            let facts = self.delivery_replay_facts(tenant, id).await?;
            return Err(AppError::Unconfirmed(Box::new(facts)));
        };
        let replayed = self.replayed(&store, &order).await?;
        if replayed.deliveries.contains(&new) {
            self.wake_deliveries(tenant, &[new]).await;
        }
        Ok(replayed)
    }

    /// What became of a message's replay.
    async fn replayed(&self, store: &TenantStore, order: &Order) -> Result<Replayed, AppError> {
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let old = match order.delivery {
            Some(id) => store.delivery(id).await?,
            None => None,
        };
        let is_to_contact = old.is_some_and(|d| d.is_to_contact);
        let opening = row.opening_for(is_to_contact, self.now());
        Ok(Replayed {
            order: order.id,
            event: order.event,
            deliveries: made_for(store, order).await?,
            is_pending: false,
            waits: opening.is_some() && !row.is_rehearsal,
        })
    }

    fn order(
        &self,
        tenant: TenantId,
        event: EventId,
        delivery: Option<DeliveryId>,
        nonce: &str,
        actor: &Actor,
    ) -> Result<Order, AppError> {
        if nonce.is_empty() || nonce.len() > LONGEST_NONCE {
            let message = format!("give 1 to {LONGEST_NONCE} characters of your own choice");
            return Err(AppError::field("Idempotency-Key", message));
        }
        let now = self.now();
        let kind = match delivery {
            Some(_) => OrderKind::ReplayDelivery,
            None => OrderKind::ReplayEvent,
        };
        // A nonce belongs to one wish: the same text for another target is another nonce.
        let target = delivery.map_or_else(|| event.to_string(), |d| d.to_string());
        Ok(Order {
            id: OrderId::new(now),
            tenant,
            kind,
            event,
            delivery,
            nonce: format!("{}:{target}:{nonce}", kind.as_str()),
            requested_by: actor.name.clone(),
            requested_at: now,
            routed_at: (kind == OrderKind::ReplayDelivery).then_some(now),
            confirmed: None,
        })
    }

    /// Keeps a wish; `None` when something came in between since its facts were read.
    async fn make(&self, store: &TenantStore, new: NewOrder) -> Result<Option<Order>, AppError> {
        let order = new.order.clone();
        match store.create_order(new).await? {
            OrderResult::Made => Ok(Some(order)),
            OrderResult::Repeated(first) => Ok(Some(first)),
            OrderResult::Stale => Ok(None),
            OrderResult::Blocked(open) => Err(AppError::Open(open)),
            OrderResult::Suppressed(why) => Err(AppError::Suppressed(why)),
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

async fn made_for(store: &TenantStore, order: &Order) -> Result<Vec<DeliveryId>, AppError> {
    let made = store.deliveries_of(order.event).await?;
    let made = made.iter().filter(|d| d.order == order.id);
    Ok(made.map(|d| d.id).collect())
}
