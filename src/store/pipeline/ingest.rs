//! Keeping events: fingerprints, event rows and bodies of a whole batch.

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;
use sea_orm::Value;
use uuid::Uuid;

use crate::domain::event::{EventState, EventType, Ingested, NewEvent};
use crate::domain::ids::EventId;
use crate::store::StoreError;
use crate::store::engine::db::BatchDb;
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::sql::{self, micros};
use crate::store::engine::writer::{BatchCommand, TenantLock};

/// Within this time the same body is a repeat, whatever the day.
const SAME_BODY_REPEATS_FOR: TimeDelta = TimeDelta::hours(12);

/// An event whose body is already compressed, outside the writer.
pub(in crate::store) struct PreparedEvent {
    pub(in crate::store) event: NewEvent,
    pub(in crate::store) dictionary: i16,
    pub(in crate::store) compressed: Vec<u8>,
}

impl BatchCommand for PreparedEvent {
    type Answer = Ingested;

    const IS_INTAKE: bool = true;

    fn tenant_lock(&self) -> TenantLock {
        TenantLock::None
    }

    async fn carry_out(tx: BatchDb<'_>, all: &[&Self]) -> Result<Vec<Ingested>, StoreError> {
        insert(tx, all).await
    }
}

/// Inserts what is new. Doubles find each other, also within the batch.
async fn insert(tx: BatchDb<'_>, events: &[&PreparedEvent]) -> Result<Vec<Ingested>, StoreError> {
    let mut seen = claim_fingerprints(tx, events).await?;
    let mut answers = Vec::with_capacity(events.len());
    let mut new = Vec::with_capacity(events.len());
    for prepared in events {
        let event = &prepared.event;
        if let Some(first) = repeat_of(event, &seen) {
            answers.push(Ingested {
                event: first,
                is_duplicate: true,
            });
            continue;
        }
        let at = micros(event.received_at);
        for fingerprint in std::iter::once(event.fingerprint).chain(event.day_fingerprint) {
            seen.insert(fingerprint.to_vec(), (event.id, at));
        }
        answers.push(Ingested {
            event: event.id,
            is_duplicate: false,
        });
        new.push(*prepared);
    }
    if !new.is_empty() {
        update_fingerprints(tx, &new).await?;
        insert_events(tx, &new).await?;
        insert_bodies(tx, &new).await?;
    }
    Ok(answers)
}

type Fingerprints = HashMap<Vec<u8>, (EventId, i64)>;

fn repeat_of(event: &NewEvent, seen: &Fingerprints) -> Option<EventId> {
    let Some(day_fingerprint) = event.day_fingerprint else {
        return seen.get(&event.fingerprint[..]).map(|(id, _)| *id);
    };
    if let Some((id, _)) = seen.get(&day_fingerprint[..]) {
        return Some(*id);
    }
    let (id, at) = seen.get(&event.fingerprint[..])?;
    let since = micros(event.received_at) - at;
    let window = SAME_BODY_REPEATS_FOR.num_microseconds().unwrap_or(i64::MAX);
    (since < window).then_some(*id)
}

/// What was known of these bodies before. Their fingerprints are ours from here to the commit: where
/// others write at the same time, whoever brings the same body waits here, and then finds it.
async fn claim_fingerprints(
    tx: BatchDb<'_>,
    events: &[&PreparedEvent],
) -> Result<Fingerprints, StoreError> {
    // In one order everywhere, or two batches could wait for each other.
    let firsts: BTreeMap<[u8; 32], &NewEvent> = events
        .iter()
        .rev()
        .map(|p| (p.event.fingerprint, &p.event))
        .collect();
    let claim = Bulk::insert("fingerprints", " ON CONFLICT (fingerprint) DO NOTHING");
    let records = firsts.iter().map(|(fingerprint, e)| {
        fingerprint_record(fingerprint, e.id.uuid(), micros(e.received_at))
    });
    let new = claim.exec(tx, records.collect()).await?;
    let mut known = Fingerprints::new();
    // Nearly always all of them are new.
    if new < firsts.len() as u64 {
        known = known_fingerprints(tx, firsts.keys()).await?;
        known.retain(|fingerprint, (holder, _)| {
            let ours = <[u8; 32]>::try_from(&fingerprint[..]);
            ours.is_ok_and(|d| firsts.get(&d).is_none_or(|e| e.id != *holder))
        });
    }
    let days = events
        .iter()
        .filter_map(|p| p.event.day_fingerprint.as_ref());
    known.extend(known_fingerprints(tx, days).await?);
    Ok(known)
}

