//! What owners are told of at once: a connection that is refused, a burst of forged requests, a hook
//! that has fallen silent.
//!
//! Each occasion has a name (what, which connection, since when), and `mails.once` takes one letter
//! per owner and name: whoever looks, as often as they like, tells each of them once.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::mail::{Mail, MailContent};
use super::{App, AppError};
use crate::domain::ids::TenantId;
use crate::domain::tenant::Tenant;
use crate::domain::working_days;
use crate::mail::untrusted::{self, NAME_LENGTH};
use crate::store::{Trouble, TroubleKind, User};

/// How long after its beginning a trouble is still told: a process may have died before it could.
const FRESH: TimeDelta = TimeDelta::days(1);

/// Working days without a request after which a hook counts as silent.
const SILENCE_DAYS: u32 = 2;

/// A silence that began before is no news: mails are kept for a month, and so nobody is told twice.
const SILENCE_FRESH: TimeDelta = TimeDelta::days(14);

/// How much of a provider's reason is told, in characters.
const REASON_LENGTH: usize = 500;

/// Rows of one look.
pub(super) const AT_ONCE: u64 = 500;

/// What an e-mail to several people is about.
pub(super) struct Notice<'a> {
    pub(super) kind: &'static str,
    /// What makes a second one the same.
    pub(super) occasion: String,
    pub(super) tenant: &'a Tenant,
    pub(super) mail: MailContent,
}

impl App {
    /// Who owns a tenant.
    pub async fn owners(&self, tenant: TenantId) -> Result<Vec<User>, AppError> {
        Ok(self.tenant(tenant).owners().await?)
    }

    /// Tells owners of troubles, silent hooks and yesterday, whatever of it is due.
    pub async fn tell_owners(&self) -> Result<(), AppError> {
        if !self.can_mail() {
            return Ok(());
        }
        self.tell_troubles(None).await?;
        self.tell_silences().await?;
        self.tell_mornings().await
    }

    /// Tells one tenant's owners of a trouble that has just begun. When that fails, the next look does
    /// it: who met the trouble goes on.
    pub(super) async fn tell_trouble(&self, tenant: TenantId) {
        if !self.can_mail() {
            return;
        }
        if let Err(error) = self.tell_troubles(Some(tenant)).await {
            tracing::warn!(%error, "Owners could not be told of a trouble; trying again");
        }
    }

    async fn tell_troubles(&self, of: Option<TenantId>) -> Result<(), AppError> {
        let platform = self.store().platform();
        for trouble in platform.troubles(of, self.now() - FRESH).await? {
            let kind = match trouble.kind {
                TroubleKind::Refused(_) => "refused",
                TroubleKind::Burst => "burst",
                TroubleKind::LowBalance(_) => "low_balance",
            };
            let notice = Notice {
                kind,
                occasion: occasion(kind, trouble.connection.uuid(), trouble.begun),
                tenant: &trouble.tenant,
                mail: self.trouble_mail(&trouble),
            };
            let owners = self.owners(trouble.tenant.id).await?;
            self.notify(notice, owners).await?;
        }
        Ok(())
    }

