//! The security log of a tenant: who did what, when, and from where.

use chrono::{DateTime, Utc};

use super::ids::AuditId;

/// One line of a tenant's history. Lines are only ever appended.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    pub id: AuditId,
    pub at: DateTime<Utc>,
    /// An e-mail address, a token's name, or who in the service itself.
    pub actor: String,
    /// The network address it came from; empty where there was none.
    pub address: String,
    /// A stable word such as `rule.changed`.
    pub action: String,
    /// What it was done to: an id, an address, or nothing.
    pub subject: String,
    /// What is to be said of it, with `old` and `new` values where there are such. No secret.
    pub detail: serde_json::Value,
}
