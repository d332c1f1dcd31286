//! The writer as a tenant sees it, and as the platform does: whose rows an edit may touch is settled
//! before it begins.

use futures::future::BoxFuture;

use super::{Lane, TenantLock, Writer};
use crate::domain::ids::TenantId;
use crate::store::engine::db::{TenantDb, UnscopedDb};
use crate::store::error::StoreError;
use crate::store::operations::platform::WHOLE;

/// The edits of one tenant: what people change goes alone, and what only tells what happened is free.
pub(in crate::store) struct TenantWriter<'a> {
    pub(in crate::store) writer: &'a Writer,
    pub(in crate::store) tenant: TenantId,
}

impl TenantWriter<'_> {
    /// Runs `work` in the turn that its lane asks for.
    pub(in crate::store) async fn write<T, F>(self, lane: Lane, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(TenantDb<'t>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        let turn = match lane {
            Lane::Attempt => TenantLock::Shared(self.tenant),
            Lane::Edit => TenantLock::Exclusive(self.tenant),
            Lane::Outcome | Lane::Receipt => TenantLock::None,
        };
        self.in_turn(lane, turn, work).await
    }

    /// Runs `work` beside whatever else is done: nothing goes by what it changes.
    pub(in crate::store) async fn write_free<T, F>(
        self,
        lane: Lane,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(TenantDb<'t>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        self.in_turn(lane, TenantLock::None, work).await
    }

    async fn in_turn<T, F>(self, lane: Lane, turn: TenantLock, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(TenantDb<'t>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        let tenant = self.tenant;
        self.writer
            .write(lane, turn, move |tx| work(TenantDb::new(tx, tenant)))
            .await
    }
}

/// The edits of what belongs to no tenant, or to all.
pub(in crate::store) struct PlatformWriter<'a> {
    pub(in crate::store) writer: &'a Writer,
}

impl PlatformWriter<'_> {
    /// Runs `work` beside whatever else is done.
    pub(in crate::store) async fn write<T, F>(self, lane: Lane, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(UnscopedDb<'t>) -> BoxFuture<'t, Result<T, StoreError>>
            + Send
            + Sync
            + 'static,
    {
        self.writer
            .write(lane, TenantLock::None, move |tx| {
                work(UnscopedDb::new(tx, WHOLE))
            })
            .await
    }
}
