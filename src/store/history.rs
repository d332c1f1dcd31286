//! What people read: pages of events and deliveries, the whole story of one event, figures.

pub(in crate::store) mod address_search;
pub(in crate::store) mod audit;
pub(in crate::store) mod dealt;
pub(in crate::store) mod rejected;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::Value;
use uuid::Uuid;

use super::{StoreError, TenantStore};
use crate::domain::content::{Content, EmailContent};
use crate::domain::decision::Ruling;
use crate::domain::delivery::{Attempt, Delivery, DeliveryState, Receipt, Step, StepKind};
use crate::domain::event::{Event, EventState, EventType};
use crate::domain::ids::{
    AttemptId, ConnectionId, DeliveryId, EventId, ReceiptId, StepId, floor_v7, time_of_v7,
};
use crate::domain::page::{Cursor, Page};
use crate::domain::replay::Replay;
use crate::store::engine::index_predicates;
use crate::store::engine::index_predicates::{MOVING, RESTING};
use crate::store::engine::packed;
use crate::store::engine::sql::{self, Row, from_micros, micros, placeholders, values};
use crate::store::pipeline::decisions::ruling;
use crate::store::pipeline::deliveries::delivery;
use crate::store::pipeline::events::event;

/// Which events to list; each filter has an index that ends in the id.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    pub state: Option<EventState>,
    pub event_type: Option<EventType>,
    pub document_id: Option<String>,
    pub party_id: Option<String>,
}

/// Which events to search for: filters without an index besides those that have one.
#[derive(Debug, Clone, Default)]
pub struct EventSearch {
    pub filter: EventFilter,
    /// Events with a delivery in one of these states; none means any event.
    pub states: Vec<DeliveryState>,
    /// Events with something that waits for a person.
    pub needs_person: bool,
    /// From one instant until before another: when the deliveries that are asked for were made, or else
    /// when the event was received.
    pub between: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// A part of a document's number, or its whole id.
    pub document: String,
    /// A part of a customer's name, or their whole id.
    pub customer: String,
}

/// How many rows one page looks at for a filter without an index.
pub(super) const SCANNED: u64 = 2000;

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    pub state: Option<DeliveryState>,
}

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

/// What became of the deliveries that were made within one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourTally {
    pub starts_at: DateTime<Utc>,
    /// The provider has them, or the recipient.
    pub sent: u64,
    pub failed: u64,
}

