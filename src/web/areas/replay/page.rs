//! The question before *Send again* and *Decide again*: who would be written to with what, what each has had,
//! and the document today.

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};
use maud::{Markup, html};

use crate::domain::content::Content;
use crate::domain::delivery::{Channel, DeliveryState};
use crate::domain::event::EventType;
use crate::domain::ids::{DeliveryId, EventId};
use crate::domain::money::Amount;
use crate::web::areas::event::page::DecisionView;
use crate::web::areas::words;
use crate::web::chrome::Chrome;
use crate::web::ui::confirm::act;
use crate::web::ui::content::{self, Shown};
use crate::web::ui::tone::Tone;
use crate::web::ui::{address, badge, filters, icon, money, notice, time};

/// `GET /t/{tenant}/deliveries/{delivery}/replays/new` and `GET /t/{tenant}/events/{event}/replays/new`; also
/// shown, with 409, where it is refused or where the facts are others by now.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/history/replay.html")]
pub struct ReplayPage {
    pub chrome: Chrome,
    pub event: EventId,
    pub what: Again,
    pub facts: FactsView,
    pub question: Question,
    /// Why it is shown once more.
    pub refused: Option<String>,
    /// What is different this time: whom it goes to, or until when it waits.
    pub notes: Vec<String>,
    /// Whether the pictures of e-mails are loaded: only once somebody asked.
    pub has_pictures: bool,
    pub nonce: String,
}

/// What is done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// A message as it was.
    Send(DeliveryId),
    /// An event by today's rules.
    Decide,
}

/// The facts, as they are shown.
#[derive(Debug, Clone)]
pub struct FactsView {
    pub fingerprint: String,
    pub document: Option<DocumentView>,
    pub forbidden: Option<String>,
    pub unreadable: Option<String>,
    pub decisions: Vec<DecisionView>,
    pub recipients: Vec<RecipientView>,
}

/// A document today.
#[derive(Debug, Clone)]
pub struct DocumentView {
    pub kind: &'static str,
    pub number: Option<String>,
    pub status: Option<String>,
    pub balance: Option<Amount>,
    pub currency: Option<String>,
    pub due: Option<NaiveDate>,
    pub heard_at: Option<DateTime<Utc>>,
}

/// Somebody who would be written to.
#[derive(Debug, Clone)]
pub struct RecipientView {
    pub key: String,
    pub channel: Channel,
    pub name: Option<String>,
    pub address: String,
    pub rule: Option<String>,
    pub sender: String,
    /// The e-mail address that answers go to.
    pub answers_to: Option<String>,
    pub content: Content,
    pub refused: Option<String>,
    pub ticked: bool,
    pub had: Vec<HadView>,
}

/// An earlier message about the same document.
#[derive(Debug, Clone)]
pub struct HadView {
    pub event: EventId,
    pub event_type: Option<EventType>,
    pub state: DeliveryState,
    pub at: DateTime<Utc>,
    pub is_rehearsal: bool,
}

/// What must be answered first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// An event is decided again.
    Decide,
    /// The message never reached anybody; nothing to fear.
    Plain,
    /// The provider of this channel has it and says nothing more yet.
    Accepted(Channel),
    /// It arrived before.
    Received {
        /// The customer, or the number.
        who: String,
        at: DateTime<Utc>,
    },
    /// It may or may not have arrived.
    Unknown,
    /// Refused: a message is still open.
    Open(DeliveryId, DeliveryState),
    /// Refused: the address must not be written to, and why.
    Suppressed(String),
}

impl ReplayPage {
    const fn title(&self) -> &'static str {
        match self.what {
            Again::Send(_) => "Send again",
            Again::Decide => "Decide again",
        }
    }

    fn sentence(&self) -> String {
        match &self.question {
            Question::Decide if self.facts.recipients.is_empty() => {
                "Today's rules would write to nobody about this event.".to_owned()
            }
            Question::Decide => {
                "This is what today's rules would send about this event. Nothing is sent yet."
                    .to_owned()
            }
            Question::Plain => "It did not reach anybody before. Send it again?".to_owned(),
            Question::Accepted(channel) => format!(
                "{} already has this and has not said yet whether it arrived. Send again?",
                self.chrome.providers.of(channel).name
            ),
            Question::Received { who, at } => format!(
                "{} already received this on {}. Send again?",
                words::straight(who),
                self.chrome.moment().day(*at)
            ),
            Question::Unknown => {
                "Nobody knows whether this arrived. If it did, the reader gets it \
                twice. Send again?"
                    .to_owned()
            }
            Question::Open(_, state) => format!(
                "A message about this event is still open ({}). Wait for it, or decide about it \
                 first.",
                state.label(self.chrome.providers.any())
            ),
            Question::Suppressed(why) => format!(
                "This address must not be written to: {}. Suppressions show how that can be lifted.",
                words::straight(why).trim_end_matches('.')
            ),
        }
    }

    const fn is_refused(&self) -> bool {
        matches!(self.question, Question::Open(..) | Question::Suppressed(_))
    }

    /// Why nobody is ticked.
    fn warning(&self) -> Markup {
        let facts = &self.facts;
        html! {
            @if let Some(why) = &facts.unreadable {
                (notice::notice(Tone::Needs, &html! {
                    "The body of this event cannot be read now: " (words::straight(why)) ". "
                    "Deciding again would say the same."
                }))
            }
            @if let Some(why) = &facts.forbidden {
                (notice::notice(Tone::Needs, &html! {
                    (words::straight(why)) ". Nobody is ticked below: tick whom to write to all the same."
                }))
            }
        }
    }

    /// The page of the event, at the message that is in the way.
    fn way_out(&self) -> String {
        let event = self.chrome.path(&format!("/events/{}", self.event));
        match &self.question {
            Question::Open(id, _) => format!("{event}#message-{}", id.own.simple()),
            _ => event,
        }
    }

    /// Where the form goes: an unknown message is settled, not replayed, since it is the same wish.
    fn action(&self) -> String {
        match self.what {
            Again::Decide => self.chrome.path(&format!("/events/{}/replays", self.event)),
            Again::Send(id) => self.chrome.path(&format!("/deliveries/{id}/replays")),
        }
    }

    fn settle(&self) -> Markup {
        let Again::Send(id) = self.what else {
            return html! {};
        };
        let action = self.chrome.path(&format!("/deliveries/{id}/resending"));
        act(&action, &self.chrome.csrf, "Send again")
            .class("button primary")
            .nonce(&self.nonce)
            .render()
    }

    /// A person, with a box to tick where they can be written to.
    fn heading(of: &RecipientView) -> String {
        words::message_to(of.channel, of.name.as_deref(), &address::short(&of.address))
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the template has a reference"
    )]
    fn due(of: &NaiveDate) -> String {
        of.format("%-d %b %Y").to_string()
    }

    fn status(of: &str) -> String {
        of.replace('_', " ")
    }

    fn content(&self, of: &RecipientView) -> Markup {
        let page = match self.what {
            Again::Send(id) => format!("/deliveries/{id}/replays/new"),
            Again::Decide => format!("/events/{}/replays/new", self.event),
        };
        let page = self.chrome.path(&page);
        let with_pictures = format!("{page}?pictures=1");
        content::preview(Shown {
            id: &format!("text-{}", of.key),
            content: &of.content,
            sender: &of.sender,
            document: &format!("{page}/email?to={}", of.key),
            with_pictures: (!self.has_pictures).then_some(with_pictures.as_str()),
        })
    }

    fn event_title(of: &HadView) -> String {
        words::event_title(of.event_type)
    }
}
