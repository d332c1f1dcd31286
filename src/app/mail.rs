//! The service's own mail: what it says is kept, sealed, until a worker has handed it over.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{App, AppError, job};
use crate::crypto::vault::Place;
use crate::domain::ids::{TenantId, new_v7};
use crate::mail::{NotSent, Outgoing};
use crate::store::{ClaimedMail, MailOutcome, StoredMail};

/// How long a worker has an e-mail to itself; longer than handing it over may take.
const LEASE: TimeDelta = TimeDelta::minutes(3);

/// How long an e-mail is tried.
const PATIENCE: TimeDelta = TimeDelta::hours(24);

/// How long what became of an e-mail can be read, and the same e-mail is not written again.
const KEPT: TimeDelta = TimeDelta::days(30);

/// An e-mail to one person, before it is kept.
#[derive(Debug, Clone)]
pub struct Mail {
    /// On whose behalf; `None` for a person's own account.
    pub tenant: Option<TenantId>,
    pub to: String,
    /// What it is about, as a stable word such as `reset`.
    pub kind: &'static str,
    /// What makes a second one the same e-mail; the first is kept.
    pub once: String,
    pub content: MailContent,
}

/// What stands in it. Links in it are credentials, so it is sealed and never logged.
#[derive(Clone, Serialize, Deserialize)]
pub struct MailContent {
    pub subject: String,
    /// Plain text, lines ended by `\n`. A line that is only an address of ours becomes a button of
    /// the HTML part; a short line right before it is what the button says.
    pub text: String,
}

impl std::fmt::Debug for MailContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailContent").finish_non_exhaustive()
    }
}

impl App {
    /// Whether e-mails reach anybody: over SMTP, or in the log where only this machine reaches us.
    /// Pages that need mail ask first and say so.
    pub fn can_mail(&self) -> bool {
        self.parts.mailer.can_send()
    }

    /// Keeps an e-mail and wakes whoever sends it. Where no mail can leave, nothing is kept.
    pub async fn mail(&self, mail: Mail) -> Result<(), AppError> {
        if !self.can_mail() {
            tracing::warn!(
                mail.kind,
                "An e-mail was not written, since SMTP_URL is not set"
            );
            return Ok(());
        }
        let platform = self.store().platform();
        if platform.has_mail(&mail.once).await? {
            return Ok(());
        }
        let row = self.sealed(mail)?;
        let (tenant, id, now) = (row.tenant, row.id, self.now());
        if platform.keep_mail(row, now).await? {
            self.wake(vec![job::send_mail(tenant, id, now)]).await;
        }
        Ok(())
    }

    /// An e-mail as it is kept, for those who keep it with the change that it tells of.
    pub(super) fn sealed(&self, mail: Mail) -> Result<StoredMail, AppError> {
        let id = new_v7(self.now());
        let content = serde_json::to_vec(&mail.content).unwrap_or_default();
        let sealed = self.parts.vault.seal_bytes(&place(id), &content)?;
        Ok(StoredMail {
            id,
            tenant: mail.tenant,
            recipient: mail.to,
            kind: mail.kind.to_owned(),
            once: mail.once,
            sealed,
        })
    }

    /// Hands one e-mail over, unless it is not due or another worker has it.
    pub async fn send_mail(&self, id: Uuid) -> Result<(), AppError> {
        let now = self.now();
        let platform = self.store().platform();
        let Some(claimed) = platform.claim_mail(id, now + LEASE, now).await? else {
            return Ok(());
        };
        let outcome = self.try_mail(&claimed).await;
        tell(&claimed, &outcome);
        platform
            .settle_mail(id, claimed.tries, outcome, self.now())
            .await?;
        Ok(())
    }

    async fn try_mail(&self, claimed: &ClaimedMail) -> MailOutcome {
        let opened = self.open_bytes(&place(claimed.id), &claimed.sealed).await;
        let mail = match opened {
            Ok(bytes) => serde_json::from_slice::<MailContent>(&bytes),
            Err(error) => return self.later(claimed, format!("it does not open: {error}")),
        };
        let Ok(mail) = mail else {
            return MailOutcome::Failed("it cannot be read".to_owned());
        };
        let origin = self.public_url().origin();
        let outgoing = Outgoing {
            id: claimed.id,
            to: &claimed.recipient,
            subject: &mail.subject,
            text: &mail.text,
            at: claimed.created_at,
            origin: &origin,
        };
        match self.parts.mailer.send(&outgoing).await {
            Ok(()) => MailOutcome::Sent,
            Err(NotSent::Permanent(why)) => MailOutcome::Failed(why),
            Err(NotSent::Temporary(why)) => self.later(claimed, why),
        }
    }

    fn later(&self, claimed: &ClaimedMail, why: String) -> MailOutcome {
        let next = self.now() + wait(claimed.tries);
        if next - claimed.created_at > PATIENCE {
            return MailOutcome::Failed(format!("not within 24 hours: {why}"));
        }
        MailOutcome::Later(next, why)
    }

    /// Forgets e-mails that ended a month ago.
    pub async fn prune_mails(&self) -> Result<u64, AppError> {
        let before = self.now() - KEPT;
        Ok(self.store().platform().prune_mails(before).await?)
    }
}

const fn place(id: Uuid) -> Place<'static> {
    Place::platform("mails", "sealed", id)
}

/// The pause after this many tries.
fn wait(tries: i64) -> Duration {
    Duration::from_mins(match tries {
        ..=1 => 1,
        2 => 5,
        3 => 15,
        4 => 30,
        _ => 60,
    })
}

/// A server's answer may repeat the address, so the log names the e-mail and not the reason.
fn tell(claimed: &ClaimedMail, outcome: &MailOutcome) {
    let (id, kind) = (claimed.id, claimed.kind.as_str());
    match outcome {
        MailOutcome::Sent => tracing::info!(mail.id = %id, mail.kind = kind, "Sent an e-mail"),
        MailOutcome::Later(at, _) => tracing::warn!(
            mail.id = %id, mail.kind = kind, "A mail did not leave; it is tried again at {at}"
        ),
        MailOutcome::Failed(_) => tracing::warn!(
            mail.id = %id, mail.kind = kind, "An e-mail will not leave; its row in mails says why"
        ),
    }
}
