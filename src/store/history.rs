//! What people read: pages of events and deliveries, the timeline of one event, figures.

pub(in crate::store) mod figures;
pub(in crate::store) mod needs_person;
pub(in crate::store) mod rejected;
pub(in crate::store) mod timeline;

use chrono::{DateTime, Utc};
use sea_orm::Value;

use super::{StoreError, TenantStore};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::event::{Event, EventState, EventType};
use crate::domain::ids::{EventId, floor_v7};
use crate::domain::page::{Cursor, Page};
use crate::store::engine::keyset::Keyset;
use crate::store::engine::sql::{self, placeholders, values};
use crate::store::pipeline::deliveries::delivery;
use crate::store::pipeline::events::event;
use crate::store::pipeline::index_predicates;

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

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    pub state: Option<DeliveryState>,
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
        let mut list = Keyset::new(self.db(), "events", cursor);
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

    /// A page of deliveries, newest first.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<Delivery>, StoreError> {
        let mut list = Keyset::new(self.db(), "deliveries", cursor);
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
}
