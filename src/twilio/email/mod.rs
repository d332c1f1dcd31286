//! Twilio Email as a way of sending, with the credentials of the account that sends texts.
//!
//! The surprise: nothing is ever reported. Each e-mail is its own operation, which is asked how it fares, for
//! seven days; after that Twilio knows nothing of it any more.
//!
//! `request` is what is asked, with `liquid` taking care that data stays data; `answer` says what came of it;
//! `status` reads how an e-mail fares, and `search` finds one whose answer was lost.

mod answer;
mod liquid;
mod list;
mod request;
mod search;
mod status;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use self::request::{EmailJson, Unfit};
use super::account::{secrets, signed_in};
use super::call::exchange;
use super::credentials::Account;
use super::error::{CallError, CallFailure, Doubt};
use super::login::accounts;
use super::{Twilio, transport};
use crate::domain::connection::Settings;
use crate::domain::delivery::Channel;
use crate::domain::provider::ProviderWords;
use crate::domain::report::Report;
use crate::domain::rule::Sender;
use crate::domain::sender::Mailbox;
use crate::domain::sender_dns::DnsNeeds;
use crate::domain::transport::TransportName;
use crate::transport::{
    Accepted, CallLimits, CallTime, FailureKind, FindFailure, Growth, Inbound, InboundAnswer,
    Ledger, Limits, Login, Lost, Outgoing, Search, SendFailure, StatusFailure, Transport,
    TransportKind,
};

/// Its stable word.
pub const NAME: TransportName = TransportName::named("twilio_email");

/// How Twilio is called where it sends e-mails.
pub static WORDS: ProviderWords = ProviderWords {
    carrier: "the recipient's mail server",
    no_sender: "No sender: choose the address that e-mails come from, or one for the rule",
    explain: status::explain,
    sender_of,
    ..transport::WORDS
};

/// Seconds between questions: at 1, 5 and 30 minutes, 3 and 12 hours, then daily to the sixth day, since Twilio
/// forgets after the seventh.
const POLLS: &[i64] = &[
    60, 240, 1_500, 9_000, 32_400, 43_200, 86_400, 86_400, 86_400, 86_400, 86_400,
];

static LIMITS: Limits = Limits {
    // How much is borne is not published; 429 and 503 say how long to wait ("Email API errors").
    calls: CallLimits {
        concurrency: 10,
        pause: Growth {
            first: Duration::from_millis(500),
            cap: Duration::from_mins(2),
        },
        ..CallLimits::careful()
    },
    longest_text: request::LARGEST,
    call: Duration::from_secs(15),
    polls: POLLS,
    // There are none.
    polls_beside_reports: POLLS,
    checks: 3,
    check_every: 60,
};

/// Domains are verified with the records of SendGrid, which carries the e-mails ("Authenticate your domain").
static DNS: DnsNeeds = DnsNeeds {
    under: "sendgrid.net",
    selectors: &["s1", "s2"],
    returns: "em",
};

/// Longest answer about one e-mail, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The API for e-mail, whoever's account it is.
pub(super) struct EmailKind(pub(super) Twilio);

#[async_trait]
impl TransportKind for EmailKind {
    fn name(&self) -> TransportName {
        NAME
    }

    fn channel(&self) -> Channel {
        Channel::Email
    }

    fn words(&self) -> &'static ProviderWords {
        &WORDS
    }

    fn limits(&self) -> &'static Limits {
        &LIMITS
    }

    fn senders(&self, _: &Settings) -> Vec<Sender> {
        Vec::new()
    }

    /// Twilio has no list of its verified domains that could be asked.
    async fn refuses_sender(&self, _: &Login<'_>, _: &Sender) -> Option<String> {
        None
    }

    fn dns(&self) -> Option<&'static DnsNeeds> {
        Some(&DNS)
    }

    fn open(&self, login: &Login<'_>, _: Option<String>) -> Option<Arc<dyn Transport>> {
        Some(Arc::new(Emails {
            twilio: self.0.clone(),
            account: accounts(login).next()?,
        }))
    }
}

/// An account's e-mails.
struct Emails {
    twilio: Twilio,
    account: Account,
}

