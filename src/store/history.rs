//! What people read: pages of events and deliveries, the whole story of one event, figures.

use chrono::{DateTime, Utc};
use sea_orm::Value;
use uuid::Uuid;

use super::deliveries::delivery;
use super::events::event;
use super::sql::{self, Row, from_micros, micros, placeholders, values};
use super::{StoreError, TenantStore};
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::delivery::{Attempt, Delivery, DeliveryState, Receipt, Step, StepKind};
use crate::domain::event::{Event, EventState, EventType};
use crate::domain::ids::{
    AttemptId, ConnectionId, DecisionId, DeliveryId, EventId, OrderId, ReceiptId, RuleId, StepId,
    TenantId, floor_v7,
};
use crate::domain::order::Order;
use crate::domain::page::{Cursor, Page};

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
    /// Also those that were not understood.
    pub or_unrecognised: bool,
    /// A part of a document's number, or its whole id.
    pub document: String,
    /// A part of a customer's name, or their whole id.
    pub customer: String,
}

impl EventSearch {
    /// Whether every filter has an index.
    fn is_indexed(&self) -> bool {
        self.states.is_empty() && self.document.is_empty() && self.customer.is_empty()
    }
}

/// How many events one page of a search looks at.
const SCANNED: u64 = 2000;

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    pub state: Option<DeliveryState>,
}

/// All that is known of one event.
#[derive(Debug, Clone)]
pub struct Story {
    pub event: Event,
    pub decisions: Vec<Decision>,
    pub deliveries: Vec<Delivery>,
    pub attempts: Vec<Attempt>,
    pub steps: Vec<Step>,
    pub receipts: Vec<Receipt>,
    pub orders: Vec<Order>,
}

