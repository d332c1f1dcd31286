//! Connections: the web address for Zoho Books, the Twilio account, the Zoho Books API.
//!
//! A secret is shown once, right after it was made, and is never part of a form again.

use askama::Template;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::app::limits::AccountLimits;
use crate::domain::event::EventType;
use crate::domain::ids::ConnectionId;
use crate::domain::user::Ability;
use crate::web::areas::connections::limits_page;
use crate::web::areas::connections::zoho_connection_page::BooksCard;
use crate::web::areas::words;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::confirm::act;
use crate::web::ui::copy::{copy_box, labelled};
use crate::web::ui::field::field;
use crate::web::ui::figure::counted;
use crate::web::ui::time::Moment;
use crate::web::ui::tone::Tone;
use crate::web::ui::{badge, filters, icon, notice, time};

/// `GET /t/{tenant}/connections`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/connections/index.html")]
pub struct ConnectionsPage {
    pub chrome: Chrome,
    pub hook: Option<HookCard>,
    pub twilio: TwilioCard,
    pub books: BooksCard,
}

/// The web address to which Zoho Books posts.
#[derive(Debug, Clone)]
pub struct HookCard {
    pub connection: ConnectionId,
    /// `https://…/hooks/zoho/{hook}`; the type is added below.
    pub address: String,
    /// The signing secret, only in the answer that made it.
    pub new_secret: Option<String>,
    /// Until when the secret before the last rotation is still accepted.
    pub old_secret_until: Option<DateTime<Utc>>,
    pub last_request: Option<DateTime<Utc>>,
    /// Requests refused in the last 24 hours.
    pub rejected: u64,
    /// Whether Zoho can reach the address: `PUBLIC_URL` is https and public.
    pub is_reachable: bool,
}

/// How a connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Nothing is stored.
    Missing,
    /// Access is stored, and a choice is left to a person.
    Unfinished,
    /// Stored, and not used yet.
    Untried,
    Working,
    /// Asked to slow down, or to wait; goes on by itself.
    Paused(String),
    /// So little is left on its account that somebody should add to it.
    Low(String),
    /// A person must do something.
    Broken(String),
}

impl Health {
    /// The badge and its word.
    pub fn badge(&self) -> Markup {
        let (tone, word) = match self {
            Self::Missing => (Tone::Quiet, "Not connected"),
            Self::Unfinished => (Tone::Needs, "Not finished"),
            Self::Untried => (Tone::Queued, "Not tried yet"),
            Self::Working => (Tone::Ok, "Working"),
            Self::Paused(_) => (Tone::Held, "Paused"),
            Self::Low(_) => (Tone::Needs, "Balance low"),
            Self::Broken(_) => (Tone::Failed, "Broken"),
        };
        badge::state(tone, word)
    }

    /// What hinders it.
    pub fn trouble(&self) -> Option<(Tone, &str)> {
        match self {
            Self::Paused(why) => Some((Tone::Held, why)),
            Self::Low(why) => Some((Tone::Needs, why)),
            Self::Broken(why) => Some((Tone::Failed, why)),
            _ => None,
        }
    }
}

/// What a check found, as sentences.
#[derive(Debug, Clone)]
pub struct CheckResult {
    pub at: DateTime<Utc>,
    pub findings: Vec<(Tone, String)>,
}

/// The Twilio account; posts `account_sid`, `user_sid`, `secret`, `auth_token`, `sender` and
/// `save_anyway` to `/connections/twilio`.
#[derive(Debug, Clone)]
pub struct TwilioCard {
    pub connection: Option<ConnectionId>,
    pub form: FormState,
    pub health: Health,
    pub checked: Option<CheckResult>,
    /// Twilio calls back; else states are asked for.
    pub callbacks: bool,
    /// Where Twilio posts what recipients write.
    pub inbound: Option<String>,
    /// How the account stands to its limits.
    pub limits: Option<AccountLimits>,
    /// What was typed could not be tried, and may be saved all the same.
    pub is_untried: bool,
}

/// A web address with its event type.
struct TypedAddress {
    id: String,
    words: String,
    address: String,
}

impl ConnectionsPage {
    fn typed(&self) -> Vec<TypedAddress> {
        let Some(hook) = &self.hook else {
            return Vec::new();
        };
        EventType::ALL
            .iter()
            .copied()
            .map(|t| TypedAddress {
                id: format!("address-{}", t.as_str().replace(['.', '_'], "-")),
                words: words::capital(t.label()),
                address: format!("{}/{t}", hook.address),
            })
            .collect()
    }

    fn limits(of: &AccountLimits, moment: Moment) -> Markup {
        limits_page::table(of, "Twilio", moment)
    }

    fn found(&self, checked: Option<&CheckResult>) -> Markup {
        html! {
            @if let Some(result) = checked {
                div class="sheet-body" {
                    p class="label" { "Checked " (time::ago(self.chrome.moment(), result.at)) }
                    ul class="plain" {
                        @for (tone, sentence) in &result.findings {
                            li class="finding" {
                                span class={ "badge " (tone.class()) } { (tone.shape()) }
                                (sentence)
                            }
                        }
                    }
                }
            }
        }
    }

    fn check(&self, connection: &ConnectionId) -> Markup {
        let action = self
            .chrome
            .path(&format!("/connections/{connection}/checks"));
        act(&action, &self.chrome.csrf, "Check").render()
    }

    fn rotate(&self, connection: &ConnectionId) -> Markup {
        let action = self
            .chrome
            .path(&format!("/connections/{connection}/secret"));
        act(&action, &self.chrome.csrf, "Make a new secret").render()
    }

    fn make_hook(&self) -> Markup {
        let action = self.chrome.path("/connections/hook");
        act(&action, &self.chrome.csrf, "Make the web address")
            .class("button primary")
            .render()
    }
}
