//! The writer as a tenant sees it, and as the platform does: whose rows an edit may touch is decided
//! before it begins.

use futures::future::BoxFuture;

use super::{Purpose, TenantLock, Writer};
use crate::domain::ids::TenantId;
use crate::store::engine::db::{TenantDb, UnscopedDb, WHOLE};
use crate::store::engine::error::StoreError;

/// Work for a writer: `work!([name, actor], async |tx| { … })`. It may be run again, after a transaction
/// that was rolled back, so each run has a clone of the values that are listed; what is `Copy` need not be.
macro_rules! work {
    ([$($taken:ident),* $(,)?], async |$tx:ident| $run:block) => {
        move |$tx| {
            $(let $taken = $taken.clone();)*
            Box::pin(async move { $run })
        }
    };
    (async |$tx:ident| $run:block) => {
        move |$tx| Box::pin(async move { $run })
    };
}
pub(in crate::store) use work;

/// The edits of one tenant.
pub(in crate::store) struct TenantWriter<'a> {
    pub(in crate::store) writer: &'a Writer,
    pub(in crate::store) tenant: TenantId,
}

impl TenantWriter<'_> {
    /// Changes what others of the tenant go by: none of them is carried out beside it.
    pub(in crate::store) async fn edit<T, F>(self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(TenantDb<'t>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        let lock = TenantLock::Exclusive(self.tenant);
        self.write(Purpose::Edit, lock, work).await
    }

    /// Changes what nothing goes by.
    pub(in crate::store) async fn edit_unlocked<T, F>(self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(TenantDb<'t>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        self.write(Purpose::Edit, TenantLock::None, work).await
    }

    /// Keeps what became of a call.
    pub(in crate::store) async fn record_outcome<T, F>(self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(TenantDb<'t>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        self.write(Purpose::Outcome, TenantLock::None, work).await
    }

    /// Keeps what happened.
    pub(in crate::store) async fn record<T, F>(self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(TenantDb<'t>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        self.write(Purpose::Record, TenantLock::None, work).await
    }

    async fn write<T, F>(self, purpose: Purpose, lock: TenantLock, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(TenantDb<'t>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        let tenant = self.tenant;
        self.writer
            .write(purpose, lock, move |tx| work(TenantDb::new(tx, tenant)))
            .await
    }
}

/// The edits of what belongs to no tenant, or to all: beside whatever else is done.
pub(in crate::store) struct PlatformWriter<'a> {
    pub(in crate::store) writer: &'a Writer,
}

impl PlatformWriter<'_> {
    /// Changes what people see.
    pub(in crate::store) async fn edit<T, F>(self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(UnscopedDb<'t>) -> BoxFuture<'t, Result<T, StoreError>>
            + Send
            + Sync
            + 'static,
    {
        self.write(Purpose::Edit, work).await
    }

    /// Takes something for a worker.
    pub(in crate::store) async fn claim<T, F>(self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(UnscopedDb<'t>) -> BoxFuture<'t, Result<T, StoreError>>
            + Send
            + Sync
            + 'static,
    {
        self.write(Purpose::Claim, work).await
    }

    /// Keeps what became of a call.
    pub(in crate::store) async fn record_outcome<T, F>(self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(UnscopedDb<'t>) -> BoxFuture<'t, Result<T, StoreError>>
            + Send
            + Sync
            + 'static,
    {
        self.write(Purpose::Outcome, work).await
    }

    /// Keeps what happened.
    pub(in crate::store) async fn record<T, F>(self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(UnscopedDb<'t>) -> BoxFuture<'t, Result<T, StoreError>>
            + Send
            + Sync
            + 'static,
    {
        self.write(Purpose::Record, work).await
    }

    async fn write<T, F>(self, purpose: Purpose, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(UnscopedDb<'t>) -> BoxFuture<'t, Result<T, StoreError>>
            + Send
            + Sync
            + 'static,
    {
        self.writer
            .write(purpose, TenantLock::None, move |tx| {
                work(UnscopedDb::new(tx, WHOLE))
            })
            .await
    }
}
