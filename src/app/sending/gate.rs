//! At the gate: reading what a message is judged by, and writing down what stands against it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::fresh_deliveries::SeenDocument;
use super::{Next, SendingContext, queued, until};
use crate::app::cache::AsOf;
use crate::app::{App, AppError};
use crate::domain::address::Address;
use crate::domain::assertion::Assertion;
use crate::domain::delivery::{Delivery, DeliveryState, Hold, StepKind};
use crate::domain::gate::{Gate, Judgement};
use crate::domain::suppression::Suppressed;
use crate::store::{Change, TenantStore};

/// What a message is judged by.
pub(super) struct Sight {
    pub(super) context: Arc<SendingContext>,
    pub(super) document: Option<SeenDocument>,
    suppression: Option<Suppressed>,
    own_address: Option<Address>,
    unwanted: Option<String>,
}

impl Sight {
    pub(super) fn judge(&self, d: &Delivery, now: DateTime<Utc>) -> Judgement {
        let link = self.context.link.as_ref();
        let gate = Gate {
            delivery: d,
            tenant: &self.context.tenant,
            suppression: self.suppression.as_ref(),
            unwanted: self.unwanted.as_deref(),
            document: self.document.as_ref().map(|seen| &seen.document),
            connection: link.map(|link| &link.connection),
            has_sender: link
                .is_some_and(|link| link.transport.has_sender(self.context.sender_of(d))),
            resting: self.context.rest_of(d, now),
            provider: self.context.words,
            own_address: self.own_address.as_ref(),
            now,
        };
        gate.judge()
    }
}

impl App {
    /// Reads what a message is judged by. What is not current leaves out what the claim reads anyway: such
    /// a judgement is good for nothing but *go*.
    pub(super) async fn sight(
        &self,
        store: &TenantStore,
        d: &Delivery,
        as_of: AsOf,
        kept: Option<SeenDocument>,
    ) -> Result<Sight, AppError> {
        let context = self.sending_context(store, d.channel, as_of).await?;
        let (mut suppression, mut own_address, mut unwanted) = (None, None, None);
        if as_of == AsOf::Now {
            suppression = store.suppression_of(d).await?;
            if !d.member.is_nil() {
                unwanted = store.off_member(d.member).await?;
            }
            if d.is_rehearsal {
                own_address = store.rehearsal_addresses().await?.of(d.channel);
            }
        }
        let document = match (kept, &d.asserts) {
            (Some(kept), _) => Some(kept),
            (None, Some(asserts)) => self.document_now(store, asserts).await?,
            (None, None) => None,
        };
        Ok(Sight {
            context,
            document,
            suppression,
            own_address,
            unwanted,
        })
    }

    /// The document that an assertion is about, as it is known now.
    pub(in crate::app) async fn document_now(
        &self,
        store: &TenantStore,
        asserts: &Assertion,
    ) -> Result<Option<SeenDocument>, AppError> {
        let row = store.document(asserts.source, asserts.kind, &asserts.document);
        let Some(row) = row.await? else {
            return Ok(None);
        };
        Ok(row
            .current()
            .zip(row.known)
            .map(|(document, known)| SeenDocument {
                version: row.version,
                document,
                last_event: known.last_event,
            }))
    }

    /// Writes down what stands against a queued message, and says when to come back; `None` when it was
    /// changed and must be looked at as it is now.
    pub(super) async fn stop_at_gate(
        &self,
        store: &TenantStore,
        d: &Delivery,
        sight: &Sight,
        judgement: Judgement,
    ) -> Result<Option<Next>, AppError> {
        let now = self.now();
        match judgement {
            Judgement::Go => Ok(None),
            Judgement::Suppressed(why) => {
                let sentence = format!("Not sent: {why}");
                self.end(
                    store,
                    d,
                    (DeliveryState::Suppressed, StepKind::Suppressed),
                    sentence,
                )
                .await
            }
            Judgement::Expired => self.expire(store, d).await.map(Some),
            Judgement::Untrue(why) => {
                let sentence = format!("Not sent, since it is no longer true: {why}");
                self.end(
                    store,
                    d,
                    (DeliveryState::Canceled, StepKind::Untrue),
                    sentence,
                )
                .await
            }
            Judgement::Unwanted(why) => {
                let sentence = format!("Not sent: {why}");
                self.end(
                    store,
                    d,
                    (DeliveryState::Canceled, StepKind::Canceled),
                    sentence,
                )
                .await
            }
            Judgement::Held(hold, why) => self.hold(store, d, hold, &why).await.map(Some),
            Judgement::Readdress(own) => {
                store.bind_rehearsal(d.id, own).await?;
                Ok(None)
            }
            Judgement::Outdated => self.renew_or_end(store, d, sight).await,
            Judgement::Closed(opening, why) => {
                self.wait_for_hours(store, &sight.context, d, (opening, why))
                    .await
            }
            Judgement::Resting(until_then, why) => self
                .wait_for_sender(store, d, (until_then, why))
                .await
                .map(Some),
            Judgement::Paused(until_then) => Ok(Some(Next::In(until(until_then, now)))),
        }
    }

