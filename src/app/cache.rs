//! What was read a moment ago, so that a busy tenant's rows are not read again for each event.
//!
//! Nothing here is the truth: whatever is decided or claimed by it is checked by the statement that
//! commits it, and refused when it is out of date. Then the rows themselves are read.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache;

use super::{App, AppError};

/// How long something is used that another process may have edited.
const UNTIL_READ_AGAIN: Duration = Duration::from_secs(1);

/// Tenants, or addresses, of which something is remembered.
const KEYS: u64 = 10_000;

/// Values with a time to live, told by the app's clock; should that be set back, the machine's is the bound.
pub(super) struct TtlCache<K, V> {
    entries: Cache<K, (DateTime<Utc>, V)>,
    ttl: TimeDelta,
}

impl<K, V> TtlCache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Holds so many values at most.
    pub(super) fn of_values(capacity: u64, ttl: Duration) -> Self {
        Self::weighing(capacity, ttl, |_| 1)
    }

    /// Holds values of so much weight in sum.
    pub(super) fn weighing(
        capacity: u64,
        ttl: Duration,
        weight: impl Fn(&V) -> u32 + Send + Sync + 'static,
    ) -> Self {
        let entries = Cache::builder()
            .max_capacity(capacity)
            .weigher(move |_, (_, value): &(_, V)| weight(value))
            .time_to_live(ttl);
        Self {
            entries: entries.build(),
            ttl: TimeDelta::from_std(ttl).unwrap_or_default(),
        }
    }

    /// A value that is young enough.
    pub(super) fn get<Q>(&self, key: &Q, now: DateTime<Utc>) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (since, value) = self.entries.get(key)?;
        (now - since < self.ttl).then_some(value)
    }

    /// Keeps a value that was true at `since`.
    pub(super) fn insert(&self, key: K, value: V, since: DateTime<Utc>) {
        self.entries.insert(key, (since, value));
    }

    /// A value, which the cache gives away.
    pub(super) fn take(&self, key: &K) -> Option<V> {
        self.entries.remove(key).map(|(_, value)| value)
    }

    pub(super) fn forget<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.invalidate(key);
    }

    pub(super) fn clear(&self) {
        self.entries.invalidate_all();
    }
}

/// How current something must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AsOf {
    /// It may be a second old, but not older than any edit of this process.
    Lately,
    Now,
}

/// What was read of each tenant or address, with how many edits this process had seen.
pub(super) struct ReadCache<K, T>(TtlCache<K, (u64, Arc<T>)>);

impl<K, T> ReadCache<K, T>
where
    K: Hash + Eq + Send + Sync + 'static,
    T: Send + Sync + 'static,
{
    pub(super) fn new() -> Self {
        Self(TtlCache::of_values(KEYS, UNTIL_READ_AGAIN))
    }

    pub(super) async fn get(
        &self,
        app: &App,
        key: K,
        as_of: AsOf,
        read: impl Future<Output = Result<T, AppError>>,
    ) -> Result<Arc<T>, AppError> {
        if as_of == AsOf::Lately
            && let Some(value) = self.remembered(app, &key)
        {
            return Ok(value);
        }
        // Both before the first row is read: an entry is as old as what was read for it.
        let (edits, now) = (app.store().edits(), app.now());
        let value = Arc::new(read.await?);
        self.0.insert(key, (edits, value.clone()), now);
        Ok(value)
    }

    pub(super) fn remembered(&self, app: &App, key: &K) -> Option<Arc<T>> {
        let (edits, value) = self.0.get(key, app.now())?;
        (edits == app.store().edits()).then_some(value)
    }
}
