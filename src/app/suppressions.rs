//! Addresses that must not be written to, as people see and change them.

use super::{App, AppError, FieldProblem};
use crate::domain::actor::Actor;
use crate::domain::delivery::Channel;
use crate::domain::ids::{SuppressionId, TenantId};
use crate::domain::page::{Cursor, Page};
use crate::domain::phone::{CountryCode, to_e164};
use crate::domain::suppression::Suppression;
use crate::store::{Added, MOST_SUPPRESSIONS, SuppressionFilter};

/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

/// What is typed to suppress an address.
#[derive(Debug, Clone, Default)]
pub struct SuppressionInput {
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
        let channel = Channel::parse(input.channel.trim());
        if channel.is_none() {
            problems.push(FieldProblem::new("channel", "choose sms"));
        }
        let number = to_e164(&input.address, country)
            .map_err(|e| problems.push(FieldProblem::new("address", format!("this number {e}"))));
        let reason = reason(&input.reason).map_err(|p| problems.push(p));
        let (Some(channel), Ok(number), Ok(reason)) = (channel, number, reason) else {
            return Err(AppError::Invalid(problems));
        };
        let address = number.to_string();
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

    /// Lifts a suppression for a reason. At Twilio a STOP stays until the person writes START.
    pub async fn lift_suppression(
        &self,
        tenant: TenantId,
        id: SuppressionId,
        why: &str,
        actor: &Actor,
    ) -> Result<(), AppError> {
        // Another tenant's is not found, whatever else is wrong.
        self.suppression(tenant, id).await?;
        let why = reason(why).map_err(|p| AppError::Invalid(vec![p]))?;
        let (store, now) = (self.tenant(tenant), self.now());
        let lifted = store.lift_suppression(id, why, actor.clone(), now).await?;
        if lifted {
            Ok(())
        } else {
            Err(AppError::NotFound("suppression"))
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