    /// Ends a message that was not sent.
    async fn end(
        &self,
        store: &TenantStore,
        d: &Delivery,
        (state, kind): (DeliveryState, StepKind),
        sentence: String,
    ) -> Result<Option<Next>, AppError> {
        let change =
            Change::to(state, d.id, queued(d), self.now()).because(kind, sentence, "{}".to_owned());
        let change = Change {
            leaves_flight: true,
            ..change
        };
        store.change(change).await?;
        Ok(Some(Next::Done))
    }

    async fn renew_or_end(
        &self,
        store: &TenantStore,
        d: &Delivery,
        sight: &Sight,
    ) -> Result<Option<Next>, AppError> {
        let Some(seen) = &sight.document else {
            return Ok(None);
        };
        match self.renew(store, d, seen).await? {
            Ok(()) => Ok(None),
            Err(why) => {
                let sentence = format!(
                    "Not sent: its balance has changed, and its text could not be made anew ({why})"
                );
                self.end(
                    store,
                    d,
                    (DeliveryState::Canceled, StepKind::Untrue),
                    sentence,
                )
                .await
            }
        }
    }

    /// Contacts are written to only within the hours; the row says when they open.
    async fn wait_for_hours(
        &self,
        store: &TenantStore,
        context: &SendingContext,
        d: &Delivery,
        (opening, sentence): (DateTime<Utc>, String),
    ) -> Result<Option<Next>, AppError> {
        let now = self.now();
        let change = Change::to(DeliveryState::Queued, d.id, queued(d), now);
        let change = if d.reason == sentence {
            Change {
                reason: sentence,
                ..change
            }
        } else {
            change.because(StepKind::Waits, sentence, "{}".to_owned())
        };
        let change = Change {
            hold: Some(Hold::Hours),
            due_at: Some(opening.min(d.expires_at)),
            ..change
        };
        store.change(change).await?;
        // Whoever changed the hours before this was written has woken nobody.
        let again = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        if (again.hours, again.zone) != (context.tenant.hours, context.tenant.zone) {
            let change = Change::to(DeliveryState::Queued, d.id, queued(d), now);
            let change = Change {
                due_at: Some(now),
                ..change
            };
            store.change(change).await?;
            return Ok(Some(Next::In(Duration::from_millis(1))));
        }
        Ok(Some(Next::Done))
    }

    /// Its sender is not to send before then.
    pub(super) async fn wait_for_sender(
        &self,
        store: &TenantStore,
        d: &Delivery,
        (until_then, sentence): (DateTime<Utc>, String),
    ) -> Result<Next, AppError> {
        let due = until_then.min(d.expires_at);
        let change = Change::to(DeliveryState::Queued, d.id, queued(d), self.now());
        let change = Change {
            due_at: Some(due),
            ..change.because(StepKind::Waits, sentence, "{}".to_owned())
        };
        store.change(change).await?;
        Ok(self.next_at(Some(due)))
    }

    pub(in crate::app) async fn hold(
        &self,
        store: &TenantStore,
        d: &Delivery,
        hold: Hold,
        why: &str,
    ) -> Result<Next, AppError> {
        let now = self.now();
        let change = Change::to(DeliveryState::Held, d.id, queued(d), now).because(
            StepKind::Held,
            why,
            "{}".to_owned(),
        );
        let change = Change {
            hold: Some(hold),
            due_at: Some(d.expires_at),
            ..change
        };
        // Whoever removed the cause before this was written has released without it.
        if store.change(change).await? && !self.still_holds(store, d, hold).await? {
            let sentence = "Released: what it waited for was mended meanwhile";
            self.release(store.tenant_id(), vec![hold], sentence)
                .await?;
        }
        Ok(Next::Done)
    }

    async fn still_holds(
        &self,
        store: &TenantStore,
        d: &Delivery,
        hold: Hold,
    ) -> Result<bool, AppError> {
        let sight = self.sight(store, d, AsOf::Now, None).await?;
        // What else stands against it by now is for its next turn to say.
        let judgement = sight.judge(d, self.now());
        Ok(matches!(judgement, Judgement::Held(still, _) if still == hold))
    }
}
