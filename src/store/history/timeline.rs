//! All that is known of one event.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::domain::content::{Content, EmailContent};
use crate::domain::decision::Ruling;
use crate::domain::delivery::{Attempt, Delivery, Receipt, Step, StepKind};
use crate::domain::event::Event;
use crate::domain::ids::{AttemptId, ConnectionId, DeliveryId, EventId, ReceiptId, StepId};
use crate::domain::replay::Replay;
use crate::store::engine::packed;
use crate::store::engine::sql::{Row, values};
use crate::store::pipeline::decisions::ruling;
use crate::store::{StoreError, TenantStore};

/// All that is known of one event.
#[derive(Debug, Clone)]
pub struct Timeline {
    pub event: Event,
    /// What was decided, first by routing it, then by each replay.
    pub rulings: Vec<Ruling>,
    pub deliveries: Vec<Delivery>,
    pub attempts: Vec<Attempt>,
    pub steps: Vec<Step>,
    pub receipts: Vec<Receipt>,
    pub replays: Vec<Replay>,
    /// What the deliveries say, by their own ids.
    pub contents: BTreeMap<Uuid, Content>,
}

impl Timeline {
    /// The words of a message; empty where they could not be made, or are no longer kept.
    pub fn text_of(&self, delivery: &Delivery) -> &str {
        let content = self.contents.get(&delivery.id.own);
        content.map_or("", Content::text)
    }

    /// What a message says; nothing where that could not be made, or is no longer kept.
    pub fn content_of(&self, delivery: &Delivery) -> Content {
        let content = self.contents.get(&delivery.id.own).cloned();
        content.unwrap_or_else(|| Content::nothing(delivery.channel))
    }

    /// The parts of a message that is an e-mail, as far as they are kept.
    pub fn email_of(&self, delivery: &Delivery) -> Option<&EmailContent> {
        match self.contents.get(&delivery.id.own) {
            Some(Content::Email(email)) => Some(email),
            _ => None,
        }
    }
}

impl TenantStore {
    /// All that is known of one event.
    pub async fn timeline(&self, id: EventId) -> Result<Option<Timeline>, StoreError> {
        let Some(event) = self.event(id).await? else {
            return Ok(None);
        };
        Ok(Some(Timeline {
            event,
            rulings: self.rulings_of(id).await?,
            deliveries: self.deliveries_of(id).await?,
            attempts: self.of_event("attempts", id, attempt).await?,
            steps: self.of_event("delivery_steps", id, step).await?,
            receipts: self.of_event("receipts", id, receipt).await?,
            replays: self.replays_of(id).await?,
            contents: self.contents_of(id).await?,
        }))
    }

    /// One call to the provider.
    pub async fn attempt(
        &self,
        delivery: DeliveryId,
        attempt_no: i64,
    ) -> Result<Option<Attempt>, StoreError> {
        let query = "SELECT * FROM attempts WHERE event_id = $2 AND tenant_id = $1 \
                     AND delivery_id = $3 AND attempt_no = $4";
        let bound = values![delivery.event.uuid(), delivery.own, attempt_no];
        self.db()
            .one(query, bound)
            .await?
            .map(|r| attempt(&r))
            .transpose()
    }

    /// What was decided about an event, the first ruling first.
    pub async fn rulings_of(&self, id: EventId) -> Result<Vec<Ruling>, StoreError> {
        let query = "SELECT * FROM decisions WHERE event_id = $2 AND tenant_id = $1 \
                     ORDER BY decided_at, replay_id LIMIT 200";
        let rows = self.db().all(query, values![id.uuid()]).await?;
        rows.iter().map(ruling).collect()
    }

    /// Rows of one event; bounded, since an event with thousands of them is nobody's to read.
    async fn of_event<T>(
        &self,
        table: &str,
        id: EventId,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let query = format!(
            "SELECT * FROM {table} WHERE event_id = $2 AND tenant_id = $1 ORDER BY id LIMIT 2000"
        );
        let rows = self.db().all(&query, values![id.uuid()]).await?;
        rows.iter().map(read).collect()
    }
}

fn attempt(row: &Row) -> Result<Attempt, StoreError> {
    Ok(Attempt {
        id: AttemptId::from_uuid(row.get("id")?),
        delivery: of_delivery(row)?,
        attempt_no: row.get("attempt_no")?,
        connection: ConnectionId::from_uuid(row.get("connection_id")?),
        account: row.get("account")?,
        request: packed::text_of(row, "request")?,
        started_at: row.time("started_at")?,
        lease_until: row.time("lease_until")?,
    })
}

fn step(row: &Row) -> Result<Step, StoreError> {
    let id: Uuid = row.get("id")?;
    Ok(Step {
        id: StepId::from_uuid(id),
        delivery: of_delivery(row)?,
        attempt_no: row.get("attempt_no")?,
        kind: row.word("delivery_steps", "kind", id, StepKind::parse)?,
        sentence: row.get("sentence")?,
        detail: packed::text_of(row, "detail")?,
        at: row.time("at")?,
    })
}

fn receipt(row: &Row) -> Result<Receipt, StoreError> {
    Ok(Receipt {
        id: ReceiptId::from_uuid(row.get("id")?),
        delivery: of_delivery(row)?,
        sid: row.get("sid")?,
        status: row.get("status")?,
        error_code: row.get("error_code")?,
        source: row.get("source")?,
        is_verified: row.get("verified")?,
        detail: row.get("detail")?,
        at: row.time("at")?,
    })
}

/// The delivery that an attempt, step or receipt belongs to.
fn of_delivery(row: &Row) -> Result<DeliveryId, StoreError> {
    Ok(DeliveryId {
        event: EventId::from_uuid(row.get("event_id")?),
        own: row.get("delivery_id")?,
    })
}
