//! Replay: a person's wish to decide an event once more, or to send a message once more.
//!
//! ```text
//!  ask ──────────► confirm ─────────────► request ──────────► carry out
//!  the facts;      by their fingerprint;  one row per nonce,  plan again, leave out what
//!  nothing is      else 409, with the     with the message    was not chosen, commit
//!  written         facts as they are now  to send again
//! ```
//!
//! Between asking and carrying out the world may move: what would be sent then is compared with what was
//! confirmed, and where it differs nothing is sent.

mod ask;
mod carry_out;
mod confirm;
mod facts;
mod request;

pub use crate::domain::replay_facts::{DocumentToday, Had, ReplayFacts, ReplayRecipient};
pub use carry_out::{ReplayOutcome, Replayed};
pub use confirm::ReplayWish;

use confirm::refusal;

use crate::app::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::delivery::NewDelivery;
use crate::domain::ids::{DeliveryId, EventId, TenantId};
use crate::domain::replay::Confirmed;
use crate::store::NewReplay;

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
        let mut replay = self.new_replay(tenant, event, None, &wish.nonce, actor)?;
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
        match self.request(&store, new).await? {
            Some(replay) => self.carry_out(&store, replay).await,
            None => Err(self.event_changed(tenant, event).await),
        }
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
        let replay = self.new_replay(tenant, id.event, Some(id), &wish.nonce, actor)?;
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
        let Some(replay) = self.request(&store, wanted).await? else {
            let facts = self.delivery_replay_facts(tenant, id).await?;
            return Err(AppError::Unconfirmed(Box::new(facts)));
        };
        let replayed = self.replayed(&store, &replay).await?;
        if replayed.deliveries.contains(&new) {
            self.wake_deliveries(tenant, &[new]).await;
        }
        Ok(replayed)
    }
}
