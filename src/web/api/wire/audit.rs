//! The security log as JSON.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::some;
use crate::domain::audit;
use crate::domain::ids::AuditId;

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only what this person or token did, as it stands in `actor`.
    pub actor: Option<String>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// Rows, 1 to 100; 50 unless given.
    #[param(value_type = Option<u64>)]
    pub limit: Option<String>,
}

/// One line of the security log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    #[schema(value_type = String)]
    pub id: AuditId,
    pub at: DateTime<Utc>,
    /// An e-mail address, a token's name, or who in the service itself.
    pub actor: String,
    /// The network address it came from.
    pub address: Option<String>,
    /// A stable word such as `rule.changed`.
    pub action: String,
    /// What it was done to: an id or an address.
    pub subject: Option<String>,
    /// More, with `old` and `new` where there are such. Never a secret.
    #[schema(value_type = Object)]
    pub detail: Value,
}

impl From<audit::AuditEntry> for AuditEntry {
    fn from(e: audit::AuditEntry) -> Self {
        Self {
            id: e.id,
            at: e.at,
            actor: e.actor,
            address: some(e.address),
            action: e.action,
            subject: some(e.subject),
            detail: e.detail,
        }
    }
}
