//! History: the events, newest first, and the requests that were refused at the door.

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};
use maud::{Markup, html};
use strum::VariantArray as _;

use crate::domain::delivery::{Channel, DeliveryState};
use crate::domain::event::{EventState, EventType};
use crate::domain::ids::EventId;
use crate::domain::money::Amount;
use crate::domain::page::Page;
use crate::web::areas::words;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::chips::{self, Query};
use crate::web::ui::empty::{Drawing, empty};
use crate::web::ui::field::field;
use crate::web::ui::figure::counted;
use crate::web::ui::tone::Tone;
use crate::web::ui::{badge, filters, icon, money, notice, pager, time};

/// `GET /t/{tenant}/history?state=&type=&result=&document=&customer=&at=`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/history/index.html")]
pub struct HistoryPage {
    pub chrome: Chrome,
    pub view: HistoryView,
}

/// What the history shows.
#[derive(Debug, Clone)]
pub struct HistoryView {
    pub events: Page<EventRow>,
    pub filters: HistoryFilters,
    /// Whether these are the newest rows, which may be refreshed in place.
    pub is_newest: bool,
    /// Whether Zoho Books has ever reached us.
    pub has_connection: bool,
    /// Requests refused in the last 24 hours.
    pub rejected: u64,
}

/// The filters, as read from the URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryFilters {
    pub state: Option<EventState>,
    pub event_type: Option<EventType>,
    pub result: Option<ResultFilter>,
    /// A day in the tenant's zone: when the messages that are asked for were made, or else the events.
    pub day: Option<NaiveDate>,
    /// A document's number or id, as typed.
    pub document: String,
    /// A customer's name or id, as typed.
    pub customer: String,
}

/// Events by how their deliveries stand.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum ResultFilter {
    /// Unknown, held, not understood, or failed, while nobody has dealt with it.
    NeedsYou,
    /// Failed or undelivered.
    Failed,
    /// Queued, held or under way.
    Waiting,
    /// Delivered or read.
    Delivered,
}

impl ResultFilter {
    /// Every filter, in the order of the chips.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The text in the URL.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// The words on the chip.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NeedsYou => "Needs you",
            Self::Failed => "Failed",
            Self::Waiting => "Waiting",
            Self::Delivered => "Delivered",
        }
    }

    /// Reads the text in the URL.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// One line of the history.
#[derive(Debug, Clone)]
pub struct EventRow {
    pub id: EventId,
    pub at: DateTime<Utc>,
    /// Missing where the body was not understood.
    pub event_type: Option<EventType>,
    pub state: EventState,
    /// `INV-00003`.
    pub document: Option<String>,
    pub customer: Option<String>,
    pub amount: Option<Amount>,
    pub currency: Option<String>,
    /// Its deliveries, oldest first: what each goes over, and its state.
    pub deliveries: Vec<(Channel, DeliveryState)>,
    /// What it told went to the owner instead.
    pub is_rehearsal: bool,
}

impl EventRow {
    /// The line below on small screens: "INV-00003 · Bowman & Co · 1,350.00 EUR".
    fn summary(&self) -> String {
        let amount = self.amount.map(|amount| {
            let number = money::words(amount, self.currency.as_deref());
            match &self.currency {
                Some(code) => format!("{number}\u{a0}{code}"),
                None => number,
            }
        });
        let parts: Vec<&str> = [&self.document, &self.customer, &amount]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        parts.join(" \u{b7} ")
    }
}

impl HistoryPage {
    fn query(&self) -> Query {
        let filters = &self.view.filters;
        Query::new(self.chrome.path("/history"))
            .set("result", filters.result.map_or("", ResultFilter::as_str))
            .set("state", filters.state.map_or("", EventState::as_str))
            .set("type", filters.event_type.map_or("", EventType::as_str))
            .set(
                "day",
                filters.day.map_or_else(String::new, |day| day.to_string()),
            )
            .set("document", filters.document.clone())
            .set("customer", filters.customer.clone())
    }

    fn chips(&self) -> Markup {
        let query = self.query();
        let results: Vec<_> = ResultFilter::ALL
            .iter()
            .copied()
            .map(|r| (r.as_str().to_owned(), r.label().to_owned()))
            .collect();
        let states: Vec<_> = EventState::ALL
            .iter()
            .copied()
            .map(|s| (s.as_str().to_owned(), badge::event_words(s).to_owned()))
            .collect();
        let types: Vec<_> = EventType::ALL
            .iter()
            .copied()
            .map(|t| (t.as_str().to_owned(), words::capital(t.label())))
            .collect();
        html! {
            div {
                (chips::row(&query, "result", "Result", &results))
                (chips::row(&query, "state", "Event", &states))
            }
            details class="more small" open[self.view.filters.event_type.is_some()] {
                summary { "Filter by type" }
                div class="chips-more" { (chips::row(&query, "type", "Type", &types)) }
            }
        }
    }

