//! The page of one event: its story, the decisions, the deliveries and what can be done again.

use askama::Template;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::domain::content::Content;
use crate::domain::delivery::{Channel, DeliveryState};
use crate::domain::event::{EventSource, EventState, EventType};
use crate::domain::ids::{DeliveryId, EventId, RuleId};
use crate::domain::money::Amount;
use crate::domain::user::Ability;
use crate::web::areas::event::steps;
use crate::web::areas::words;
use crate::web::chrome::Chrome;
use crate::web::ui::confirm::act;
use crate::web::ui::content::{self, Shown};
use crate::web::ui::figure::counted;
use crate::web::ui::tone::Tone;
use crate::web::ui::{address, badge, filters, icon, money, notice, time, timeline};

/// `GET /t/{tenant}/events/{event}?pictures=1`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/history/event.html")]
pub struct EventPage {
    pub chrome: Chrome,
    pub view: EventView,
    /// Whether the pictures of e-mails are loaded: only once somebody asked.
    pub has_pictures: bool,
}

/// What is known of an event.
#[derive(Debug, Clone)]
pub struct EventView {
    pub id: EventId,
    pub at: DateTime<Utc>,
    pub event_type: Option<EventType>,
    pub state: EventState,
    pub source: EventSource,
    /// The label of the web address: `14d`.
    pub label: Option<String>,
    /// `invoice`, `payment` … in words.
    pub document_kind: Option<String>,
    pub document: Option<String>,
    pub customer: Option<String>,
    pub amount: Option<Amount>,
    pub currency: Option<String>,
    /// In the order in which they were made.
    pub decisions: Vec<DecisionView>,
    /// Active rules of other types, which were not asked.
    pub rules_not_asked: u64,
    pub deliveries: Vec<DeliveryView>,
    /// The raw body, pretty-printed; `None` once retention took it.
    pub body: Option<String>,
    /// Why a replay is refused at present: a delivery of it is still open.
    pub replay_blocked: Option<String>,
    /// Something of it failed, or was not understood, and nobody has dealt with it.
    pub is_undealt: bool,
}

/// What one rule said about the event, or what was said about it as a whole.
#[derive(Debug, Clone)]
pub struct DecisionView {
    pub at: DateTime<Utc>,
    /// `None` concerns the event as a whole.
    pub rule: Option<RuleRef>,
    pub yes: bool,
    /// In words: "total 950.00 is not at least 1,000.00".
    pub reason: String,
    /// The values met, by name.
    pub met: Vec<(String, String)>,
    /// A person asked for it: "Decided again by Ada".
    pub replay: Option<String>,
}

/// A rule as it was when it decided.
#[derive(Debug, Clone)]
pub struct RuleRef {
    pub id: RuleId,
    pub name: String,
    pub version: u32,
}

/// One message.
#[derive(Debug, Clone)]
pub struct DeliveryView {
    pub id: DeliveryId,
    pub state: DeliveryState,
    pub channel: Channel,
    /// When it was first wanted.
    pub at: DateTime<Utc>,
    pub recipient: Option<String>,
    /// E.164, or an e-mail address.
    pub address: String,
    /// It goes to the owner instead: to this address, once one is confirmed.
    pub rehearsal: Option<Option<String>>,
    /// The number, service, or "the default sender" where it is not yet bound.
    pub sender: String,
    /// The e-mail address that answers go to.
    pub answers_to: Option<String>,
    pub rule: Option<RuleRef>,
    /// Why it is not the first.
    pub again: Option<Again>,
    pub content: Content,
    /// What it waits for, or why it ended, and what to do.
    pub reason: Option<String>,
    /// Steps, attempts' outcomes, looks and receipts, in order.
    pub steps: Vec<StepView>,
    /// The proof of *unknown*: each look, what was compared.
    pub proof: Vec<String>,
    /// What may be done with it now.
    pub actions: DeliveryActions,
}

