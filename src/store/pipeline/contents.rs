//! What deliveries say. It has a table of its own: lists never read it, and a delivery that moves on does not
//! carry it along.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::domain::content::Content;
use crate::domain::delivery::{Delivery, Message, NewDelivery};
use crate::domain::ids::{DeliveryId, EventId};
use crate::store::engine::db::TenantDb;
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::packed::{self, Packed};
use crate::store::engine::sql::{Row, values};
use crate::store::{StoreError, TenantStore};

/// Beside the rows of new deliveries; one that is not written again keeps its own.
pub(in crate::store) const INSERT: Bulk<'static> =
    Bulk::insert("contents", " ON CONFLICT DO NOTHING");

pub(in crate::store) fn record_of(tenant: Uuid, d: &NewDelivery) -> Record {
    record![
        event_id: d.id.event.uuid(),
        delivery_id: d.id.own,
        tenant_id: tenant,
        content: pack(&d.content).value(),
    ]
}

/// A text is a segment or two, of which nothing much can be saved.
fn pack(content: &Content) -> Packed {
    match content {
        Content::Text(_) => Packed::as_it_is(&serde_json::to_string(content).unwrap_or_default()),
        Content::Email(_) => Packed::json(content),
    }
}

/// Gives a delivery another content, in the transaction that gives it another fingerprint.
pub(in crate::store) async fn replace(
    tx: TenantDb<'_>,
    id: DeliveryId,
    content: &Content,
) -> Result<(), StoreError> {
    let update = "UPDATE contents SET content = $4 WHERE event_id = $2 AND delivery_id = $3 \
                  AND tenant_id = $1";
    let bound = values![id.event.uuid(), id.own, pack(content).value()];
    tx.exec(update, bound).await.map(drop)
}

impl TenantStore {
    /// What a delivery says, while that is kept.
    pub async fn content(&self, id: DeliveryId) -> Result<Option<Content>, StoreError> {
        let query = "SELECT delivery_id, content FROM contents WHERE event_id = $2 \
                     AND delivery_id = $3 AND tenant_id = $1";
        let row = self
            .db()
            .one(query, values![id.event.uuid(), id.own])
            .await?;
        Ok(row
            .map(|row| content(&row))
            .transpose()?
            .map(|(_, content)| content))
    }

    /// What the deliveries of an event say, by their own ids.
    pub async fn contents_of(&self, event: EventId) -> Result<BTreeMap<Uuid, Content>, StoreError> {
        let query = "SELECT delivery_id, content FROM contents WHERE event_id = $2 \
                     AND tenant_id = $1 ORDER BY delivery_id LIMIT 2000";
        let rows = self.db().all(query, values![event.uuid()]).await?;
        rows.iter().map(content).collect()
    }

    /// These deliveries with what they say; without those of which that is no longer kept.
    pub async fn messages(&self, all: Vec<Delivery>) -> Result<Vec<Message>, StoreError> {
        let select = Bulk::Joined(
            "SELECT c.delivery_id, c.content FROM v JOIN contents c ON c.event_id = v.event_id \
             AND c.delivery_id = v.delivery_id AND c.tenant_id = v.tenant_id",
        );
        let records = all.iter().map(|d| {
            record![
                event_id: d.id.event.uuid(),
                delivery_id: d.id.own,
                tenant_id: self.id.uuid(),
            ]
        });
        let rows = select.all(self.db().batch(), records.collect()).await?;
        let contents: Result<BTreeMap<Uuid, Content>, _> = rows.iter().map(content).collect();
        let mut contents = contents?;
        let messages = all.into_iter().filter_map(|delivery| {
            let content = contents.remove(&delivery.id.own)?;
            Some(Message { delivery, content })
        });
        Ok(messages.collect())
    }
}

fn content(row: &Row) -> Result<(Uuid, Content), StoreError> {
    let own: Uuid = row.get("delivery_id")?;
    let column = ("contents", "content");
    let content = packed::word(row, column, own, |json| serde_json::from_str(json).ok())?;
    Ok((own, content))
}
