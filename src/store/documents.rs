//! Documents, their claims, and the people remembered by customer or vendor.

use uuid::Uuid;

use super::sql::{self, values};
use super::{StoreError, TenantStore};
use crate::domain::document::{Document, DocumentKind, Person};
use crate::domain::event::EventType;
use crate::domain::ids::{ConnectionId, EventId};
use crate::domain::transition::{Claim, Known, Told};

/// What is known of a document, and the version that a commit must still find.
#[derive(Debug, Clone)]
pub struct KnownDocument {
    pub known: Known,
    pub version: i64,
}

impl TenantStore {
    /// The document with its claims; `None` at first sight.
    ///
    /// The document is read before its claims: a claim that comes in between raises the version,
    /// so the commit starts over.
    pub async fn document(
        &self,
        connection: ConnectionId,
        kind: DocumentKind,
        id: &str,
    ) -> Result<Option<KnownDocument>, StoreError> {
        let key = || values![connection.uuid(), kind.as_str(), id, self.id.uuid()];
        let query = "SELECT version, state, last_event_id FROM documents WHERE connection_id = $1 \
                     AND kind = $2 AND document_id = $3 AND tenant_id = $4";
        let Some(row) = sql::one(self.db(), query, key()).await? else {
            return Ok(None);
        };
        let last_event: Uuid = row.get("last_event_id")?;
        let document: Document = row.word("documents", "state", last_event, |s| {
            serde_json::from_str(s).ok()
        })?;
        let query = "SELECT event_type, discriminator, event_id, told FROM transitions \
                     WHERE connection_id = $1 AND kind = $2 AND document_id = $3 AND tenant_id = $4";
        let claims = sql::all(self.db(), query, key()).await?;
        let claims = claims
            .iter()
            .map(|r| {
                let event: Uuid = r.get("event_id")?;
                Ok(Claim {
                    event_type: r.word("transitions", "event_type", event, |t| {
                        t.parse::<EventType>().ok()
                    })?,
                    discriminator: r.get("discriminator")?,
                    event: EventId::from_uuid(event),
                    told: r.word("transitions", "told", event, Told::parse)?,
                })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        let known = Known {
            document,
            last_event: EventId::from_uuid(last_event),
            claims,
        };
        Ok(Some(KnownDocument {
            known,
            version: row.get("version")?,
        }))
    }

    /// The people remembered for a customer or vendor, primary first, then the latest seen.
    pub async fn people(
        &self,
        connection: ConnectionId,
        party: &str,
    ) -> Result<Vec<Person>, StoreError> {
        let query = "SELECT person FROM people WHERE connection_id = $1 AND party_id = $2 \
                     AND tenant_id = $3 ORDER BY seen_at DESC, person_id LIMIT 50";
        let bound = values![connection.uuid(), party, self.id.uuid()];
        let rows = sql::all(self.db(), query, bound).await?;
        let mut people = rows
            .iter()
            .map(|r| {
                r.word("people", "person", connection.uuid(), |p| {
                    serde_json::from_str(p).ok()
                })
            })
            .collect::<Result<Vec<Person>, _>>()?;
        people.sort_by_key(|p| !p.is_primary);
        Ok(people)
    }
}
