//! Twilio's Messages API as a way of sending: its answers become what the use cases understand.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Twilio;
use super::codes;
use super::credentials::{Account, MessageSid, MessagingServiceSid};
use super::error::{CallFailure, SendError, Unsent};
use super::inbound;
use super::kept::KeptRequest;
use super::list::ListQuery;
use super::login::accounts;
use super::messages::{self, NewMessage};
use super::pace;
use super::settings::TwilioSettings;
use crate::domain::connection::Settings;
use crate::domain::delivery::Channel;
use crate::domain::provider::ProviderWords;
use crate::domain::report::Report;
use crate::domain::rule::Sender;
use crate::domain::transport::TransportName;
use crate::transport::{
    Accepted, CallLimits, CallTime, FailureKind, FindFailure, Growth, Inbound, InboundAnswer,
    Ledger, Limits, Login, Lost, Outgoing, Search, SendFailure, StatusFailure, Transport,
    TransportKind,
};

/// Its stable word.
pub const NAME: TransportName = TransportName::named("twilio_messages");

/// How long Twilio may keep a message waiting (Messages API, `ValidityPeriod`).
const LONGEST_VALIDITY: Duration = Duration::from_hours(10);

/// How it is called.
pub static WORDS: ProviderWords = ProviderWords {
    provider: super::PROVIDER,
    name: "Twilio",
    has_it: "Twilio has it",
    carrier: "the carrier",
    opted_out: "Opted out at Twilio",
    unasked: "Twilio could not be asked",
    needed: "its account SID, its token and a number to send from",
    call_id: "Twilio-Request-Id",
    fields: &[
        ("api_key_sid", "API key"),
        ("messaging_service_sid", "Messaging Service"),
        ("from", "sender"),
    ],
    connect: "Connect Twilio: there is no account to send with yet",
    no_sender: "No sender: choose a number or a Messaging Service for Twilio, or for the rule",
    console: "the Twilio Console",
    midnight: "when Twilio's day begins (00:00 UTC)",
    forged: "is not signed with this account's Auth Token. If the token was rotated, enter the new one \
             under Connections",
    proof: "enter the Auth Token under Connections",
    explain,
    sender_of,
};

static LIMITS: Limits = Limits {
    // The 2010 API counts concurrent requests per account, does not publish how many, and advises 100 ms,
    // doubled with jitter up to 30 s ("REST API best practices", error 20429).
    calls: CallLimits {
        concurrency: 20,
        pause: Growth {
            first: Duration::from_millis(100),
            cap: Duration::from_secs(30),
        },
        ..CallLimits::careful()
    },
    // Messages API, `Body` (21617).
    longest_text: 1_600,
    call: Duration::from_secs(15),
    polls: &[5, 15, 60, 300, 1_800, 10_800, 28_800, 43_200],
    polls_beside_reports: &[900, 7_200, 36_000, 43_200],
    checks: 3,
    check_every: 15,
};

/// The Messages API, whoever's account it is.
pub(super) struct MessagesKind(pub(super) Twilio);

#[async_trait]
impl TransportKind for MessagesKind {
    fn name(&self) -> TransportName {
        NAME
    }

    fn channel(&self) -> Channel {
        Channel::Sms
    }

    fn words(&self) -> &'static ProviderWords {
        &WORDS
    }

    fn limits(&self) -> &'static Limits {
        &LIMITS
    }

    fn senders(&self, settings: &Settings) -> Vec<Sender> {
        TwilioSettings::of(settings).senders().collect()
    }

    fn usual_pace(&self, sender: &Sender) -> Option<u16> {
        pace::usual(sender)
    }

    async fn refuses_sender(&self, login: &Login<'_>, sender: &Sender) -> Option<String> {
        let account = accounts(login).next()?;
        let problem = self.0.refused_sender(&account, sender).await?;
        Some(problem.message)
    }

    fn open(&self, login: &Login<'_>, hook_token: Option<String>) -> Option<Arc<dyn Transport>> {
        Some(Arc::new(Messages {
            twilio: self.0.clone(),
            account: accounts(login).next()?,
            hook_token,
            default_sender: TwilioSettings::of(login.settings).default_sender(),
        }))
    }
}

/// An account's messages.
pub(super) struct Messages {
    pub(super) twilio: Twilio,
    pub(super) account: Account,
    hook_token: Option<String>,
    default_sender: Option<Sender>,
}

