//! A wish becomes a row: once per nonce, and not while something stands against it.

use crate::app::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::ids::{DeliveryId, EventId, ReplayId, TenantId};
use crate::domain::replay::{Replay, ReplayKind};
use crate::store::{NewReplay, ReplayResult, TenantStore};

/// The longest nonce that is taken, in bytes.
const LONGEST_NONCE: usize = 255;

impl App {
    /// The row of a wish that is not kept yet.
    pub(super) fn new_replay(
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
    pub(super) async fn request(
        &self,
        store: &TenantStore,
        new: NewReplay,
    ) -> Result<Option<Replay>, AppError> {
        let replay = new.replay.clone();
        match store.create_replay(new).await? {
            ReplayResult::Made => Ok(Some(replay)),
            ReplayResult::Repeated(first) => Ok(Some(first)),
            ReplayResult::Stale => Ok(None),
            ReplayResult::Blocked(open) => Err(AppError::Open(open)),
            ReplayResult::Suppressed(why) => Err(AppError::Suppressed(why)),
        }
    }
}
