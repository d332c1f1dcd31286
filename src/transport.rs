//! The seam between deciding and sending: what every way of sending implements, and all that the use cases
//! know of it. Nothing here names a provider. An account is a provider's ([`ProviderKind`]); each API over
//! which it sends is a transport ([`TransportKind`]), and opened with the account's credentials it is a
//! [`Transport`].
//!
//! The surprise: the question about a failed call is never "did it fail?" but "may the message exist?".
//! Providers have no key that would make a second call harmless, so a call is never repeated by itself;
//! one whose answer was lost is looked for, and only the transport knows what *found* and *absent* mean.
//!
//! ```text
//!            request ─► kept with the attempt, before the call
//!  Outgoing ─ send ───► Accepted | SendFailure ─ Ambiguous ─► find ─► Found | Absent | Undecided | AskPerson
//!             status ─► Report          ▲
//!             (and reports that the provider makes by itself)
//! ```

mod kinds;

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

pub use self::kinds::{ProviderKind, TransportKind, Transports};
pub use crate::brakes::{Growth, Limits as CallLimits};
use crate::domain::clock::{Deadline, SharedClock};
use crate::domain::connection::{Connection, Settings};
use crate::domain::content::Content;
use crate::domain::ids::DeliveryId;
use crate::domain::phone::CountryCode;
use crate::domain::provider::ProviderWords;
use crate::domain::reply::Wish;
use crate::domain::report::{Report, Status};
use crate::domain::transport::TransportName;

/// A connection's secrets by their names.
pub type Secrets = [(String, SecretString)];

/// One account at a provider, ready to send over one of its APIs.
#[async_trait]
pub trait Transport: Send + Sync {
    /// How its provider is called.
    fn words(&self) -> &'static ProviderWords;

    /// How long calls may take, and how often it is asked.
    fn limits(&self) -> &'static Limits;

    /// Whether there is something to send from, for a rule that names `sender` (as stored, or empty).
    fn has_sender(&self, sender: &str) -> bool;

    /// What [`Transport::send`] will ask, as JSON without credentials: it is kept before the call.
    fn request(&self, message: &Outgoing<'_>) -> String;

    /// Sends a message, once.
    async fn send(&self, message: &Outgoing<'_>, time: CallTime) -> Result<Accepted, SendFailure>;

    /// Asks how the message fares that the provider calls so.
    async fn status(&self, id: &str) -> Result<Report, StatusFailure>;

    /// Looks for a message whose answer was lost.
    async fn find(&self, lost: &Lost<'_>, ledger: &dyn Ledger) -> Result<Search, FindFailure>;

    /// A recipient's message as the provider has it; `None` where it does not show one.
    async fn inbound(&self, told: &Inbound) -> Option<InboundAnswer>;

    /// Texts to a number since then, newest first, where a sandbox stands for the provider and no phone has
    /// them; the real provider is not even asked.
    async fn sandbox_texts(&self, to: &str, since: DateTime<Utc>) -> Vec<String>;
}

/// What is stored, or to be stored, of a connection.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// The provider's account.
    pub account: &'a str,
    pub settings: &'a Settings,
    pub secrets: &'a Secrets,
}

/// What was typed to connect a provider, by the names of the fields.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    fields: Vec<(&'static str, String)>,
    secrets: Vec<(&'static str, SecretString)>,
}

impl Typed {
    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.fields.push((name, text.into()));
        self
    }

    /// Adds a secret; a blank one is none.
    #[must_use]
    pub fn secret(mut self, name: &'static str, secret: Option<SecretString>) -> Self {
        let typed = secret.filter(|s| !s.expose_secret().trim().is_empty());
        self.secrets.extend(typed.map(|secret| (name, secret)));
        self
    }

    /// What was typed into a field; empty if nothing was.
    pub fn text(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(field, _)| *field == name);
        field.map_or("", |(_, text)| text.trim())
    }

    /// What was typed as a secret.
    pub fn secret_of(&self, name: &str) -> Option<&SecretString> {
        let field = self.secrets.iter().find(|(field, _)| *field == name);
        field.map(|(_, secret)| secret)
    }
}

/// What stood before something was typed.
#[derive(Clone, Copy)]
pub struct Before<'a> {
    pub connection: Option<&'a Connection>,
    pub secrets: &'a Secrets,
    /// Whose national numbers are meant.
    pub country: Option<CountryCode>,
}

