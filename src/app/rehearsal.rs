//! The rehearsal: everything as if it were live, but each message goes to the owner.

use chrono::TimeDelta;

use super::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::delivery::{Delivery, DeliveryState, Hold, Message};
use crate::domain::ids::TenantId;
use crate::domain::phone::Phone;

/// How many rehearsals the page about going live shows.
const SHOWN: u64 = 200;

/// What the last 24 hours would have sent.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    /// Newest first.
    pub messages: Vec<Message>,
    /// There were more.
    pub is_cut: bool,
    /// Live messages that wait for the end of the rehearsal, newest first: going live sends them.
    pub waiting: Vec<Delivery>,
}

impl App {
    /// What the last 24 hours would have sent, and what going live would send.
    pub async fn rehearsed(&self, tenant: TenantId) -> Result<Rehearsed, AppError> {
        let (store, since) = (self.tenant(tenant), self.now() - TimeDelta::hours(24));
        let mut deliveries = store.rehearsed_since(since, SHOWN + 1).await?;
        let is_cut = deliveries.len() as u64 > SHOWN;
        deliveries.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
        let held = store.needing_person(SHOWN).await?;
        let waits =
            |d: &Delivery| d.state == DeliveryState::Held && d.hold == Some(Hold::Rehearsal);
        Ok(Rehearsed {
            messages: store.messages(deliveries).await?,
            is_cut,
            waiting: held.into_iter().filter(waits).collect(),
        })
    }

    /// Where rehearsals go, once an owner has confirmed a number.
    pub async fn rehearsal_number(&self, tenant: TenantId) -> Result<Option<Phone>, AppError> {
        Ok(self.tenant(tenant).rehearsal_number().await?)
    }

    /// Ends the rehearsal: from now on contacts are written to. What was made in rehearsal stays so.
    pub async fn go_live(&self, tenant: TenantId, actor: &Actor) -> Result<(), AppError> {
        self.tenant(tenant)
            .set_rehearsal(false, actor.clone(), self.now())
            .await?;
        let sentence = format!("Released: {actor} went live");
        self.release(tenant, vec![Hold::Rehearsal], &sentence).await
    }

    /// Begins the rehearsal: once this returns, nothing is claimed for a contact any more, in any
    /// process. What was claimed before may be on its way still.
    pub async fn rehearse(&self, tenant: TenantId, actor: &Actor) -> Result<(), AppError> {
        self.tenant(tenant)
            .set_rehearsal(true, actor.clone(), self.now())
            .await?;
        Ok(())
    }
}
