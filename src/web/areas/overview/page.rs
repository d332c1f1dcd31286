//! Overview: how sending stands, what needs a person, and what is still to be set up.

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};
use maud::{Markup, html};

use crate::app::figures::Figures;
use crate::domain::delivery::{Channel, DeliveryState};
use crate::domain::event::EventState;
use crate::domain::ids::EventId;
use crate::domain::provider::Providers;
use crate::domain::user::Ability;
use crate::web::areas::suppressions::page::ReplyRow;
use crate::web::chrome::Chrome;
use crate::web::ui::bars::Hour;
use crate::web::ui::confirm::act;
use crate::web::ui::figure::{counted, figure, grouped};
use crate::web::ui::tone::Tone;
use crate::web::ui::{badge, bars, filters, icon, notice, time};

/// `GET /t/{tenant}/`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/overview/index.html")]
pub struct OverviewPage {
    pub chrome: Chrome,
    pub view: OverviewView,
}

/// What Overview shows.
#[derive(Debug, Clone)]
pub struct OverviewView {
    pub today: Figures,
    /// Which day that is in the tenant's zone.
    pub day: NaiveDate,
    /// The last seven days, today among them.
    pub week: Figures,
    /// The seven days before those, where there were such.
    pub week_before: Option<Figures>,
    /// Waiting now: queued and held.
    pub waiting: u64,
    /// The last 24 hours, oldest first.
    pub hours: Vec<Hour>,
    /// The last webhook that was accepted.
    pub last_webhook: Option<DateTime<Utc>>,
    pub connections: Vec<ConnectionLine>,
    /// Requests refused in the last 24 hours.
    pub rejected: u64,
    /// What waits for a person, the oldest first, at most ten.
    pub needs_you: Vec<NeedLine>,
    /// What recipients wrote and nobody has read off the list, newest first.
    pub replies: Vec<ReplyRow>,
    /// The way to the first delivered message; empty once it is behind.
    pub checklist: Vec<ChecklistStep>,
    /// Whether this browser folded it away.
    pub is_folded: bool,
    /// Whether work goes on; else messages are late.
    pub queue_trouble: Option<String>,
    /// "3600 s ahead of", for the clock of one of the machines; none while all are right.
    pub clock_off: Option<String>,
}

/// How one connection stands.
#[derive(Debug, Clone)]
pub struct ConnectionLine {
    pub name: String,
    pub tone: Tone,
    /// "Working", "Paused" …
    pub word: String,
    /// What it means, and what to do.
    pub sentence: String,
}

/// What waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A message over this channel in this state.
    Message(Channel, DeliveryState),
    /// A request that could not be understood.
    NotUnderstood,
}

/// One thing that waits for a person, or several for one reason.
#[derive(Debug, Clone)]
pub struct NeedLine {
    pub event: EventId,
    pub what: Need,
    pub sentence: String,
    pub at: DateTime<Utc>,
    /// The events with which a person may say that there is nothing to do.
    pub closes: Vec<EventId>,
}

impl NeedLine {
    fn badge(&self, providers: &Providers) -> Markup {
        match self.what {
            Need::Message(channel, state) => badge::delivery(state, providers.of(channel)),
            Need::NotUnderstood => badge::event(EventState::Unrecognised),
        }
    }

    /// What its link leads to.
    const fn word(&self) -> &'static str {
        if self.closes.is_empty() {
            "Decide"
        } else {
            "Look"
        }
    }
}

/// One step of the set-up.
#[derive(Debug, Clone)]
pub struct ChecklistStep {
    pub title: String,
    pub sentence: String,
    /// The button's words and path below the tenant; none for whoever may not do it.
    pub button: Option<(String, String)>,
    pub done: bool,
}