/// What became of the deliveries that were made within one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourTally {
    pub starts_at: DateTime<Utc>,
    /// Twilio has them, or the recipient.
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
        let mut query = Keyset::new("events", self.id);
        query.equals("state", filter.state.map(|s| s.as_str().to_owned()));
        query.equals(
            "event_type",
            filter.event_type.map(|t| t.as_str().to_owned()),
        );
        query.equals("document_id", filter.document_id.clone());
        query.equals("party_id", filter.party_id.clone());
        query
            .page(self, cursor, limit, event, |e| e.id.uuid())
            .await
    }

    /// A page of a search, newest first. A filter without an index looks at a bounded number of
    /// events: the instant says how far, when it ended there.
    pub async fn search_events(
        &self,
        search: &EventSearch,
        cursor: Cursor,
        limit: u64,
    ) -> Result<(Page<Event>, Option<DateTime<Utc>>), StoreError> {
        if search.is_indexed() {
            let page = self.events(&search.filter, cursor, limit).await?;
            return Ok((page, None));
        }
        let filter = &search.filter;
        let mut scan = Keyset::new("events", self.id);
        scan.equals("state", filter.state.map(|s| s.as_str().to_owned()));
        let event_type = filter.event_type.map(|t| t.as_str().to_owned());
        scan.equals("event_type", event_type);
        scan.equals("document_id", filter.document_id.clone());
        scan.equals("party_id", filter.party_id.clone());
        let order = scan.from(cursor);
        let wheres = scan.wheres.join(" AND ");
        let edge = format!(
            "SELECT id, received_at FROM events WHERE {wheres} ORDER BY id {order} \
             LIMIT 1 OFFSET {}",
            SCANNED - 1
        );
        let edge = sql::one(self.db(), &edge, scan.bound.clone()).await?;
        let edge = edge
            .map(|r| Ok::<_, StoreError>((r.get::<Uuid>("id")?, r.time("received_at")?)))
            .transpose()?;
        let kept = searched(search, &mut scan.bound);
        let query = format!(
            "SELECT e.* FROM (SELECT * FROM events WHERE {wheres} ORDER BY id {order} \
             LIMIT {SCANNED}) e WHERE {kept} ORDER BY e.id {order} LIMIT {}",
            limit + 1
        );
        let rows = sql::all(self.db(), &query, scan.bound).await?;
        let rows = rows.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        let is_full = rows.len() as u64 > limit;
        let mut page = paged(rows, cursor, limit, |e| e.id.uuid());
        let mut searched_to = None;
        if let Some((id, at)) = edge.filter(|_| !is_full) {
            if matches!(cursor, Cursor::After(_)) {
                page.newer = Some(Cursor::After(id));
            } else {
                page.older = Some(Cursor::Before(id));
                searched_to = Some(at);
            }
        }
        Ok((page, searched_to))
    }

    /// How many deliveries are in one of these states; counting stops at `most`.
    pub async fn count_deliveries(
        &self,
        states: &[DeliveryState],
        most: u64,
    ) -> Result<u64, StoreError> {
        let query = format!(
            "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM deliveries WHERE tenant_id = $1 \
             AND state IN ({}) LIMIT {most}) counted",
            placeholders(states.len(), 2)
        );
        let mut bound = values![self.id.uuid()];
        bound.extend(states.iter().map(|s| Value::from(s.as_str())));
        self.number(&query, bound).await
    }

    /// How many requests were refused since then, counting those that were not kept one by one.
    pub async fn count_rejected(&self, since: DateTime<Utc>) -> Result<u64, StoreError> {
        let query = "SELECT CAST(COALESCE(SUM(1 + like_it), 0) AS BIGINT) AS n \
                     FROM rejected_requests WHERE tenant_id = $1 AND id >= $2";
        self.number(query, values![self.id.uuid(), floor_v7(since)])
            .await
    }

    /// When Zoho Books was last heard from; our own test events are none of its.
    pub async fn last_event_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let last = "SELECT received_at FROM events WHERE tenant_id = $1 AND source <> 'test' \
                    ORDER BY id DESC LIMIT 1";
        let row = sql::one(self.db(), last, values![self.id.uuid()]).await?;
        row.map(|r| r.time("received_at")).transpose()
    }

    /// Whether a test event was ever sent.
    pub async fn has_test_event(&self) -> Result<bool, StoreError> {
        let any = "SELECT id FROM events WHERE tenant_id = $1 AND source = 'test' LIMIT 1";
        let row = sql::one(self.db(), any, values![self.id.uuid()]).await?;
        Ok(row.is_some())
    }

    async fn number(&self, query: &str, bound: Vec<Value>) -> Result<u64, StoreError> {
        let row = sql::one(self.db(), query, bound).await?;
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
        let mut query = Keyset::new("deliveries", self.id);
        query.equals("state", filter.state.map(|s| s.as_str().to_owned()));
        query
            .page(self, cursor, limit, delivery, |d| d.id.own)
            .await
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
            "SELECT * FROM deliveries WHERE tenant_id = $1 AND event_id IN ({}) ORDER BY id LIMIT 1000",
            placeholders(events.len(), 2)
        );
        let mut bound = values![self.id.uuid()];
        bound.extend(events.iter().map(|e| Value::from(e.uuid())));
        sql::all(self.db(), &query, bound)
            .await?
            .iter()
            .map(delivery)
            .collect()
    }

    /// Deliveries that wait for a person, newest first.
    pub async fn needing_person(&self, limit: u64) -> Result<Vec<Delivery>, StoreError> {
        // Each state by its own index: with both in one look, a planner may prefer to go through the
        // whole history in its order.
        let of = |state: &str| {
            format!(
                "SELECT * FROM (SELECT * FROM deliveries WHERE tenant_id = $1 \
                 AND state = '{state}' ORDER BY id DESC LIMIT $2) {state}"
            )
        };
        let (unknown, held) = (of("unknown"), of("held"));
        let query = format!("{unknown} UNION ALL {held} ORDER BY id DESC LIMIT $2");
        let rows = sql::all(self.db(), &query, values![self.id.uuid(), limit]).await?;
        rows.iter().map(delivery).collect()
    }

    /// Deliveries that were made in rehearsal since an instant, newest first.
    pub async fn rehearsed_since(
        &self,
        since: DateTime<Utc>,
        limit: u64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let query = "SELECT * FROM deliveries WHERE tenant_id = $1 AND id >= $2 \
                     AND is_rehearsal = TRUE ORDER BY id DESC LIMIT $3";
        let bound = values![self.id.uuid(), floor_v7(since), limit];
        let rows = sql::all(self.db(), query, bound).await?;
        rows.iter().map(delivery).collect()
    }

    /// All that is known of one event.
    pub async fn story(&self, id: EventId) -> Result<Option<Story>, StoreError> {
        let Some(event) = self.event(id).await? else {
            return Ok(None);
        };
        Ok(Some(Story {
            event,
            decisions: self.decisions_of(id).await?,
            deliveries: self.deliveries_of(id).await?,
            attempts: self.of_event("attempts", id, attempt).await?,
            steps: self.of_event("delivery_steps", id, step).await?,
            receipts: self.of_event("receipts", id, receipt).await?,
            orders: self.orders_of(id).await?,
        }))
    }

    /// One call to the provider.
    pub async fn attempt(
        &self,
        delivery: DeliveryId,
        attempt_no: i64,
    ) -> Result<Option<Attempt>, StoreError> {
        let query = "SELECT * FROM attempts WHERE event_id = $1 AND tenant_id = $2 \
                     AND delivery_id = $3 AND attempt_no = $4";
        let bound = values![
            delivery.event.uuid(),
            self.id.uuid(),
            delivery.own,
            attempt_no
        ];
        sql::one(self.db(), query, bound)
            .await?
            .map(|r| attempt(&r))
            .transpose()
    }

    /// The decisions about an event, in the order in which they were taken.
    pub async fn decisions_of(&self, id: EventId) -> Result<Vec<Decision>, StoreError> {
        self.of_event("decisions", id, decision).await
    }

    /// Rows of one event; bounded, since an event with thousands of them is nobody's to read.
    async fn of_event<T>(
        &self,
        table: &str,
        id: EventId,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let query = format!(
            "SELECT * FROM {table} WHERE event_id = $1 AND tenant_id = $2 ORDER BY id LIMIT 2000"
        );
        let rows = sql::all(self.db(), &query, values![id.uuid(), self.id.uuid()]).await?;
        rows.iter().map(read).collect()
    }

    /// How many messages went out and failed since the hour of an instant, oldest first; hours in
    /// which nothing did are left out. Triggers of the schema keep these figures.
    pub async fn tally(&self, since: DateTime<Utc>) -> Result<Vec<HourTally>, StoreError> {
        let query = "SELECT hour, CAST(SUM(sent) AS BIGINT) AS sent, \
                     CAST(SUM(failed) AS BIGINT) AS failed FROM delivery_counts \
                     WHERE tenant_id = $1 AND hour >= $2 GROUP BY hour ORDER BY hour";
        let bound = values![self.id.uuid(), micros(since) / HOUR];
        let rows = sql::all(self.db(), query, bound).await?;
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

/// A list ordered by id, newest first, with equality filters and one row more than asked, which
/// tells whether there is another page.
pub(super) struct Keyset {
    table: &'static str,
    pub(super) wheres: Vec<String>,
    pub(super) bound: Vec<Value>,
}

impl Keyset {
    pub(super) fn new(table: &'static str, tenant: TenantId) -> Self {
        Self {
            table,
            wheres: vec!["tenant_id = $1".to_owned()],
            bound: values![tenant.uuid()],
        }
    }

    pub(super) fn equals(&mut self, column: &str, value: Option<String>) {
        if let Some(value) = value {
            self.bound.push(value.into());
            self.wheres
                .push(format!("{column} = ${}", self.bound.len()));
        }
    }

    /// A text in an expression, whatever its case.
    pub(super) fn contains(&mut self, expression: &str, text: &str) {
        let plain = text
            .to_lowercase()
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        self.bound.push(format!("%{plain}%").into());
        self.wheres.push(format!(
            "LOWER({expression}) LIKE ${} ESCAPE '\\'",
            self.bound.len()
        ));
    }

    pub(super) async fn page<T>(
        mut self,
        store: &TenantStore,
        cursor: Cursor,
        limit: u64,
        read: impl Fn(&Row) -> Result<T, StoreError>,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<Page<T>, StoreError> {
        let order = self.from(cursor);
        self.bound.push((limit + 1).into());
        let query = format!(
            "SELECT * FROM {} WHERE {} ORDER BY id {order} LIMIT ${}",
            self.table,
            self.wheres.join(" AND "),
            self.bound.len()
        );
        let rows = sql::all(store.db(), &query, self.bound).await?;
        let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(paged(rows, cursor, limit, id))
    }

    /// Begins the list at a cursor; the direction in which it is read.
    fn from(&mut self, cursor: Cursor) -> &'static str {
        let (operator, order, id) = match cursor {
            Cursor::Newest => return "DESC",
            Cursor::Before(id) => ("<", "DESC", id),
            Cursor::After(id) => (">", "ASC", id),
        };
        self.bound.push(id.into());
        self.wheres
            .push(format!("id {operator} ${}", self.bound.len()));
        order
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
        rows,
    }
}

/// The conditions of a search that no index knows, over `e`.
fn searched(search: &EventSearch, bound: &mut Vec<Value>) -> String {
    let mut wheres = Vec::new();
    if !search.states.is_empty() {
        let first = bound.len() + 1;
        bound.extend(search.states.iter().map(|s| Value::from(s.as_str())));
        let or = if search.or_unrecognised {
            " OR e.state = 'unrecognised'"
        } else {
            ""
        };
        wheres.push(format!(
            "(EXISTS (SELECT 1 FROM deliveries d WHERE d.tenant_id = $1 AND d.event_id = e.id \
             AND d.state IN ({})){or})",
            placeholders(search.states.len(), first)
        ));
    }
    let mut like = |text: &str, words: &str, id: &str| {
        if !text.is_empty() {
            bound.push(pattern(text).into());
            bound.push(text.to_owned().into());
            let n = bound.len();
            wheres.push(format!(
                "(LOWER(e.{words}) LIKE ${} ESCAPE '!' OR e.{id} = ${n})",
                n - 1
            ));
        }
    };
    like(&search.document, "document_number", "document_id");
    like(&search.customer, "party_name", "party_id");
    if wheres.is_empty() {
        "1 = 1".to_owned()
    } else {
        wheres.join(" AND ")
    }
}

/// A text that may stand anywhere, its own `%` and `_` meaning themselves.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars().flat_map(char::to_lowercase) {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

fn decision(row: &Row) -> Result<Decision, StoreError> {
    let id: Uuid = row.get("id")?;
    let rule: Uuid = row.get("rule_id")?;
    Ok(Decision {
        id: DecisionId::from_uuid(id),
        event: EventId::from_uuid(row.get("event_id")?),
        order: OrderId::from_uuid(row.get("order_id")?),
        rule: (!rule.is_nil()).then_some(RuleId::from_uuid(rule)),
        rule_version: row.get("rule_version")?,
        rule_name: row.get("rule_name")?,
        is_match: row.get("matched")?,
        kind: row.word("decisions", "kind", id, DecisionKind::parse)?,
        reason: row.get("reason")?,
        met: row.get("met")?,
        decided_at: row.time("decided_at")?,
    })
}

fn attempt(row: &Row) -> Result<Attempt, StoreError> {
    Ok(Attempt {
        id: AttemptId::from_uuid(row.get("id")?),
        delivery: of_delivery(row)?,
        attempt_no: row.get("attempt_no")?,
        connection: ConnectionId::from_uuid(row.get("connection_id")?),
        account: row.get("account")?,
        request: row.get("request")?,
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
        detail: row.get("detail")?,
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
    fn signs_of_a_pattern_mean_themselves() {
        assert_eq!(pattern("INV_3%!"), "%inv!_3!%!!%");
    }

    #[test]
    fn a_search_numbers_its_values_after_those_of_the_scan() {
        let search = EventSearch {
            states: vec![DeliveryState::Held, DeliveryState::Unknown],
            or_unrecognised: true,
            customer: "Bowman".to_owned(),
            ..EventSearch::default()
        };
        let mut bound: Vec<Value> = values!["tenant", "matched"];
        let kept = searched(&search, &mut bound);
        assert_eq!(bound.len(), 6);
        assert!(kept.contains("d.state IN ($3, $4)) OR e.state = 'unrecognised')"));
        assert!(
            kept.ends_with("LIKE $5 ESCAPE '!' OR e.party_id = $6)"),
            "{kept}"
        );
    }

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
