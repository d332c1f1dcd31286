//! Look-ups by key that each event needs: those that are asked for at the same time are read together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sea_orm::{DatabaseConnection, DbErr};

use super::db::BatchDb;
use super::faults::Fault;
use super::sql;
use crate::batcher::{Batcher, Call};
use crate::store::engine::error::StoreError;

/// How many batches are read at the same time.
const SIDE_BY_SIDE: usize = 2;

/// How many connections read for all of them.
pub(in crate::store) const CONNECTIONS: u32 = 4;

/// How long a look-up may take on a server: a webhook waits for two of them, and for a write.
const PATIENCE: Duration = Duration::from_secs(4);

type Answer<V> = Result<Option<V>, StoreError>;

/// What is found by keys of one kind.
type Found<K, V> = Result<BTreeMap<K, V>, StoreError>;

/// Reads what there is of these keys.
type Read<K, V> = for<'a> fn(BatchDb<'a>, &'a BTreeSet<&'a K>) -> BoxFuture<'a, Found<K, V>>;

/// Look-ups of one kind.
pub(in crate::store) struct LookUps<K, V>(Batcher<K, Answer<V>>);

impl<K, V> LookUps<K, V>
where
    K: Ord + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    pub(in crate::store) fn start(db: &DatabaseConnection, read: Read<K, V>) -> Self {
        let db = Arc::new(db.clone());
        Self(Batcher::start(SIDE_BY_SIDE, move |calls| {
            let db = db.clone();
            async move { answer(&db, read, calls).await }
        }))
    }

    pub(in crate::store) async fn ask(&self, key: K) -> Answer<V> {
        self.0.ask(key).await.unwrap_or(Err(StoreError::Closed))
    }
}

impl<K, V> Clone for LookUps<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

async fn answer<K: Ord, V: Clone>(
    db: &DatabaseConnection,
    read: Read<K, V>,
    calls: Vec<Call<K, Answer<V>>>,
) {
    let all = BatchDb::new(db);
    let keys: BTreeSet<&K> = calls.iter().map(|call| &call.question).collect();
    match within(db, read(all, &keys)).await {
        Ok(found) => {
            for call in calls {
                let one = found.get(&call.question).cloned();
                call.answer(Ok(one));
            }
        }
        // One bad row must not keep the others from their answers.
        Err(error) if calls.len() > 1 && error.whose() == Fault::Own => {
            for call in calls {
                if !call.is_abandoned() {
                    let alone = within(db, read(all, &BTreeSet::from([&call.question]))).await;
                    let one = alone.map(|mut found| found.remove(&call.question));
                    call.answer(one);
                }
            }
        }
        Err(error) => {
            let says = format!("the database was not read: {error}");
            let mut error = Some(error);
            for call in calls {
                let again = || StoreError::Db(DbErr::Custom(says.clone()));
                call.answer(Err(error.take().unwrap_or_else(again)));
            }
        }
    }
}

/// A server that is cut off says nothing for a quarter of an hour; a file always answers.
async fn within<T>(
    db: &DatabaseConnection,
    found: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    if !sql::is_postgres(db) {
        return found.await;
    }
    let answered = tokio::time::timeout(PATIENCE, found).await;
    answered.unwrap_or_else(|_| Err(StoreError::silence(PATIENCE)))
}
