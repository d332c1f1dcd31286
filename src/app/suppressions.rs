//! Addresses that must not be written to, as people see and change them.

pub use crate::store::{Added, SuppressionFilter};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{App, AppError, FieldProblem};
use crate::domain::actor::Actor;
use crate::domain::address::{Email, EmailProblem};
use crate::domain::delivery::{Channel, Hold};
use crate::domain::ids::{SuppressionId, TenantId};
use crate::domain::page::{Cursor, Page};
use crate::domain::phone::{CountryCode, to_e164};
use crate::domain::suppression::{Source, Suppression};
use crate::store::MOST_SUPPRESSIONS;

/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

/// What is typed to suppress an address.
#[derive(Debug, Clone, Default)]
pub struct SuppressionInput {
    /// Empty for the one that the address is of.
    pub channel: String,
    pub address: String,
    pub reason: String,
}

impl App {
    /// Suppressions, newest first.
    pub async fn suppressions(
        &self,
        tenant: TenantId,
        filter: &SuppressionFilter,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<Suppression>, AppError> {
        Ok(self
            .tenant(tenant)
            .suppressions(filter, cursor, limit)
            .await?)
    }

    /// One suppression.
    pub async fn suppression(
        &self,
        tenant: TenantId,
        id: SuppressionId,
    ) -> Result<Suppression, AppError> {
        let found = self.tenant(tenant).suppression_by_id(id).await?;
        found.ok_or(AppError::NotFound("suppression"))
    }

    /// Suppresses an address by hand. What waits for it ends as *suppressed* when its turn comes.
    pub async fn suppress(
        &self,
        tenant: TenantId,
        input: &SuppressionInput,
        actor: &Actor,
    ) -> Result<Added, AppError> {
        let store = self.tenant(tenant);
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let country = CountryCode::parse(&row.country).ok();
        let mut problems = Vec::new();
        let channel = input.channel();
        if channel.is_none() {
            problems.push(FieldProblem::new("channel", "choose sms or email"));
        }
        let address = match channel {
            Some(Channel::Email) => email(&input.address),
            _ => number(&input.address, country),
        };
        let address = address.map_err(|why| problems.push(FieldProblem::new("address", why)));
        let reason = reason(&input.reason).map_err(|p| problems.push(p));
        let (Some(channel), Ok(address), Ok(reason)) = (channel, address, reason) else {
            return Err(AppError::Invalid(problems));
        };
        let added = store
            .add_suppression(channel, address, reason, actor.clone(), self.now())
            .await?;
        added.ok_or_else(|| {
            let message = format!(
                "there are {MOST_SUPPRESSIONS} suppressions, as many as a company may have; lift \
                 those that are no longer needed"
            );
            AppError::field("address", message)
        })
    }

    /// Lifts a suppression. What somebody here decided is lifted for a reason. What a person wished
    /// themselves is lifted by their START, or by an owner who records that they have allowed it anew: who,
    /// when and how. At the provider a STOP stays until the person writes START.
    pub async fn lift_suppression(
        &self,
        tenant: TenantId,
        id: SuppressionId,
        lifting: &Lifting,
        (actor, may_lift_wishes): (&Actor, bool),
    ) -> Result<(), AppError> {
        // Another tenant's is not found, whatever else is wrong.
        let found = self.suppression(tenant, id).await?;
        let why = match found.source {
            Source::Hand | Source::Bounce | Source::Asked => {
                reason(&lifting.reason).map_err(|p| AppError::Invalid(vec![p]))?
            }
            Source::Reader if !may_lift_wishes => {
                return Err(AppError::Conflict(ONLY_OWNERS_REMIND.to_owned()));
            }
            Source::Stop | Source::Provider if !may_lift_wishes => {
                return Err(AppError::Conflict(ONLY_OWNERS.to_owned()));
            }
            Source::Stop | Source::Provider | Source::Reader => lifting.permission(self.now())?,
        };
        let (store, now) = (self.tenant(tenant), self.now());
        let lifted = store.lift_suppression(id, why, actor.clone(), now).await?;
        if lifted {
            let sentence = format!("Released: {actor} lifted the suppression");
            self.release(tenant, vec![Hold::OptOut], &sentence).await?;
            Ok(())
        } else {
            Err(AppError::NotFound("suppression"))
        }
    }
}

impl SuppressionInput {
    fn channel(&self) -> Option<Channel> {
        match self.channel.trim() {
            "" if self.address.contains('@') => Some(Channel::Email),
            "" => Some(Channel::Sms),
            word => Channel::parse(word),
        }
    }
}

fn number(typed: &str, country: Option<CountryCode>) -> Result<String, String> {
    let number = to_e164(typed, country).map_err(|e| format!("this number {e}"))?;
    Ok(number.to_string())
}

fn email(typed: &str) -> Result<String, String> {
    match Email::parse(typed) {
        Ok(email) => Ok(email.to_string()),
        Err(EmailProblem::Empty) => Err("type an e-mail address".to_owned()),
        Err(problem) => Err(format!("this {problem}")),
    }
}

/// What an editor is told who would lift what a person wished.
const ONLY_OWNERS: &str = "They did not want to be written to. It is lifted when they text START to your \
                           number, or by an owner who records that they have allowed it anew";

/// The same where they stopped reminders by the link in one.
const ONLY_OWNERS_REMIND: &str = "They did not want to be reminded. It is lifted when they take it back on the \
                                  page that the link in the e-mail leads to, or by an owner who records \
                                  that they have allowed it anew";

/// Why a suppression is lifted.
#[derive(Debug, Clone, Default)]
pub struct Lifting {
    /// For what somebody here decided.
    pub reason: String,
    /// For what the person wished: who allowed it anew, on which day, and how they said so.
    pub who: String,
    pub when: String,
    pub how: String,
}

impl Lifting {
    /// A fresh permission, as one line for the security log.
    fn permission(&self, now: DateTime<Utc>) -> Result<String, AppError> {
        let mut problems = Vec::new();
        let mut line = |field: &'static str, typed: &str, missing: &str| {
            let plain: String = typed.chars().filter(|c| !c.is_control()).collect();
            let plain = plain.trim().to_owned();
            if plain.is_empty() {
                problems.push(FieldProblem::new(field, missing));
            } else if plain.chars().count() > LONGEST_REASON {
                let message = format!("at most {LONGEST_REASON} characters");
                problems.push(FieldProblem::new(field, message));
            }
            plain
        };
        let who = line("who", &self.who, "say who allowed it, by name");
        let how = line(
            "how",
            &self.how,
            "say how they allowed it, as in “on the phone”",
        );
        let when = self.when.trim().parse::<NaiveDate>().ok();
        // A day has begun somewhere 14 hours before it does in London.
        let today = (now + TimeDelta::hours(14)).date_naive();
        let Some(when) = when.filter(|day| *day <= today) else {
            let message = "give the day on which they allowed it, as in 2026-11-30";
            problems.push(FieldProblem::new("when", message));
            return Err(AppError::Invalid(problems));
        };
        if problems.is_empty() {
            Ok(format!("Allowed anew by {who} on {when}: {how}"))
        } else {
            Err(AppError::Invalid(problems))
        }
    }
}

/// A reason as typed: one line of a few words.
fn reason(typed: &str) -> Result<String, FieldProblem> {
    let plain: String = typed.chars().filter(|c| !c.is_control()).collect();
    let plain = plain.trim();
    if plain.is_empty() {
        return Err(FieldProblem::new("reason", "say why, in a few words"));
    }
    if plain.chars().count() > LONGEST_REASON {
        let message = format!("say it in at most {LONGEST_REASON} characters");
        return Err(FieldProblem::new("reason", message));
    }
    Ok(plain.to_owned())
}