#[async_trait]
impl Transport for Emails {
    fn words(&self) -> &'static ProviderWords {
        &WORDS
    }

    fn limits(&self) -> &'static Limits {
        &LIMITS
    }

    fn has_sender(&self, sender: &str) -> bool {
        Mailbox::from_frozen(sender).is_some()
    }

    fn request(&self, message: &Outgoing<'_>) -> String {
        let sender = Mailbox::from_frozen(message.sender);
        let json = sender.as_ref().map(|sender| EmailJson::of(message, sender));
        let kept = match json {
            Some(Ok(json)) => json.kept(),
            Some(Err(_)) | None => Value::Null,
        };
        json!({ "method": "POST", "url": self.url(""), "json": kept }).to_string()
    }

    async fn send(&self, message: &Outgoing<'_>, time: CallTime) -> Result<Accepted, SendFailure> {
        let Some(sender) = Mailbox::from_frozen(message.sender) else {
            return Err(unbuildable(WORDS.no_sender));
        };
        let body = EmailJson::of(message, &sender).and_then(|json| json.to_bytes());
        let body = body.map_err(|Unfit(why)| unbuildable(&why))?;
        let request = signed_in(self.twilio.http.post(self.url("")), &self.account)
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body);
        let answer = exchange(request, &secrets(&self.account), time, LONGEST_ANSWER).await;
        let domain = sender.domain();
        match answer::outcome(answer, domain) {
            Err(failure) if matches!(failure.kind, FailureKind::Credentials { .. }) => {
                Err(self.doubted(*failure, domain).await)
            }
            outcome => outcome.map_err(|failure| *failure),
        }
    }

    async fn status(&self, id: &str) -> Result<Report, StatusFailure> {
        if let Some(id) = OperationId::parse(id) {
            let asked = self.read(&format!("/Operations/{id}")).await;
            let told = asked.map_err(|error| unasked(&error))?;
            let json = serde_json::from_slice::<status::OperationJson>(&told);
            return json.map(|json| json.report()).map_err(|_| garbled());
        }
        let Some(id) = list::EmailId::parse(id) else {
            return Err(StatusFailure {
                is_lasting: true,
                why: "it has no name at Twilio".to_owned(),
            });
        };
        let told = self.read(&format!("/{id}")).await;
        let told = told.map_err(|error| unasked(&error))?;
        let json = serde_json::from_slice::<Value>(&told).map_err(|_| garbled())?;
        let word = json["status"].as_str().ok_or_else(garbled)?;
        Ok(status::report_of(word))
    }

    async fn find(&self, lost: &Lost<'_>, ledger: &dyn Ledger) -> Result<Search, FindFailure> {
        self.search(lost, ledger).await
    }

    /// Answers go to the sender's mailbox, and never to Twilio.
    async fn inbound(&self, _: &Inbound) -> Option<InboundAnswer> {
        None
    }

    async fn sandbox_texts(&self, _: &str, _: DateTime<Utc>) -> Vec<String> {
        Vec::new()
    }
}

impl Emails {
    /// The address of a resource below the e-mails.
    fn url(&self, below: &str) -> String {
        format!("{}/v1/Emails{below}", self.twilio.comms())
    }

    /// Reads a resource below the e-mails.
    async fn read(&self, below: &str) -> Result<Vec<u8>, CallError> {
        let request = signed_in(self.twilio.http.get(self.url(below)), &self.account);
        let time = CallTime::of(LIMITS.call);
        let answer = exchange(request, &secrets(&self.account), time, list::LONGEST_PAGE).await?;
        answer.success().map(|(body, _)| body)
    }

    /// Credentials that were refused for an e-mail: the API for texts is asked as well, since a connection that
    /// counts as broken holds every text.
    async fn doubted(&self, failure: SendFailure, domain: &str) -> SendFailure {
        /// The lease must not run out meanwhile.
        const CALL: Duration = Duration::from_secs(4);
        match self.twilio.test(&self.account, CallTime::of(CALL)).await {
            Ok(report) if report.is_usable() => answer::only_for_email(failure, domain),
            Err(error) if !matches!(error.kind, CallFailure::Credentials(_)) => SendFailure {
                kind: FailureKind::TryLater { retry_after: None },
                sentence:
                    "Twilio refused the credentials, and could not be asked whether it takes them \
                           for texts"
                        .to_owned(),
                ..failure
            },
            _ => failure,
        }
    }
}

/// What Twilio calls the sending of an e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OperationId(String);

impl OperationId {
    /// Reads one; it stands in addresses, so it has letters, digits and `_` only.
    fn parse(text: &str) -> Option<Self> {
        is_id(text, "comms_operation_").then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_id(text: &str, prefix: &str) -> bool {
    let is_sign = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 100
        && text.len() > prefix.len()
        && text.starts_with(prefix)
        && text.bytes().all(is_sign)
}

fn unbuildable(why: &str) -> SendFailure {
    SendFailure {
        kind: FailureKind::Unbuildable,
        error_code: 0,
        sentence: why.to_owned(),
        is_crowded: false,
        response: Value::Null,
    }
}

fn unasked(error: &CallError) -> StatusFailure {
    let is_lasting = matches!(error.kind, CallFailure::NotFound(_));
    StatusFailure {
        is_lasting,
        why: if is_lasting {
            "Twilio does not know it, or knows it no more: it keeps e-mails for seven days"
                .to_owned()
        } else {
            error.to_string()
        },
    }
}

fn garbled() -> StatusFailure {
    StatusFailure {
        is_lasting: false,
        why: Doubt::Garbage.to_string(),
    }
}

/// The address that a kept request names.
fn sender_of(request: &Value) -> Option<String> {
    let from = &request["json"]["from"];
    let (address, name) = (from["address"].as_str()?, from["name"].as_str()?);
    Some(if name == address {
        address.to_owned()
    } else {
        format!("{name} <{address}>")
    })
}