#[async_trait]
impl Transport for Messages {
    fn words(&self) -> &'static ProviderWords {
        &WORDS
    }

    fn limits(&self) -> &'static Limits {
        &LIMITS
    }

    fn has_sender(&self, sender: &str) -> bool {
        self.sender(sender).is_some()
    }

    fn request(&self, message: &Outgoing<'_>) -> String {
        let request = self.with_form(message, |form| {
            KeptRequest::of_message(&self.twilio, &self.account, form)
        });
        serde_json::to_string(&request).unwrap_or_default()
    }

    async fn send(&self, message: &Outgoing<'_>, time: CallTime) -> Result<Accepted, SendFailure> {
        let callback = self.callback(message);
        let Some(sender) = self.sender(message.sender) else {
            return Err(unbuildable());
        };
        let form = new_message(message, &sender, callback.as_deref());
        let sent = self.twilio.create(&self.account, &form, time).await;
        sent.map(|accepted| taken(&accepted, message))
            .map_err(|error| failed(&error, message))
    }

    async fn status(&self, id: &str) -> Result<Report, StatusFailure> {
        let Ok(sid) = MessageSid::parse(id) else {
            return Err(StatusFailure {
                is_lasting: true,
                why: "it has no name at Twilio".to_owned(),
            });
        };
        let asked = self
            .twilio
            .get(&self.account, &sid, CallTime::of(LIMITS.call));
        let told = asked.await.map_err(|error| StatusFailure {
            is_lasting: matches!(error.kind, CallFailure::NotFound(_)),
            why: error.to_string(),
        })?;
        let code = told.error_code.unwrap_or_default();
        Ok(Report {
            status: told.status,
            word: told.status.map_or("unknown", |s| s.as_str()).to_owned(),
            error_code: code.into(),
            is_opt_out: codes::explain(code).is_opt_out(),
            limit: codes::hit_limit(code),
            detail: json!({ "error_message": told.error_message }).to_string(),
            said: told.error_message,
        })
    }

    async fn find(&self, lost: &Lost<'_>, ledger: &dyn Ledger) -> Result<Search, FindFailure> {
        self.search(lost, ledger).await
    }

    async fn inbound(&self, told: &Inbound) -> Option<InboundAnswer> {
        /// Twilio waits 15 seconds for our answer.
        const CALL: Duration = Duration::from_secs(6);
        let sid = MessageSid::parse(&told.id).ok()?;
        let asked = self.twilio.get(&self.account, &sid, CallTime::of(CALL));
        let found = asked.await.ok()?;
        Some(match inbound::confirmed(told, found) {
            Some(confirmed) => InboundAnswer::Confirmed(confirmed),
            None => InboundAnswer::Other,
        })
    }

    async fn sandbox_texts(&self, to: &str, since: DateTime<Utc>) -> Vec<String> {
        /// Somebody waits for the page.
        const CALL: Duration = Duration::from_secs(10);
        if !self.twilio.is_sandbox() {
            return Vec::new();
        }
        let query = ListQuery {
            to: Some(to),
            page_size: 100,
            max_pages: 3,
            not_before: since,
        };
        let listed = self.twilio.list(&self.account, &query, CallTime::of(CALL));
        let listing = listed.await.map(|listing| listing.messages);
        let messages = listing.unwrap_or_default().into_iter();
        messages.filter_map(|message| message.body).collect()
    }
}

/// A sender ready to be used.
enum OwnedSender {
    From(String),
    MessagingService(MessagingServiceSid),
}

impl Messages {
    /// The rule's sender (as stored), else the connection's.
    fn sender(&self, rule: &str) -> Option<OwnedSender> {
        let chosen = serde_json::from_str::<Sender>(rule).ok();
        match chosen.or_else(|| self.default_sender.clone())? {
            Sender::From(from) => Some(OwnedSender::From(from)),
            Sender::MessagingService(sid) => MessagingServiceSid::parse(&sid)
                .ok()
                .map(OwnedSender::MessagingService),
        }
    }

    /// Where Twilio reports the fate of an attempt; `None` where it could not reach us.
    fn callback(&self, message: &Outgoing<'_>) -> Option<String> {
        let (hooks, (id, attempt)) = message.hooks.zip(message.mark)?;
        let token = self.hook_token.as_deref()?;
        // Three tries on errors and time-outs (Twilio's connection overrides); not part of the
        // signed address.
        Some(format!(
            "{hooks}/twilio/{token}/status?d={id}&a={attempt}#rc=3&rp=5xx,ct,rt&ct=2000"
        ))
    }

    fn with_form<T>(
        &self,
        message: &Outgoing<'_>,
        then: impl FnOnce(&NewMessage<'_>) -> T,
    ) -> Option<T> {
        let callback = self.callback(message);
        let sender = self.sender(message.sender)?;
        Some(then(&new_message(message, &sender, callback.as_deref())))
    }
}

fn new_message<'a>(
    message: &Outgoing<'a>,
    sender: &'a OwnedSender,
    callback: Option<&'a str>,
) -> NewMessage<'a> {
    NewMessage {
        to: message.to,
        sender: match sender {
            OwnedSender::From(from) => messages::Sender::From(from),
            OwnedSender::MessagingService(sid) => messages::Sender::MessagingService(sid),
        },
        body: message.content.text(),
        status_callback: callback,
        validity_period: Some(message.within.min(LONGEST_VALIDITY)),
    }
}

