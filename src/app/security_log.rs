//! The security log: who signed in, who looked, who changed what.

pub use crate::store::AuditFilter;

use super::{App, AppError};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::TenantId;
use crate::domain::page::{Cursor, Page};

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
}
