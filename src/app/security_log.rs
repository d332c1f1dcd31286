//! The security log: who signed in, who looked, who changed what.

use super::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{TenantId, UserId};
use crate::domain::page::{Cursor, Page};
use crate::store::AuditFilter;

impl App {
    /// A page of a tenant's log, newest first.
    pub async fn audit_entries(
        &self,
        tenant: TenantId,
        filter: &AuditFilter,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<AuditEntry>, AppError> {
        let store = self.tenant(tenant);
        Ok(store.audit_entries(filter, cursor, limit).await?)
    }

    /// Who stands in the newest entries.
    pub async fn audit_actors(&self, tenant: TenantId) -> Result<Vec<String>, AppError> {
        Ok(self.tenant(tenant).audit_actors().await?)
    }

    /// Notes what a person did with their account (signing in, another password) in the log of every
    /// tenant that they belong to. `detail` holds no secret.
    pub async fn note_for_person(
        &self,
        user: UserId,
        action: &'static str,
        detail: &serde_json::Value,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let platform = self.store().platform();
        let (actor, detail) = (actor.clone(), detail.to_string());
        Ok(platform
            .note_for_person(user, actor, action, detail, self.now())
            .await?)
    }
}
