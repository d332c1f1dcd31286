//! Strangers open an account. Their address is confirmed by a link before anything is made.
//!
//! Whoever asks learns nothing about who exists: both cases answer alike, hash a password, keep one
//! token and one letter. What differs is the letter.

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::sign_in::{Visit, hash};
use super::tenants::read_settings;
use super::{Beginning, SettingsInput, mails, parse_email, user_of};
use crate::app::{App, AppError};
use crate::crypto::token::{self, NewToken};
use crate::domain::ids::UserId;
use crate::store::{Purpose, StoreError, UserToken};

/// How long the link is good.
const LINK: TimeDelta = TimeDelta::hours(24);

/// What is typed to open an account.
#[derive(Debug, Clone)]
pub struct SignUpInput {
    pub email: String,
    pub password: SecretString,
    pub company: SettingsInput,
}

/// A sign-up that waits for its link to be followed.
#[derive(Serialize, Deserialize)]
struct Pending {
    email: String,
    password_hash: String,
    company: String,
    country: String,
    zone: String,
    currency: String,
}

/// What the page behind the link shows.
#[derive(Debug, Clone)]
pub struct PendingSignUp {
    pub email: String,
    pub company: String,
}

/// How following the link went.
#[derive(Debug)]
pub enum SignedUp {
    /// The link was used before, or its time is over.
    Over,
    /// Somebody has this address meanwhile.
    Known,
    /// Not the password that was chosen with the address.
    Refused,
    /// The session cookie's text, and the name of the tenant in addresses.
    In { cookie: SecretString, slug: String },
}

impl App {
    /// Begins a sign-up: an e-mail goes to the address, whoever it belongs to, if it `may_send` one.
    pub async fn sign_up(&self, input: SignUpInput, may_send: bool) -> Result<(), AppError> {
        let typed = read_settings(&input.company);
        let email = parse_email(&input.email);
        let (typed, email) = match (typed, email) {
            (Ok(typed), Ok(email)) => (typed, email),
            (typed, email) => {
                let mut problems = typed.err().unwrap_or_default();
                problems.extend(email.err());
                return Err(AppError::Invalid(problems));
            }
        };
        let password_hash = self
            .hash_new(input.password, &email, &[&typed.name])
            .await?;
        if !may_send {
            return Ok(());
        }
        let platform = self.store().platform();
        let is_known = platform.user_by_email(&email).await?.is_some();
        let NewToken { text, digest } = token::random();
        let now = self.now();
        let pending = Pending {
            email: email.clone(),
            password_hash,
            company: typed.name.clone(),
            country: typed.country,
            zone: typed.zone.name().to_owned(),
            currency: typed.currency,
        };
        let detail = serde_json::to_string(&pending).unwrap_or_default();
        let token = UserToken {
            token_hash: *digest.as_bytes(),
            user: UserId::new(now),
            purpose: Purpose::SignUp,
            // Nobody is sent the token of an address that is somebody's already; its row keeps step.
            detail: if is_known { "{}".to_owned() } else { detail },
            expires_at: now + LINK,
        };
        platform.keep_user_token(token, now).await?;
        let once = format!("sign-up/{}", digest.to_hex());
        let mail = if is_known {
            mails::sign_up_known(self.public_url())
        } else {
            mails::sign_up(self.public_url(), &typed.name, &text)
        };
        self.mail_person(email, "sign_up", once, mail).await
    }

    /// What the link of a sign-up leads to; `None` when it is over.
    pub async fn pending_sign_up(
        &self,
        link: &SecretString,
    ) -> Result<Option<PendingSignUp>, AppError> {
        let pending = self.pending(link).await?;
        Ok(pending.map(|p| PendingSignUp {
            email: p.email,
            company: p.company,
        }))
    }

    /// Makes the account and its company, in rehearsal, and signs in. The password shows that whoever
    /// follows the link is who signed up: somebody else may have typed this address, and would know the
    /// password of what is made.
    pub async fn complete_sign_up(
        &self,
        link: &SecretString,
        password: SecretString,
        visit: Visit,
    ) -> Result<SignedUp, AppError> {
        // It may have been closed since the link was sent.
        let pending = self.pending(link).await?;
        let Some(pending) = pending.filter(|_| self.takes_sign_ups()) else {
            return Ok(SignedUp::Over);
        };
        let chosen = Some(pending.password_hash.clone());
        if !self.parts.passwords.verify(password, chosen).await? {
            return Ok(SignedUp::Refused);
        }
        let typed = read_settings(&SettingsInput {
            name: pending.company,
            country: pending.country,
            zone: pending.zone,
            currency: pending.currency,
        });
        let typed = typed.map_err(AppError::Invalid)?;
        let owner = user_of(pending.email, pending.password_hash, false, self);
        let (cookie, session) = self.new_session(&owner, visit);
        let beginning = Beginning::Rehearsal;
        let new = self.new_tenant(typed, owner, beginning, session.actor.clone())?;
        let (platform, spends) = (self.store().platform(), hash(link));
        let made = self.named(new.row, |row| {
            platform.complete_sign_up(spends, row, session.clone())
        });
        match made.await {
            Ok((slug, true)) => Ok(SignedUp::In { cookie, slug }),
            Ok((_, false)) => Ok(SignedUp::Over),
            Err(AppError::Store(StoreError::Taken("the e-mail address"))) => {
                platform.end_user_token(spends).await?;
                Ok(SignedUp::Known)
            }
            Err(error) => Err(error),
        }
    }

    async fn pending(&self, link: &SecretString) -> Result<Option<Pending>, AppError> {
        if link.expose_secret().len() > 128 {
            return Ok(None);
        }
        let platform = self.store().platform();
        let token = platform.user_token(hash(link), Purpose::SignUp, self.now());
        Ok(token
            .await?
            .and_then(|t| serde_json::from_str(&t.detail).ok()))
    }
}