impl TenantStore {
    /// A page of events, newest first.
    pub async fn events(
        &self,
        filter: &EventFilter,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<Event>, StoreError> {
        self.listed(filter, cursor)
            .page(limit, event, |e| e.id.uuid())
            .await
    }

    /// A page of a search, newest first.
    pub async fn search_events(
        &self,
        search: &EventSearch,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<Event>, StoreError> {
        let mut list = self.listed(&search.filter, cursor);
        let such = if search.needs_person {
            let parts = index_predicates::NEEDS_PERSON.map(|(_, such)| format!("({such})"));
            Some(parts.join(" OR "))
        } else if search.states.is_empty() {
            None
        } else {
            let states: Vec<_> = search.states.iter().map(|s| format!("'{s}'")).collect();
            Some(format!("state IN ({})", states.join(", ")))
        };
        match (such, search.between) {
            (None, None) => {}
            (None, Some((from, to))) => {
                let bound = values![floor_v7(from), floor_v7(to)];
                list.within(bound, |n| format!("id >= ${n} AND id < ${}", n + 1));
            }
            // By the messages of that time, whenever the event was: a replay may be long after it.
            (Some(such), Some((from, to))) => {
                let or = if search.needs_person {
                    let (unrecognised, n) = (index_predicates::UNDEALT_EVENT, list.next());
                    format!(" OR ({unrecognised} AND id >= ${n} AND id < ${})", n + 1)
                } else {
                    String::new()
                };
                let bound = values![floor_v7(from), floor_v7(to)];
                list.within(bound, |n| {
                    format!(
                        "(id IN (SELECT event_id FROM deliveries WHERE tenant_id = $1 AND id >= ${n} \
                         AND id < ${} AND ({such})){or})",
                        n + 1
                    )
                });
            }
            (Some(such), None) => {
                let or = if search.needs_person {
                    format!(" OR {}", index_predicates::UNDEALT_EVENT)
                } else {
                    String::new()
                };
                list.keep(Vec::new(), |_| {
                    format!(
                        "(EXISTS (SELECT 1 FROM (SELECT * FROM deliveries WHERE (tenant_id = $1) IS TRUE \
                         AND event_id = r.id) d WHERE {such}){or})"
                    )
                });
            }
        }
        for (text, words, id) in [
            (&search.document, "document_number", "document_id"),
            (&search.customer, "party_name", "party_id"),
        ] {
            if !text.is_empty() {
                let (operator, pattern) = sql::anywhere(self.db(), text);
                list.keep(values![pattern, text.clone()], |n| {
                    format!("({words} {operator} ${n} OR {id} = ${})", n + 1)
                });
            }
        }
        list.page(limit, event, |e| e.id.uuid()).await
    }

    fn listed(&self, filter: &EventFilter, cursor: Cursor) -> Keyset<'_> {
        let mut list = Keyset::new(self, "events", cursor);
        if let Some(state) = filter.state {
            list.equals("state", state.as_str(), index_predicates::of_event(state));
        }
        if let Some(event_type) = filter.event_type {
            list.equals("event_type", event_type.as_str(), "event_type <> ''");
        }
        if let Some(document) = &filter.document_id {
            list.equals("document_id", document, "document_id <> ''");
        }
        if let Some(party) = &filter.party_id {
            list.equals("party_id", party, "party_id <> ''");
        }
        list
    }

    /// How many deliveries are in one of these states; counting stops at `most`.
    pub async fn count_deliveries(
        &self,
        states: &[DeliveryState],
        most: u64,
    ) -> Result<u64, StoreError> {
        // Each part by its own index.
        let mut n = 0;
        for part in [MOVING, RESTING] {
            let states = states
                .iter()
                .filter(|s| index_predicates::of_delivery(**s) == part);
            let bound: Vec<Value> = states.map(|s| s.as_str().into()).collect();
            if !bound.is_empty() && n < most {
                let query = format!(
                    "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM deliveries \
                     WHERE tenant_id = $1 AND state IN ({}) AND {part} LIMIT {}) counted",
                    placeholders(bound.len(), 2),
                    most - n
                );
                n += self.number(&query, bound).await?;
            }
        }
        Ok(n)
    }

    /// How many requests were refused since then, counting those that were not kept one by one.
    pub async fn count_rejected(&self, since: DateTime<Utc>) -> Result<u64, StoreError> {
        let query = "SELECT CAST(COALESCE(SUM(1 + like_it), 0) AS BIGINT) AS n \
                     FROM rejected_requests WHERE tenant_id = $1 AND id >= $2";
        self.number(query, values![floor_v7(since)]).await
    }

    /// When Zoho Books was last heard from; our own test events are none of its.
    pub async fn last_event_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let last = "SELECT received_at FROM events WHERE tenant_id = $1 AND source <> 'test' \
                    ORDER BY id DESC LIMIT 1";
        let row = self.db().one(last, vec![]).await?;
        row.map(|r| r.time("received_at")).transpose()
    }

    /// Whether a test event was ever sent.
    pub async fn has_test_event(&self) -> Result<bool, StoreError> {
        let any = "SELECT id FROM events WHERE tenant_id = $1 AND source = 'test' LIMIT 1";
        let row = self.db().one(any, vec![]).await?;
        Ok(row.is_some())
    }

    pub(super) async fn number(&self, query: &str, bound: Vec<Value>) -> Result<u64, StoreError> {
        let row = self.db().one(query, bound).await?;
        let n: i64 = row.map(|r| r.get("n")).transpose()?.unwrap_or(0);
        Ok(u64::try_from(n).unwrap_or(0))
    }

