//! Waiting for a sender's turn: here, where a message can still be called off, and not at the provider.

use super::gate::Sight;
use super::{Next, queued};
use crate::app::{App, AppError};
use crate::brakes::Turn;
use crate::domain::delivery::{Delivery, DeliveryState, Hold, StepKind};
use crate::store::{Change, TenantStore};

impl App {
    /// The row says when to come back; a step is written for the first place only.
    pub(super) async fn wait_for_turn(
        &self,
        store: &TenantStore,
        sight: &Sight,
        d: &Delivery,
        turn: Turn,
    ) -> Result<Next, AppError> {
        let (due, why) = match turn {
            Turn::Now => return self.due_again(store, d.id).await,
            Turn::At(at) => {
                let zone = sight.context.tenant.zone;
                let clock = at.with_timezone(&zone).format("%H:%M:%S");
                let why = format!(
                    "Waits until {clock} in {}: others from its sender, which has a limit for each second, \
                     go first",
                    zone.name()
                );
                (at, why)
            }
            Turn::TooLate => {
                let why = "Waits for others from its sender, which has a limit for each second: its time \
                           runs out before its turn";
                (d.expires_at, why.to_owned())
            }
        };
        let change = Change::to(DeliveryState::Queued, d.id, queued(d), self.now());
        let change = if d.hold == Some(Hold::Turn) {
            Change {
                reason: why,
                ..change
            }
        } else {
            change.because(StepKind::Waits, why, "{}".to_owned())
        };
        let due = due.min(d.expires_at);
        store
            .change(Change {
                hold: Some(Hold::Turn),
                due_at: Some(due),
                ..change
            })
            .await?;
        Ok(self.next_at(Some(due)))
    }
}
