//! What a person says of a delivery that waits for one.

use super::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::delivery::{DeliveryState, StepKind};
use crate::domain::ids::{DeliveryId, TenantId};
use crate::store::{Change, Guard};

/// A person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Resolution {
    /// The provider has it: nothing is sent again.
    Arrived,
    /// It is not there: send it.
    SendAgain,
    /// Let it be.
    Cancel,
}

impl Resolution {
    /// Reads the word of a form or the API.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl App {
    /// Settles an unknown delivery, or cancels one that waits.
    pub async fn resolve(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        resolution: Resolution,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let store = self.tenant(tenant);
        let Some(d) = store.delivery(id).await? else {
            return Err(AppError::NotFound("delivery"));
        };
        let now = self.now();
        let (state, states, sentence): (_, &'static [DeliveryState], _) = match resolution {
            Resolution::Arrived => (
                DeliveryState::Accepted,
                &[DeliveryState::Unknown],
                format!("{actor} said that it arrived"),
            ),
            Resolution::SendAgain => (
                DeliveryState::Queued,
                &[DeliveryState::Unknown],
                format!("{actor} said that it is not there, and to send it again"),
            ),
            Resolution::Cancel => (
                DeliveryState::Canceled,
                &[
                    DeliveryState::Unknown,
                    DeliveryState::Held,
                    DeliveryState::Queued,
                ],
                format!("Canceled by {actor}"),
            ),
        };
        let kind = if resolution == Resolution::Cancel {
            StepKind::Canceled
        } else {
            StepKind::Resolved
        };
        let guard = Guard {
            states,
            attempt_no: d.attempt_no,
            lease_owner: None,
        };
        // A person's word is a new wish: its time begins now, or it would expire instead.
        let expires_at = if resolution == Resolution::SendAgain {
            Some(d.expires_at.max(now + self.send_within(&store, &d).await?))
        } else {
            None
        };
        let change = Change {
            expires_at,
            due_at: (state == DeliveryState::Queued).then_some(now),
            looks: Some(0),
            releases_send_lock: true,
            said: Some((actor.clone(), d.state)),
            ..Change::to(state, id, guard, now).because(kind, sentence, "{}".to_owned())
        };
        if !store.change(change).await? {
            return Err(AppError::Conflict(format!(
                "This message is “{}” by now; nothing was changed",
                d.state.label(self.provider_words(d.channel))
            )));
        }
        if state == DeliveryState::Queued {
            self.wake_deliveries(tenant, &[id]).await;
        }
        Ok(())
    }
}
