//! How a call can end badly, sorted by what is known about the message.
//!
//! The surprise: the question is never "did it fail?" but "may the message exist?". Only
//! [`SendFailure::Ambiguous`] leaves that open; after every other failure nothing was sent.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::codes::{self, Class};
use super::kept::KeptResponse;

/// A refusal by Twilio: the answer arrived and says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub http: u16,
    /// Twilio's code, where the answer had one.
    pub code: Option<i32>,
    /// Twilio's words, at most 500 characters; English, for the details of an attempt.
    pub message: String,
    /// Twilio's page about the code, if it is one of Twilio's own addresses.
    pub more_info: Option<String>,
    /// What kind of trouble the code stands for.
    pub class: Class,
}

/// Status and code only: Twilio's words may name the number, and errors end in logs.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "HTTP {}, code {code}", self.http),
            None => write!(f, "HTTP {}, no code", self.http),
        }
    }
}

impl Refusal {
    /// What our table says about the code.
    pub fn entry(&self) -> &'static codes::Entry {
        self.code.map_or(&codes::UNKNOWN, codes::explain)
    }
}

/// Why it is open whether the message exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// No whole answer within the time-out, after the connection stood.
    #[error("Twilio did not answer in time")]
    TimedOut,
    /// The connection broke after the request was begun.
    #[error("the connection to Twilio broke off")]
    Reset,
    /// A 5xx: Twilio says that trying again may send twice (page on error 20500).
    #[error("Twilio answered with the server error {0}")]
    ServerError(u16),
    /// A success whose body could not be read whole.
    #[error("Twilio's answer broke off")]
    BrokenBody,
    /// A success that bears no message SID.
    #[error("Twilio's answer could not be understood")]
    Garbage,
    /// A status that the Messages API does not give (a redirect, 408 and the like).
    #[error("Twilio answered with the unexpected status {0}")]
    UnexpectedStatus(u16),
}

/// Why a request surely never left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// No connection: name not found, refused, TLS failed, or too slow. Bears the reason.
    #[error("Twilio could not be reached: {0}")]
    Unreachable(String),
    /// The request could not be put together (a bad base address).
    #[error("the request could not be built")]
    Unbuildable,
    /// The moment by which it had to begin had passed.
    #[error("the time to begin the call had passed")]
    TooLate,
}

/// How creating a message failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// Refused for good: this message will not be taken. Nothing was sent.
    #[error("Twilio refused the message ({0})")]
    Refused(Box<Refusal>),
    /// 429: not processed, safe to send again after a pause (Twilio's page on error 20429).
    #[error("Twilio asks to slow down")]
    Throttled {
        /// Twilio's code, usually 20429.
        code: Option<i32>,
        /// How long to wait, where the answer says so; at most an hour.
        retry_after: Option<Duration>,
    },
    /// A limit for the day is used up: nothing was sent, and nothing will be before the next one.
    #[error("Twilio's limit for today is used up")]
    DailyLimit {
        /// Twilio's code (63038 for the whole account, others for a sender's registration).
        code: i32,
    },
    /// Nothing was sent, and the same message may be taken in minutes to hours (21611).
    #[error("Twilio cannot take the message now")]
    TryLater {
        /// Twilio's code.
        code: Option<i32>,
        /// How long to wait, where the answer says so; at most an hour.
        retry_after: Option<Duration>,
    },
    /// The message may exist. Never send again without looking.
    #[error("{why}")]
    Ambiguous {
        /// What happened.
        why: Doubt,
        /// Twilio's code, where there was one (20500, 20503).
        code: Option<i32>,
        /// How long to wait before looking, where the answer says so.
        retry_after: Option<Duration>,
    },
    /// Nothing was sent: the request never reached Twilio. Safe to send again.
    #[error("{0}")]
    NotSent(Unsent),
    /// The account, its credentials or its address are refused: pause the connection; no message
    /// will fare better.
    #[error("Twilio refused the credentials ({0})")]
    Credentials(Box<Refusal>),
}

impl SendFailure {
    /// Whether the message may exist at Twilio.
    pub const fn may_exist(&self) -> bool {
        matches!(self, Self::Ambiguous { .. })
    }
}

/// A failed creation, with the answer to be kept in the attempt.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}")]
pub struct SendError {
    /// What is known about the message.
    pub kind: SendFailure,
    /// The answer as kept, if one arrived.
    pub response: Option<Box<KeptResponse>>,
}

impl SendError {
    /// Twilio's clock when it answered (`Date` header).
    pub fn date(&self) -> Option<DateTime<Utc>> {
        self.response.as_ref().and_then(|response| response.date)
    }

    /// Twilio's error code, if the answer had one.
    pub const fn code(&self) -> Option<i32> {
        match &self.kind {
            SendFailure::Refused(refusal) | SendFailure::Credentials(refusal) => refusal.code,
            SendFailure::Throttled { code, .. }
            | SendFailure::TryLater { code, .. }
            | SendFailure::Ambiguous { code, .. } => *code,
            SendFailure::DailyLimit { code } => Some(*code),
            SendFailure::NotSent(_) => None,
        }
    }
}

/// How reading failed. Reading changes nothing, so it is safe to try again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    /// 401, 403: the credential may not read this, or is wrong. A trial account or a restricted
    /// key can be refused here while sending works.
    #[error("Twilio refused the credentials ({0})")]
    Credentials(Box<Refusal>),
    /// 404.
    #[error("Twilio does not know it")]
    NotFound(Box<Refusal>),
    /// Another 4xx.
    #[error("Twilio refused the request ({0})")]
    Refused(Box<Refusal>),
    /// 429.
    #[error("Twilio asks to slow down")]
    Throttled {
        /// How long to wait, where the answer says so; at most an hour.
        retry_after: Option<Duration>,
    },
    /// No usable answer.
    #[error("{0}")]
    Unavailable(Doubt),
    /// Never left.
    #[error("{0}")]
    NotSent(Unsent),
    /// A page link that leads away from the account: not followed, since it would get the secret.
    #[error("Twilio's list points to another place")]
    StrayLink,
}

/// A failed read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct CallError {
    /// What happened.
    pub kind: CallFailure,
    /// Twilio's clock when it answered (`Date` header).
    pub date: Option<DateTime<Utc>>,
}
