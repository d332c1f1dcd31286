//! Messages that leave as soon as they are made: routing commits them already claimed, and their calls follow.
//! That saves each a commit and a job of its own, and nothing else differs: the gate judges them, the brakes
//! let them go, and the claim repeats the judgement in the transaction. Whatever stands against a message is
//! left to its own turn.

use std::collections::HashMap;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::join_all;

use super::Next;
use super::attempt::{Called, PreparedCall};
use super::fresh_deliveries::SeenDocument;
use crate::app::cache::AsOf;
use crate::app::{App, AppError, job};
use crate::brakes::Admission;
use crate::domain::delivery::Message;
use crate::domain::gate::Judgement;
use crate::domain::ids::DeliveryId;
use crate::store::TenantStore;

/// What can be said of new messages before they are committed.
#[derive(Default)]
pub(in crate::app) struct Departures {
    /// The calls that may be made once their claims are committed.
    pub(in crate::app) calls: Vec<PreparedCall>,
    /// When to come back for those that the brakes do not let go yet.
    pub(in crate::app) waits: HashMap<DeliveryId, Duration>,
}

impl App {
    /// Prepares the calls of new messages that nothing stands against. A rehearsal is none of them: where it
    /// goes must be read as it is now.
    pub(in crate::app) async fn departures(
        &self,
        store: &TenantStore,
        new: &[Message],
        document: Option<&SeenDocument>,
    ) -> Result<Departures, AppError> {
        let mut departures = Departures::default();
        for message in new.iter().filter(|m| !m.delivery.is_rehearsal) {
            let d = &message.delivery;
            if d.asserts.is_some() && document.is_none() {
                continue;
            }
            let kept = document.cloned();
            let sight = self.sight(store, d, AsOf::Lately, kept).await?;
            let Some(link) = &sight.context.link else {
                continue;
            };
            if sight.context.takes_turns(d) || sight.judge(d, self.now()) != Judgement::Go {
                continue;
            }
            match link.admit().await {
                Admission::Go(permit) => {
                    departures
                        .calls
                        .push(self.prepare(&sight, link, message.clone(), permit));
                }
                Admission::Wait(span, _) => {
                    departures.waits.insert(d.id, span);
                }
            }
        }
        Ok(departures)
    }

    /// Makes the calls whose claims are committed, side by side.
    pub(in crate::app) async fn depart(
        &self,
        store: &TenantStore,
        calls: Vec<PreparedCall>,
    ) -> Result<(), AppError> {
        // Each to its end, whatever becomes of the others. In boxes, or routing would carry their room about.
        let calls = calls
            .into_iter()
            .map(|call| self.depart_alone(store, call).boxed());
        join_all(calls).await.into_iter().collect()
    }

    async fn depart_alone(&self, store: &TenantStore, call: PreparedCall) -> Result<(), AppError> {
        let id = call.claim.attempt.delivery;
        let next = match self.call(store, call).await? {
            Called::Due(due) => self.next_at(due),
            _ => self.due_again(store, id).await?,
        };
        if let Next::In(wait) = next {
            let due = self.now() + wait;
            self.wake(vec![job::deliver(store.tenant_id(), id, due)])
                .await;
        }
        Ok(())
    }
}
