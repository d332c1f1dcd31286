//! The history and the rejected requests.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{Datelike as _, NaiveDate};
use chrono_tz::Tz;

use crate::app::figures::span;
use crate::app::history::History;
use crate::app::history::{EventFilter, EventSearch, RejectedRequest};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::event::{Event, EventState};
use crate::domain::ids::EventId;
use crate::domain::page::{Cursor, Page};
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::history::page::{
    EventRow, HistoryFilters, HistoryPage, HistoryView, RejectedPage, RejectedRow, ResultFilter,
};
use crate::web::chrome::Section;
use crate::web::extract::ability::{Replay, View};
use crate::web::extract::tenant::{TenantForm, TenantRequest};

const ROWS: u64 = 50;

/// `GET /t/{tenant}/history`. A filter that is none of ours is left out, as if it were not there.
pub(in crate::web) async fn show(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    let query = request.query();
    let get = |name: &str| {
        let found = query.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let filters = HistoryFilters {
        state: EventState::parse(get("state")),
        event_type: get("type").parse().ok(),
        result: ResultFilter::parse(get("result")),
        day: get("day").parse().ok().filter(|day| is_day_of_ours(*day)),
        document: get("document").chars().take(100).collect(),
        customer: get("customer").chars().take(200).collect(),
    };
    let cursor = Cursor::parse(get("at")).unwrap_or(Cursor::Newest);
    let (tenant, search) = (
        request.tenant(),
        search(&filters, request.member.tenant.zone),
    );
    let found = request
        .ask(|app| async move { app.history(tenant, &search, cursor, ROWS).await })
        .await?;
    let page = HistoryPage {
        chrome: request.chrome(Section::History).await?,
        view: view(found, filters, cursor),
    };
    request.page(StatusCode::OK, &page)
}

/// Whether an id may bear this day; a far one has no next day, and no instant.
fn is_day_of_ours(day: NaiveDate) -> bool {
    (1970..=9999).contains(&day.year())
}

fn search(filters: &HistoryFilters, zone: Tz) -> EventSearch {
    EventSearch {
        filter: EventFilter {
            state: filters.state,
            event_type: filters.event_type,
            ..EventFilter::default()
        },
        states: filters.result.map_or_else(Vec::new, states),
        needs_person: filters.result == Some(ResultFilter::NeedsYou),
        between: filters.day.map(|day| span(day, zone)),
        document: filters.document.clone(),
        customer: filters.customer.clone(),
    }
}

fn states(of: ResultFilter) -> Vec<DeliveryState> {
    match of {
        ResultFilter::NeedsYou => Vec::new(),
        ResultFilter::Failed => vec![DeliveryState::Failed, DeliveryState::Undelivered],
        ResultFilter::Waiting => vec![
            DeliveryState::Queued,
            DeliveryState::Held,
            DeliveryState::Sending,
            DeliveryState::Accepted,
            DeliveryState::Sent,
        ],
        ResultFilter::Delivered => vec![DeliveryState::Delivered, DeliveryState::Read],
    }
}

fn view(found: History, filters: HistoryFilters, cursor: Cursor) -> HistoryView {
    let deliveries = found.deliveries;
    HistoryView {
        events: found.events.map(|e| row(e, &deliveries)),
        filters,
        is_newest: cursor == Cursor::Newest,
        has_connection: found.has_events,
        rejected: found.rejected,
    }
}

fn row(event: Event, deliveries: &[Delivery]) -> EventRow {
    let own = || deliveries.iter().filter(|d| d.id.event == event.id);
    EventRow {
        id: event.id,
        at: event.received_at,
        event_type: event.event_type.or(event.path_type),
        state: event.state,
        document: given(event.document_number),
        customer: given(event.party_name),
        amount: event.amount,
        currency: given(event.currency),
        deliveries: own().map(|d| (d.channel, d.state)).collect(),
        is_rehearsal: own().any(|d| d.is_rehearsal),
    }
}

/// How many events one *Done* closes at most.
const CLOSED_AT_ONCE: usize = 200;

/// `POST /t/{tenant}/dealt`: nothing is left to do about these events.
pub(in crate::web) async fn dealt(posted: TenantForm<Replay>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let events: Vec<EventId> = form
        .all("event")
        .take(CLOSED_AT_ONCE)
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| PageError::Unreadable)?;
    let back = match (form.get("on"), events.as_slice()) {
        ("event", [event]) => format!("/events/{event}"),
        _ => "/".to_owned(),
    };
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(|app| async move { app.deal(tenant, events, &actor).await })
        .await?;
    Ok(request.redirect_to(&back, Some(Told::Dealt)))
}

/// A text, unless it is empty.
pub(in crate::web) fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// `GET /t/{tenant}/rejected`.
pub(in crate::web) async fn rejected(
    request: TenantRequest<View>,
) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let rows = request
        .ask(|app| async move { app.rejected_requests(tenant).await })
        .await?;
    let page = RejectedPage {
        chrome: request.chrome(Section::History).await?,
        rejected: Page::whole(rows.into_iter().map(rejected_row).collect()),
    };
    request.page(StatusCode::OK, &page)
}

/// What follows the hook's own address, which is not kept: "…/invoice.overdue/14d"; empty for the
/// plain address.
fn below_the_hook(path: &str) -> String {
    match path.trim_matches('/') {
        "" => String::new(),
        below => format!("\u{2026}/{below}"),
    }
}

fn rejected_row(of: RejectedRequest) -> RejectedRow {
    let compared: serde_json::Value = serde_json::from_str(&of.compared).unwrap_or_default();
    let mut facts = Vec::new();
    let text = |name: &str| compared.get(name).and_then(serde_json::Value::as_str);
    if let Some(kind) = text("content_type") {
        facts.push(format!("content type {kind}"));
    }
    if compared
        .get("query_present")
        .and_then(serde_json::Value::as_bool)
        == Some(true)
    {
        facts.push("with a query".to_owned());
    }
    if let Some(received) = text("received") {
        facts.push(format!("its signature begins with {received}"));
    }
    let computed = compared
        .get("computed")
        .and_then(serde_json::Value::as_array);
    let computed: Vec<&str> = computed
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .collect();
    if !computed.is_empty() {
        facts.push(format!("ours with {}", computed.join(" or ")));
    }
    facts.push(format!("from {}", of.address));
    if of.like_it > 0 {
        facts.push(format!("{} more like it were counted", of.like_it));
    }
    RejectedRow {
        at: of.at,
        reason: of.reason,
        compared: facts.join("; "),
        path: below_the_hook(&of.path),
        size_bytes: compared
            .get("body_bytes")
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(0),
    }
}
