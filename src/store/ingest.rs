//! Keeping events: digests, event rows and bodies of a whole batch, one statement each.

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;
use sea_orm::Value;
use uuid::Uuid;

use super::error::StoreError;
use super::sql::{self, micros, placeholders, tuples};
use super::writer::Tx;
use crate::domain::event::{EventState, EventType, Ingested, NewEvent};
use crate::domain::ids::EventId;

/// Within this time the same body is a repeat, whatever the day.
const SAME_BODY_REPEATS_FOR: TimeDelta = TimeDelta::hours(12);

/// An event whose body is already compressed, outside the writer.
pub(super) struct PreparedEvent {
    pub(super) event: NewEvent,
    pub(super) dictionary: i16,
    pub(super) compressed: Vec<u8>,
}

/// How much goes into one statement.
#[derive(Clone, Copy)]
struct Most {
    /// Of values.
    bytes: usize,
    rows: usize,
}

impl Most {
    /// Over TLS, sqlx 0.9.0 writes more than 16 KB to a server in two records without `TCP_NODELAY`, and
    /// the second waits about 40 ms (`benches/README.md`). A file waits for nothing.
    fn of(tx: &Tx) -> Self {
        let (bytes, rows) = if sql::is_postgres(tx) {
            (15_000, 64)
        } else {
            (usize::MAX, 256)
        };
        Self { bytes, rows }
    }
}

/// What a row of `events` comes to beside nothing else, with room to spare.
const EVENT_BYTES: usize = 400;

/// What a row of `bodies` comes to beside the body.
const BODY_BYTES: usize = 200;

/// Rows by the size of their statement. Their number is a power of two, since each number is a text of
/// its own that the server prepares and the client remembers.
fn chunks<T>(rows: &[T], most: Most, size: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest
            .iter()
            .take(most.rows)
            .take_while(|row| {
                bytes += size(row);
                bytes <= most.bytes
            })
            .count();
        let number = match fitting {
            0 => rest.len().min(1),
            n => 1 << n.ilog2(),
        };
        let (now, later) = rest.split_at_checked(number)?;
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

/// Inserts what is new. Doubles find each other, also within the batch.
pub(super) async fn insert(
    tx: &Tx,
    events: &[&PreparedEvent],
) -> Result<Vec<Ingested>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let mut seen = claim_digests(tx, events).await?;
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
        for digest in std::iter::once(event.digest).chain(event.day_digest) {
            seen.insert(digest.to_vec(), (event.id, at));
        }
        answers.push(Ingested {
            event: event.id,
            is_duplicate: false,
        });
        new.push(*prepared);
    }
    if !new.is_empty() {
        update_digests(tx, &new).await?;
        let most = Most::of(tx);
        for rows in chunks(&new, most, |_| EVENT_BYTES) {
            insert_events(tx, rows).await?;
        }
        for rows in chunks(&new, most, |p| p.compressed.len() + BODY_BYTES) {
            insert_bodies(tx, rows).await?;
        }
    }
    Ok(answers)
}

type Digests = HashMap<Vec<u8>, (EventId, i64)>;

fn repeat_of(event: &NewEvent, seen: &Digests) -> Option<EventId> {
    let Some(day_digest) = event.day_digest else {
        return seen.get(&event.digest[..]).map(|(id, _)| *id);
    };
    if let Some((id, _)) = seen.get(&day_digest[..]) {
        return Some(*id);
    }
    let (id, at) = seen.get(&event.digest[..])?;
    let since = micros(event.received_at) - at;
    let window = SAME_BODY_REPEATS_FOR.num_microseconds().unwrap_or(i64::MAX);
    (since < window).then_some(*id)
}

/// What was known of these bodies before. Their digests are ours from here to the commit: where
/// others write at the same time, whoever brings the same body waits here, and then finds it.
async fn claim_digests(tx: &Tx, events: &[&PreparedEvent]) -> Result<Digests, StoreError> {
    // In one order everywhere, or two batches could wait for each other.
    let firsts: BTreeMap<[u8; 32], &NewEvent> = events
        .iter()
        .rev()
        .map(|p| (p.event.digest, &p.event))
        .collect();
    let statement = format!(
        "INSERT INTO digests (digest, event_id, received_at) VALUES {} \
         ON CONFLICT (digest) DO UPDATE SET event_id = digests.event_id \
         RETURNING digest, event_id, received_at",
        tuples(firsts.len(), 3, 1)
    );
    let rows = firsts
        .iter()
        .flat_map(|(digest, e)| sql::values![digest.to_vec(), e.id.uuid(), micros(e.received_at)])
        .collect();
    let mut known = HashMap::with_capacity(firsts.len());
    for row in sql::all(tx, &statement, rows).await? {
        let digest: Vec<u8> = row.get("digest")?;
        let holder: Uuid = row.get("event_id")?;
        let ours = firsts.get(&digest[..]).map(|e| e.id.uuid());
        if ours != Some(holder) {
            let at = row.get("received_at")?;
            known.insert(digest, (EventId::from_uuid(holder), at));
        }
    }
    known.extend(known_days(tx, events).await?);
    Ok(known)
}

