//! Pages of somebody's own account.

use askama::Template;
use chrono::{DateTime, Utc};
use maud::Markup;

use crate::web::areas::entrance::page::PASSWORD_HELP;
use crate::web::chrome::AccountChrome;
use crate::web::form::FormState;
use crate::web::ui::field::field;
use crate::web::ui::{confirm, filters, icon, notice, time};

/// `GET /account`; posts `name`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/index.html")]
pub struct AccountPage {
    pub chrome: AccountChrome,
    pub form: FormState,
    pub factor: FactorLine,
    /// Last seen first.
    pub sessions: Vec<SessionLine>,
}

/// The button that ends several sessions at once.
fn sign_out_all(csrf: &str, which: &str, words: &str) -> Markup {
    confirm::act("/account/sessions/revocation", csrf, words)
        .hidden(&[("which", which)])
        .render()
}

/// What the account page says of the second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorLine {
    Off,
    On {
        since: DateTime<Utc>,
        codes_left: u64,
    },
}

/// One browser of the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLine {
    /// Names it in addresses.
    pub handle: String,
    /// "Firefox on Linux".
    pub browser: String,
    pub address: String,
    pub created_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub is_this: bool,
}

/// `GET /account/email`; posts `email` and `password`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/email.html")]
pub struct EmailPage {
    pub chrome: AccountChrome,
    pub form: FormState,
    pub can_mail: bool,
}

/// `GET /account/password`; posts `password` and `new_password`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/password.html")]
pub struct PasswordPage {
    pub chrome: AccountChrome,
    pub form: FormState,
}

/// `GET /account/second-factor`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/second_factor.html")]
pub struct FactorPage {
    pub chrome: AccountChrome,
    pub form: FormState,
    pub factor: FactorView,
}

/// The drawing as a filter takes it: a match arm of a template lends it twice.
const fn borrowed(drawing: &Markup) -> &Markup {
    drawing
}

/// How far the second factor is.
#[derive(Debug, Clone)]
pub enum FactorView {
    Off,
    Pending {
        /// In groups of four.
        secret: String,
        qr: Markup,
    },
    On {
        since: DateTime<Utc>,
        codes_left: u64,
    },
}

/// `GET /account/second-factor/removal/new`; posts `password` and `code`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/second_factor_off.html")]
pub struct FactorOffPage {
    pub chrome: AccountChrome,
    pub form: FormState,
}

/// The recovery codes, shown this once.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/recovery_codes.html")]
pub struct RecoveryCodesPage {
    pub chrome: AccountChrome,
    pub codes: Vec<String>,
    /// Whether the second factor was turned on just now.
    pub is_first: bool,
}