/// A 201; some bear a refusal all the same.
fn taken(accepted: &messages::Accepted, message: &Outgoing<'_>) -> Accepted {
    let code = accepted.error_code.unwrap_or_default();
    let is_failure = accepted.status.is_failure();
    let sentence = if is_failure {
        let words = accepted.error_message.as_deref().unwrap_or_default();
        codes::sentence_with(code, message.to, Some(message.reader), words)
    } else {
        let sid = &accepted.sid;
        match accepted.num_segments {
            Some(1) => format!("Twilio has it ({sid}), 1 segment"),
            Some(segments) => format!("Twilio has it ({sid}), {segments} segments"),
            None => format!("Twilio has it ({sid})"),
        }
    };
    Accepted {
        id: accepted.sid.to_string(),
        status: accepted.status,
        error_code: code.into(),
        sentence,
        is_opt_out: is_failure && codes::explain(code).is_opt_out(),
        is_crowded: accepted.response.is_crowded(),
        response: serde_json::to_value(&accepted.response).unwrap_or_default(),
    }
}

fn failed(error: &SendError, message: &Outgoing<'_>) -> SendFailure {
    use super::error::SendFailure as Twilios;
    let code = error.code().unwrap_or_default();
    let plain = || error.to_string();
    let (kind, sentence) = match &error.kind {
        Twilios::Refused(refusal) => {
            let is_opt_out = codes::explain(code).is_opt_out();
            let words = refusal.message.as_str();
            let sentence = codes::sentence_with(code, message.to, Some(message.reader), words);
            (FailureKind::Refused { is_opt_out }, sentence)
        }
        Twilios::NotSent(Unsent::Unbuildable) => return unbuildable(),
        Twilios::NotSent(Unsent::Unreachable(_)) => (FailureKind::Unreachable, plain()),
        Twilios::NotSent(Unsent::TooLate) => (FailureKind::TooLate, plain()),
        Twilios::Credentials(refusal) => {
            let reason = match refusal.code {
                Some(code) => refusal.entry().what_with(code),
                None => format!("Twilio refuses the credentials (HTTP {})", refusal.http),
            };
            let code = error
                .code()
                .map_or_else(String::new, |code| format!(" ({code})"));
            let sentence =
                format!("Twilio refused the credentials{code}. Enter them again under Connections");
            (FailureKind::Credentials { reason }, sentence)
        }
        Twilios::Ambiguous { why, .. } => {
            let sentence = format!("{why}: Twilio may or may not have it");
            (FailureKind::Ambiguous, sentence)
        }
        Twilios::Throttled { retry_after, .. } => {
            let retry_after = *retry_after;
            (FailureKind::Throttled { retry_after }, plain())
        }
        Twilios::TryLater { retry_after, .. } => {
            let retry_after = *retry_after;
            (FailureKind::TryLater { retry_after }, plain())
        }
        Twilios::DailyLimit { code } => {
            // The other limits of a day are a sender's.
            let is_of_account = *code == 63038;
            let what = codes::explain(*code).what_with(*code);
            (FailureKind::DailyLimit { is_of_account }, what)
        }
    };
    SendFailure {
        kind,
        error_code: code.into(),
        sentence,
        is_crowded: error.response.as_ref().is_some_and(|r| r.is_crowded()),
        response: serde_json::to_value(&error.response).unwrap_or_default(),
    }
}

fn unbuildable() -> SendFailure {
    SendFailure {
        kind: FailureKind::Unbuildable,
        error_code: 0,
        sentence: "The request to Twilio could not be built; nothing was sent".to_owned(),
        is_crowded: false,
        response: serde_json::Value::Null,
    }
}

fn explain(report: &Report, to: &str, reader: &str) -> String {
    let code = i32::try_from(report.error_code).unwrap_or_default();
    let says = match report.word.as_str() {
        "failed" | "undelivered" | "canceled" if code != 0 && !to.is_empty() => {
            let said = report.said.as_deref().unwrap_or_default();
            return codes::sentence_with(code, to, Some(reader), said);
        }
        "accepted" | "queued" | "sending" | "scheduled" => "Twilio has it and is sending it",
        "sent" => "Handed to the carrier",
        "delivered" => "The carrier confirmed the delivery",
        "read" => "The recipient opened it",
        "failed" => "Twilio could not send it and gave no reason",
        "undelivered" => "The carrier could not deliver it and gave no reason",
        "canceled" => "It was canceled at Twilio",
        _ => "Twilio reported a status that we do not know",
    };
    says.to_owned()
}

/// The number or service that a kept request names.
fn sender_of(request: &Value) -> Option<String> {
    let pairs = request.get("form")?.as_array()?;
    let named = |pair: &&Value| {
        let name = pair.get(0).and_then(Value::as_str);
        matches!(name, Some("From" | "MessagingServiceSid"))
    };
    let sender = pairs.iter().find(named)?.get(1)?.as_str()?;
    Some(sender.to_owned())
}
