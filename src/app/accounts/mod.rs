//! People, and what they may enter: tenants, and their own accounts.

mod beginning;
pub(super) mod mails;
mod operators;
pub mod profile;
pub mod reset;
pub mod second_factor;
pub mod sessions;
pub mod sign_in;
pub mod sign_up;
mod tenants;
pub mod throttle;

pub use beginning::Beginning;
pub use tenants::{CreatedTenant, SettingsInput, TenantInput};

pub use crate::store::{Member, Session};

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};

use super::{App, AppError, FieldProblem};
use crate::config::web::Signup;
use crate::crypto::password::PasswordError;
use crate::domain::ids::UserId;
use crate::store::User;

/// How long a sign-in lasts.
pub const SESSION: TimeDelta = TimeDelta::days(14);

impl App {
    /// Whether strangers may open an account.
    pub fn takes_sign_ups(&self) -> bool {
        self.parts.signup == Signup::Open
    }

    /// A user with a password that is hard to guess, `known` being what others know of them.
    async fn new_user(
        &self,
        email: String,
        password: SecretString,
        known: &[&str],
        is_operator: bool,
    ) -> Result<User, AppError> {
        let password_hash = self.hash_new(password, &email, known).await?;
        Ok(user_of(email, password_hash, is_operator, self))
    }

    /// The hash of a new password; one that is too short or easy to guess is refused at its field.
    pub(super) async fn hash_new(
        &self,
        password: SecretString,
        email: &str,
        known: &[&str],
    ) -> Result<String, AppError> {
        let password = password.expose_secret().trim_end_matches(['\r', '\n']);
        let known = std::iter::once(email).chain(known.iter().copied());
        let known = known.map(str::to_owned).collect();
        let hash = self
            .parts
            .passwords
            .hash(SecretString::from(password.to_owned()), known);
        hash.await.map_err(|error| match error {
            PasswordError::TooShort | PasswordError::TooLong | PasswordError::Weak(_) => {
                AppError::field("password", error.to_string())
            }
            error => error.into(),
        })
    }
}

fn user_of(email: String, password_hash: String, is_operator: bool, app: &App) -> User {
    let name = email.split('@').next().unwrap_or_default().to_owned();
    User {
        id: UserId::new(app.now()),
        email,
        name,
        password_hash,
        is_operator,
        phone: None,
    }
}

/// An address that could be one: the mail server has the last word.
pub(super) fn parse_email(text: &str) -> Result<String, FieldProblem> {
    let email = text.trim().to_lowercase();
    let shape = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    });
    let plain = email.len() <= 254 && email.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if shape && plain && email.matches('@').count() == 1 {
        Ok(email)
    } else {
        Err(FieldProblem::new(
            "email",
            "type an e-mail address such as ann@example.com",
        ))
    }
}
