//! A forgotten password: by an e-mail, or by the operator's hand.
//!
//! Whoever asks learns nothing about who exists; the second factor stays on.

use chrono::TimeDelta;
use secrecy::SecretString;

use super::sign_in::hash;
use super::{mails, parse_email};
use crate::app::{App, AppError};
use crate::crypto::token::{self, NewToken};
use crate::domain::actor::Actor;
use crate::domain::ids::UserId;
use crate::store::{NewHash, Purpose, User, UserToken};

/// How long the link is good.
const LINK: TimeDelta = TimeDelta::hours(1);

impl App {
    /// Sends a link to an address, if it is somebody's and `may_send`: the links that it was sent before
    /// are good until one is used.
    pub async fn ask_reset(&self, email: &str, may_send: bool) -> Result<(), AppError> {
        let email = parse_email(email).map_err(|p| AppError::Invalid(vec![p]))?;
        if !may_send {
            return Ok(());
        }
        let platform = self.store().platform();
        let user = platform.user_by_email(&email).await?;
        let NewToken { text, digest } = token::random();
        let now = self.now();
        let token = UserToken {
            token_hash: *digest.as_bytes(),
            user: user.as_ref().map_or_else(|| UserId::new(now), |u| u.id),
            purpose: Purpose::Reset,
            detail: "{}".to_owned(),
            expires_at: now + LINK,
        };
        platform.keep_user_token(token, now).await?;
        if user.is_none() {
            // As many writes as an e-mail takes, so that time does not tell.
            return Ok(platform.end_user_token(*digest.as_bytes()).await?);
        }
        let mail = mails::reset(self.public_url(), &text);
        let once = format!("reset/{}", digest.to_hex());
        self.mail_person(email, "reset", once, mail).await
    }

    /// Whose password a link changes; `None` when it is over.
    pub async fn reset_of(&self, link: &SecretString) -> Result<Option<User>, AppError> {
        let platform = self.store().platform();
        let token = platform.user_token(hash(link), Purpose::Reset, self.now());
        match token.await? {
            Some(token) => Ok(platform.user(token.user).await?),
            None => Ok(None),
        }
    }

    /// Changes the password; every session ends. Whose it is; `None` when the link is over.
    pub async fn reset(
        &self,
        link: &SecretString,
        password: SecretString,
        address: std::net::IpAddr,
    ) -> Result<Option<String>, AppError> {
        let Some(user) = self.reset_of(link).await? else {
            return Ok(None);
        };
        let new = NewHash {
            user: user.id,
            password_hash: self.hash_new(password, &user.email, &[&user.name]).await?,
            keep: None,
            spends: Some(hash(link)),
            without_second_factor: false,
            action: "account.password_reset",
        };
        let actor = Actor::named(&user.email).at(address);
        let platform = self.store().platform();
        let done = platform.change_password(new, actor, self.now()).await?;
        if done {
            self.forget_second_steps(user.id).await?;
            self.tell_of_password(user.email.clone()).await?;
        }
        Ok(done.then_some(user.email))
    }

    /// Gives somebody a password from a shell, for whom no e-mail reaches.
    pub async fn reset_by_operator(
        &self,
        email: &str,
        password: SecretString,
        without_second_factor: bool,
    ) -> Result<(), AppError> {
        let platform = self.store().platform();
        let email = email.trim().to_lowercase();
        let Some(user) = platform.user_by_email(&email).await? else {
            return Err(AppError::field("email", "nobody has this e-mail address"));
        };
        let new = NewHash {
            user: user.id,
            password_hash: self.hash_new(password, &user.email, &[&user.name]).await?,
            keep: None,
            spends: None,
            without_second_factor,
            action: "account.password_reset",
        };
        platform
            .change_password(new, Actor::operator(), self.now())
            .await?;
        self.forget_second_steps(user.id).await?;
        self.tell_of_password(user.email).await
    }

    /// Tells somebody that their password is another one now.
    pub(super) async fn tell_of_password(&self, email: String) -> Result<(), AppError> {
        let mail = mails::password_changed(self.public_url(), self.now());
        self.note(email, "password_changed", mail).await
    }
}