impl OverviewPage {
    /// Told while workers have to find by themselves what is due.
    fn standstill(&self) -> Markup {
        html! {
            @if let Some(trouble) = &self.view.queue_trouble {
                (notice::notice(Tone::Needs, &html! {
                    b { "Messages may be late." }
                    " The queue of this service is out of order (" (trouble) "). Everything that Zoho "
                    "Books tells us is kept, and workers look for what is due by themselves, so that "
                    "messages go out some seconds later than usual. If this lasts, tell the operator of "
                    "this service."
                }))
            }
            @if let Some(standing) = &self.view.clock_off {
                (notice::notice(Tone::Needs, &html! {
                    b { "A clock of this service is wrong." }
                    " That of one of its machines is " (standing) " its database's. Messages go by "
                    "the database's, so none is late or sent twice for it. Tell the operator of "
                    "this service, who sees on the page Workers which machine it is."
                }))
            }
        }
    }

    fn figures(&self) -> Markup {
        let path = |below: &str| self.chrome.path(below);
        let needs = self.chrome.needs_you;
        html! {
            div class="figures" {
                (figure(Tone::Ok, "Sent today", self.view.today.sent, &self.week_sent(), None))
                (figure(Tone::Failed, "Failed today", self.view.today.failed,
                    &format!("{} in 7 days", grouped(self.view.week.failed)),
                    Some(&path(&format!("/history?result=failed&day={}", self.view.day)))))
                (figure(Tone::Queued, "Waiting", self.view.waiting, "queued or held now",
                    Some(&path("/history?result=waiting"))))
                (figure(Tone::Needs, "Needs you", needs,
                    if needs == 0 { "nothing to do" } else { "listed below" },
                    Some(&path("/history?result=needs_you"))))
            }
        }
    }

    /// *Done*: nothing is left to do about what failed, or was not understood.
    fn done(&self, need: &NeedLine) -> Markup {
        let action = self.chrome.path("/dealt");
        let events: Vec<String> = need.closes.iter().map(ToString::to_string).collect();
        let hidden: Vec<(&str, &str)> = events.iter().map(|e| ("event", e.as_str())).collect();
        html! {
            @if !events.is_empty() && self.chrome.may(Ability::Replay) {
                (act(&action, &self.chrome.csrf, "Done").class("button tight").hidden(&hidden).render())
            }
        }
    }

    /// "1,204 in 7 days, 12% more than before".
    fn week_sent(&self) -> String {
        let now = self.view.week.sent;
        let before = self.view.week_before.map_or(0, |week| week.sent);
        let count = format!("{} in 7 days", grouped(now));
        if before == 0 {
            return count;
        }
        let percent = now.abs_diff(before).saturating_mul(100) / before;
        match now.cmp(&before) {
            _ if percent == 0 => format!("{count}, as before"),
            std::cmp::Ordering::Less => format!("{count}, {percent}% fewer"),
            _ => format!("{count}, {percent}% more"),
        }
    }

    fn bars(&self) -> Markup {
        bars::bars(&self.view.hours, self.chrome.moment())
    }

    fn stop_switch(&self) -> Markup {
        let action = self.chrome.path("/stop-switch");
        html! {
            @if self.chrome.may(Ability::StopSending) && !self.chrome.is_stopped()
                && !self.view.connections.is_empty() {
                (act(&action, &self.chrome.csrf, "Stop all sending").class("button danger")
                    .hidden(&[("stopped", "1")]).render())
            }
        }
    }

    /// The first step that is not done is the one to do now.
    fn is_next(&self, step: &ChecklistStep) -> bool {
        self.view
            .checklist
            .iter()
            .find(|s| !s.done)
            .is_some_and(|s| std::ptr::eq(s, step))
    }

    fn steps_done(&self) -> usize {
        self.view.checklist.iter().filter(|s| s.done).count()
    }

    /// The button that folds the checklist away, or brings it back.
    fn fold(&self) -> Markup {
        let (word, value) = if self.view.is_folded {
            ("Show the steps", "0")
        } else {
            ("Hide the steps", "1")
        };
        act(&self.chrome.path("/checklist"), &self.chrome.csrf, word)
            .class("button quiet tight")
            .hidden(&[("folded", value)])
            .render()
    }
}
