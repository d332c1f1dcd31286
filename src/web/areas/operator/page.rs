//! The operator's pages: tenants, the queue, the processes that work.

use askama::Template;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::domain::ids::TenantId;
use crate::domain::page::Page;
use crate::web::chrome::AccountChrome;
use crate::web::form::FormState;
use crate::web::ui::chips::Query;
use crate::web::ui::confirm::act;
use crate::web::ui::empty::{Drawing, empty};
use crate::web::ui::field::field;
use crate::web::ui::figure::{counted, grouped};
use crate::web::ui::pager;
use crate::web::ui::tone::Tone;
use crate::web::ui::{badge, filters, icon, notice, time};

/// One of the three areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    Tenants,
    Queue,
    Workers,
}

/// The way between the areas.
fn areas(here: Area) -> Markup {
    let all = [
        (Area::Tenants, "Companies", "/operator"),
        (Area::Queue, "Queue", "/operator/queue"),
        (Area::Workers, "Workers", "/operator/workers"),
    ];
    html! {
        nav class="chips" aria-label="Operator" {
            @for (area, words, path) in all {
                a class="chip" href=(path) aria-current=[(area == here).then_some("true")] { (words) }
            }
        }
    }
}

/// How a tenant stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Active,
    Rehearsal,
    /// For this reason.
    Suspended(String),
    Deleting,
}

impl Standing {
    fn badge(&self) -> Markup {
        let (tone, words) = match self {
            Self::Active => (Tone::Ok, "Active"),
            Self::Rehearsal => (Tone::Waiting, "Rehearsal"),
            Self::Suspended(_) => (Tone::Held, "Suspended"),
            Self::Deleting => (Tone::Quiet, "Being deleted"),
        };
        badge::state(tone, words)
    }
}

/// A tenant in the list and on its page.
#[derive(Debug, Clone)]
pub struct TenantRow {
    pub id: TenantId,
    pub name: String,
    pub slug: String,
    /// The e-mail of an owner; empty when there is none.
    pub owner: String,
    pub members: u64,
    /// In the last 24 hours.
    pub events: u64,
    pub messages: u64,
    pub standing: Standing,
    pub created_at: DateTime<Utc>,
}

impl TenantRow {
    fn path(&self, below: &str) -> String {
        format!("/operator/tenants/{}{below}", self.id)
    }
}

/// `GET /operator?search=&at=`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/operator/tenants.html")]
pub struct TenantsPage {
    pub chrome: AccountChrome,
    pub search: String,
    pub tenants: Page<TenantRow>,
}

impl TenantsPage {
    fn query(&self) -> Query {
        Query::new("/operator").set("search", self.search.clone())
    }

    fn box_for_search(&self) -> Markup {
        let form = FormState::new().with("search", self.search.as_str());
        html! {
            form method="get" action="/operator" role="search" {
                (field("search", "Name, short name or owner").kind("search").unmarked().render(&form))
                button class="button" { "Search" }
                @if !self.search.is_empty() { a class="button quiet" href="/operator" { "Clear" } }
            }
        }
    }

    fn nothing(&self) -> Markup {
        if self.search.is_empty() {
            let sentence = "Companies appear here when people sign up, or when you make one with \
                            “ml-connector admin create-tenant”.";
            return empty(Drawing::Ledger, "No company yet", sentence, None);
        }
        let clear = Some(("Clear the search", "/operator"));
        let sentence = "No name, short name or owner's address contains that.";
        empty(Drawing::Lens, "Nothing found", sentence, clear)
    }

    fn pager(&self) -> Markup {
        pager::pager(&self.tenants, &self.query(), self.chrome.moment())
    }
}

/// `GET /operator/tenants/{tenant}`; posts `reason` to `…/suspension`, nothing to `…/reinstatement`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/operator/tenant.html")]
pub struct TenantPage {
    pub chrome: AccountChrome,
    pub tenant: TenantRow,
    pub form: FormState,
}

impl TenantPage {
    fn reinstate(&self) -> Markup {
        let action = self.tenant.path("/reinstatement");
        act(&action, &self.chrome.csrf, "Reinstate")
            .class("button primary")
            .render()
    }
}

/// How many jobs of a lane stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standings {
    pub ready: u64,
    pub delayed: u64,
    pub leased: u64,
}

/// What waits in the database of one kind.
#[derive(Debug, Clone)]
pub struct BacklogLine {
    /// "Events to route".
    pub words: &'static str,
    pub due: u64,
    pub oldest: Option<DateTime<Utc>>,
}

/// `GET /operator/queue`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/operator/queue.html")]
pub struct QueuePage {
    pub chrome: AccountChrome,
    /// "Redis".
    pub back_end: String,
    /// First tries and retries; `None` when the queue does not answer.
    pub lanes: Option<(Standings, Standings)>,
    /// Tenants with the most jobs.
    pub busiest: Vec<(String, Standings)>,
    pub backlogs: Vec<BacklogLine>,
}

impl QueuePage {
    fn row(words: &str, of: &Standings) -> Markup {
        html! {
            tr {
                th scope="row" class="card-lead" { (words) }
                @for (name, number) in [("Ready", of.ready), ("Later", of.delayed), ("With a worker", of.leased)] {
                    td class="num card-line" { span class="card-only" { (name) ": " } (grouped(number)) }
                }
            }
        }
    }
}

/// A process.
#[derive(Debug, Clone)]
pub struct ProcessLine {
    pub name: String,
    /// `serve`.
    pub does: String,
    pub version: String,
    pub started_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub is_gone: bool,
    /// It answers this request.
    pub is_own: bool,
    /// "Its clock is 3600 s ahead of the database's", where it is off.
    pub clock_off: Option<String>,
    pub in_hand: u64,
}

/// A connection that is slowed down or shut.
#[derive(Debug, Clone)]
pub struct BrakeLine {
    pub tenant: TenantId,
    pub tenant_name: String,
    pub tone: Tone,
    /// "Paused until 10:42".
    pub words: String,
    pub in_flight: u64,
}

/// `GET /operator/workers`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/operator/workers.html")]
pub struct WorkersPage {
    pub chrome: AccountChrome,
    pub processes: Vec<ProcessLine>,
    pub orphaned: u64,
    /// "SQLite 3.50.4".
    pub database: String,
    pub back_end: String,
    /// What is wrong with it.
    pub queue_trouble: Option<String>,
    pub braked: Vec<BrakeLine>,
    pub connections: u64,
}
