//! Documents, their claims, and the people remembered by customer or vendor.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::FutureExt as _;
use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::document::{Applied, Document, DocumentKind, Person};
use crate::domain::event::EventType;
use crate::domain::ids::{ConnectionId, EventId};
use crate::domain::party::Party;
use crate::domain::transition::{Claim, ClaimKind, Known};
use crate::store::engine::db::BatchDb;
use crate::store::engine::db::bulk::{Bulk, record};
use crate::store::engine::look_ups::LookUps;
use crate::store::engine::packed::{self, Packed};
use crate::store::engine::sql::{Row, values};
use crate::store::{StoreError, TenantStore};

/// What is known of a document, and the version that a commit must still find.
#[derive(Debug, Clone)]
pub struct KnownDocument {
    /// Nothing yet, where only payments have named it.
    pub known: Option<Known>,
    /// What payments left open of it.
    pub applied: Vec<Applied>,
    pub version: i64,
}

impl KnownDocument {
    /// The state as it is known now, with what payments have applied to it.
    pub fn current(&self) -> Option<Document> {
        let known = self.known.as_ref()?;
        Some(known.document.with_applied(&self.applied).into_owned())
    }
}

/// Tenant, connection, kind and Zoho's id.
pub(in crate::store) type Key = (Uuid, Uuid, String, String);

/// Looks documents up. Each event asks for one, so those that are asked for at the same time are read
/// together.
pub(in crate::store) type Documents = LookUps<Key, KnownDocument>;

pub(in crate::store) fn look_ups(db: &DatabaseConnection) -> Documents {
    LookUps::start(db, |db, keys| known(db, keys).boxed())
}

async fn known(
    db: BatchDb<'_>,
    keys: &BTreeSet<&Key>,
) -> Result<BTreeMap<Key, KnownDocument>, StoreError> {
    let records = keys.iter().map(|(tenant, connection, kind, id)| {
        record![
            tenant_id: *tenant,
            connection_id: *connection,
            kind: kind.clone(),
            document_id: id.clone(),
        ]
    });
    let select = Bulk::Joined(
        "SELECT d.* FROM v JOIN documents d ON d.tenant_id = v.tenant_id \
         AND d.connection_id = v.connection_id AND d.kind = v.kind \
         AND d.document_id = v.document_id",
    );
    let rows = select.all(db, records.collect()).await?;
    let both = rows.iter().map(|row| Ok((key_of(row)?, document(row)?)));
    both.collect()
}

fn document(row: &Row) -> Result<KnownDocument, StoreError> {
    let last_event: Uuid = row.get("last_event_id")?;
    let state: String = row.get("state")?;
    let known = if state.is_empty() {
        None
    } else {
        let claims = ("documents", "claims");
        Some(Known {
            document: row.word("documents", "state", last_event, |s| {
                serde_json::from_str(s).ok()
            })?,
            last_event: EventId::from_uuid(last_event),
            claims: packed::word(row, claims, last_event, unpack_claims)?,
        })
    };
    Ok(KnownDocument {
        known,
        applied: row.word("documents", "applied", last_event, read_applied)?,
        version: row.get("version")?,
    })
}

/// Most documents have none: empty text stands for that.
fn read_applied(text: &str) -> Option<Vec<Applied>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    serde_json::from_str(text).ok()
}

/// A claim: event type, discriminator, event, and how it was reported.
#[derive(Serialize, Deserialize)]
struct PackedClaim<'a>(Cow<'a, str>, Cow<'a, str>, Uuid, Cow<'a, str>);

pub(in crate::store) fn pack_claims(claims: &[Claim]) -> Packed {
    let lines = claims.iter().map(|c| {
        let (event_type, told) = (c.event_type.as_str(), c.kind.as_str());
        let discriminator = Cow::from(&*c.discriminator);
        PackedClaim(
            event_type.into(),
            discriminator,
            c.event.uuid(),
            told.into(),
        )
    });
    Packed::json(&lines.collect::<Vec<_>>())
}

fn unpack_claims(text: &str) -> Option<Vec<Claim>> {
    let lines: Vec<PackedClaim<'_>> = serde_json::from_str(text).ok()?;
    let claims = lines
        .into_iter()
        .map(|PackedClaim(event_type, discriminator, event, told)| {
            Some(Claim {
                event_type: event_type.parse::<EventType>().ok()?,
                discriminator: discriminator.into_owned(),
                event: EventId::from_uuid(event),
                kind: ClaimKind::parse(&told)?,
            })
        });
    claims.collect()
}

fn key_of(row: &Row) -> Result<Key, StoreError> {
    Ok((
        row.get("tenant_id")?,
        row.get("connection_id")?,
        row.get("kind")?,
        row.get("document_id")?,
    ))
}

impl TenantStore {
    /// The document with its claims; `None` at first sight.
    pub async fn document(
        &self,
        connection: ConnectionId,
        kind: DocumentKind,
        id: &str,
    ) -> Result<Option<KnownDocument>, StoreError> {
        let (tenant, kind) = (self.id.uuid(), kind.as_str().to_owned());
        let key = (tenant, connection.uuid(), kind, id.to_owned());
        self.store.look_ups.documents.ask(key).await
    }

    /// The customers and vendors of the latest few thousand events, each by the name it had last.
    pub async fn parties(&self) -> Result<Vec<Party>, StoreError> {
        let query = "SELECT party_id, party_name FROM events WHERE tenant_id = $1 ORDER BY id DESC LIMIT 3000";
        let rows = self.db().all(query, vec![]).await?;
        let mut seen = HashSet::new();
        let mut parties = Vec::new();
        for row in &rows {
            let (id, name): (String, String) = (row.get("party_id")?, row.get("party_name")?);
            if !id.is_empty() && !name.trim().is_empty() && seen.insert(id.clone()) {
                parties.push(Party { id, name });
            }
        }
        Ok(parties)
    }

    /// The longest name among the customers and vendors of the latest few hundred events.
    pub async fn longest_party_name(&self) -> Result<Option<String>, StoreError> {
        let query = "SELECT party_name FROM events WHERE tenant_id = $1 ORDER BY id DESC LIMIT 300";
        let rows = self.db().all(query, vec![]).await?;
        let names = rows
            .iter()
            .map(|row| row.get::<String>("party_name"))
            .collect::<Result<Vec<_>, _>>()?;
        let longest = names.into_iter().max_by_key(|name| name.chars().count());
        Ok(longest.filter(|name| !name.is_empty()))
    }

    /// The people remembered for a customer or vendor, primary first, then the latest seen.
    pub async fn people(
        &self,
        connection: ConnectionId,
        party: &str,
    ) -> Result<Vec<Person>, StoreError> {
        let query = "SELECT person, seen_at FROM people WHERE connection_id = $2 AND party_id = $3 \
                     AND tenant_id = $1 ORDER BY seen_at DESC, person_id LIMIT 50";
        let bound = values![connection.uuid(), party];
        let rows = self.db().all(query, bound).await?;
        let mut people = rows
            .iter()
            .map(|r| {
                let person: Person = r.word("people", "person", connection.uuid(), |p| {
                    serde_json::from_str(p).ok()
                })?;
                Ok(Person {
                    seen_at: Some(r.time("seen_at")?),
                    ..person
                })
            })
            .collect::<Result<Vec<Person>, StoreError>>()?;
        people.sort_by_key(|p| !p.is_primary);
        Ok(people)
    }
}
