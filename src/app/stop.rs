//! The stop switch: everything waits, nothing is lost.

use super::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::delivery::{Channel, Channels, Hold};
use crate::domain::ids::TenantId;
use crate::store::RELEASE_AT_ONCE;

impl App {
    /// Stops all sending of a tenant. What is due waits as *held*; once this returns nothing more is
    /// claimed, in any process. What was claimed before may be on its way still.
    pub async fn stop_sending(&self, tenant: TenantId, actor: &Actor) -> Result<(), AppError> {
        self.tenant(tenant).stop(actor.clone(), self.now()).await?;
        Ok(())
    }

    /// Lets sending go on, with what waited.
    pub async fn resume_sending(&self, tenant: TenantId, actor: &Actor) -> Result<(), AppError> {
        self.tenant(tenant)
            .lift_stop(actor.clone(), self.now())
            .await?;
        let sentence = format!("Released: sending was resumed by {actor}");
        self.release(tenant, vec![Hold::Stopped], &sentence).await
    }

    /// Ends what a process left undone that ended while it released deliveries.
    pub async fn release_forgotten(&self) -> Result<(), AppError> {
        for (tenant, hold) in self.store().platform().forgotten_holds().await? {
            let sentence = "Released: what it waited for is over";
            self.release(tenant, vec![hold], sentence).await?;
        }
        Ok(())
    }

    /// Puts held deliveries back into the queue, a few hundred at a time.
    pub(super) async fn release(
        &self,
        tenant: TenantId,
        holds: Vec<Hold>,
        sentence: &str,
    ) -> Result<(), AppError> {
        self.release_held(None, tenant, holds, sentence).await
    }

    /// The same with those of some channels alone.
    pub(super) async fn release_over(
        &self,
        channels: &Channels,
        tenant: TenantId,
        holds: Vec<Hold>,
        sentence: &str,
    ) -> Result<(), AppError> {
        for channel in channels.iter() {
            self.release_held(Some(channel), tenant, holds.clone(), sentence)
                .await?;
        }
        Ok(())
    }

    async fn release_held(
        &self,
        channel: Option<Channel>,
        tenant: TenantId,
        holds: Vec<Hold>,
        sentence: &str,
    ) -> Result<(), AppError> {
        let store = self.tenant(tenant);
        loop {
            let released = store
                .release_held(holds.clone(), channel, sentence.to_owned(), self.now())
                .await?;
            self.wake_deliveries(tenant, &released).await;
            // A last page; asking on would release endlessly what a worker holds again at once.
            if released.len() < RELEASE_AT_ONCE {
                return Ok(());
            }
        }
    }
}
