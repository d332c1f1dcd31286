//! How often something was tried, counted for all processes together.
//!
//! Each count is a transaction of its own: none holds one row while it waits for another.

use chrono::{DateTime, Utc};

use crate::store::engine::sql::{micros, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError};

impl Platform {
    /// Counts one more of something that may be done `most` times in a while; `false` when it was
    /// done so often already. The while begins with the first, and anew once `since` is later.
    pub async fn count_try(
        &self,
        name: String,
        most: i64,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let work = self.writer().edit(work!([name], async |tx| {
            let count = "INSERT INTO throttles (name, since, tries) VALUES ($1, $2, 1) \
                         ON CONFLICT (name) DO UPDATE SET \
                         tries = CASE WHEN throttles.since <= $3 THEN 1 \
                             ELSE throttles.tries + 1 END, \
                         since = CASE WHEN throttles.since <= $3 THEN excluded.since \
                             ELSE throttles.since END RETURNING tries";
            let row = tx
                .one(count, values![name, micros(now), micros(since)])
                .await?;
            let tries: i64 = row.map_or(Ok(i64::MAX), |r| r.get("tries"))?;
            Ok(tries <= most)
        }));
        work.await
    }

    /// Forgets the tries under a name.
    pub async fn forget_tries(&self, name: String) -> Result<(), StoreError> {
        let done = self.writer().edit(work!([name], async |tx| {
            let forget = "DELETE FROM throttles WHERE name = $1";
            tx.exec(forget, values![name]).await.map(drop)
        }));
        done.await
    }
}
