//! The limits of an account.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::limits::{self, AccountLimits, CallsUnderWay};
use crate::domain::account_figures::Sum;
use crate::domain::sender_rest::SenderRest;

/// How the account stands to its limits.
#[derive(Debug, Serialize, ToSchema)]
pub struct Limits {
    /// What is left; `null` while Twilio does not tell it, or not to these credentials.
    pub balance: Option<Money>,
    /// So little is left that owners are told.
    pub is_low: bool,
    /// What this month has cost so far.
    pub month_cost: Option<Money>,
    /// SMS sent this month.
    pub month_messages: Option<i64>,
    /// How many calls Twilio last counted at once, of all programs.
    pub calls_at_once: Option<i64>,
    /// When Twilio told all this.
    pub told_at: Option<DateTime<Utc>>,
    /// Our calls, for each channel.
    pub calls: Vec<Calls>,
    /// Senders that send so much in a second.
    pub paces: Vec<Pace>,
    /// Limits of carriers that messages ran into and that are not lifted yet.
    pub carriers: Vec<CarrierLimit>,
}

/// An amount with its currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct Money {
    /// A decimal, as text.
    pub amount: String,
    /// Three letters.
    pub currency: String,
}

/// Our calls under way.
#[derive(Debug, Serialize, ToSchema)]
pub struct Calls {
    /// `sms` or `email`.
    pub channel: &'static str,
    pub now: usize,
    pub most: usize,
    /// None is made before then.
    pub paused_until: Option<DateTime<Utc>>,
}

/// What a sender sends in a second; more waits here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pace {
    pub sender: String,
    pub segments_per_second: u16,
    /// How many messages wait for their turn.
    pub waiting: i64,
}

/// A limit of carriers.
#[derive(Debug, Serialize, ToSchema)]
pub struct CarrierLimit {
    pub sender: String,
    /// Twilio's error code: 30022, 30023, 30027 or 63038.
    pub code: i64,
    /// How many messages it stopped.
    pub messages: i64,
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Whose messages it stops: `sender` (they wait), `carrier` (those to its own numbers; others go on) or
    /// `account` (all wait).
    pub concerns: &'static str,
}

impl From<AccountLimits> for Limits {
    fn from(of: AccountLimits) -> Self {
        let told = of.figures;
        let is_low = told.as_ref().is_some_and(|told| told.low_at.is_some());
        let told_at = told.as_ref().and_then(|told| told.told_at);
        let figures = told.map(|told| told.figures).unwrap_or_default();
        Self {
            balance: figures.balance.as_ref().map(Money::from),
            is_low,
            month_cost: figures.month_cost.as_ref().map(Money::from),
            month_messages: figures.month_messages,
            calls_at_once: figures.calls_at_once,
            told_at,
            calls: of.calls.into_iter().map(Calls::from).collect(),
            paces: of.paces.into_iter().map(Pace::from).collect(),
            carriers: of.carriers.into_iter().map(CarrierLimit::from).collect(),
        }
    }
}

impl From<&Sum> for Money {
    fn from(of: &Sum) -> Self {
        Self {
            amount: of.amount().to_string(),
            currency: of.currency().to_owned(),
        }
    }
}

impl From<CallsUnderWay> for Calls {
    fn from(of: CallsUnderWay) -> Self {
        Self {
            channel: of.channel.as_str(),
            now: of.now,
            most: of.most,
            paused_until: of.paused_until,
        }
    }
}

impl From<limits::Pace> for Pace {
    fn from(of: limits::Pace) -> Self {
        Self {
            sender: of.sender,
            segments_per_second: of.segments_per_second,
            waiting: of.waiting,
        }
    }
}

impl From<SenderRest> for CarrierLimit {
    fn from(of: SenderRest) -> Self {
        Self {
            sender: of.sender_words(),
            code: of.code,
            messages: of.hits,
            since: of.since,
            until: of.until,
            concerns: of.concerns.as_str(),
        }
    }
}
