//! Noting that there is nothing more to do about what failed, or was not understood.

use chrono::{DateTime, Utc};
use sea_orm::Value;
use uuid::Uuid;

use super::index_predicates::{UNDEALT, UNDEALT_EVENT};
use crate::domain::actor::Actor;
use crate::domain::ids::EventId;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::TenantDb;
use crate::store::engine::sql::{micros, values};
use crate::store::engine::writer::work;
use crate::store::{StoreError, TenantStore};

impl TenantStore {
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
