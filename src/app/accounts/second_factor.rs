//! The second factor: one-time codes of an app, and recovery codes for the day it is lost.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use super::mails;
use crate::app::{App, AppError};
use crate::crypto::token;
use crate::crypto::totp;
use crate::crypto::vault::Place;
use crate::domain::actor::Actor;
use crate::domain::ids::UserId;
use crate::store::{Proof, SecondFactor, User};

/// How many recovery codes there are.
const CODES: usize = 10;
/// How long a secret may wait for its first code.
const PENDING: TimeDelta = TimeDelta::hours(1);
const WRONG_CODE: &str = "this is not the code that the app shows now; wait for the next one";
const USED_CODE: &str = "this code was used before; wait for the next one";

/// How far somebody's second factor is.
#[derive(Debug, Clone)]
pub enum Standing {
    Off,
    /// The secret waits for its first code.
    Pending {
        /// In base 32, to be typed into an app.
        secret: SecretString,
        /// What the QR code says.
        address: SecretString,
    },
    On {
        since: DateTime<Utc>,
        /// How many recovery codes are left.
        codes_left: u64,
    },
}

impl App {
    /// How far somebody's second factor is.
    pub async fn second_factor(&self, user: &User) -> Result<Standing, AppError> {
        let Some(factor) = self.store().platform().second_factor(user.id).await? else {
            return Ok(Standing::Off);
        };
        if let Some(since) = factor.confirmed_at {
            return Ok(Standing::On {
                since,
                codes_left: factor.codes_left,
            });
        }
        if self.now() - factor.created_at > PENDING {
            return Ok(Standing::Off);
        }
        let secret = self.open_factor(user.id, &factor).await?;
        let address = totp::address(&secret, &user.email);
        Ok(address.map_or(Standing::Off, |address| Standing::Pending {
            secret,
            address,
        }))
    }

    /// Makes a secret that waits for its first code. One that waited before is forgotten.
    pub async fn begin_second_factor(&self, user: &User) -> Result<(), AppError> {
        let sealed = self.parts.vault.seal(&place(user.id), &totp::secret())?;
        let platform = self.store().platform();
        if platform
            .begin_second_factor(user.id, sealed, self.now())
            .await?
        {
            Ok(())
        } else {
            Err(AppError::Conflict(
                "The second factor is on already".to_owned(),
            ))
        }
    }

    /// Turns it on with the app's first code; the recovery codes, shown this once. The password is asked
    /// for, so that whoever finds an open browser cannot lock its owner out.
    pub async fn confirm_second_factor(
        &self,
        user: &User,
        password: SecretString,
        code: &str,
        actor: Actor,
    ) -> Result<Vec<SecretString>, AppError> {
        let platform = self.store().platform();
        let gone = || AppError::Conflict("This QR code is no longer valid. Begin again".to_owned());
        let factor = platform.second_factor(user.id).await?;
        let now = self.now();
        let factor = factor
            .filter(|f| f.confirmed_at.is_none() && now - f.created_at <= PENDING)
            .ok_or_else(gone)?;
        self.check_password(user, password).await?;
        let secret = self.open_factor(user.id, &factor).await?;
        let Some(step) = totp::step(&secret, &digits(code), now) else {
            return Err(AppError::field("code", WRONG_CODE));
        };
        let (codes, hashes) = new_codes();
        let confirmed =
            platform.confirm_second_factor(user.id, factor.sealed, step, hashes, (actor, now));
        if !confirmed.await? {
            return Err(gone());
        }
        let mail = mails::second_factor_on(self.public_url(), now);
        self.note(user.email.clone(), "second_factor_on", mail)
            .await?;
        Ok(codes)
    }

    /// Replaces the recovery codes; the new ones, shown this once.
    pub async fn renew_recovery_codes(
        &self,
        user: &User,
        code: &str,
        actor: Actor,
    ) -> Result<Vec<SecretString>, AppError> {
        self.check_code(user.id, code).await?;
        let ((codes, hashes), now) = (new_codes(), self.now());
        let platform = self.store().platform();
        platform
            .renew_recovery_codes(user.id, hashes, actor, now)
            .await?;
        let mail = mails::recovery_codes_renewed(self.public_url(), now);
        self.note(user.email.clone(), "recovery_codes", mail)
            .await?;
        Ok(codes)
    }

    /// Turns it off, with password and code.
    pub async fn remove_second_factor(
        &self,
        user: &User,
        password: SecretString,
        code: &str,
        actor: Actor,
    ) -> Result<(), AppError> {
        self.check_password(user, password).await?;
        self.check_code(user.id, code).await?;
        let (platform, now) = (self.store().platform(), self.now());
        platform.remove_second_factor(user.id, actor, now).await?;
        let mail = mails::second_factor_off(self.public_url(), now);
        self.note(user.email.clone(), "second_factor_off", mail)
            .await
    }

    /// What a code proves, if anything; it is not spent yet.
    pub(super) async fn proof(&self, user: UserId, code: &str) -> Result<Option<Proof>, AppError> {
        let factor = self.store().platform().second_factor(user).await?;
        let Some(factor) = factor.filter(|f| f.confirmed_at.is_some()) else {
            return Ok(None);
        };
        let typed = digits(code);
        if typed.len() == 6 && typed.bytes().all(|b| b.is_ascii_digit()) {
            let secret = self.open_factor(user, &factor).await?;
            let step = totp::step(&secret, &typed, self.now());
            return Ok(step.map(Proof::Step));
        }
        let digest = token::recovery_digest(code);
        Ok(Some(Proof::Recovery(*digest.as_bytes())))
    }

    /// Spends a code of somebody whose second factor is on; whoever has none cannot do what asks for it.
    pub(in crate::app) async fn confirm_code(
        &self,
        user: UserId,
        code: &str,
    ) -> Result<(), AppError> {
        let factor = self.store().platform().second_factor(user).await?;
        if factor.is_none_or(|f| f.confirmed_at.is_none()) {
            let why =
                "This takes a code of your second factor. Turn it on under Your account first";
            return Err(AppError::Conflict(why.to_owned()));
        }
        self.check_code(user, code).await
    }

    async fn check_code(&self, user: UserId, code: &str) -> Result<(), AppError> {
        let Some(proof) = self.proof(user, code).await? else {
            return Err(AppError::field("code", WRONG_CODE));
        };
        let words = match proof {
            Proof::Step(_) => USED_CODE,
            Proof::Recovery(_) => "this is none of your recovery codes, or it was used before",
        };
        let platform = self.store().platform();
        if platform.spend_proof(user, proof, self.now()).await? {
            Ok(())
        } else {
            Err(AppError::field("code", words))
        }
    }

    async fn open_factor(
        &self,
        user: UserId,
        factor: &SecondFactor,
    ) -> Result<SecretString, AppError> {
        self.open(&place(user), &factor.sealed).await
    }
}

/// The secret opens only in the row of its person.
fn place(user: UserId) -> Place<'static> {
    Place::user(user, "second_factors", "sealed", user.uuid())
}

/// Codes to be shown, and what is kept of them.
fn new_codes() -> (Vec<SecretString>, Vec<[u8; 32]>) {
    let pairs = (0..CODES).map(|_| {
        let code = token::recovery_code();
        let digest = token::recovery_digest(code.expose_secret());
        (code, *digest.as_bytes())
    });
    pairs.unzip()
}

/// Apps show "123 456".
fn digits(code: &str) -> String {
    code.chars()
        .filter(|c| !c.is_whitespace())
        .take(20)
        .collect()
}
