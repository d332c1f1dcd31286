//! Suspending a tenant: its hooks refuse, nothing is sent, and what waits is held until the operator
//! reinstates it.

use super::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::delivery::Hold;
use crate::domain::ids::TenantId;

/// The longest reason that is taken, in characters.
const LONGEST_REASON: usize = 200;

impl App {
    /// Suspends a tenant, for a reason that its people read; `false` when it was suspended already.
    /// Once this returns no process claims another message of it; one claimed before may be on its way
    /// still. Hooks refuse within five seconds.
    pub async fn suspend_tenant(
        &self,
        tenant: TenantId,
        reason: &str,
        actor: &Actor,
    ) -> Result<bool, AppError> {
        let reason = reason.trim().trim_end_matches('.');
        let length = reason.chars().count();
        if length == 0 || length > LONGEST_REASON || reason.chars().any(char::is_control) {
            let message = "say why in one line of at most 200 characters; the tenant reads it";
            return Err(AppError::field("reason", message));
        }
        let store = self.tenant(tenant);
        store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let changed = store
            .suspend(reason.to_owned(), actor.clone(), self.now())
            .await?;
        self.forget_hooks();
        Ok(changed)
    }

    /// Lets a tenant go on, with what waited for it; `false` when it was not suspended.
    pub async fn reinstate_tenant(
        &self,
        tenant: TenantId,
        actor: &Actor,
    ) -> Result<bool, AppError> {
        let store = self.tenant(tenant);
        store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let changed = store.reinstate(actor.clone(), self.now()).await?;
        self.forget_hooks();
        // Also when it was reinstated before: an earlier release may have been cut short.
        let sentence = format!("Released: this account was reinstated by {actor}");
        self.release(tenant, vec![Hold::Suspended], &sentence)
            .await?;
        Ok(changed)
    }
}
