//! What owners and admins watch over: API tokens, the security log, and the end of the company.

use askama::Template;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::app::deletion::{COUNTED_TO, Holdings};
use crate::domain::ids::ApiTokenId;
use crate::domain::page::Page;
use crate::domain::user::Role;
use crate::web::areas::security::words::{Difference, KINDS, Told};
use crate::web::areas::team::page::roles;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::chips::{self, Query};
use crate::web::ui::confirm::act;
use crate::web::ui::empty::{Drawing, empty};
use crate::web::ui::field::{Choice, field};
use crate::web::ui::figure::counted;
use crate::web::ui::tone::Tone;
use crate::web::ui::{copy, filters, icon, notice, pager, time};

/// `GET /t/{tenant}/tokens`; posts `name`, `role` and `days` to it, and nothing to
/// `/tokens/{token}/revocation`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/security/tokens.html")]
pub struct TokensPage {
    pub chrome: Chrome,
    pub tokens: Vec<TokenLine>,
    /// The token that was made just now, shown this once: its name and itself.
    pub made: Option<(String, String)>,
    pub form: FormState,
}

/// One API token.
#[derive(Debug, Clone)]
pub struct TokenLine {
    pub id: ApiTokenId,
    pub name: String,
    pub role: Role,
    /// What it may do now; none: whoever made it is no longer in the team.
    pub reach: Option<Role>,
    pub is_of_operator: bool,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub is_over: bool,
}

impl TokensPage {
    fn spans() -> Vec<Choice> {
        vec![
            Choice::new("30", "30 days"),
            Choice::new("90", "90 days"),
            Choice::new("365", "A year"),
            Choice::new("0", "Until it is revoked"),
        ]
    }

    /// What a token may do now, and why that is less than its role.
    fn reach(of: &TokenLine) -> Markup {
        html! {
            (of.role.label())
            @match of.reach {
                Some(reach) if reach < of.role => {
                    " " span class="muted wrap" {
                        "now " (reach.label()) ", as " (of.created_by) " is"
                    }
                },
                None => {
                    " " span class="muted wrap" { (of.created_by) " is no longer in the team" }
                },
                Some(_) if of.is_of_operator => {
                    " " span class="muted wrap" { "goes by no person’s role" }
                },
                Some(_) => {},
            }
        }
    }

    fn revoke(&self, of: &TokenLine) -> Markup {
        let action = self.chrome.path(&format!("/tokens/{}/revocation", of.id));
        let is_over = of.is_over || of.reach.is_none();
        let word = if is_over { "Remove" } else { "Revoke" };
        act(&action, &self.chrome.csrf, word)
            .class("button quiet tight")
            .render()
    }

    fn nothing() -> Markup {
        empty(
            Drawing::Plug,
            "No API token",
            "The tokens that you make are listed here, with when each was last used.",
            None,
        )
    }
}

/// `GET /t/{tenant}/security-log`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/security/log.html")]
pub struct SecurityLogPage {
    pub chrome: Chrome,
    pub entries: Page<LogLine>,
    /// The filters `who` and `kind`.
    pub query: Query,
    /// Who stands in the newest entries.
    pub people: Vec<String>,
}

/// One line of the log.
#[derive(Debug, Clone)]
pub struct LogLine {
    pub at: DateTime<Utc>,
    pub who: String,
    /// Where it came from; empty where there was no network.
    pub address: String,
    pub told: Told,
}

impl SecurityLogPage {
    fn chips(&self) -> Markup {
        let kinds: Vec<_> = KINDS
            .iter()
            .map(|k| (k.key.to_owned(), k.words.to_owned()))
            .collect();
        let people: Vec<_> = self.people.iter().map(|p| (p.clone(), p.clone())).collect();
        html! {
            (chips::row(&self.query, "kind", "What", &kinds))
            @if people.len() > 1 || !self.query.get("who").is_empty() {
                (chips::row(&self.query, "who", "Who", &people))
            }
        }
    }

    fn difference(of: &Difference) -> Markup {
        html! {
            li {
                (of.what) ": "
                @match (&of.old, &of.new) {
                    (Some(old), Some(new)) => { del { (old) } " → " ins { (new) } },
                    (Some(old), None) => { del { (old) } },
                    (None, Some(new)) => { ins { (new) } },
                    (None, None) => { "changed" },
                }
            }
        }
    }

    fn pager(&self) -> Markup {
        pager::pager(&self.entries, &self.query, self.chrome.moment())
    }

    fn nothing(&self) -> Markup {
        let (title, sentence) = if self.query.is_filtered() {
            let sentence = if self.entries.older.is_some() {
                "Nothing in this stretch of the log. Older goes on searching."
            } else {
                "No entry fits these filters."
            };
            ("Nothing like this", sentence)
        } else {
            (
                "Nothing yet",
                "Whoever signs in or changes something stands here.",
            )
        };
        empty(Drawing::Ledger, title, sentence, None)
    }
}

/// `GET /t/{tenant}/deletion/new`; posts `name` and `password` to `/deletion`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/security/deletion.html")]
pub struct DeletionPage {
    pub chrome: Chrome,
    pub holdings: Holdings,
    pub form: FormState,
}

impl DeletionPage {
    /// What goes, each with its number.
    fn goes(&self) -> Vec<String> {
        let h = &self.holdings;
        let of = |n: u64, one: &str, many: &str| {
            if n >= COUNTED_TO {
                format!("more than {} {many}", counted(COUNTED_TO, "", "").trim())
            } else {
                counted(n, one, many)
            }
        };
        vec![
            of(h.events, "event from Zoho Books", "events from Zoho Books"),
            of(
                h.deliveries,
                "message with its proof",
                "messages with their proof",
            ),
            of(h.rules, "rule", "rules"),
            of(h.suppressions, "suppressed address", "suppressed addresses"),
            of(h.tokens, "API token", "API tokens"),
            of(h.members, "person in the team", "people in the team"),
        ]
    }
}
