//! What waits for a person: messages of which it is not known whether they arrived, those that are held,
//! those that failed, and requests that were not understood. The last two wait until somebody sends or
//! decides them again, or says that there is nothing more to do.

use chrono::{DateTime, Utc};
use sea_orm::Value;
use uuid::Uuid;

use super::audit::{AuditLine, audit};
use crate::domain::actor::Actor;
use crate::domain::delivery::Delivery;
use crate::domain::event::Event;
use crate::domain::ids::EventId;
use crate::store::engine::db::TenantDb;
use crate::store::engine::index_predicates::{NEEDS_PERSON, UNDEALT, UNDEALT_EVENT};
use crate::store::engine::sql::{micros, values};
use crate::store::engine::writer::work;
use crate::store::pipeline::deliveries::delivery;
use crate::store::pipeline::events::event;
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

    /// Notes that a person has dealt with these events: with what failed of them, and with what was not
    /// understood. How many messages and requests that were.
    pub async fn deal(
        &self,
        events: Vec<EventId>,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        self.writer()
            .edit(work!([events, actor], async |tx| {
                let mut all = 0;
                for event in events {
                    let n = deal_messages(tx, event, None, now).await?
                        + deal_event(tx, event, now).await?;
                    if n > 0 {
                        let subject = event.to_string();
                        let detail = serde_json::json!({ "count": n });
                        let line = AuditLine::new(actor.clone(), "event.dealt", &subject, &detail);
                        audit(tx, line, now).await?;
                    }
                    all += n;
                }
                Ok(all)
            }))
            .await
    }
}

/// Notes that a person has dealt with what failed of an event, or with one message of it.
pub(in crate::store) async fn deal_messages(
    tx: TenantDb<'_>,
    event: EventId,
    own: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let mut bound = values![micros(now), event.uuid()];
    let only = if let Some(own) = own {
        bound.push(Value::from(own));
        " AND id = $4"
    } else {
        ""
    };
    let query = format!(
        "UPDATE deliveries SET dealt_at = $2 WHERE event_id = $3 AND (tenant_id = $1) IS TRUE \
         AND {UNDEALT}{only}"
    );
    tx.exec(&query, bound).await
}

async fn deal_event(
    tx: TenantDb<'_>,
    event: EventId,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let query = format!(
        "UPDATE events SET dealt_at = $2 WHERE id = $3 AND tenant_id = $1 AND {UNDEALT_EVENT}"
    );
    tx.exec(&query, values![micros(now), event.uuid()]).await
}
