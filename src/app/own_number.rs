//! A person's own number: shown to be theirs by a code that the tenant's account sends there. In
//! rehearsal, messages go to the first owner's.

mod sandbox;

use std::time::Duration;

use chrono::TimeDelta;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::sending::Verdict;
use super::{App, AppError};
use crate::brakes::Admission;
use crate::crypto::token::{self, TokenDigest};
use crate::domain::actor::Actor;
use crate::domain::connection::ConnectionState;
use crate::domain::content::Content;
use crate::domain::delivery::{Channel, Hold};
use crate::domain::ids::{TenantId, UserId};
use crate::domain::phone::{CountryCode, Phone, to_e164};
use crate::store::{PhoneCode, TenantStore, User};
use crate::transport::{CallTime, FailureKind, Outgoing};

/// How long a code is valid.
const VALID: TimeDelta = TimeDelta::minutes(10);

/// How many codes a person may have in an hour.
const CODES_AN_HOUR: i64 = 5;

/// What the key of the codes' hashes is derived for.
const CODES: &str = "codes of own numbers";

/// How long the call may take; somebody waits for the page.
const CALL: Duration = Duration::from_secs(10);

/// What the page about one's own number shows.
#[derive(Debug, Clone)]
pub struct OwnNumber {
    pub confirmed: Option<Phone>,
    /// Where a code was sent that is still to be typed.
    pub pending: Option<Phone>,
    /// That code, where a sandbox stands for the provider and no phone has it.
    pub sandbox_code: Option<String>,
    /// Why no code can be sent, in words.
    pub obstacle: Option<String>,
    /// Where rehearsals of this tenant go.
    pub rehearsals_to: Option<Phone>,
}

/// What belongs to a code that was sent.
#[derive(Serialize, Deserialize)]
struct Detail {
    phone: String,
    salt: String,
}

impl App {
    /// A person's own number, as seen from a tenant.
    pub async fn own_number(&self, tenant: TenantId, user: &User) -> Result<OwnNumber, AppError> {
        let store = self.tenant(tenant);
        let code = self
            .store()
            .platform()
            .phone_code(user.id, self.now())
            .await?;
        let sandbox_code = match &code {
            Some(code) => self.sandbox_code(&store, user.id, code).await?,
            None => None,
        };
        Ok(OwnNumber {
            confirmed: user.phone.as_deref().and_then(Phone::from_stored),
            pending: code.as_ref().and_then(number_of),
            sandbox_code,
            obstacle: self.code_obstacle(&store).await?,
            rehearsals_to: store.rehearsal_number().await?,
        })
    }

    /// Sends a code to a number, through the tenant's own account.
    pub async fn send_number_code(
        &self,
        tenant: TenantId,
        user: &User,
        typed: &str,
    ) -> Result<Phone, AppError> {
        let store = self.tenant(tenant);
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let country = CountryCode::parse(&row.country).ok();
        let number = to_e164(typed, country)
            .map_err(|e| AppError::field("phone", format!("This number {e}")))?;
        if let Some(why) = self.code_obstacle(&store).await? {
            return Err(AppError::Conflict(why));
        }
        if let Some(why) = store.suppression(Channel::Sms, number.as_str()).await? {
            let message = format!("This number must not be written to: {}", why.reason);
            return Err(AppError::field("phone", message));
        }
        let (platform, now) = (self.store().platform(), self.now());
        let name = format!("phone:{}", user.id);
        let hour_ago = now - TimeDelta::hours(1);
        if !platform
            .count_try(name, CODES_AN_HOUR, hour_ago, now)
            .await?
        {
            let message = "You had five codes within an hour; ask for the next one later";
            return Err(AppError::field("phone", message));
        }
        let code = format!("{:06}", rand::rng().random_range(0..1_000_000));
        let salt = token::hook();
        let detail = Detail {
            phone: number.to_string(),
            salt,
        };
        let key = self.parts.vault.derive(CODES)?;
        let kept = PhoneCode {
            hash: hash(&key, user.id, &detail, &code).as_bytes().to_vec(),
            detail: serde_json::to_string(&detail).unwrap_or_default(),
            expires_at: now + VALID,
        };
        platform.keep_phone_code(user.id, kept, now).await?;
        let text = format!(
            "{code} is your code for {}. It is valid for 10 minutes. If you did not ask for it, do \
             nothing.",
            row.name
        );
        self.send_apart(&store, &number, &text).await?;
        Ok(number)
    }