    /// A page of deliveries, newest first.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<Delivery>, StoreError> {
        let mut list = Keyset::new(self, "deliveries", cursor);
        if let Some(state) = filter.state {
            list.equals(
                "state",
                state.as_str(),
                index_predicates::of_delivery(state),
            );
        }
        list.page(limit, delivery, |d| d.id.own).await
    }

    /// The deliveries of several events, for a list of them.
    pub async fn deliveries_of_events(
        &self,
        events: &[EventId],
    ) -> Result<Vec<Delivery>, StoreError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let query = format!(
            "SELECT * FROM deliveries WHERE (tenant_id = $1) IS TRUE AND event_id IN ({}) \
             ORDER BY id LIMIT 1000",
            placeholders(events.len(), 2)
        );
        let bound = events.iter().map(|e| Value::from(e.uuid())).collect();
        self.db()
            .all(&query, bound)
            .await?
            .iter()
            .map(delivery)
            .collect()
    }

    /// Deliveries that were made in rehearsal since an instant, newest first.
    pub async fn rehearsed_since(
        &self,
        since: DateTime<Utc>,
        limit: u64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let query = "SELECT * FROM deliveries WHERE tenant_id = $1 AND id >= $2 \
                     AND is_rehearsal = TRUE ORDER BY id DESC LIMIT $3";
        let bound = values![floor_v7(since), limit];
        let rows = self.db().all(query, bound).await?;
        rows.iter().map(delivery).collect()
    }

    /// All that is known of one event.
    pub async fn story(&self, id: EventId) -> Result<Option<Timeline>, StoreError> {
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

    /// How many messages went out and failed since the hour of an instant, oldest first; hours in
    /// which nothing did are left out. Triggers of the schema keep these figures.
    pub async fn tally(&self, since: DateTime<Utc>) -> Result<Vec<HourTally>, StoreError> {
        let query = "SELECT hour, CAST(SUM(sent) AS BIGINT) AS sent, \
                     CAST(SUM(failed) AS BIGINT) AS failed FROM delivery_counts \
                     WHERE tenant_id = $1 AND hour >= $2 GROUP BY hour ORDER BY hour";
        let bound = values![micros(since) / HOUR];
        let rows = self.db().all(query, bound).await?;
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        rows.iter()
            .map(|r| {
                Ok(HourTally {
                    starts_at: from_micros(r.get::<i64>("hour")? * HOUR),
                    sent: number(r.get("sent")?),
                    failed: number(r.get("failed")?),
                })
            })
            .collect()
    }
}

/// In microseconds.
const HOUR: i64 = 3_600_000_000;

/// A list ordered by id, newest first, read with one row more than asked, which tells whether there is
/// another page. Filters that an index knows come first; with others it looks at a bounded number of
/// rows and says how far back that was.
pub(super) struct Keyset<'a> {
    store: &'a TenantStore,
    table: &'static str,
    cursor: Cursor,
    /// Which rows are looked at, and with which values.
    wheres: Vec<String>,
    bound: Vec<Value>,
    /// Which of them are kept.
    kept: Vec<String>,
    kept_bound: Vec<Value>,
}

impl<'a> Keyset<'a> {
    pub(super) fn new(store: &'a TenantStore, table: &'static str, cursor: Cursor) -> Self {
        let mut wheres = vec!["tenant_id = $1".to_owned()];
        let mut bound = Vec::new();
        let mut from = |operator: &str, id: Uuid| {
            wheres.push(format!("id {operator} $2"));
            bound.push(id.into());
        };
        match cursor {
            Cursor::Newest => {}
            Cursor::Before(id) => from("<", id),
            Cursor::After(id) => from(">", id),
        }
        Self {
            store,
            table,
            cursor,
            wheres,
            bound,
            kept: Vec::new(),
            kept_bound: Vec::new(),
        }
    }

    /// A filter with an index that ends in the id, and what that index holds; before any without.
    pub(super) fn equals(&mut self, column: &str, value: &str, part: &str) {
        debug_assert!(self.kept.is_empty(), "values are numbered in order");
        self.bound.push(value.into());
        self.wheres
            .push(format!("{column} = ${} AND {part}", self.bound.len() + 1));
    }

