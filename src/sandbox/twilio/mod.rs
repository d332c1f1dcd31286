//! The stand-in for Twilio: its messaging API here, and that for e-mail in `email`.
//!
//! It is as strict as Twilio: accounts must be registered, forms are read by exact names, senders
//! must be owned. A taken message goes on by a plan and tells its states with signed posts, to
//! addresses on this machine only.

mod account;
mod address;
mod answer;
mod callback;
mod create;
mod email;
mod error;
mod fault;
mod message;
mod query;
mod report;
pub(super) mod routes;
#[cfg(test)]
mod tests;
mod usage;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

pub use self::account::{
    AccountKind, AccountStatus, Credentials, KeyKind, NewAccount, NewKey, NewService, Permission,
};
pub use self::callback::{CallbackPlan, CallbackRule, PostedCallback};
pub use self::email::{
    Email, EmailFilter, EmailPlan, EmailRule, EmailSettings, EmailStep, SenderDomain,
};
pub use self::fault::{Fault, FaultKind, FaultOrder, FaultPlan, FaultShare, On};
pub use self::message::Message;
pub use self::report::{MessageFilter, TextCount, email_counts, text_counts};
pub use self::usage::AccountFigures;

use self::account::{Account, random_sid};
use self::callback::{Plans, Poster};
use self::create::{Form, Surroundings};
use self::email::Emails;
use self::error::Refusal;
use self::fault::Faults;
use self::message::Ledger;
use super::log::{Bounded, LoggedRequest, lock};
use super::{BadOrder, SandboxConfig};
use crate::domain::clock::SharedClock;

/// How many requests to send an e-mail are kept whole.
const EMAIL_LOG: usize = 1_000;

/// The stand-in for Twilio; a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub struct Twilio(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: SharedClock,
    runtime: Handle,
    state: Mutex<State>,
    poster: Poster,
    requests: Bounded<LoggedRequest>,
    email_requests: Bounded<LoggedRequest>,
    /// Messages taken since the last reset, also those forgotten since.
    taken: AtomicU64,
    /// E-mails likewise.
    emails_taken: AtomicU64,
    message_cap: usize,
    first_plan: CallbackPlan,
    first_settings: Settings,
}

#[derive(Debug)]
struct State {
    accounts: HashMap<String, Arc<Account>>,
    ledger: Ledger,
    /// What recipients wrote, by sid.
    received: Ledger,
    emails: Emails,
    faults: Faults,
    plans: Plans,
    opted_out: HashSet<(String, String)>,
    /// By account.
    figures: HashMap<String, AccountFigures>,
    settings: Settings,
}

/// What holds for all accounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Requests at once per account before 429/20429.
    pub concurrency_limit: usize,
    /// Requests of the account's other programs, always under way.
    pub other_requests: usize,
    /// How long each answer takes, in milliseconds.
    pub latency_ms: u64,
    /// Refuse every `StatusCallback` with 21609.
    pub refuse_callbacks: bool,
    /// How far the `Date` header is ahead of the sandbox's clock, in seconds.
    pub date_skew_s: i64,
    /// Rewrite texts as a Messaging Service with Smart Encoding does.
    pub smart_encoding: bool,
    /// What holds for e-mails.
    pub emails: EmailSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency_limit: 100,
            other_requests: 0,
            latency_ms: 0,
            refuse_callbacks: false,
            date_skew_s: 0,
            smart_encoding: false,
            emails: EmailSettings::default(),
        }
    }
}

/// A recipient who does not want messages of this account any more.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptOut {
    /// The account.
    pub account_sid: String,
    /// The recipient, as in `To`.
    pub to: String,
    /// False takes the wish back.
    #[serde(default = "yes")]
    pub opted_out: bool,
}

fn yes() -> bool {
    true
}