    async fn tell_silences(&self) -> Result<(), AppError> {
        let (platform, now) = (self.store().platform(), self.now());
        let mut after = Uuid::nil();
        loop {
            let hooks = platform.last_heard(after, AT_ONCE).await?;
            let is_last = (hooks.len() as u64) < AT_ONCE;
            for (connection, heard) in hooks {
                after = connection;
                let Some((tenant, at)) = heard else { continue };
                let due = working_days::after(at, SILENCE_DAYS, tenant.zone);
                if due > now || at < now - SILENCE_FRESH {
                    continue;
                }
                let notice = Notice {
                    kind: "silent",
                    occasion: occasion("silent", connection, at),
                    tenant: &tenant,
                    mail: self.silence_mail(&tenant, at),
                };
                let owners = self.owners(tenant.id).await?;
                self.notify(notice, owners).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// The same e-mail to several people, each once.
    pub(super) async fn notify(&self, notice: Notice<'_>, to: Vec<User>) -> Result<(), AppError> {
        for user in to {
            self.mail(Mail {
                tenant: Some(notice.tenant.id),
                once: format!("{}/{}", notice.occasion, user.id.uuid().simple()),
                to: user.email,
                kind: notice.kind,
                content: notice.mail.clone(),
            })
            .await?;
        }
        Ok(())
    }

    /// The address of a tenant's page.
    pub(super) fn page_of(&self, tenant: &Tenant, path: &str) -> String {
        self.public_url().join(&format!("/t/{}{path}", tenant.slug))
    }

    fn trouble_mail(&self, trouble: &Trouble) -> MailContent {
        let name = untrusted::quoted(&trouble.tenant.name, NAME_LENGTH);
        let kind = self.parts.transports.provider(trouble.provider);
        let provider = kind.map_or("Zoho Books", |kind| kind.words().name);
        let connections = self.page_of(&trouble.tenant, "/connections");
        let rejected = self.page_of(&trouble.tenant, "/rejected");
        match &trouble.kind {
            TroubleKind::Refused(why) => {
                let waits = if kind.is_some() {
                    "Messages are held until it is connected again; none is lost."
                } else {
                    "Webhooks are still taken; what asks Zoho Books itself waits until it is \
                     connected again."
                };
                MailContent {
                    subject: format!("{provider} refuses our access for {name}"),
                    text: format!(
                        "{provider} refuses the credentials of {name}:\n\n{}.\n\n{waits}\n\n\
                         Connect {provider} again:\n{connections}\n",
                        untrusted::bare(why.trim_end_matches('.'), REASON_LENGTH)
                    ),
                }
            }
            TroubleKind::LowBalance(balance) => MailContent {
                subject: format!("Little is left on the {provider} account of {name}"),
                text: format!(
                    "{balance} are left on the {provider} account of {name}. That is less than 10, or \
                     less than three days like those of this month cost.\n\n\
                     {provider} sends nothing once it is used up. Add to it in its Console, where it can \
                     also be set to recharge by itself.\n\n\
                     See the balance and the other limits:\n{connections}#limits\n\n\
                     You are told again only when it has been more in between.\n"
                ),
            },
            TroubleKind::Burst => MailContent {
                subject: format!("Requests from {provider} are refused for {name}"),
                text: format!(
                    "At least five requests within ten minutes to the web address that {name} gave \
                     {provider} were refused, because their signature is wrong (401).\n\n\
                     Most often the secret there is not, or no longer, the one shown here. Until both \
                     are the same, nothing that {provider} reports arrives. If nobody changed \
                     anything, somebody else may be knocking; they were told nothing.\n\n\
                     See the requests:\n{rejected}\n\n\
                     See the address and make a new secret:\n{connections}\n\n\
                     You are told again only after an hour without such requests.\n"
                ),
            },
        }
    }

    fn silence_mail(&self, tenant: &Tenant, heard: DateTime<Utc>) -> MailContent {
        let name = untrusted::quoted(&tenant.name, NAME_LENGTH);
        let heard = heard.with_timezone(&tenant.zone);
        MailContent {
            subject: format!("Nothing from Zoho Books for two working days at {name}"),
            text: format!(
                "Zoho Books last told {name} something on {} ({}).\n\n\
                 If nothing happened in the books since then, all is well. Otherwise see in Zoho \
                 Books, under Settings, Workflow Rules, that the rules with our web address are \
                 active and that its log of webhooks shows no failures.\n\n\
                 See the address and the last requests:\n{}\n\n\
                 You are told once; the next e-mail follows a silence after the next event.\n",
                heard.format("%A, %-d %B at %H:%M"),
                tenant.zone.name().replace('_', " "),
                self.page_of(tenant, "/connections"),
            ),
        }
    }
}

fn occasion(kind: &str, connection: Uuid, begun: DateTime<Utc>) -> String {
    format!(
        "{kind}/{}/{}",
        connection.simple(),
        begun.timestamp_micros()
    )
}
