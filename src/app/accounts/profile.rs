//! What somebody changes about themselves: name, address, password.

use chrono::TimeDelta;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::sign_in::hash;
use super::{mails, parse_email};
use crate::app::mail::{Mail, MailContent};
use crate::app::{App, AppError};
use crate::crypto::token::{self, NewToken};
use crate::domain::actor::Actor;
use crate::domain::name;
use crate::store::{NewHash, Purpose, StoreError, User, UserToken};

/// How long the link to a new address is good.
const LINK: TimeDelta = TimeDelta::hours(24);
const WRONG_PASSWORD: &str = "this is not your password";

/// A new address that waits for its link to be followed.
#[derive(Serialize, Deserialize)]
struct PendingEmail {
    email: String,
}

/// How following the link to a new address went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailChange {
    /// The link was used before, or its time is over.
    Over,
    /// Somebody has this address meanwhile.
    Known,
    Done,
}

impl App {
    /// Changes somebody's name.
    pub async fn rename(&self, user: &User, name: &str, actor: Actor) -> Result<(), AppError> {
        let name = name::parse(name)
            .map_err(|problem| AppError::field("name", format!("type your name, {problem}")))?;
        let platform = self.store().platform();
        Ok(platform
            .rename_user(user.id, name.to_owned(), actor, self.now())
            .await?)
    }

    /// Begins a change of address: a link goes to the new one, a note to the old one. It answers
    /// alike when the new one is somebody's, who is then told so.
    pub async fn ask_email_change(
        &self,
        user: &User,
        password: SecretString,
        email: &str,
    ) -> Result<(), AppError> {
        let email = parse_email(email).map_err(|p| AppError::Invalid(vec![p]))?;
        if email == user.email {
            let why = "this is your address already";
            return Err(AppError::field("email", why));
        }
        self.check_password(user, password).await?;
        let platform = self.store().platform();
        let NewToken { text, digest } = token::random();
        let now = self.now();
        let mail = if platform.user_by_email(&email).await?.is_some() {
            mails::email_known(self.public_url())
        } else {
            let pending = PendingEmail {
                email: email.clone(),
            };
            let token = UserToken {
                token_hash: *digest.as_bytes(),
                user: user.id,
                purpose: Purpose::Email,
                detail: serde_json::to_string(&pending).unwrap_or_default(),
                expires_at: now + LINK,
            };
            platform.keep_user_token(token, now).await?;
            mails::email_change(self.public_url(), &text)
        };
        let once = format!("email/{}", digest.to_hex());
        self.mail_person(email.clone(), "email", once, mail).await?;
        let note = mails::email_change_asked(self.public_url(), &email);
        self.note(user.email.clone(), "email_asked", note).await
    }

    /// The address that a link confirms; `None` when it is over.
    pub async fn pending_email(&self, link: &SecretString) -> Result<Option<String>, AppError> {
        Ok(self.email_link(link).await?.map(|(_, email)| email))
    }

    /// Lets somebody sign in with their new address from now on.
    pub async fn confirm_email(
        &self,
        link: &SecretString,
        address: std::net::IpAddr,
    ) -> Result<EmailChange, AppError> {
        let Some((token, email)) = self.email_link(link).await? else {
            return Ok(EmailChange::Over);
        };
        let platform = self.store().platform();
        let Some(user) = platform.user(token.user).await? else {
            return Ok(EmailChange::Over);
        };
        let actor = Actor::named(&user.email).at(address);
        let changed =
            platform.change_email(user.id, email.clone(), token.token_hash, actor, self.now());
        match changed.await {
            Ok(true) => {
                let note = mails::email_changed(self.public_url(), &email);
                self.note(user.email, "email_changed", note).await?;
                Ok(EmailChange::Done)
            }
            Ok(false) => Ok(EmailChange::Over),
            Err(StoreError::Taken(_)) => {
                platform.end_user_token(token.token_hash).await?;
                Ok(EmailChange::Known)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Changes somebody's password; their other sessions end.
    pub async fn change_password(
        &self,
        user: &User,
        old: SecretString,
        new: SecretString,
        cookie: &SecretString,
        actor: Actor,
    ) -> Result<(), AppError> {
        self.check_password(user, old).await?;
        let hashed = self.hash_new(new, &user.email, &[&user.name]).await;
        let password_hash = hashed.map_err(|error| match error {
            AppError::Invalid(problems) => {
                let at_new = problems.into_iter().map(|mut p| {
                    "new_password".clone_into(&mut p.field);
                    p
                });
                AppError::Invalid(at_new.collect())
            }
            error => error,
        })?;
        let new = NewHash {
            user: user.id,
            password_hash,
            keep: Some(hash(cookie)),
            spends: None,
            without_second_factor: false,
            action: "account.password_changed",
        };
        let platform = self.store().platform();
        platform.change_password(new, actor, self.now()).await?;
        self.forget_second_steps(user.id).await?;
        self.tell_of_password(user.email.clone()).await
    }

    /// Asks for the password once more, of somebody who is signed in.
    pub(super) async fn check_password(
        &self,
        user: &User,
        password: SecretString,
    ) -> Result<(), AppError> {
        let hash = Some(user.password_hash.clone());
        if self.parts.passwords.verify(password, hash).await? {
            Ok(())
        } else {
            Err(AppError::field("password", WRONG_PASSWORD))
        }
    }

    /// An e-mail about somebody's own account.
    pub(super) async fn mail_person(
        &self,
        to: String,
        kind: &'static str,
        once: String,
        mail: MailContent,
    ) -> Result<(), AppError> {
        self.mail(Mail {
            tenant: None,
            to,
            kind,
            once,
            content: mail,
        })
        .await
    }

    /// An e-mail that only tells of something.
    pub(super) async fn note(
        &self,
        to: String,
        kind: &'static str,
        mail: MailContent,
    ) -> Result<(), AppError> {
        let once = format!("{kind}/{}", token::random().digest.to_hex());
        self.mail_person(to, kind, once, mail).await
    }

    async fn email_link(
        &self,
        link: &SecretString,
    ) -> Result<Option<(UserToken, String)>, AppError> {
        let platform = self.store().platform();
        let token = platform.user_token(hash(link), Purpose::Email, self.now());
        Ok(token.await?.and_then(|token| {
            let pending: PendingEmail = serde_json::from_str(&token.detail).ok()?;
            Some((token, pending.email))
        }))
    }
}
