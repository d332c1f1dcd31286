//! Permissions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::some;
use crate::domain::ids::PermissionId;
use crate::domain::permission;

/// One reason why an address may be written to. Nothing is refused for want of one.
#[derive(Debug, Serialize, ToSchema)]
pub struct Permission {
    #[schema(value_type = String)]
    pub id: PermissionId,
    pub channel: &'static str,
    /// Nothing once the person was erased.
    pub address: Option<String>,
    /// `given`, `contract` or `asked`.
    pub basis: &'static str,
    /// In words: the document that first brought it, or where somebody has it from.
    pub source: String,
    /// Who wrote it down; nothing where a document brought it.
    pub created_by: Option<String>,
    pub created_at: DateTime<Utc>,
}

impl From<permission::Permission> for Permission {
    fn from(p: permission::Permission) -> Self {
        Self {
            id: p.id,
            channel: p.channel.as_str(),
            address: p.address,
            basis: p.basis.as_str(),
            source: p.source,
            created_by: some(p.created_by),
            created_at: p.created_at,
        }
    }
}

/// A permission to be written down.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewPermission {
    /// `sms` or `email`; where it is left out, the address tells.
    pub channel: String,
    /// A number or an e-mail address; a number without a country code is read as one of the tenant's country.
    pub address: String,
    /// `given`, `contract` or `asked`.
    pub basis: String,
    /// Where you have it from, in at most 200 characters.
    pub source: String,
}

/// Which permissions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PermissionQuery {
    /// Part of an address or a source; a whole address is found in any spelling.
    pub q: Option<String>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// Rows of a page: 1 to 100, 50 by default.
    pub limit: Option<String>,
}