/// Bodies that count once a day have a digest of the day as well; it follows that of the body.
async fn known_days(tx: &Tx, events: &[&PreparedEvent]) -> Result<Digests, StoreError> {
    let wanted: Vec<Value> = events
        .iter()
        .filter_map(|p| p.event.day_digest)
        .map(|d| Value::from(d.to_vec()))
        .collect();
    if wanted.is_empty() {
        return Ok(Digests::new());
    }
    let query = format!(
        "SELECT digest, event_id, received_at FROM digests WHERE digest IN ({})",
        placeholders(wanted.len(), 1)
    );
    sql::all(tx, &query, wanted)
        .await?
        .iter()
        .map(|row| {
            let id = EventId::from_uuid(row.get("event_id")?);
            Ok((row.get("digest")?, (id, row.get("received_at")?)))
        })
        .collect()
}

/// Digests of a day, and bodies that became an event once more on another day.
async fn update_digests(tx: &Tx, new: &[&PreparedEvent]) -> Result<(), StoreError> {
    let mut rows: BTreeMap<[u8; 32], (Uuid, i64)> = BTreeMap::new();
    for event in new.iter().map(|p| &p.event) {
        if let Some(day) = event.day_digest {
            for digest in [event.digest, day] {
                rows.insert(digest, (event.id.uuid(), micros(event.received_at)));
            }
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let count = rows.len();
    let values = rows
        .into_iter()
        .flat_map(|(digest, (id, at))| sql::values![digest.to_vec(), id, at])
        .collect();
    let statement = format!(
        "INSERT INTO digests (digest, event_id, received_at) VALUES {} \
         ON CONFLICT (digest) DO UPDATE SET event_id = excluded.event_id, \
         received_at = excluded.received_at",
        tuples(count, 3, 1)
    );
    sql::exec(tx, &statement, values).await?;
    Ok(())
}

async fn insert_events(tx: &Tx, new: &[&PreparedEvent]) -> Result<(), StoreError> {
    let values = new
        .iter()
        .flat_map(|p| {
            let e = &p.event;
            let path_type = e.path_type.map_or("", EventType::as_str);
            sql::values![
                e.id.uuid(),
                e.tenant.uuid(),
                e.connection.uuid(),
                e.source.as_str(),
                path_type,
                e.label.clone(),
                path_type,
                EventState::Received.as_str(),
                "",
                "",
                "",
                "",
                "",
                Option::<i64>::None,
                "",
                0_i64,
                micros(e.received_at),
                Option::<i64>::None,
            ]
        })
        .collect();
    let statement = format!(
        "INSERT INTO events (id, tenant_id, connection_id, source, path_type, label, event_type, \
         state, document_kind, document_id, document_number, party_id, party_name, amount, \
         currency, rules_not_asked, received_at, routed_at) VALUES {}",
        tuples(new.len(), 18, 1)
    );
    sql::exec(tx, &statement, values).await?;
    Ok(())
}

async fn insert_bodies(tx: &Tx, new: &[&PreparedEvent]) -> Result<(), StoreError> {
    let values = new
        .iter()
        .flat_map(|p| {
            let e = &p.event;
            sql::values![
                e.id.uuid(),
                e.tenant.uuid(),
                e.body.content_type.clone(),
                e.body.query.clone(),
                p.dictionary,
                i64::try_from(e.body.bytes.len()).unwrap_or(i64::MAX),
                p.compressed.clone(),
            ]
        })
        .collect();
    let statement = format!(
        "INSERT INTO bodies (event_id, tenant_id, content_type, query, dictionary, raw_size, body) \
         VALUES {}",
        tuples(new.len(), 7, 1)
    );
    sql::exec(tx, &statement, values).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Most = Most {
        bytes: 15_000,
        rows: 64,
    };

    fn sizes(rows: &[usize]) -> Vec<usize> {
        chunks(rows, MOST, |bytes| *bytes).map(<[_]>::len).collect()
    }

    #[test]
    fn statements_are_small_and_of_few_texts() {
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[100; 7]), [4, 2, 1]);
        assert_eq!(sizes(&[1; 200]), [64, 64, 64, 8]);
        assert_eq!(sizes(&[5000; 5]), [2, 2, 1]);
        assert_eq!(sizes(&[90_000, 10, 90_000]), [1, 1, 1]);
    }

    proptest::proptest! {
        #[test]
        fn every_row_is_in_one_statement(rows in proptest::collection::vec(0_usize..40_000, 0..300)) {
            let all: Vec<usize> = chunks(&rows, MOST, |b| *b).flatten().copied().collect();
            proptest::prop_assert_eq!(&all, &rows);
            for chunk in chunks(&rows, MOST, |b| *b) {
                proptest::prop_assert!(chunk.len() == 1 || chunk.iter().sum::<usize>() <= MOST.bytes);
            }
        }
    }
}