/// A person's wish to send once more.
#[derive(Debug, Clone)]
pub struct Again {
    /// "Sent again by Ada".
    pub replay: String,
    /// The message of the same event that it follows, and when that was wanted.
    pub after: Option<(DeliveryId, DateTime<Utc>)>,
}

/// One thing that happened to a delivery.
#[derive(Debug, Clone)]
pub struct StepView {
    pub at: DateTime<Utc>,
    pub tone: Tone,
    /// "The provider took it." Whole sentences that read alone.
    pub sentence: String,
    /// For attempts and receipts.
    pub exchange: Option<Exchange>,
}

/// What went over the wire, secrets taken out.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    pub request: String,
    pub response: String,
}

/// What a person may do with a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryActions {
    /// *Send again* (asks first).
    pub send_again: bool,
    /// *It arrived*, for `unknown` only.
    pub it_arrived: bool,
    /// *Call it off*, for what waits.
    pub call_off: bool,
}

impl EventPage {
    fn title(&self) -> String {
        words::event_title(self.view.event_type)
    }

    fn story(&self) -> Markup {
        timeline::story(&steps::steps(&self.view), self.chrome.moment())
    }

    fn decide_again(&self) -> Markup {
        let ask = self
            .chrome
            .path(&format!("/events/{}/replays/new", self.view.id));
        html! {
            @if self.chrome.may(Ability::Replay) && self.view.replay_blocked.is_none() {
                a class="button primary" href=(ask) { "Decide again" }
            }
        }
    }

    /// *Done*: nothing is left to do about what failed, or was not understood.
    fn done(&self) -> Markup {
        let (action, event) = (self.chrome.path("/dealt"), self.view.id.to_string());
        let hidden = [("event", event.as_str()), ("on", "event")];
        html! {
            @if self.view.is_undealt && self.chrome.may(Ability::Replay) {
                (act(&action, &self.chrome.csrf, "Nothing to do").hidden(&hidden).render())
            }
        }
    }

    fn actions(&self, of: &DeliveryView) -> Markup {
        let base = self.chrome.path(&format!("/deliveries/{}", of.id));
        let csrf = self.chrome.csrf.as_str();
        let actions = of.actions;
        let any = actions.send_again || actions.it_arrived || actions.call_off;
        html! {
            @if self.chrome.may(Ability::Replay) && any {
                div class="button-row" {
                    @if actions.it_arrived {
                        (act(&format!("{base}/arrival"), csrf, "It arrived").render())
                    }
                    @if actions.send_again {
                        a class="button" href={ (base) "/replays/new" } { "Send again" }
                    }
                    @if actions.call_off {
                        (act(&format!("{base}/cancellation"), csrf, "Call it off").render())
                    }
                }
            }
        }
    }

    fn content(&self, of: &DeliveryView) -> Markup {
        let (event, anchor) = (self.view.id, Self::anchor(&of.id));
        let with_pictures = format!("/events/{event}?pictures=1#{anchor}");
        let with_pictures = self.chrome.path(&with_pictures);
        content::preview(Shown {
            id: &format!("text-{}", of.id.own.simple()),
            content: &of.content,
            sender: &of.sender,
            document: &self.chrome.path(&format!("/deliveries/{}/email", of.id)),
            with_pictures: (!self.has_pictures).then_some(with_pictures.as_str()),
        })
    }

    fn heading(of: &DeliveryView) -> String {
        words::message_to(
            of.channel,
            of.recipient.as_deref(),
            &address::short(&of.address),
        )
    }

    /// The name of a message in the address of the page.
    fn anchor(id: &DeliveryId) -> String {
        format!("message-{}", id.own.simple())
    }

    /// Whether something may still happen by itself, so that the page follows it.
    fn is_moving(&self) -> bool {
        self.view.state == EventState::Received
            || self.view.deliveries.iter().any(|d| {
                matches!(
                    d.state,
                    DeliveryState::Queued
                        | DeliveryState::Sending
                        | DeliveryState::Accepted
                        | DeliveryState::Sent
                        | DeliveryState::Unknown
                )
            })
    }
}
