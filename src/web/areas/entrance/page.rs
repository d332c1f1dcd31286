//! Pages of the door: signing up, forgotten passwords, the second step, links of letters.

use std::borrow::Cow;

use askama::Template;

use crate::web::form::FormState;
use crate::web::ui::field::field;
use crate::web::ui::{filters, icon, notice};

/// What is said under a field for a new password.
pub const PASSWORD_HELP: &str =
    "At least 10 characters, and hard to guess. A few words that do not belong together are good.";

/// `GET /sign-up`; posts `company`, `country`, `zone`, `currency`, `email` and `password`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/sign_up.html")]
pub struct SignUpPage {
    pub csrf: String,
    pub form: FormState,
}

/// The page behind a link of a letter: one button, so that following the link alone does nothing.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/confirm.html")]
pub struct ConfirmPage {
    pub csrf: String,
    pub title: &'static str,
    pub sentence: &'static str,
    /// An address or a name that somebody typed.
    pub what: String,
    pub warning: &'static str,
    /// Where the button posts to: the link itself.
    pub action: String,
    pub button: &'static str,
    /// Asks for a password first, and says when it was wrong.
    pub password: Option<FormState>,
}

/// `GET /reset`; posts `email`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/reset.html")]
pub struct ResetPage {
    pub csrf: String,
    pub form: FormState,
}

/// `GET /reset/{token}`; posts `password`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/new_password.html")]
pub struct NewPasswordPage {
    pub csrf: String,
    pub form: FormState,
    /// The link itself.
    pub action: String,
    /// Whose password it is; for password managers, and for people with several accounts.
    pub email: String,
}

/// `GET /sign-in/second-step`; posts `code`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/second_step.html")]
pub struct SecondStepPage {
    pub csrf: String,
    pub form: FormState,
    /// Where the visitor wanted to go; a path of ours, already checked. May be empty.
    pub next: String,
}

/// A page with a few sentences and at most one way on.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/note.html")]
pub struct NotePage {
    pub title: &'static str,
    pub sentences: Vec<Cow<'static, str>>,
    /// Words and path.
    pub button: Option<(&'static str, &'static str)>,
}