    fn search(&self) -> Markup {
        let filters = &self.view.filters;
        let query = self.query();
        let form = FormState::new()
            .with("document", filters.document.as_str())
            .with("customer", filters.customer.as_str())
            .with("day", query.get("day"));
        html! {
            form method="get" action=(query.path()) role="search" {
                @for name in ["result", "state", "type"] {
                    @if !query.get(name).is_empty() {
                        input type="hidden" name=(name) value=(query.get(name));
                    }
                }
                (field("document", "Document").kind("search").placeholder("INV-00003").unmarked().render(&form))
                (field("day", "Day").kind("date").unmarked().render(&form))
                (field("customer", "Customer or vendor").kind("search").placeholder("Bowman & Co").unmarked().render(&form))
                button class="button" { "Search" }
                @if query.is_filtered() { a class="button quiet" href=(query.path()) { "Clear" } }
            }
        }
    }

    fn nothing(&self) -> Markup {
        let query = self.query();
        if query.is_filtered() {
            let sentence = if self.view.events.older.is_some() {
                "Nothing in this stretch of the history. Older goes on searching."
            } else {
                "No event fits all of these filters."
            };
            empty(
                Drawing::Lens,
                "Nothing found",
                sentence,
                Some(("Clear the filters", query.path())),
            )
        } else if self.view.has_connection {
            empty(
                Drawing::Ledger,
                "No event yet",
                "Zoho Books is connected. What happens there appears here within seconds, with \
                 every decision and message.",
                Some(("See the web address", &self.chrome.path("/connections"))),
            )
        } else {
            empty(
                Drawing::Plug,
                "The history begins with Zoho Books",
                "Once it is connected, each invoice, payment and bill appears here, with what was \
                 decided and who was told.",
                Some(("Connect Zoho Books", &self.chrome.path("/connections"))),
            )
        }
    }

    fn results(&self, row: &EventRow) -> Markup {
        let of = |channel| self.chrome.providers.of(channel);
        html! {
            span class="badges" {
                @if row.is_rehearsal { (badge::state(Tone::Quiet, "Rehearsal")) }
                @if row.deliveries.is_empty() { (badge::event(row.state)) }
                @for ((channel, state), count) in grouped(&row.deliveries) {
                    (badge::state(badge::delivery_tone(state), &if count == 1 {
                        state.label(of(channel)).to_owned()
                    } else {
                        format!("{count} \u{d7} {}", state.label(of(channel)))
                    }))
                }
            }
        }
    }

    fn pager(&self) -> Markup {
        pager::pager(&self.view.events, &self.query(), self.chrome.moment())
    }
}

/// Equal states together, in the order in which they first appear.
fn grouped<T: Copy + PartialEq>(states: &[T]) -> Vec<(T, usize)> {
    let mut groups: Vec<(T, usize)> = Vec::new();
    for state in states {
        match groups.iter_mut().find(|(known, _)| known == state) {
            Some((_, count)) => *count += 1,
            None => groups.push((*state, 1)),
        }
    }
    groups
}

/// `GET /t/{tenant}/rejected`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/history/rejected.html")]
pub struct RejectedPage {
    pub chrome: Chrome,
    pub rejected: Page<RejectedRow>,
}

/// A request that could not be verified. Nothing of its body is kept.
#[derive(Debug, Clone)]
pub struct RejectedRow {
    pub at: DateTime<Utc>,
    /// "The signature does not match."
    pub reason: String,
    /// What was compared with what, and what to check; never a secret.
    pub compared: String,
    /// The path it came to, the token shortened; empty for the plain address.
    pub path: String,
    pub size_bytes: u64,
}

impl RejectedPage {
    fn pager(&self) -> Markup {
        let query = Query::new(self.chrome.path("/rejected"));
        pager::pager(&self.rejected, &query, self.chrome.moment())
    }

    fn nothing(&self) -> Markup {
        empty(
            Drawing::Calm,
            "Nothing was refused",
            "A request whose signature is missing or wrong is listed here with the reason.",
            Some(("Back to the history", &self.chrome.path("/history"))),
        )
    }
}
