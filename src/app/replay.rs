//! Replay: a person's wish to decide or send once more.

use chrono::TimeDelta;

use super::decide::rehearse;
use super::route::{Ordered, rehearsal_to};
use super::{App, AppError, job};
use crate::domain::actor::Actor;
use crate::domain::assertion::{Assertion, Says, Seen};
use crate::domain::delivery::{Delivery, DeliveryState, NewDelivery};
use crate::domain::ids::{DeliveryId, EventId, OrderId, TenantId};
use crate::domain::order::{Order, OrderKind};
use crate::domain::rule::DEFAULT_SEND_WITHIN;
use crate::store::{NewOrder, OrderResult, TenantStore};

/// The longest nonce that is taken, in bytes.
const LONGEST_NONCE: usize = 255;

/// How often a replay is made up anew because the rehearsal began or ended meanwhile.
const STARTS: usize = 4;

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

impl App {
    /// Decides an event again with today's rules. The same nonce gives the same replay.
    pub async fn replay_event(
        &self,
        tenant: TenantId,
        event: EventId,
        nonce: &str,
        actor: &Actor,
    ) -> Result<Replayed, AppError> {
        let store = self.tenant(tenant);
        let Some(decided) = store.event(event).await? else {
            return Err(AppError::NotFound("event"));
        };
        let mut order = self.order(tenant, event, None, nonce, actor)?;
        // While the event is still being decided, the wish is already being carried out: deciding it
        // once more would send twice.
        let joins = decided.routed_at.is_none();
        order.routed_at = joins.then_some(order.requested_at);
        let wish = NewOrder {
            address: actor.address.clone(),
            order,
            delivery: None,
        };
        let order = self.make(&store, wish).await?.ok_or(AppError::Busy)?;
        let now = self.now();
        let is_pending = match self.route_order(tenant, order.id).await {
            Ok(Ordered::Done) => joins,
            Ok(Ordered::EventWaits) | Err(AppError::Busy) => true,
            Err(error) => return Err(error),
        };
        if is_pending {
            let soon = now + TimeDelta::seconds(1);
            self.wake(vec![job::route_order(tenant, order.id, soon)])
                .await;
        }
        let deliveries = store.deliveries_of(event).await?;
        let deliveries = deliveries
            .iter()
            .filter(|d| d.order == order.id)
            .map(|d| d.id)
            .collect();
        Ok(Replayed {
            order: order.id,
            event,
            deliveries,
            is_pending,
            waits: false,
        })
    }

    /// Sends the stored text to the stored address again, as a new delivery linked to the first. The
    /// state of today counts: in rehearsal it goes to the owner, and the replay of a rehearsal after
    /// going live goes to the address that was meant, without the mark.
    pub async fn replay_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        nonce: &str,
        actor: &Actor,
    ) -> Result<Replayed, AppError> {
        let store = self.tenant(tenant);
        let Some(old) = store.delivery(id).await? else {
            return Err(AppError::NotFound("delivery"));
        };
        if old.address.is_empty() || old.body.is_empty() {
            return Err(AppError::Conflict(format!(
                "This message was never complete: {}. Correct it and replay the event instead",
                old.reason
            )));
        }
        let order = self.order(tenant, id.event, Some(id), nonce, actor)?;
        let (order, new) = self.make_again(&store, &old, order, actor).await?;
        let made = store.deliveries_of(id.event).await?;
        let deliveries: Vec<_> = made
            .iter()
            .filter(|d| d.order == order.id)
            .map(|d| d.id)
            .collect();
        if deliveries.contains(&new) {
            self.wake_deliveries(tenant, &[new]).await;
        }
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let opening = row.opening_for(old.is_to_contact, self.now());
        Ok(Replayed {
            order: order.id,
            event: id.event,
            deliveries,
            is_pending: false,
            waits: opening.is_some() && !row.is_rehearsal,
        })
    }

    /// Makes the delivery that sends a stored text again: to its address, or in rehearsal to the owner.
    async fn make_again(
        &self,
        store: &TenantStore,
        old: &Delivery,
        order: Order,
        actor: &Actor,
    ) -> Result<(Order, DeliveryId), AppError> {
        let Some(text) = old.text_meant() else {
            return Err(AppError::Conflict(
                "This rehearsal's text cannot be told from its mark. Replay the event instead"
                    .to_owned(),
            ));
        };
        let send_within = self.send_within(store, old).await?;
        let asserts = self.confirmed_today(store, old).await?;
        for _ in 0..STARTS {
            let tenant = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
            let mut delivery = NewDelivery {
                id: DeliveryId::new(old.id.event, order.requested_at),
                rule: old.rule,
                rule_version: old.rule_version,
                rule_name: old.rule_name.clone(),
                order: order.id,
                replay_of: Some(old.id),
                channel: old.channel,
                address: old.address.clone(),
                recipient: old.recipient.clone(),
                is_to_contact: old.is_to_contact,
                asserts: asserts.clone(),
                is_rehearsal: false,
                rehearsal_to: String::new(),
                sender: old.sender.clone(),
                body: text.to_owned(),
                state: DeliveryState::Queued,
                reason: String::new(),
                due_at: Some(order.requested_at),
                expires_at: order.requested_at + send_within,
            };
            if tenant.is_rehearsal {
                let owner = rehearsal_to(store, &tenant).await?;
                rehearse(&mut delivery, owner.as_ref());
            }
            let new = delivery.id;
            let wish = NewOrder {
                address: actor.address.clone(),
                order: order.clone(),
                delivery: Some(delivery),
            };
            if let Some(order) = self.make(store, wish).await? {
                return Ok((order, new));
            }
        }
        Err(AppError::Busy)
    }

    /// What a message that is sent again says of its document, which a person saw as it is today.
    async fn confirmed_today(
        &self,
        store: &TenantStore,
        old: &Delivery,
    ) -> Result<Option<Assertion>, AppError> {
        let Some(asserts) = &old.asserts else {
            return Ok(None);
        };
        let today = self.document_now(store, asserts).await?;
        let confirmed = today.map(|seen| Seen::of(&seen.document));
        let says = Says {
            confirmed,
            ..asserts.says.clone()
        };
        Ok(Some(Assertion {
            says,
            ..asserts.clone()
        }))
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
        })
    }

    /// Keeps a wish; `None` when the rehearsal began or ended since its delivery was made up.
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
    pub(super) async fn send_within(
        &self,
        store: &TenantStore,
        old: &Delivery,
    ) -> Result<TimeDelta, AppError> {
        let rule = store.rule(old.rule).await?;
        let seconds = rule.map_or(DEFAULT_SEND_WITHIN, |r| r.definition.send_within);
        Ok(TimeDelta::seconds(seconds.into()))
    }
}
