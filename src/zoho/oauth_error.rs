//! What can go wrong between us and Zoho Accounts, in a clerk's words, and when to try again.
//!
//! Being throttled is no broken connection: asking for a new consent would only make it worse.

use std::sync::Arc;
use std::time::Duration;

use super::message::Message;
use super::region::{Region, UnknownRegion};
use super::retry::Retry;
use super::transport::TransportError;

/// A token that could not be had. (Zoho Books API v3, *OAuth*; HTTP 200 as seen in public issues.)
#[derive(Debug, Clone, thiserror::Error)]
pub enum OAuthError {
    /// `invalid_code` for a refresh token: revoked, evicted by the 21st, or the password changed.
    #[error("the refresh token is no longer valid")]
    Reconnect,
    /// `invalid_code` for a code: used, older than two or three minutes, or of another data centre.
    #[error("the code is used up, too old, or of another data centre")]
    CodeExpired,
    /// `invalid_client`: wrong data centre, wrong client id, or the client is not enabled there.
    #[error("the client is unknown in the data centre {}", .0.location())]
    WrongRegion(Region),
    /// `invalid_client_secret`: wrong, or the data centre has a secret of its own.
    #[error("the client secret is wrong for the data centre {}", .0.location())]
    WrongSecret(Region),
    /// `invalid_redirect_uri`.
    #[error("the redirect address is not the registered one")]
    WrongRedirect,
    /// `Access Denied`: too many tokens asked for; the connection itself is fine.
    #[error("too many tokens were asked for")]
    Throttled {
        /// How long to leave the endpoint alone.
        pause: Duration,
    },
    /// The exchange brought no refresh token.
    #[error("Zoho sent no refresh token")]
    NoRefreshToken,
    /// `access_denied` at the callback: the person pressed *Reject*.
    #[error("consent was refused")]
    Declined,
    /// The callback named a server outside the table.
    #[error("the callback named an unknown accounts server")]
    UnknownServer,
    /// Any other `error`.
    #[error("refused: {0}")]
    Refused(Message),
    #[error("Zoho Accounts failed with HTTP {0}")]
    Server(u16),
    #[error("Zoho Accounts did not answer in time")]
    Timeout,
    #[error("Zoho Accounts cannot be reached")]
    Unreachable(#[source] Arc<reqwest::Error>),
    /// Not what the documentation promises.
    #[error("an answer that makes no sense: {0}")]
    Garbage(Message),
}

impl OAuthError {
    /// Reads the callback's `error`.
    pub fn from_callback(error: &str) -> Self {
        match error {
            "access_denied" => Self::Declined,
            other => Self::Refused(Message::new(other)),
        }
    }

    /// What a clerk reads.
    pub fn sentence(&self) -> String {
        match self {
            Self::Reconnect => {
                "Zoho Books no longer accepts our access: it was revoked, replaced, or \
                the user's password changed. Connect Zoho Books again."
                    .to_owned()
            }
            Self::CodeExpired => "Zoho's code is used up or too old, or belongs to another data \
                centre. Start again; a code lives only a few minutes."
                .to_owned(),
            Self::WrongRegion(region) => format!(
                "Zoho does not know this client in the data centre {} ({}). Choose the data centre of \
                your organisation, check the client ID, and enable the client for that data centre.",
                region.label(),
                region.accounts_host(),
            ),
            Self::WrongSecret(region) => format!(
                "The client secret is wrong for the data centre {} ({}). A data centre may have a \
                secret of its own; copy it from Zoho's API console.",
                region.label(),
                region.accounts_host(),
            ),
            Self::WrongRedirect => "The redirect address is not the one registered in Zoho's API \
                console. Copy it there exactly as shown here."
                .to_owned(),
            Self::Throttled { pause } => format!(
                "Zoho gives out no more tokens for a while. We try again in {} minutes; nothing is \
                lost.",
                pause.as_secs().div_ceil(60)
            ),
            Self::NoRefreshToken => {
                "Zoho granted access only for an hour. Connect Zoho Books again \
                and accept the request for offline access."
                    .to_owned()
            }
            Self::Declined => "The request was rejected in Zoho. Nothing was connected.".to_owned(),
            Self::UnknownServer => {
                "The answer named a Zoho server that we do not know, so we sent \
                nothing there. Start again from this page."
                    .to_owned()
            }
            Self::Refused(message) => format!("Zoho refused: {message}"),
            Self::Server(_) => "Zoho has a problem of its own. We try again soon.".to_owned(),
            Self::Timeout => "Zoho did not answer in time. We try again soon.".to_owned(),
            Self::Unreachable(_) => "Zoho cannot be reached. We try again soon.".to_owned(),
            Self::Garbage(_) => {
                "Zoho sent an answer that we do not understand. We try again soon.".to_owned()
            }
        }
    }

    /// When to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Throttled { pause } => Retry::After(*pause),
            Self::Server(_) | Self::Timeout | Self::Unreachable(_) | Self::Garbage(_) => {
                Retry::Backoff
            }
            _ => Retry::Never,
        }
    }

    /// Whether only a new consent or other settings help, so the connection must be paused.
    pub fn needs_person(&self) -> bool {
        self.retry() == Retry::Never
    }
}

impl From<TransportError> for OAuthError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Timeout => Self::Timeout,
            TransportError::Unreachable(source) => Self::Unreachable(source),
            TransportError::TooLong(_) => Self::Garbage(Message::new(&error.to_string())),
        }
    }
}

impl From<UnknownRegion> for OAuthError {
    fn from(_: UnknownRegion) -> Self {
        Self::UnknownServer
    }
}
