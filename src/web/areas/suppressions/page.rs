//! Suppressions: who must not be written to, and why; and what recipients wrote back.

use askama::Template;
use chrono::{DateTime, Utc};
use maud::Markup;

use crate::domain::delivery::Channel;
use crate::domain::ids::{ReplyId, SuppressionId};
use crate::domain::page::Page;
use crate::domain::provider::ProviderWords;
use crate::domain::reply::Wish;
use crate::domain::suppression::Source;
use crate::domain::user::Ability;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::chips::{self, Query};
use crate::web::ui::confirm::act;
use crate::web::ui::empty::{Drawing, empty};
use crate::web::ui::field::field;
use crate::web::ui::tone::Tone;
use crate::web::ui::{address, badge, filters, icon, notice, pager, time};

/// `GET /t/{tenant}/suppressions?q=&source=&at=`; posts `address` and `reason` there.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/suppressions/index.html")]
pub struct SuppressionsPage {
    pub chrome: Chrome,
    pub rows: Page<SuppressionRow>,
    /// The search, as typed.
    pub text: String,
    pub source: Option<Source>,
    /// What is added by hand.
    pub form: FormState,
}

/// One reason why an address must not be written to.
#[derive(Debug, Clone)]
pub struct SuppressionRow {
    pub id: SuppressionId,
    pub at: DateTime<Utc>,
    pub channel: Channel,
    /// None once the person was erased.
    pub address: Option<String>,
    pub name: Option<String>,
    pub source: Source,
    /// Only reminders of one customer may not be written to it.
    pub is_of_reminders: bool,
    pub reason: String,
    /// Who added it by hand.
    pub by: Option<String>,
}

impl SuppressionRow {
    fn address(&self) -> Markup {
        let erased = || maud::html! { span class="muted" { "Address erased" } };
        self.address.as_deref().map_or_else(erased, address::whole)
    }
}

impl SuppressionsPage {
    fn query(&self) -> Query {
        Query::new(self.chrome.path("/suppressions"))
            .set("source", self.source.map_or("", Source::as_str))
            .set("q", self.text.as_str())
    }

    fn chips(&self) -> Markup {
        let values: Vec<(String, String)> = Source::ALL
            .iter()
            .copied()
            .map(|s| {
                (
                    s.as_str().to_owned(),
                    s.label(self.chrome.providers.any()).to_owned(),
                )
            })
            .collect();
        chips::row(&self.query(), "source", "Why", &values)
    }

    fn search(&self) -> Markup {
        let form = FormState::new().with("q", self.text.as_str());
        field("q", "Address, name or reason")
            .kind("search")
            .unmarked()
            .render(&form)
    }

    fn pager(&self) -> Markup {
        pager::pager(&self.rows, &self.query(), self.chrome.moment())
    }

    fn nothing(&self) -> Markup {
        if self.query().is_filtered() {
            let sentence = if self.rows.older.is_some() {
                "None of the addresses that were looked through. Older goes on searching."
            } else {
                "No suppressed address fits this search."
            };
            empty(Drawing::Lens, "Nobody like that", sentence, None)
        } else {
            empty(
                Drawing::Calm,
                "Everybody may be written to",
                "Whoever writes STOP to your number, stops reminders in an e-mail, or is added by hand is listed here.",
                None,
            )
        }
    }
}

/// `GET /t/{tenant}/suppressions/{suppression}/lifting/new`; posts `reason` to `…/lifting`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/suppressions/lift.html")]
pub struct LiftPage {
    pub chrome: Chrome,
    pub row: SuppressionRow,
    pub form: FormState,
}

impl LiftPage {
    fn provider(&self) -> &'static ProviderWords {
        self.chrome.providers.of(self.row.channel)
    }

    /// "number" or "e-mail address".
    const fn what(&self) -> &'static str {
        match self.row.channel {
            Channel::Sms => "number",
            Channel::Email => "e-mail address",
        }
    }

    fn is_sms(&self) -> bool {
        self.row.channel == Channel::Sms
    }

    /// Whether the reader may lift what the person wished.
    fn is_theirs(&self) -> bool {
        self.chrome.may(Ability::LiftWish)
    }
}

/// `GET /t/{tenant}/replies?at=`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/suppressions/replies.html")]
pub struct RepliesPage {
    pub chrome: Chrome,
    pub rows: Page<ReplyRow>,
}

/// What somebody wrote.
#[derive(Debug, Clone)]
pub struct ReplyRow {
    pub id: ReplyId,
    pub at: DateTime<Utc>,
    /// "Benjamin George (+1617 … 0123)".
    pub who: String,
    pub body: String,
    pub wish: Wish,
    pub is_proven: bool,
    pub is_seen: bool,
}

impl ReplyRow {
    /// Whether somebody has to say what it means.
    pub fn is_question(&self) -> bool {
        self.wish == Wish::Unclear && !self.is_seen
    }

    /// The buttons that say what an unclear text means, or the one that reads it off the list.
    pub fn answers(&self, chrome: &Chrome) -> Markup {
        if !self.is_question() {
            return self.seen(chrome);
        }
        let action = |word: &str| chrome.path(&format!("/replies/{}/{word}", self.id));
        let button = |word: &str, label: &str| {
            act(&action(word), &chrome.csrf, label)
                .class("button tight")
                .render()
        };
        maud::html! {
            (button("stop", "Stop writing"))
            " "
            (button("go-on", "Go on"))
        }
    }

    /// The button that reads it off the list.
    fn seen(&self, chrome: &Chrome) -> Markup {
        let action = chrome.path(&format!("/replies/{}/seen", self.id));
        act(&action, &chrome.csrf, "Seen")
            .class("button tight")
            .render()
    }
}

impl RepliesPage {
    fn pager(&self) -> Markup {
        let query = Query::new(self.chrome.path("/replies"));
        pager::pager(&self.rows, &query, self.chrome.moment())
    }

    fn meaning(row: &ReplyRow) -> Markup {
        match row.wish {
            Wish::Stop => badge::state(Tone::Held, "Wants no more"),
            Wish::Start => badge::state(Tone::Ok, "Wants messages again"),
            Wish::Help => badge::state(Tone::Quiet, "Asked for help"),
            Wish::Unclear if row.is_seen => badge::state(Tone::Quiet, "Answered"),
            Wish::Unclear => badge::state(Tone::Needs, "May want no more"),
            Wish::Read if row.is_seen => badge::state(Tone::Quiet, "Seen"),
            Wish::Read => badge::state(Tone::Needs, "New"),
        }
    }

    fn nothing(&self) -> Markup {
        let name = self.chrome.providers.any().name;
        let sentence = format!(
            "What people text to your {name} number is shown here, once its web address for messages \
             is set at {name}."
        );
        empty(Drawing::Calm, "Nobody has written back", &sentence, None)
    }
}
