//! The morning e-mail: what became of yesterday's messages, and what waits for somebody.

use chrono::{Days, NaiveDate, Timelike as _};
use uuid::Uuid;

use super::figures::{Figures, figures, span};
use super::mail::MailContent;
use super::notices::{AT_ONCE, Notice};
use super::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::ids::{TenantId, UserId};
use crate::domain::tenant::Tenant;
use crate::mail::untrusted::{self, NAME_LENGTH};

/// The hours of a morning, in the tenant's zone: whoever was down at eight catches up until noon.
const MORNING: std::ops::Range<u32> = 8..12;

/// What a morning e-mail counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counted {
    /// Yesterday.
    made: Figures,
    /// Now.
    waiting: u64,
}

impl App {
    /// Whether a person gets the morning e-mail of a tenant; `None` for who is no member.
    pub async fn wants_morning(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<bool>, AppError> {
        Ok(self.tenant(tenant).wants_morning(user).await?)
    }

    /// Switches a person's own morning e-mail.
    pub async fn switch_morning(
        &self,
        tenant: TenantId,
        user: UserId,
        wants: bool,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let store = self.tenant(tenant);
        if store.wants_morning(user).await? == Some(wants) {
            return Ok(());
        }
        let switch = store.switch_morning(user, wants, actor.clone(), self.now());
        if switch.await? {
            Ok(())
        } else {
            Err(AppError::NotFound("member"))
        }
    }

    /// Writes the morning e-mails that are due.
    pub(super) async fn tell_mornings(&self) -> Result<(), AppError> {
        let (platform, now) = (self.store().platform(), self.now());
        let mut after = Uuid::nil();
        loop {
            let tenants = platform.mornings(after, AT_ONCE).await?;
            let is_last = (tenants.len() as u64) < AT_ONCE;
            for (tenant, told) in tenants {
                after = tenant.id.uuid();
                let local = now.with_timezone(&tenant.zone);
                let today = local.date_naive().to_string();
                if MORNING.contains(&local.hour()) && told != today {
                    self.tell_morning(&tenant, today).await?;
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn tell_morning(&self, tenant: &Tenant, today: String) -> Result<(), AppError> {
        let store = self.tenant(tenant.id);
        let counted = self.counted(tenant).await?;
        if counted != Counted::default() {
            let notice = Notice {
                kind: "morning",
                occasion: format!("morning/{}/{today}", tenant.id.uuid().simple()),
                tenant,
                mail: self.morning_mail(tenant, counted),
            };
            self.notify(notice, store.morning_readers().await?).await?;
        }
        // Last: whoever dies before it is followed by somebody who writes the same e-mails.
        Ok(store.mark_morning(today).await?)
    }

    async fn counted(&self, tenant: &Tenant) -> Result<Counted, AppError> {
        let store = self.tenant(tenant.id);
        let (from, to) = span(self.yesterday(tenant), tenant.zone);
        let hours = store.tally(from).await?;
        Ok(Counted {
            made: figures(&store, &hours, from, to).await?,
            waiting: store.count_needing(super::history::COUNTED).await?,
        })
    }

    fn yesterday(&self, tenant: &Tenant) -> NaiveDate {
        let today = self.now().with_timezone(&tenant.zone).date_naive();
        today - Days::new(1)
    }

    fn morning_mail(&self, tenant: &Tenant, counted: Counted) -> MailContent {
        let Counted {
            made: Figures { sent, failed },
            waiting,
        } = counted;
        let words = format!("{sent} sent, {failed} failed, {waiting} waiting for you");
        let mut text = format!("Yesterday: {words}.\n\n");
        let mut link = |say: &str, path: &str| {
            text.push_str(&[say, ":\n", &self.page_of(tenant, path), "\n\n"].concat());
        };
        if waiting > 0 {
            link("See what waits for you", "/history?result=needs_you");
        }
        if failed > 0 {
            let day = self.yesterday(tenant);
            link(
                "See what failed",
                &format!("/history?result=failed&day={day}"),
            );
        }
        link("See everything", "/history");
        link("Switch this e-mail off", "/settings#morning");
        MailContent {
            subject: format!(
                "Yesterday: {words} ({})",
                untrusted::quoted(&tenant.name, NAME_LENGTH)
            ),
            text,
        }
    }
}