/// What was typed, understood.
#[derive(Debug, Clone)]
pub struct SetUp {
    pub account: String,
    /// What of these belongs to the credentials changes only with a secret or with the account.
    pub settings: Settings,
    /// New secrets; of those that stood before, all others stay but the removed ones.
    pub secrets: Vec<(&'static str, SecretString)>,
    pub removed: Vec<&'static str>,
}

impl SetUp {
    /// All secrets that there will be, the new ones first.
    pub fn secrets_over(&self, before: &Secrets) -> Vec<(String, SecretString)> {
        let new = self
            .secrets
            .iter()
            .map(|(name, s)| ((*name).to_owned(), s.clone()));
        let kept = before
            .iter()
            .filter(|(name, _)| !self.removed.contains(&name.as_str()));
        new.chain(kept.cloned()).collect()
    }
}

/// What is wrong with a field that was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub field: &'static str,
    /// In words that say what to type.
    pub message: String,
}

impl Problem {
    /// A problem with one field.
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self {
            field,
            message: message.into(),
        }
    }
}

/// What the provider said of credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    /// It takes them, and knows nothing against the sender; what it said, in words.
    Good(String),
    /// It refuses them.
    Refused(Problem),
    /// It takes them, and the sender is not the account's.
    NotTheirs(Problem),
    /// It could not be asked, in words.
    Unasked(String),
}

/// How an account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What is good; or what is wrong, and what to do.
    pub verdict: Result<String, (String, &'static str)>,
    /// The provider's clock.
    pub date: Option<DateTime<Utc>>,
}

/// How long a call may take and when it may begin.
#[derive(Debug, Clone, Copy)]
pub struct CallTime {
    /// For the whole call, connecting and reading included.
    pub timeout: Duration,
    /// The last moment at which it may begin (the end of the lease less the time-out).
    pub start_by: Option<Deadline>,
}

impl CallTime {
    /// A call that may begin at any time.
    pub const fn of(timeout: Duration) -> Self {
        Self {
            timeout,
            start_by: None,
        }
    }
}

/// What a transport bears.
#[derive(Debug, PartialEq)]
pub struct Limits {
    /// How many calls over one connection, and what follows when it refuses or fails.
    pub calls: CallLimits,
    /// The longest text that is taken, in characters.
    pub longest_text: usize,
    /// For a call that sends, everything included.
    pub call: Duration,
    /// Seconds between questions how a message fares, where no report can come.
    pub polls: &'static [i64],
    /// The same where reports should come: they are best effort.
    pub polls_beside_reports: &'static [i64],
    /// How many checks without a trace make an absence.
    pub checks: i64,
    /// Seconds between them, at least.
    pub check_every: i64,
}

/// A message as it goes out.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Our name for it, which reports are to bear: the delivery and the number of its attempt.
    pub mark: Option<(DeliveryId, i64)>,
    pub to: &'a str,
    /// Whose address that is, in words.
    pub reader: &'a str,
    /// The rule's own sender as stored; empty for the connection's.
    pub sender: &'a str,
    pub content: &'a Content,
    /// Below which of our addresses reports are taken (`https://…/hooks`); `None` where the provider could
    /// not reach us.
    pub hooks: Option<&'a str>,
    /// How long it may wait at the provider.
    pub within: Duration,
}

/// The provider has a message. Says nothing about its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The provider's name for it.
    pub id: String,
    /// The first status, for which no report comes.
    pub status: Status,
    /// The provider's error code where it was refused at once in spite of the success, or 0.
    pub error_code: i64,
    /// What happened, for a clerk.
    pub sentence: String,
    /// It was refused at once, since the recipient does not want to be written to.
    pub is_opt_out: bool,
    /// The account has nearly as many calls under way as its provider bears.
    pub is_crowded: bool,
    /// The answer as kept.
    pub response: Value,
}

/// How sending failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct SendFailure {
    pub kind: FailureKind,
    /// The provider's error code, or 0.
    pub error_code: i64,
    /// What happened, for a clerk: with what to do where nothing more will be tried, else without its end.
    pub sentence: String,
    /// As [`Accepted::is_crowded`].
    pub is_crowded: bool,
    /// The answer as kept; null if none came.
    pub response: Value,
}

