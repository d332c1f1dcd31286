//! Signing in: password, then the second step where there is one.
//!
//! A wrong password and an unknown address take as long and sound alike.

use std::net::IpAddr;

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::SESSION;
use crate::app::{App, AppError};
use crate::crypto::password;
use crate::crypto::token::{self, NewToken, TokenDigest};
use crate::domain::actor::Actor;
use crate::domain::agent;
use crate::domain::ids::UserId;
use crate::store::{NewSession, Purpose, User, UserToken};

/// How long somebody may look for their code.
pub const SECOND_STEP: TimeDelta = TimeDelta::minutes(5);
/// How many codes may be tried before the password is asked again.
const SECOND_STEP_TRIES: i64 = 5;

/// The browser at the door.
#[derive(Debug, Clone)]
pub struct Visit {
    pub address: IpAddr,
    /// What it says it is.
    pub agent: String,
    /// The session that it has; it ends with the next sign-in.
    pub session: Option<SecretString>,
}

/// How a sign-in went.
#[derive(Debug)]
pub enum Entry {
    /// E-mail and password do not fit together.
    Refused,
    /// The password is right; a code is needed too. The step cookie's text.
    SecondStep(SecretString),
    /// The session cookie's text.
    In(SecretString),
}

/// How a second step went.
#[derive(Debug)]
pub enum Step {
    /// Too late, or too many tries: begin with the password again.
    Over,
    /// Not the code; another try is left.
    Wrong,
    /// The session cookie's text.
    In(SecretString),
}

impl App {
    /// Signs somebody in, as far as a password does.
    pub async fn sign_in(
        &self,
        email: &str,
        password: SecretString,
        visit: Visit,
    ) -> Result<Entry, AppError> {
        let platform = self.store().platform();
        let user = platform.user_by_email(&email.trim().to_lowercase()).await?;
        let hash = user.as_ref().map(|u| u.password_hash.clone());
        let is_right = self.parts.passwords.verify(password.clone(), hash).await?;
        let Some(user) = user.filter(|_| is_right) else {
            return Ok(Entry::Refused);
        };
        if password::needs_rehash(&user.password_hash) {
            let today = self.parts.passwords.rehash(password).await?;
            let old = user.password_hash.clone();
            platform.rehash(user.id, old, today).await?;
        }
        let factor = platform.second_factor(user.id).await?;
        if factor.is_some_and(|f| f.confirmed_at.is_some()) {
            return Ok(Entry::SecondStep(self.begin_step(user.id).await?));
        }
        let (cookie, session) = self.new_session(&user, visit);
        platform.create_session(session).await?;
        Ok(Entry::In(cookie))
    }

    /// Whether a second step is under way.
    pub async fn step_is_open(&self, step: &SecretString) -> Result<bool, AppError> {
        Ok(self.step(step).await?.is_some())
    }

    /// Whose second step it is, as the limits on tries name them.
    pub async fn step_account(&self, step: &SecretString) -> Result<Option<UserId>, AppError> {
        Ok(self.step(step).await?.map(|step| step.user))
    }

    /// The second step: a code of the app, or a recovery code.
    pub async fn second_step(
        &self,
        step: &SecretString,
        code: &str,
        visit: Visit,
    ) -> Result<Step, AppError> {
        let platform = self.store().platform();
        let Some(open) = self.step(step).await? else {
            return Ok(Step::Over);
        };
        let counted = platform
            .try_user_token(open.token_hash, SECOND_STEP_TRIES, self.now())
            .await?;
        if !counted {
            platform.end_user_token(open.token_hash).await?;
            return Ok(Step::Over);
        }
        let Some(user) = platform.user(open.user).await? else {
            return Ok(Step::Over);
        };
        let (cookie, session) = self.new_session(&user, visit);
        let (actor, agent) = (session.actor.clone(), session.agent.clone());
        if let Some(proof) = self.proof(user.id, code).await?
            && platform
                .create_session_by_step(session, open.token_hash, proof)
                .await?
        {
            return Ok(Step::In(cookie));
        }
        let detail = json!({ "browser": agent::words(&agent) });
        let failed = "account.second_step_failed";
        platform
            .audit_in_companies(user.id, failed, detail, actor, self.now())
            .await?;
        Ok(Step::Wrong)
    }

    /// A session that is not kept yet, and its cookie's text.
    pub(super) fn new_session(&self, user: &User, visit: Visit) -> (SecretString, NewSession) {
        let NewToken { text, digest } = token::random();
        let now = self.now();
        let session = NewSession {
            user: user.id,
            token_hash: *digest.as_bytes(),
            csrf: token::csrf(&text),
            actor: Actor::named(&user.email).at(visit.address),
            agent: visit.agent,
            ends: visit.session.map(|s| hash(&s)),
            at: now,
            expires_at: now + SESSION,
        };
        (text, session)
    }

    async fn begin_step(&self, user: UserId) -> Result<SecretString, AppError> {
        let NewToken { text, digest } = token::random();
        let now = self.now();
        let step = UserToken {
            token_hash: *digest.as_bytes(),
            user,
            purpose: Purpose::SecondStep,
            detail: "{}".to_owned(),
            expires_at: now + SECOND_STEP,
        };
        self.store().platform().keep_user_token(step, now).await?;
        Ok(text)
    }

    async fn step(&self, step: &SecretString) -> Result<Option<UserToken>, AppError> {
        let platform = self.store().platform();
        let purpose = Purpose::SecondStep;
        Ok(platform.user_token(hash(step), purpose, self.now()).await?)
    }
}

/// What is stored of a token.
pub(super) fn hash(token: &SecretString) -> [u8; 32] {
    *TokenDigest::of(token.expose_secret()).as_bytes()
}
