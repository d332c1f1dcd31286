//! Permissions: why people may be written to.

use askama::Template;
use chrono::{DateTime, Utc};
use maud::Markup;

use crate::domain::delivery::Channel;
use crate::domain::page::Page;
use crate::domain::permission::Basis;
use crate::domain::user::Ability;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::chips::Query;
use crate::web::ui::confirm::act;
use crate::web::ui::empty::{Drawing, empty};
use crate::web::ui::field::{Choice, field};
use crate::web::ui::{address, filters, icon, notice, pager, time};

/// `GET /t/{tenant}/permissions?q=&at=`; posts `address`, `basis` and `source` there, and `csv` to
/// `…/import`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/permissions/index.html")]
pub struct PermissionsPage {
    pub chrome: Chrome,
    pub rows: Page<PermissionRow>,
    /// Who confirmed at going live that people may be written to, and when.
    pub attested: Option<(String, DateTime<Utc>)>,
    /// The search, as typed.
    pub text: String,
    pub form: FormState,
    /// What is wrong with the CSV that was sent.
    pub bad_lines: Vec<String>,
}

/// One reason why an address may be written to.
#[derive(Debug, Clone)]
pub struct PermissionRow {
    pub at: DateTime<Utc>,
    pub channel: Channel,
    /// None once the person was erased.
    pub address: Option<String>,
    pub basis: Basis,
    pub source: String,
    /// Who wrote it down.
    pub by: Option<String>,
}

impl PermissionRow {
    fn address(&self) -> Markup {
        let erased = || maud::html! { span class="muted" { "Address erased" } };
        self.address.as_deref().map_or_else(erased, address::whole)
    }
}

impl PermissionsPage {
    fn query(&self) -> Query {
        Query::new(self.chrome.path("/permissions")).set("q", self.text.as_str())
    }

    fn export(&self) -> Markup {
        let action = self.chrome.path("/permissions/export");
        act(&action, &self.chrome.csrf, "Export as CSV").render()
    }

    fn search(&self) -> Markup {
        let form = FormState::new().with("q", self.text.as_str());
        field("q", "Address or source")
            .kind("search")
            .unmarked()
            .render(&form)
    }

    fn pager(&self) -> Markup {
        pager::pager(&self.rows, &self.query(), self.chrome.moment())
    }

    fn bases() -> Vec<Choice> {
        let each = Basis::ALL.iter().copied();
        each.map(|b| Choice::new(b.as_str(), b.label())).collect()
    }

    fn is_add_open(&self) -> bool {
        !self.form.is_valid() && self.form.error("csv").is_none()
    }

    fn is_import_open(&self) -> bool {
        self.form.error("csv").is_some()
    }

    fn nothing(&self) -> Markup {
        if self.query().is_filtered() {
            let sentence = if self.rows.older.is_some() {
                "None of those that were looked through. Older goes on searching."
            } else {
                "No permission fits this search."
            };
            empty(Drawing::Lens, "Nobody like that", sentence, None)
        } else {
            empty(
                Drawing::Calm,
                "Nothing noted yet",
                "Whoever a document of the books brings is listed here, with the document.",
                None,
            )
        }
    }
}