/// What is known about a message after a call failed. Only [`FailureKind::Ambiguous`] leaves open whether it
/// exists; after every other one nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// This message will not be taken.
    Refused {
        /// Since the recipient does not want to be written to.
        is_opt_out: bool,
    },
    /// The request could not be put together.
    Unbuildable,
    /// The account or its credentials are refused, and no message will fare better.
    Credentials {
        /// Why, for the connection.
        reason: String,
    },
    /// Too many calls: safe to send again after a pause.
    Throttled { retry_after: Option<Duration> },
    /// The same message may be taken in minutes to hours.
    TryLater { retry_after: Option<Duration> },
    /// A limit for the day is used up.
    DailyLimit {
        /// It is the whole account's, not only a sender's.
        is_of_account: bool,
    },
    /// No connection came about: safe to send again.
    Unreachable,
    /// The moment by which the call had to begin had passed: safe to send again.
    TooLate,
    /// The message may exist. Never send again without looking.
    Ambiguous,
}

/// Why it is not known how a message fares.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct StatusFailure {
    /// Asking again will not help: the provider does not know it.
    pub is_lasting: bool,
    pub why: String,
}

/// A message whose answer was lost.
#[derive(Debug, Clone, Copy)]
pub struct Lost<'a> {
    pub delivery: DeliveryId,
    pub attempt_no: i64,
    pub to: &'a str,
    pub content: &'a Content,
    /// When the call began, and by when it was over, by our clock.
    pub started_at: DateTime<Utc>,
    pub lease_until: DateTime<Utc>,
    /// Messages that reports which nobody signed have named.
    pub hints: &'a [String],
    /// A message of the account that we know was accepted after the call began: a list that shows it is
    /// recent enough for a missing one to mean something.
    pub marker: Option<&'a Marker>,
    pub clock: &'a SharedClock,
}

/// A message that shows how recent a list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The provider's name for it.
    pub id: String,
    pub to: String,
}

/// What a search said, and what it saw, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    pub finding: Finding,
    pub evidence: Value,
}

/// What a search for a lost message found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is this one.
    Found(String),
    /// There is no trace of it, as far as can be shown today. Several such checks make an absence, unless
    /// one has a doubt that only a person can settle.
    Absent { doubt: Option<String> },
    /// This check could not tell, a later one may; why, to follow "but".
    Undecided(String),
    /// Nobody but a person can tell; why, a sentence without its end.
    AskPerson(String),
}

/// Why a search was not made.
#[derive(Debug, thiserror::Error)]
pub enum FindFailure {
    /// The provider does not let us look at all, or not now.
    #[error("{why}")]
    Provider {
        /// Looking again will not help.
        is_lasting: bool,
        /// What happened: a sentence without its end where it lasts, else to follow "but".
        why: String,
    },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What we know of an account's messages.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Which of these belong to other deliveries.
    async fn held_by_others(&self, ids: &[String]) -> Result<Vec<String>, LedgerError>;
}

/// The ledger could not be read.
#[derive(Debug, thiserror::Error)]
#[error("what is known of the account could not be read: {0}")]
pub struct LedgerError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A request of a provider's as it came.
#[derive(Debug, Clone)]
pub struct SignedRequest {
    /// Path and query exactly as received.
    pub path_and_query: String,
    pub body: Bytes,
    /// The header that bears the signature.
    pub signature: Option<String>,
    pub client: IpAddr,
}

/// What a request of a provider's can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It is the provider's.
    Signed,
    /// It is not, or its signature was made with a secret that we do not have.
    Forged,
    /// We have nothing to check it with: it is a hint, to be confirmed by asking.
    Unproven,
}

/// A message from a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The provider's name for it.
    pub id: String,
    /// The recipient's own address.
    pub from: Option<String>,
    /// Our sender.
    pub to: Option<String>,
    pub body: String,
    pub wish: Wish,
    /// The provider's account, where it is told.
    pub account: Option<String>,
}

/// What the provider said when it was asked for a recipient's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboundAnswer {
    /// It has it, so.
    Confirmed(Inbound),
    /// It has no such message of a recipient.
    Other,
}

/// A report that the provider made by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderReport {
    /// Over which the message went.
    pub transport: TransportName,
    /// The provider's name for the message.
    pub id: String,
    /// Ours, and which attempt, where the report bears them.
    pub delivery: Option<DeliveryId>,
    pub attempt_no: Option<i64>,
    pub report: Report,
}
