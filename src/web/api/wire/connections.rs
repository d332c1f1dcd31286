//! Connections. Secrets go in and never come out.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::limits::Limits;
use super::some;
use crate::app::connections::HookDetails;
use crate::app::limits::AccountLimits;
use crate::domain::connection::{Connection, ConnectionState};
use crate::domain::ids::ConnectionId;
use crate::transport::Typed;

/// The tenant's Twilio account.
#[derive(Debug, Serialize, ToSchema)]
pub struct TwilioConnection {
    #[schema(value_type = String)]
    pub id: ConnectionId,
    /// `ready` or `broken`.
    pub state: &'static str,
    /// Why it is broken.
    pub reason: Option<String>,
    pub account_sid: String,
    /// `null` when the Auth Token is the credential.
    pub api_key_sid: Option<String>,
    /// The sender of rules that name none …
    pub from: Option<String>,
    /// … or the Messaging Service.
    pub messaging_service_sid: Option<String>,
    /// Calls wait until then.
    pub paused_until: Option<DateTime<Utc>>,
    pub checked_at: Option<DateTime<Utc>>,
    /// What the last check said.
    pub checked: Option<String>,
    /// When Twilio first accepted these credentials; `null` while it has not.
    pub accepted_at: Option<DateTime<Utc>>,
    pub limits: Limits,
}

impl TwilioConnection {
    /// The connection, and how its account stands to its limits.
    pub fn of(c: Connection, limits: AccountLimits) -> Self {
        let entered = |field| some(c.settings.text(field).to_owned());
        Self {
            id: c.id,
            state: c.state.as_str(),
            reason: some(c.reason),
            account_sid: c.account,
            api_key_sid: entered("api_key_sid"),
            from: entered("from"),
            messaging_service_sid: entered("messaging_service_sid"),
            paused_until: c.pauses.latest(),
            checked_at: c.checked_at,
            checked: some(c.checked),
            accepted_at: c.accepted_at,
            limits: limits.into(),
        }
    }
}

/// An account to connect: the Account SID with the Auth Token or an API key, and a sender.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectTwilio {
    /// `AC…`
    pub account_sid: Option<String>,
    /// May be left out while the account stays the same.
    #[schema(value_type = Option<String>)]
    pub auth_token: Option<SecretString>,
    /// `SK…`
    pub api_key_sid: Option<String>,
    /// May be left out while account and key stay the same.
    #[schema(value_type = Option<String>)]
    pub api_key_secret: Option<SecretString>,
    /// A number of the account, a short code, or a name of at most 11 characters.
    pub from: Option<String>,
    /// `MG…`
    pub messaging_service_sid: Option<String>,
    /// Keep it untried where Twilio cannot be asked (409 `untried`); what Twilio refuses is never kept.
    #[serde(default)]
    pub save_anyway: bool,
}

impl From<ConnectTwilio> for Typed {
    fn from(typed: ConnectTwilio) -> Self {
        Self::default()
            .field("account_sid", typed.account_sid.unwrap_or_default())
            .secret("auth_token", typed.auth_token)
            .field("api_key_sid", typed.api_key_sid.unwrap_or_default())
            .secret("api_key_secret", typed.api_key_secret)
            .field("from", typed.from.unwrap_or_default())
            .field(
                "messaging_service_sid",
                typed.messaging_service_sid.unwrap_or_default(),
            )
    }
}

/// The tenant's Zoho Books organisation and the address of its webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub struct ZohoConnection {
    #[schema(value_type = String)]
    pub id: ConnectionId,
    /// `new`, `ready` or `broken`: of the way to Zoho's API. Webhooks need only the hook.
    pub state: &'static str,
    /// Where webhooks go; an event type and a label may follow.
    pub hook_url: String,
    /// Two during a rotation.
    pub valid_secrets: usize,
    /// When the older secret ends.
    pub old_secret_until: Option<DateTime<Utc>>,
}

impl ZohoConnection {
    /// The hook with the state of its connection.
    pub fn of(state: ConnectionState, hook: HookDetails) -> Self {
        Self {
            id: hook.connection,
            state: state.as_str(),
            hook_url: hook.url,
            valid_secrets: hook.valid_secrets,
            old_secret_until: hook.old_until,
        }
    }
}