/// A text from a recipient to one of an account's senders.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    /// The account.
    pub account_sid: String,
    /// Who writes.
    pub from: String,
    /// The account's sender.
    pub to: String,
    /// The text; STOP and START are obeyed.
    pub body: String,
    /// Where it is posted; the account's `inbound_url` when left out.
    #[serde(default)]
    pub url: Option<String>,
}

impl Twilio {
    /// An empty stand-in. Callbacks are posted from `runtime`.
    pub(super) fn new(config: &SandboxConfig, runtime: Handle) -> Self {
        let http = config.http.clone();
        let poster = Poster::new(
            http,
            runtime.clone(),
            config.callbacks_at_once,
            config.log_cap,
        );
        let inner = Inner {
            clock: config.clock.clone(),
            state: Mutex::new(State::new(
                config.message_cap,
                &config.callbacks,
                &config.twilio,
            )),
            requests: Bounded::new(config.log_cap),
            email_requests: Bounded::new(config.log_cap.min(EMAIL_LOG)),
            taken: AtomicU64::new(0),
            emails_taken: AtomicU64::new(0),
            message_cap: config.message_cap,
            first_plan: config.callbacks.clone(),
            first_settings: config.twilio.clone(),
            poster,
            runtime,
        };
        Self(Arc::new(inner))
    }

    /// Registers an account, or replaces the one with the same sid.
    ///
    /// # Errors
    /// Says which sid has the wrong shape.
    pub fn register(&self, new: NewAccount) -> Result<Credentials, BadOrder> {
        let account = Account::from_new(new)?;
        let credentials = account.credentials();
        lock(&self.0.state)
            .accounts
            .insert(account.sid.clone(), Arc::new(account));
        Ok(credentials)
    }

    /// Orders a fault for the next answers.
    ///
    /// # Errors
    /// Says which detail is missing.
    pub fn next(&self, order: FaultOrder) -> Result<(), BadOrder> {
        lock(&self.0.state).faults.order(order).map_err(BadOrder)
    }

    /// Replaces the faults drawn by chance.
    ///
    /// # Errors
    /// Says which probability is out of range.
    pub fn fault_plan(&self, plan: FaultPlan) -> Result<(), BadOrder> {
        lock(&self.0.state).faults.plan(plan).map_err(BadOrder)
    }

    /// Sets how messages go on.
    ///
    /// # Errors
    /// Names a status that Twilio does not have.
    pub fn plan(&self, rule: CallbackRule) -> Result<(), BadOrder> {
        rule.plan.check()?;
        lock(&self.0.state).plans.add(rule);
        Ok(())
    }

    /// Replaces the settings.
    pub fn set(&self, settings: Settings) {
        lock(&self.0.state).settings = settings;
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        lock(&self.0.state).settings.clone()
    }

    /// Sets or clears an opt-out.
    pub fn opt_out(&self, wish: OptOut) {
        let key = (wish.account_sid, wish.to);
        let mut state = lock(&self.0.state);
        if wish.opted_out {
            state.opted_out.insert(key);
        } else {
            state.opted_out.remove(&key);
        }
    }

    /// Sets what an account has left and has cost.
    pub fn set_figures(&self, figures: AccountFigures) {
        let mut state = lock(&self.0.state);
        state.figures.insert(figures.account_sid.clone(), figures);
    }

    /// The messages kept, oldest first.
    pub fn messages(&self, filter: &MessageFilter) -> Vec<Message> {
        let state = lock(&self.0.state);
        state
            .ledger
            .iter()
            .filter(|message| filter.shows(message))
            .cloned()
            .collect()
    }

