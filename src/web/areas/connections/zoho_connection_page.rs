//! Access to Zoho Books' API: its card on Connections, and the two pages that a click leads through.
//!
//! Chrome follows no redirect from a form to another host under our `form-action`, so the way to
//! Zoho is a page of ours with a link.

use askama::Template;
use url::Url;

use crate::domain::ids::ConnectionId;
use crate::web::areas::connections::page::{CheckResult, Health};
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::field::Choice;
use crate::web::ui::{filters, icon, notice};

/// Access to Zoho Books' API; posts `region`, `client_id`, `client_secret` and `code` to
/// `/connections/books`, the same without the code to `/connections/books/consent`, and
/// `organization` alone to `/connections/books`.
#[derive(Debug, Clone)]
pub struct BooksCard {
    /// What can be checked: an access with its organisation.
    pub connection: Option<ConnectionId>,
    /// Whether access was granted, even when no organisation is chosen yet.
    pub is_connected: bool,
    /// The name of the organisation; empty until it is known.
    pub organisation: String,
    /// The data centre in words; empty without an access.
    pub data_centre: String,
    pub form: FormState,
    pub health: Health,
    /// What Zoho or we said to the last click, when it came to nothing.
    pub refusal: Option<String>,
    pub checked: Option<CheckResult>,
    pub regions: Vec<Choice>,
    /// The organisations to choose from; empty when nobody asked for them.
    pub organizations: Vec<Choice>,
    /// The form of that choice.
    pub choice: FormState,
    /// The scopes to paste into Zoho's API console.
    pub scopes: String,
    /// The redirect address to register there.
    pub redirect: String,
}

impl BooksCard {
    /// What unfolds the form.
    pub fn invitation(&self) -> &'static str {
        match self.health {
            Health::Broken(_) => "Connect again",
            _ if self.is_connected => "Change the access",
            _ => "Give read access",
        }
    }

    /// Whether the form is unfolded at once.
    pub fn is_open(&self) -> bool {
        !self.form.is_valid() || matches!(self.health, Health::Broken(_))
    }
}

/// The answer to `POST /t/{tenant}/connections/books/consent`: the door to Zoho.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/connections/consent.html")]
pub struct ConsentPage {
    pub chrome: Chrome,
    /// Zoho's consent page.
    pub url: Url,
}

/// `GET /t/{tenant}/connections/books/disconnection/new`; posts to
/// `/connections/books/disconnection`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/connections/disconnect.html")]
pub struct DisconnectPage {
    pub chrome: Chrome,
    /// The name of the organisation; may be empty.
    pub organisation: String,
}