    /// The number of the next value; the first is the tenant.
    fn next(&self) -> usize {
        self.bound.len() + self.kept_bound.len() + 2
    }

    /// A condition that leads into an index, told the number of its first value; before any that does not.
    pub(super) fn within(&mut self, values: Vec<Value>, condition: impl FnOnce(usize) -> String) {
        debug_assert!(self.kept.is_empty(), "values are numbered in order");
        self.wheres.push(condition(self.next()));
        self.bound.extend(values);
    }

    /// A filter that no index knows: a condition on rows `r`, told the number of its first value.
    pub(super) fn keep(&mut self, values: Vec<Value>, condition: impl FnOnce(usize) -> String) {
        let first = self.next();
        self.kept.push(condition(first));
        self.kept_bound.extend(values);
    }

    pub(super) async fn page<T>(
        self,
        limit: u64,
        read: impl Fn(&Row) -> Result<T, StoreError>,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<Page<T>, StoreError> {
        let (db, table, wheres) = (self.store.db(), self.table, self.wheres.join(" AND "));
        let is_forward = matches!(self.cursor, Cursor::After(_));
        let order = if is_forward { "ASC" } else { "DESC" };
        let mut edge = None;
        let such = if self.kept.is_empty() {
            format!("{table} WHERE {wheres}")
        } else {
            let last = format!(
                "SELECT id FROM {table} WHERE {wheres} ORDER BY id {order} LIMIT 1 OFFSET {}",
                SCANNED - 1
            );
            let row = db.one(&last, self.bound.clone()).await?;
            edge = row.map(|r| r.get::<Uuid>("id")).transpose()?;
            format!(
                "(SELECT * FROM {table} WHERE {wheres} ORDER BY id {order} LIMIT {SCANNED}) r \
                 WHERE {}",
                self.kept.join(" AND ")
            )
        };
        let mut bound = self.bound;
        bound.extend(self.kept_bound);
        bound.push((limit + 1).into());
        let query = format!(
            "SELECT * FROM {such} ORDER BY id {order} LIMIT ${}",
            bound.len() + 1
        );
        let rows = db.all(&query, bound).await?;
        let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let is_full = rows.len() as u64 > limit;
        let mut page = paged(rows, self.cursor, limit, id);
        if let Some(edge) = edge.filter(|_| !is_full) {
            if is_forward {
                page.newer = Some(Cursor::After(edge));
            } else {
                page.older = Some(Cursor::Before(edge));
                page.searched_to = Some(time_of_v7(edge));
            }
        }
        Ok(page)
    }
}

/// Turns rows, one more than asked for if there are more, into a page.
pub(super) fn paged<T>(
    mut rows: Vec<T>,
    cursor: Cursor,
    limit: u64,
    id: impl Fn(&T) -> Uuid,
) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let forward = matches!(cursor, Cursor::After(_));
    if forward {
        rows.reverse();
    }
    let (first, last) = (rows.first().map(&id), rows.last().map(&id));
    let has_newer = if forward {
        has_more
    } else {
        cursor != Cursor::Newest
    };
    let has_older = forward || has_more;
    Page {
        newer: first.filter(|_| has_newer).map(Cursor::After),
        older: last.filter(|_| has_older).map(Cursor::Before),
        searched_to: None,
        rows,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_its_neighbours() {
        let ids: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
        let newest = paged(vec![ids[2], ids[1], ids[0]], Cursor::Newest, 2, |id| *id);
        assert_eq!(newest.newer, None);
        assert_eq!(newest.older, Some(Cursor::Before(ids[1])));
        let after = paged(vec![ids[1], ids[2]], Cursor::After(ids[0]), 2, |id| *id);
        assert_eq!(after.rows, [ids[2], ids[1]]);
        assert_eq!(
            (after.newer, after.older),
            (None, Some(Cursor::Before(ids[1])))
        );
    }
}