    /// How many messages were taken since the last reset, also those forgotten since.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::SeqCst)
    }

    /// The requests received, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        let mut all = self.0.requests.all();
        all.extend(self.0.email_requests.all());
        all.sort_by_key(|request| request.at);
        all
    }

    /// The callbacks posted, in the order in which they ended.
    pub fn callbacks(&self) -> Vec<PostedCallback> {
        self.0.poster.log.all()
    }

    /// Waits until no message is on its way and every callback has ended.
    pub async fn idle(&self) {
        self.0.poster.tasks.wait().await;
    }

    /// Moves a message to a state now and posts it; none when the message is unknown, and no
    /// post when it has no callback address.
    pub async fn tell(
        &self,
        sid: &str,
        status: &str,
        error_code: Option<u32>,
    ) -> Option<Option<PostedCallback>> {
        let (message, account) = self.advance(sid, status, error_code)?;
        let Some(url) = &message.status_callback else {
            return Some(None);
        };
        let params = status_params(&message, status, error_code);
        Some(Some(
            self.0.poster.post(url, params, &account.auth_token).await,
        ))
    }

    /// Posts an inbound message, after obeying STOP and START.
    ///
    /// # Errors
    /// Says what is missing.
    pub async fn receive(&self, inbound: Inbound) -> Result<PostedCallback, BadOrder> {
        let account = lock(&self.0.state)
            .accounts
            .get(&inbound.account_sid)
            .cloned();
        let account = account.ok_or("no such account")?;
        let url = inbound.url.as_ref().or(account.inbound_url.as_ref());
        let url = url.ok_or("the account has no `inbound_url`")?.clone();
        let wish = match inbound.body.trim().to_ascii_uppercase().as_str() {
            "STOP" | "STOPALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" | "REVOKE"
            | "OPTOUT" => Some(true),
            "START" | "UNSTOP" => Some(false),
            _ => None,
        };
        if let Some(opted_out) = wish {
            let (account_sid, to) = (inbound.account_sid.clone(), inbound.from.clone());
            self.opt_out(OptOut {
                account_sid,
                to,
                opted_out,
            });
        }
        let (sid, now) = (random_sid("SM"), self.0.clock.now());
        lock(&self.0.state).received.push(Message {
            sid: sid.clone(),
            account_sid: inbound.account_sid.clone(),
            to: inbound.to.clone(),
            from: Some(inbound.from.clone()),
            body: inbound.body.clone(),
            status: "received".to_owned(),
            error_code: None,
            messaging_service_sid: None,
            status_callback: None,
            num_media: 0,
            date_created: now,
            date_updated: now,
            date_sent: Some(now),
            params: Vec::new(),
        });
        let params = pairs(&[
            ("AccountSid", &inbound.account_sid),
            ("ApiVersion", "2010-04-01"),
            ("Body", &inbound.body),
            ("From", &inbound.from),
            ("MessageSid", &sid),
            ("NumMedia", "0"),
            ("NumSegments", "1"),
            ("SmsMessageSid", &sid),
            ("SmsSid", &sid),
            ("SmsStatus", "received"),
            ("To", &inbound.to),
        ]);
        Ok(self.0.poster.post(&url, params, &account.auth_token).await)
    }

    /// Forgets everything, accounts too.
    pub fn reset(&self) {
        let inner = &self.0;
        let fresh = State::new(inner.message_cap, &inner.first_plan, &inner.first_settings);
        *lock(&inner.state) = fresh;
        inner.taken.store(0, Ordering::SeqCst);
        inner.emails_taken.store(0, Ordering::SeqCst);
        inner.requests.clear();
        inner.email_requests.clear();
        inner.poster.log.clear();
    }

    /// Stops telling states.
    pub(super) fn stop(&self) {
        self.0.poster.stopped.cancel();
    }

    /// Takes a message, starts its way, and shows it.
    fn take(&self, account: &Account, form: &Form) -> Result<serde_json::Value, Refusal> {
        let now = self.0.clock.now();
        let mut state = lock(&self.0.state);
        let opted_out = |to: &str| {
            state
                .opted_out
                .contains(&(account.sid.clone(), to.to_owned()))
        };
        let around = Surroundings {
            now,
            refuse_callbacks: state.settings.refuse_callbacks,
            smart_encoding: state.settings.smart_encoding,
            opted_out: &opted_out,
        };
        let message = create::message(account, form, &around)?;
        let shown = message.json();
        let mut plan = state.plans.of(&message.to).clone();
        let sid = message.sid.clone();
        if message.messaging_service_sid.is_some() && !plan.statuses.is_empty() {
            // The service queues the message once it has picked a sender.
            plan.statuses.insert(0, "queued".to_owned());
            if !plan.delays_ms.is_empty() {
                plan.delays_ms.insert(0, 0);
            }
        }
        state.ledger.push(message);
        drop(state);
        self.0.taken.fetch_add(1, Ordering::SeqCst);
        if !account.test_credentials && !plan.statuses.is_empty() {
            let twilio = self.clone();
            self.0
                .poster
                .spawn(async move { twilio.go_on(&sid, &plan).await });
        }
        Ok(shown)
    }

    async fn go_on(&self, sid: &str, plan: &CallbackPlan) {
        for (step, status) in plan.statuses.iter().enumerate() {
            let delay = plan.delay(step);
            if delay > Duration::ZERO {
                tokio::time::sleep(delay).await;
            }
            let Some((message, account)) = self.advance(sid, status, plan.error_code) else {
                return;
            };
            let Some(url) = message.status_callback.as_ref().filter(|_| plan.post) else {
                continue;
            };
            for _ in 0..=plan.duplicates {
                let params = status_params(&message, status, plan.error_code);
                self.0.poster.post(url, params, &account.auth_token).await;
            }
        }
    }

    fn advance(
        &self,
        sid: &str,
        status: &str,
        error_code: Option<u32>,
    ) -> Option<(Message, Arc<Account>)> {
        let now = self.0.clock.now();
        let mut state = lock(&self.0.state);
        let state = &mut *state;
        let message = state.ledger.get_mut(sid)?;
        let account = Arc::clone(state.accounts.get(&message.account_sid)?);
        if message.from.is_none() && status != "accepted" {
            let service = account
                .services
                .iter()
                .find(|service| Some(&service.sid) == message.messaging_service_sid.as_ref());
            message.from = service.and_then(|service| service.senders.first().cloned());
        }
        message.advance(status, error_code, now);
        Some((message.clone(), account))
    }
}

