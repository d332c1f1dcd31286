//! Polling: asking the provider for the fate of a message where no report comes, or as a second check.

use std::time::Duration;

use chrono::TimeDelta;

use super::{Link, Next};
use crate::app::{App, AppError};
use crate::domain::delivery::{Delivery, DeliveryState, StepKind};
use crate::domain::provider::ProviderWords;
use crate::store::{Change, Guard, NewReceipt, TenantStore};

/// Seconds between tries while its account is not connected.
const UNCONNECTED: &[i64] = &[900, 7_200, 36_000, 43_200];

/// Seconds between polls.
pub(super) fn plan(link: Option<&Link>, takes_callbacks: bool) -> &'static [i64] {
    let Some(link) = link else {
        return UNCONNECTED;
    };
    let limits = link.transport.limits();
    if takes_callbacks {
        limits.polls_beside_reports
    } else {
        limits.polls
    }
}

impl App {
    /// Asks the provider how a message fares, and plans the next poll.
    pub(in crate::app) async fn poll(
        &self,
        store: &TenantStore,
        d: &Delivery,
    ) -> Result<Next, AppError> {
        let Some(link) = self.link_by_id(store, d.connection, d.channel).await? else {
            return self.plan_poll(store, None, d).await;
        };
        if d.sid.is_empty() {
            // A person said that it arrived: there is nothing to ask the provider about.
            return self.end_polling(store, d).await;
        }
        let now = self.now();
        match link.transport.status(&d.sid).await {
            Ok(report) => {
                self.accept(store, &link.connection).await?;
                let of = (d, link.connection.id);
                let hit = Box::pin(self.limit_hit(store, of, &report)).await?;
                let words = link.transport.words();
                let receipt = NewReceipt {
                    delivery: Some(d.id),
                    attempt_no: Some(d.attempt_no),
                    provider: words.name.to_owned(),
                    account: d.account.clone(),
                    sid: d.sid.clone(),
                    reason: (words.explain)(&report, d.to(), d.reader()),
                    word: report.word,
                    status: report.status,
                    error_code: report.error_code,
                    is_opt_out: report.is_opt_out,
                    hit,
                    source: "poll",
                    is_verified: true,
                    detail: report.detail,
                    due_at: Some(now),
                    now,
                };
                store.receive(receipt).await?;
            }
            Err(failure) => {
                let name = link.transport.words().name;
                tracing::warn!(
                    delivery.id = %d.id, error = %failure, "{name} could not say how {} fares", d.id
                );
                if failure.is_lasting {
                    return self.end_polling(store, d).await;
                }
            }
        }
        match store.delivery(d.id).await? {
            Some(again) if !again.state.is_final() => {
                self.plan_poll(store, Some(&link), &again).await
            }
            _ => Ok(Next::Done),
        }
    }

    pub(in crate::app) async fn plan_poll(
        &self,
        store: &TenantStore,
        link: Option<&Link>,
        d: &Delivery,
    ) -> Result<Next, AppError> {
        let now = self.now();
        let done = usize::try_from(d.looks)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let Some(wait) = plan(link, self.takes_callbacks()).get(done) else {
            return self.end_polling(store, d).await;
        };
        let change = Change {
            reason: d.reason.clone(),
            due_at: Some(now + TimeDelta::seconds(*wait)),
            looks: Some(d.looks + 1),
            ..Change::to(d.state, d.id, Guard::unmoved(d), now)
        };
        store.change(change).await?;
        Ok(Next::In(Duration::from_secs(wait.unsigned_abs())))
    }

    /// The carrier gave no receipt: that is an end, too.
    async fn end_polling(&self, store: &TenantStore, d: &Delivery) -> Result<Next, AppError> {
        let ProviderWords { name, carrier, .. } = self.provider_words(d.channel);
        let sentence = if d.state == DeliveryState::Sent {
            format!("Sent, delivery not confirmed: {carrier} gave no receipt")
        } else {
            format!("{name} has it; nothing more was heard of it")
        };
        let change = Change::to(d.state, d.id, Guard::unmoved(d), self.now()).because(
            StepKind::Unconfirmed,
            sentence,
            "{}".to_owned(),
        );
        store.change(change).await?;
        Ok(Next::Done)
    }
}
