//! What waits for a person: messages of which it is not known whether they arrived, those that are held,
//! those that failed, and requests that were not understood. The last two wait until somebody sends or
//! decides them again, or says that there is nothing more to do.

use crate::domain::delivery::Delivery;
use crate::domain::event::Event;
use crate::store::engine::sql::values;
use crate::store::pipeline::deliveries::delivery;
use crate::store::pipeline::events::event;
use crate::store::pipeline::index_predicates::{NEEDS_PERSON, UNDEALT_EVENT};
use crate::store::{StoreError, TenantStore};

impl TenantStore {
    /// How many messages and requests wait for a person; counting stops at `most`.
    pub async fn count_needing(&self, most: u64) -> Result<u64, StoreError> {
        let messages = NEEDS_PERSON.map(|(_, such)| ("deliveries", such));
        let mut n = 0;
        for (table, such) in messages.into_iter().chain([("events", UNDEALT_EVENT)]) {
            if n < most {
                let query = format!(
                    "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM {table} \
                     WHERE tenant_id = $1 AND {such} LIMIT {}) counted",
                    most - n
                );
                n += self.number(&query, vec![]).await?;
            }
        }
        Ok(n)
    }

    /// Messages that wait for a person, newest first.
    pub async fn needing_person(&self, limit: u64) -> Result<Vec<Delivery>, StoreError> {
        let parts = NEEDS_PERSON.map(|(name, such)| {
            format!(
                "SELECT * FROM (SELECT * FROM deliveries WHERE tenant_id = $1 AND {such} \
                 ORDER BY id DESC LIMIT $2) {name}"
            )
        });
        let query = format!("{} ORDER BY id DESC LIMIT $2", parts.join(" UNION ALL "));
        let rows = self.db().all(&query, values![limit]).await?;
        rows.iter().map(delivery).collect()
    }

    /// Requests that were not understood and that nobody has dealt with, newest first.
    pub async fn unrecognised(&self, limit: u64) -> Result<Vec<Event>, StoreError> {
        let query = format!(
            "SELECT * FROM events WHERE tenant_id = $1 AND {UNDEALT_EVENT} \
             ORDER BY id DESC LIMIT $2"
        );
        let rows = self.db().all(&query, values![limit]).await?;
        rows.iter().map(event).collect()
    }
}
