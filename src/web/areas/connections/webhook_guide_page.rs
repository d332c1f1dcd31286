//! The guide to the webhook in Zoho Books: the address, the secret, what to do in Zoho Books, the last requests
//! live, and a test event.

use askama::Template;
use chrono::{DateTime, Utc};
use maud::Markup;

use crate::domain::ids::ConnectionId;
use crate::domain::user::Ability;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::confirm::act;
use crate::web::ui::copy::{copy_box, labelled};
use crate::web::ui::field::{Choice, field};
use crate::web::ui::requests::{RequestLine, newest, requests};
use crate::web::ui::tone::Tone;
use crate::web::ui::{badge, filters, icon, notice, time};

/// `GET /t/{tenant}/connections/set-up`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/connections/webhook_guide.html")]
pub struct WebhookGuidePage {
    pub chrome: Chrome,
    pub view: WebhookGuideView,
}

/// What the guide shows.
#[derive(Debug, Clone)]
pub struct WebhookGuideView {
    pub connection: ConnectionId,
    /// `https://…/hooks/zoho/{hook}`; the type is added below.
    pub address: String,
    /// The signing secret, only in the answer that made it.
    pub new_secret: Option<String>,
    /// Until when the secret before it is still accepted.
    pub old_secret_until: Option<DateTime<Utc>>,
    pub reach: Reach,
    /// Whether Zoho Books was believed at least once.
    pub is_heard: bool,
    pub requests: Vec<RequestLine>,
    pub test: TestEvent,
}

/// Whether Zoho Books can come to the address, as far as can be told from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A request came in and was believed.
    Proven,
    /// https and public by its name; firewalls and names cannot be seen from inside.
    Likely,
    /// Not https, or of a private network.
    Never,
    /// Zoho Books is the sandbox.
    Sandbox,
}

/// The form of a test event.
#[derive(Debug, Clone)]
pub struct TestEvent {
    pub form: FormState,
    pub types: Vec<Choice>,
    /// Where its message goes: the confirmed number of whoever looks at the page.
    pub own_number: Option<String>,
    pub is_rehearsal: bool,
}

/// A Zoho module and what its rule tells us.
struct Module {
    name: &'static str,
    tells: &'static str,
}

/// A date-based rule and its address.
struct Dated {
    id: &'static str,
    words: &'static str,
    address: String,
}

impl WebhookGuidePage {
    fn modules() -> [Module; 6] {
        let module = |name, tells| Module { name, tells };
        [
            module("Invoices", "created, sent, paid"),
            module("Payments Received", "a payment is received"),
            module("Bills", "created"),
            module("Purchase Orders", "created"),
            module("Payments Made", "a vendor payment is sent"),
            module("Expenses", "recorded"),
        ]
    }

    fn dated(&self) -> Vec<Dated> {
        let dated = |id, words, path: &str| Dated {
            id,
            words,
            address: format!("{}/{path}", self.view.address),
        };
        vec![
            dated(
                "dated-1",
                "Invoices, 3 days before the due date",
                "invoice.due_soon/3d",
            ),
            dated(
                "dated-2",
                "Invoices, 7 days after the due date",
                "invoice.overdue/7d",
            ),
            dated(
                "dated-3",
                "Invoices, 14 days after the due date",
                "invoice.overdue/14d",
            ),
            dated(
                "dated-4",
                "Bills, 3 days before the due date",
                "bill.due_soon/3d",
            ),
        ]
    }

    fn list(&self) -> Markup {
        requests(
            &self.view.requests,
            self.chrome.moment(),
            &self.chrome.path(""),
            &self.chrome.path("/connections/set-up/requests"),
        )
    }

    fn rotate(&self) -> Markup {
        let action = format!("/connections/{}/secret", self.view.connection);
        let word = if self.view.is_heard {
            "Make a new secret"
        } else {
            "Make the secret"
        };
        act(&self.chrome.path(&action), &self.chrome.csrf, word)
            .hidden(&[("on", "set-up")])
            .render()
    }
}
