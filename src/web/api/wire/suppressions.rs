//! Suppressions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::some;
use crate::domain::ids::SuppressionId;
use crate::domain::suppression;

/// One reason why an address must not be written to; an address may have several.
#[derive(Debug, Serialize, ToSchema)]
pub struct Suppression {
    #[schema(value_type = String)]
    pub id: SuppressionId,
    pub channel: &'static str,
    /// Nothing once the person was erased; they stay suppressed.
    pub address: Option<String>,
    /// Whose it is, as the last message to it had it.
    pub name: Option<String>,
    /// `stop`, `reader`, `provider`, `bounce`, `hand` or `asked`.
    pub source: &'static str,
    /// Only reminders of one customer are not sent there.
    pub only_reminders: bool,
    /// In words.
    pub reason: String,
    /// Who added it by hand.
    pub created_by: Option<String>,
    pub created_at: DateTime<Utc>,
}

impl From<suppression::Suppression> for Suppression {
    fn from(s: suppression::Suppression) -> Self {
        Self {
            id: s.id,
            channel: s.channel.as_str(),
            address: s.address,
            name: some(s.name),
            source: s.source.as_str(),
            only_reminders: s.is_of_reminders,
            reason: s.reason,
            created_by: some(s.created_by),
            created_at: s.created_at,
        }
    }
}

/// An address to be suppressed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewSuppression {
    /// `sms` or `email`; left out, the one that the address is of.
    pub channel: String,
    /// A number or an e-mail address; a number without a country code is read as one of the tenant's country.
    pub address: String,
    /// Why, in at most 200 characters.
    pub reason: String,
}

/// Which suppressions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SuppressionQuery {
    /// Part of a number, an e-mail address, a name or a reason; a whole address is found in any spelling.
    pub q: Option<String>,
    /// `stop`, `reader`, `provider`, `bounce`, `hand` or `asked`.
    pub source: Option<String>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// Rows of a page: 1 to 100, 50 by default.
    pub limit: Option<String>,
}

/// Why one is lifted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LiftQuery {
    /// Why, in at most 200 characters; kept in the security log. For what somebody here decided.
    pub reason: Option<String>,
    /// For what the person wished themselves: who allowed it anew.
    pub who: Option<String>,
    /// On which day, as in 2026-11-30.
    pub when: Option<String>,
    /// How, as in "on the phone".
    pub how: Option<String>,
}