    /// Takes the code that somebody typed; what waited for the number goes on.
    pub async fn confirm_number(
        &self,
        tenant: TenantId,
        user: &User,
        typed: &str,
        actor: &Actor,
    ) -> Result<Phone, AppError> {
        let (platform, now) = (self.store().platform(), self.now());
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        let Some(kept) = platform.try_phone_code(user.id, now).await? else {
            let message = "No code is valid any more; have a new one sent";
            return Err(AppError::field("code", message));
        };
        let (Ok(detail), Some(number)) = (
            serde_json::from_str::<Detail>(&kept.detail),
            number_of(&kept),
        ) else {
            return Err(AppError::field("code", "Have a new code sent"));
        };
        let key = self.parts.vault.derive(CODES)?;
        let shown = hash(&key, user.id, &detail, &digits);
        let stored = <[u8; 32]>::try_from(kept.hash.as_slice()).map(TokenDigest::from_stored);
        if stored.ok() != Some(shown) {
            let message = "This is not the code that was sent; look again";
            return Err(AppError::field("code", message));
        }
        let store = self.tenant(tenant);
        let confirmed = store.confirm_phone(user.id, kept.hash, number.clone(), actor.clone(), now);
        if !confirmed.await? {
            return Err(AppError::field("code", "This code was used already"));
        }
        let sentence = "Released: an owner has confirmed their own number";
        for member in platform.memberships(user.id).await? {
            self.release(member.tenant.id, vec![Hold::OwnNumber], sentence)
                .await?;
        }
        Ok(number)
    }

    /// Why no code can be sent through this tenant's account, in words.
    async fn code_obstacle(&self, store: &TenantStore) -> Result<Option<String>, AppError> {
        let name = self.provider_words(Channel::Sms).name;
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let why = if row.is_suspended {
            "This account is suspended, so nothing is sent"
        } else if row.stopped.is_some() {
            "All sending is stopped. Resume it on the Overview first"
        } else {
            match self.link_for(store, Channel::Sms).await? {
                None => {
                    let why = format!("Connect {name} first: the code is sent with your account");
                    return Ok(Some(why));
                }
                Some(link) if link.connection.state == ConnectionState::Broken => {
                    let why = format!(
                        "{name} refused the credentials. Enter them again under Connections first"
                    );
                    return Ok(Some(why));
                }
                Some(link) if !link.transport.has_sender("") => {
                    "Choose a number or a Messaging Service to send from, under Connections"
                }
                Some(_) => return Ok(None),
            }
        };
        Ok(Some(why.to_owned()))
    }

    /// Sends a text that is no delivery: it is about nothing in the books.
    async fn send_apart(
        &self,
        store: &TenantStore,
        number: &Phone,
        text: &str,
    ) -> Result<(), AppError> {
        let name = self.provider_words(Channel::Sms).name;
        let busy = || AppError::Conflict(format!("{name} is busy just now; try again in a minute"));
        let link = self.link_for(store, Channel::Sms).await?.ok_or_else(busy)?;
        let Admission::Go(permit) = link.admit().await else {
            return Err(busy());
        };
        let shown = number.masked();
        let content = Content::Text(text.to_owned());
        let message = Outgoing {
            mark: None,
            to: number.as_str(),
            reader: "the recipient",
            sender: "",
            content: &content,
            hooks: None,
            within: VALID.to_std().unwrap_or_default(),
        };
        let sent = link.transport.send(&message, CallTime::of(CALL)).await;
        Verdict::of(&sent).tell(permit).await;
        let Err(failure) = sent else { return Ok(()) };
        match failure.kind {
            // It may be on its way; whoever gets none asks again.
            FailureKind::Ambiguous => Ok(()),
            FailureKind::Refused { .. } => {
                let why = failure.sentence.replace(number.as_str(), &shown);
                Err(AppError::field("phone", why))
            }
            FailureKind::Credentials { .. } => {
                let why = format!("{name} refused the credentials. Check them under Connections");
                Err(AppError::Conflict(why))
            }
            _ => Err(busy()),
        }
    }
}

fn number_of(code: &PhoneCode) -> Option<Phone> {
    let detail: Detail = serde_json::from_str(&code.detail).ok()?;
    Phone::from_stored(&detail.phone)
}

/// The code is short: without the key, all of them are soon tried.
fn hash(key: &[u8; 32], user: UserId, detail: &Detail, code: &str) -> TokenDigest {
    let user = user.to_string();
    let parts = [user.as_str(), &detail.phone, &detail.salt, code];
    TokenDigest::of(&token::keyed_digest(key, &parts))
}
