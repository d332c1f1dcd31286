//! The rehearsal: what would have gone out, going live, going back, and the owner's own number.

use askama::Template;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::domain::content::Content;
use crate::domain::delivery::{Channel, DeliveryState};
use crate::domain::ids::EventId;
use crate::domain::provider::ProviderWords;
use crate::web::areas::words;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::confirm::act;
use crate::web::ui::empty::{Drawing, empty};
use crate::web::ui::field::field;
use crate::web::ui::figure::counted;
use crate::web::ui::tone::Tone;
use crate::web::ui::{address, badge, filters, icon, notice, time};

/// `GET /t/{tenant}/go-live`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rehearsal/go_live.html")]
pub struct GoLivePage {
    pub chrome: Chrome,
    /// Of the last 24 hours, newest first.
    pub messages: Vec<RehearsalLine>,
    /// There were more.
    pub is_cut: bool,
    /// How many different addresses these would have gone to.
    pub readers: usize,
    /// Live messages that wait for the end of the rehearsal.
    pub waiting: usize,
    /// When contacts may be written to: "08:00 to 20:00"; none is at any time.
    pub hours: Option<String>,
    pub may: bool,
    /// What has to be confirmed.
    pub form: FormState,
}

/// A message that went to the owner.
#[derive(Debug, Clone)]
pub struct RehearsalLine {
    pub event: EventId,
    pub at: DateTime<Utc>,
    pub channel: Channel,
    pub recipient: Option<String>,
    /// E.164, or an e-mail address, as it was meant.
    pub address: String,
    /// Without the mark.
    pub content: Content,
    pub state: DeliveryState,
}

impl GoLivePage {
    fn nothing() -> Markup {
        empty(
            Drawing::Calm,
            "Nothing in the last 24 hours",
            "What your rules would have sent is listed here.",
            None,
        )
    }

    fn to(line: &RehearsalLine) -> String {
        words::message_to(
            line.channel,
            line.recipient.as_deref(),
            &address::short(&line.address),
        )
    }

    /// An SMS as it is read; of an e-mail its subject, since its event shows the rest.
    fn said(&self, line: &RehearsalLine) -> Markup {
        match &line.content {
            Content::Text(text) => html! { bdi { (text) } },
            Content::Email(email) => {
                let event = self.chrome.path(&format!("/events/{}", line.event));
                html! { bdi { (email.subject) } " " a class="small" href=(event) { "Look at it" } }
            }
        }
    }

    fn readers(&self) -> String {
        let is_sms = |line: &RehearsalLine| line.channel == Channel::Sms;
        let count = self.readers as u64;
        if self.messages.iter().all(is_sms) {
            counted(count, "number", "numbers")
        } else {
            counted(count, "address", "addresses")
        }
    }

    fn any_waiting(&self) -> bool {
        self.waiting > 0
    }

    fn waits(&self) -> String {
        let one = "message from before the rehearsal that waits is sent at once.";
        let many = "messages from before the rehearsal that wait are sent at once.";
        counted(self.waiting as u64, one, many)
    }

    fn sum(&self) -> String {
        let more = if self.is_cut { "more than " } else { "" };
        format!(
            "{more}{} to {}",
            counted(self.messages.len() as u64, "message", "messages"),
            self.readers()
        )
    }
}

/// `GET /t/{tenant}/rehearsal`: the way back.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rehearsal/back.html")]
pub struct BackPage {
    pub chrome: Chrome,
    /// Where messages would go, shortened.
    pub number: Option<String>,
}

impl BackPage {
    fn switch(&self) -> Markup {
        act(
            &self.chrome.path("/rehearsal"),
            &self.chrome.csrf,
            "Back to rehearsal",
        )
        .class("button danger")
        .render()
    }
}

/// `GET /t/{tenant}/own-number`; posts `phone` there and `code` to `/own-number/confirmation`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rehearsal/own_number.html")]
pub struct OwnNumberPage {
    pub chrome: Chrome,
    pub form: FormState,
    /// The person's confirmed number.
    pub confirmed: Option<String>,
    /// Where a code was sent that is still to be typed.
    pub pending: Option<String>,
    /// That code, where a sandbox stands for the provider.
    pub sandbox_code: Option<String>,
    /// Why no code can be sent.
    pub obstacle: Option<String>,
    /// Where rehearsals go when that is another owner's number.
    pub others: Option<String>,
}

impl OwnNumberPage {
    /// Codes go by SMS.
    fn provider(&self) -> &'static ProviderWords {
        self.chrome.providers.of(Channel::Sms)
    }

    fn help(&self) -> String {
        let name = self.provider().name;
        format!("A code is sent there by SMS, with your {name} account.")
    }

    /// Why no code can be sent, with the way out of it.
    fn trouble(&self) -> Markup {
        let connections = self.chrome.path(&self.provider().section());
        html! {
            @if let Some(why) = &self.obstacle {
                (notice::notice(Tone::Needs, &html! {
                    (why) ". " a href=(connections) { "Open Connections" }
                }))
            }
        }
    }
}