/// Which of these are known, and by which event. They stay as they are until we have committed.
async fn known_fingerprints(
    tx: BatchDb<'_>,
    fingerprints: impl Iterator<Item = &[u8; 32]>,
) -> Result<Fingerprints, StoreError> {
    let wanted: Vec<Value> = fingerprints.map(|d| Value::from(d.to_vec())).collect();
    if wanted.is_empty() {
        return Ok(Fingerprints::new());
    }
    let tx = tx.unscoped("a fingerprint bears no tenant, but a hook whose it is");
    let (is_one, wanted) = sql::among(tx, wanted, 1);
    let query = format!(
        "SELECT fingerprint, event_id, received_at FROM fingerprints WHERE fingerprint {is_one} \
         ORDER BY fingerprint{}",
        sql::for_update(tx)
    );
    tx.all(&query, wanted)
        .await?
        .iter()
        .map(|row| {
            let id = EventId::from_uuid(row.get("event_id")?);
            Ok((row.get("fingerprint")?, (id, row.get("received_at")?)))
        })
        .collect()
}

/// Fingerprints of a day, and bodies that became an event once more on another day.
async fn update_fingerprints(tx: BatchDb<'_>, new: &[&PreparedEvent]) -> Result<(), StoreError> {
    let mut rows: BTreeMap<[u8; 32], (Uuid, i64)> = BTreeMap::new();
    for event in new.iter().map(|p| &p.event) {
        if let Some(day) = event.day_fingerprint {
            for fingerprint in [event.fingerprint, day] {
                rows.insert(fingerprint, (event.id.uuid(), micros(event.received_at)));
            }
        }
    }
    let update = Bulk::insert(
        "fingerprints",
        " ON CONFLICT (fingerprint) DO UPDATE SET event_id = excluded.event_id, \
         received_at = excluded.received_at",
    );
    let records = rows
        .iter()
        .map(|(fingerprint, (id, at))| fingerprint_record(fingerprint, *id, *at));
    update.exec(tx, records.collect()).await.map(drop)
}

fn fingerprint_record(fingerprint: &[u8; 32], event: Uuid, received_at: i64) -> Record {
    record![fingerprint: fingerprint.to_vec(), event_id: event, received_at: received_at]
}

async fn insert_events(tx: BatchDb<'_>, new: &[&PreparedEvent]) -> Result<(), StoreError> {
    let records = new.iter().map(|p| {
        let e = &p.event;
        let path_type = e.path_type.map_or("", EventType::as_str);
        record![
            id: e.id.uuid(),
            tenant_id: e.tenant.uuid(),
            connection_id: e.connection.uuid(),
            source: e.source.as_str(),
            path_type: path_type,
            label: e.label.clone(),
            event_type: path_type,
            state: EventState::Received.as_str(),
            received_at: micros(e.received_at),
        ]
    });
    let insert = Bulk::Insert {
        into: "events",
        constants: &[
            ("document_kind", "''"),
            ("document_id", "''"),
            ("document_number", "''"),
            ("party_id", "''"),
            ("party_name", "''"),
            ("currency", "''"),
            ("rules_not_asked", "0"),
        ],
        after: "",
    };
    insert.exec(tx, records.collect()).await.map(drop)
}

async fn insert_bodies(tx: BatchDb<'_>, new: &[&PreparedEvent]) -> Result<(), StoreError> {
    let records = new.iter().map(|p| {
        let e = &p.event;
        record![
            event_id: e.id.uuid(),
            tenant_id: e.tenant.uuid(),
            content_type: e.body.content_type.clone(),
            query: e.body.query.clone(),
            dictionary: p.dictionary,
            raw_size: i64::try_from(e.body.bytes.len()).unwrap_or(i64::MAX),
            body: p.compressed.clone(),
        ]
    });
    let insert = Bulk::insert("bodies", "");
    insert.exec(tx, records.collect()).await.map(drop)
}