impl State {
    fn new(message_cap: usize, plan: &CallbackPlan, settings: &Settings) -> Self {
        Self {
            accounts: HashMap::new(),
            ledger: Ledger::new(message_cap),
            received: Ledger::new(message_cap),
            emails: Emails::new(message_cap),
            faults: Faults::default(),
            plans: Plans::new(plan.clone()),
            opted_out: HashSet::new(),
            figures: HashMap::new(),
            settings: settings.clone(),
        }
    }
}

/// The form of a status callback (facts 5.1).
fn status_params(message: &Message, status: &str, code: Option<u32>) -> Vec<(String, String)> {
    let mut params = pairs(&[
        ("SmsSid", &message.sid),
        ("SmsStatus", status),
        ("MessageStatus", status),
        ("To", &message.to),
        ("MessageSid", &message.sid),
        ("AccountSid", &message.account_sid),
        ("ApiVersion", "2010-04-01"),
    ]);
    let mut add = |name: &str, value: String| params.push((name.to_owned(), value));
    if let Some(from) = &message.from {
        add("From", from.clone());
    }
    if let Some(service) = &message.messaging_service_sid {
        add("MessagingServiceSid", service.clone());
    }
    if matches!(status, "failed" | "undelivered")
        && let Some(code) = code
    {
        add("ErrorCode", code.to_string());
    }
    if matches!(status, "delivered" | "undelivered") {
        add("RawDlrDoneDate", done_date(message.date_updated));
    }
    params
}

fn done_date(at: DateTime<Utc>) -> String {
    at.format("%y%m%d%H%M").to_string()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
