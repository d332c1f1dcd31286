//! Polling: asking Twilio for the fate of a message where no report comes, or as a second look.

use chrono::TimeDelta;

use super::deliver::Next;
use super::{App, AppError};
use crate::domain::delivery::{Delivery, DeliveryState, StepKind};
use crate::store::{Change, Guard, NewReceipt, TenantStore};
use crate::twilio::credentials::MessageSid;
use crate::twilio::error::CallFailure;
use crate::twilio::messages::CallTime;

/// Seconds between polls where no report can come.
const ALONE: [i64; 8] = [5, 15, 60, 300, 1_800, 10_800, 28_800, 43_200];

/// Seconds between polls where reports should come: they are best effort.
const BESIDE_REPORTS: [i64; 4] = [900, 7_200, 36_000, 43_200];

/// How long a poll may take.
const CALL: std::time::Duration = std::time::Duration::from_secs(15);

/// When the first poll is due after the message was accepted.
pub(super) fn first(takes_callbacks: bool) -> TimeDelta {
    TimeDelta::seconds(plan(takes_callbacks).first().copied().unwrap_or(900))
}

fn plan(takes_callbacks: bool) -> &'static [i64] {
    if takes_callbacks {
        &BESIDE_REPORTS
    } else {
        &ALONE
    }
}

impl App {
    /// Asks Twilio how a message fares, and plans the next poll.
    pub(super) async fn poll(&self, store: &TenantStore, d: &Delivery) -> Result<Next, AppError> {
        let Some(access) = self.twilio_by_id(store, d.connection).await? else {
            return self.plan_poll(store, d).await;
        };
        let Ok(sid) = MessageSid::parse(&d.sid) else {
            // A person said that it arrived: there is nothing to ask Twilio about.
            return self.end_polling(store, d).await;
        };
        let now = self.now();
        match self
            .parts
            .twilio
            .get(&access.account, &sid, CallTime::of(CALL))
            .await
        {
            Ok(message) => {
                self.accept(store, &access).await?;
                let code = message.error_code.map_or(0, i64::from);
                let word = message.status.map_or("unknown", |s| s.as_str());
                let receipt = NewReceipt {
                    delivery: Some(d.id),
                    attempt_no: Some(d.attempt_no),
                    account: d.account.clone(),
                    sid: d.sid.clone(),
                    word: word.to_owned(),
                    status: message.status,
                    error_code: code,
                    reason: super::receipts::words(word, code, message.error_message.as_deref(), d),
                    source: "poll",
                    is_verified: true,
                    detail: serde_json::json!({ "error_message": message.error_message })
                        .to_string(),
                    due_at: Some(now),
                    now,
                };
                store.receive(receipt).await?;
            }
            Err(error) => {
                let lasting = matches!(error.kind, CallFailure::NotFound(_));
                tracing::warn!(delivery.id = %d.id, %error, "Twilio could not say how {} fares", d.id);
                if lasting {
                    return self.end_polling(store, d).await;
                }
            }
        }
        match store.delivery(d.id).await? {
            Some(again) if !again.state.is_final() => self.plan_poll(store, &again).await,
            _ => Ok(Next::Done),
        }
    }

    pub(super) async fn plan_poll(
        &self,
        store: &TenantStore,
        d: &Delivery,
    ) -> Result<Next, AppError> {
        let now = self.now();
        let done = usize::try_from(d.looks)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let Some(wait) = plan(self.takes_callbacks()).get(done) else {
            return self.end_polling(store, d).await;
        };
        let change = Change {
            reason: d.reason.clone(),
            due_at: Some(now + TimeDelta::seconds(*wait)),
            looks: Some(d.looks + 1),
            ..Change::to(d.state, d.id, Guard::unmoved(d), now)
        };
        store.change(change).await?;
        Ok(Next::In(std::time::Duration::from_secs(
            wait.unsigned_abs(),
        )))
    }

    /// The carrier gave no receipt: that is an end, too.
    async fn end_polling(&self, store: &TenantStore, d: &Delivery) -> Result<Next, AppError> {
        let sentence = match d.state {
            DeliveryState::Sent => "Sent, delivery not confirmed: the carrier gave no receipt",
            _ => "Twilio has it; nothing more was heard of it",
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
