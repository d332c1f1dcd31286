//! The morning letter: what became of yesterday's messages, and what waits for somebody.

use chrono::{Days, NaiveTime, Timelike as _};
use uuid::Uuid;

use super::mail::Letter;
use super::notices::{AT_ONCE, Notice};
use super::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::{TenantId, UserId};
use crate::domain::tenant::Tenant;
use crate::domain::working_days::instant;
use crate::mail::untrusted::{self, NAME_LENGTH};

/// The hours of a morning, in the tenant's zone: whoever was down at eight catches up until noon.
const MORNING: std::ops::Range<u32> = 8..12;

/// What a morning letter counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Figures {
    sent: i64,
    failed: i64,
    waiting: u64,
}

impl App {
    /// Whether a person gets the morning letter of a tenant; `None` for who is no member.
    pub async fn wants_morning(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<bool>, AppError> {
        Ok(self.tenant(tenant).wants_morning(user).await?)
    }

    /// Switches a person's own morning letter.
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

    /// Writes the morning letters that are due.
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
        let figures = self.figures(tenant).await?;
        if figures != Figures::default() {
            let notice = Notice {
                kind: "morning",
                occasion: format!("morning/{}/{today}", tenant.id.uuid().simple()),
                tenant,
                letter: self.morning_letter(tenant, figures),
            };
            self.notify(notice, store.morning_readers().await?).await?;
        }
        // Last: whoever dies before it is followed by somebody who writes the same letters.
        Ok(store.mark_morning(today).await?)
    }

    async fn figures(&self, tenant: &Tenant) -> Result<Figures, AppError> {
        let store = self.tenant(tenant.id);
        let today = self.now().with_timezone(&tenant.zone).date_naive();
        let yesterday = today - Days::new(1);
        let midnight = |day: chrono::NaiveDate| instant(day.and_time(NaiveTime::MIN), tenant.zone);
        let waiting = super::history::NEEDS_PERSON;
        let mut figures = Figures {
            waiting: store
                .count_deliveries(&waiting, super::history::COUNTED)
                .await?,
            ..Figures::default()
        };
        let made = store.made_between(midnight(yesterday), midnight(today));
        for (state, number) in made.await? {
            match state {
                DeliveryState::Accepted
                | DeliveryState::Sent
                | DeliveryState::Delivered
                | DeliveryState::Read => figures.sent += number,
                DeliveryState::Failed | DeliveryState::Undelivered => {
                    figures.failed += number;
                }
                _ => {}
            }
        }
        Ok(figures)
    }

    fn morning_letter(&self, tenant: &Tenant, figures: Figures) -> Letter {
        let Figures {
            sent,
            failed,
            waiting,
        } = figures;
        let words = format!("{sent} sent, {failed} failed, {waiting} waiting for you");
        let mut text = format!("Yesterday: {words}.\n\n");
        let mut link = |say: &str, path: &str| {
            text.push_str(&[say, ":\n", &self.page_of(tenant, path), "\n\n"].concat());
        };
        if waiting > 0 {
            link("See what waits for you", "/history?result=needs_you");
        }
        if failed > 0 {
            link("See what failed", "/history?result=failed");
        }
        link("See everything", "/history");
        link("Switch this e-mail off", "/settings#morning");
        Letter {
            subject: format!(
                "Yesterday: {words} ({})",
                untrusted::quoted(&tenant.name, NAME_LENGTH)
            ),
            text,
        }
    }
}
