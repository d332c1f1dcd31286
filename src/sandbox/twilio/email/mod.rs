//! The stand-in for Twilio Email (`POST /v1/Emails`).
//!
//! It is as strict as Twilio's pages are, and a little stricter where they are silent: a key that nobody has
//! shown is refused. Nothing is ever posted to anybody; an e-mail goes on by a plan as the clock goes on, and is
//! forgotten after seven days.
//!
//! A recipient's local part may choose the plan, before a `+`: `undelivered`, `failed`, `canceled`, `opened`,
//! `late` (delivered after three hours), `silent` (sent, never delivered), `stuck` (never leaves).

mod error;
mod ledger;
mod liquid;
mod plan;
mod request;
mod routes;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) use self::ledger::Emails;
pub use self::ledger::{Email, EmailFilter};
pub use self::plan::{EmailPlan, EmailRule, EmailStep};
pub(super) use self::routes::mount;

use super::Twilio;
use super::account::{Account, AccountKind, AccountStatus};
use super::error::Refusal;
use crate::sandbox::BadOrder;
use crate::sandbox::log::lock;

/// What holds for the e-mails of all accounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmailSettings {
    /// Domains from which nothing may be sent; every other one counts as verified.
    pub unverified: BTreeSet<String>,
    /// How long a list does not show a new e-mail, in seconds.
    pub list_lag_s: u32,
    /// Lists show no tags.
    pub hides_tags: bool,
    /// The filter by tags finds nothing.
    pub ignores_tag_filter: bool,
    /// The name of the array in a list, which is not confirmed.
    pub list_key: String,
}

impl Default for EmailSettings {
    fn default() -> Self {
        Self {
            unverified: BTreeSet::from(["unverified.example".to_owned()]),
            list_lag_s: 0,
            hides_tags: false,
            ignores_tag_filter: false,
            list_key: "emails".to_owned(),
        }
    }
}

/// Whether a domain may send.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenderDomain {
    /// The domain.
    pub domain: String,
    /// False takes the right away.
    pub verified: bool,
}

impl Twilio {
    /// The e-mails kept, oldest first, as they stand now.
    pub fn emails(&self, filter: &EmailFilter) -> Vec<Email> {
        let now = self.0.clock.now();
        let state = lock(&self.0.state);
        let all = state.emails.iter().map(|email| email.shown(now));
        all.filter(|email| filter.shows(email)).collect()
    }

    /// How many e-mails were taken since the last reset, also those forgotten since.
    pub fn emails_taken(&self) -> u64 {
        self.0.emails_taken.load(Ordering::SeqCst)
    }

    /// Sets how e-mails go on that are taken from now on.
    ///
    /// # Errors
    /// Names a status that Twilio does not have.
    pub fn plan_emails(&self, rule: EmailRule) -> Result<(), BadOrder> {
        rule.plan.check()?;
        lock(&self.0.state).emails.plans.push(rule);
        Ok(())
    }

    /// Lets a domain send, or not.
    pub fn verify_domain(&self, of: &SenderDomain) {
        let domain = of.domain.to_lowercase();
        let unverified = &mut lock(&self.0.state).settings.emails.unverified;
        if of.verified {
            unverified.remove(&domain);
        } else {
            unverified.insert(domain);
        }
    }

    /// Takes a request to send, and says what its operation is called.
    fn take_emails(&self, account: &Account, body: &[u8]) -> Result<Value, Refusal> {
        if account.status != AccountStatus::Active {
            return Err(Refusal::new(403, 20005, "Account not active"));
        }
        let request = request::read(body)?;
        let now = self.0.clock.now();
        let mut state = lock(&self.0.state);
        let domain = request.from.domain();
        if state.settings.emails.unverified.contains(&domain) {
            let message = format!("The sender domain {domain} is not verified");
            return Err(Refusal::new(403, 20403, message));
        }
        if account.kind == AccountKind::Trial {
            let message = "email content does not match any approved template";
            return Err(Refusal::bad(20001, message));
        }
        let (operation, count) = state.emails.take(&account.sid, &request, now)?;
        drop(state);
        self.0.emails_taken.fetch_add(count, Ordering::SeqCst);
        Ok(json!({
            "operationId": operation,
            "operationLocation": format!("https://comms.twilio.com/v1/Emails/Operations/{operation}"),
        }))
    }
}
