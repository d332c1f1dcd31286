//! Asking: what a replay would send, drafted as if it were carried out now. Nothing here writes.

use chrono::TimeDelta;

use super::facts::Drafted;
use crate::app::cache::AsOf;
use crate::app::pipeline::context::{RoutingContext, RoutingInput};
use crate::app::pipeline::plan::Plan;
use crate::app::pipeline::stored_event::StoredEvent;
use crate::app::sending::SeenDocument;
use crate::app::{App, AppError};
use crate::domain::assertion::{Assertion, Says, Seen};
use crate::domain::delivery::{Delivery, DeliveryState, NewDelivery};
use crate::domain::event::Event;
use crate::domain::ids::{DeliveryId, EventId, ReplayId, TenantId};
use crate::domain::replay_facts::ReplayFacts;
use crate::domain::rule::DEFAULT_SEND_WITHIN;
use crate::store::TenantStore;

impl App {
    /// The facts of deciding an event again: a dry run of today's rules.
    pub async fn event_replay_facts(
        &self,
        tenant: TenantId,
        id: EventId,
    ) -> Result<ReplayFacts, AppError> {
        let store = self.tenant(tenant);
        let replays_before = store.replays_of(id).await?.len();
        let stored = StoredEvent::read(&store, id).await?;
        let stored = stored.ok_or(AppError::NotFound("event"))?;
        let context = self.routing_context(&store, AsOf::Now).await?;
        let now = self.now();
        let input = RoutingInput {
            stored: &stored,
            replay: ReplayId::new(now),
            wished_at: now,
        };
        let plan = self.plan(&store, &context, &input).await?;
        let (seen, unreadable) = match stored.parse() {
            Ok(parsed) => {
                let seen = Seen {
                    status: parsed.status,
                    balance: parsed.balance,
                    due_date: parsed.due_date,
                };
                (Some(seen), None)
            }
            Err(why) => (None, Some(why)),
        };
        let name = plan.fingerprint();
        let Plan { commit, document } = plan;
        let drafted = Drafted {
            event: stored.event,
            delivery: None,
            messages: commit.deliveries,
            decisions: commit.decisions,
            document,
            unreadable,
            seen,
            plan: name,
            replays_before,
        };
        self.replay_facts(&store, &context, drafted).await
    }

    /// The facts of sending a message again.
    pub async fn delivery_replay_facts(
        &self,
        tenant: TenantId,
        id: DeliveryId,
    ) -> Result<ReplayFacts, AppError> {
        let store = self.tenant(tenant);
        let replays_before = store.replays_of(id.event).await?.len();
        let old = store.delivery(id).await?;
        let old = old.ok_or(AppError::NotFound("delivery"))?;
        let event = store.event(id.event).await?;
        let event = event.ok_or(AppError::NotFound("event"))?;
        let context = self.routing_context(&store, AsOf::Now).await?;
        let asserts = old.asserts.clone().or_else(|| asserted_by(&event));
        let document = match &asserts {
            Some(asserts) => self.document_now(&store, asserts).await?,
            None => None,
        };
        let message = self
            .message_again(
                &store,
                &context,
                &old,
                (asserts.as_ref(), document.as_ref()),
            )
            .await?;
        let drafted = Drafted {
            event,
            messages: vec![message],
            decisions: Vec::new(),
            document,
            unreadable: None,
            seen: asserts.map(|a| a.says.seen),
            delivery: Some(old),
            plan: String::new(),
            replays_before,
        };
        self.replay_facts(&store, &context, drafted).await
    }

    /// The stored text to the stored address, as today's state has it: in rehearsal to the owner, and a
    /// rehearsal that is sent again when live goes to the address that was meant, without the mark.
    async fn message_again(
        &self,
        store: &TenantStore,
        context: &RoutingContext,
        old: &Delivery,
        (asserts, document): (Option<&Assertion>, Option<&SeenDocument>),
    ) -> Result<NewDelivery, AppError> {
        let kept = store.content(old.id).await?;
        let kept = kept.filter(|c| !c.is_empty() && !old.address.is_empty());
        let Some(said) = kept else {
            return Err(AppError::Conflict(format!(
                "This message was never complete: {}. Correct it and decide the event again instead",
                old.reason
            )));
        };
        let Some(meant) = old.content_meant(&said) else {
            return Err(AppError::Conflict(
                "This rehearsal's text cannot be told from its mark. Decide the event again instead"
                    .to_owned(),
            ));
        };
        let now = self.now();
        let today = document.map(|d| Seen::of(&d.document));
        let asserts = asserts.map(|a| Assertion {
            says: Says {
                event_type: a.says.event_type,
                reminds: a.says.reminds.clone(),
                // The text stays as it was, whatever is owed by now: that was seen.
                seen: today.clone().unwrap_or_else(|| a.says.seen.clone()),
                confirmed: today,
            },
            ..a.clone()
        });
        let mut message = NewDelivery {
            id: DeliveryId::new(old.id.event, now),
            rule: old.rule,
            rule_version: old.rule_version,
            rule_name: old.rule_name.clone(),
            replay: ReplayId::nil(),
            replay_of: Some(old.id),
            channel: old.channel,
            address: old.address.clone(),
            recipient: old.recipient.clone(),
            is_to_contact: old.is_to_contact,
            member: old.member,
            asserts,
            is_rehearsal: false,
            rehearsal_to: String::new(),
            sender: old.sender.clone(),
            content: meant,
            state: DeliveryState::Queued,
            reason: String::new(),
            due_at: Some(now),
            expires_at: now + self.send_within(store, old).await?,
        };
        if context.tenant.is_rehearsal {
            self.rehearse_message(&mut message, &context.rehearsal_to);
        }
        Ok(message)
    }

    /// The rule's own time if the rule is still there.
    pub(in crate::app) async fn send_within(
        &self,
        store: &TenantStore,
        old: &Delivery,
    ) -> Result<TimeDelta, AppError> {
        let rule = store.rule(old.rule).await?;
        let seconds = rule.map_or(DEFAULT_SEND_WITHIN, |r| r.definition.send_within);
        Ok(TimeDelta::seconds(seconds.into()))
    }
}

/// What a message about an event says, where it was made before messages said so themselves.
fn asserted_by(event: &Event) -> Option<Assertion> {
    Some(Assertion {
        source: event.connection,
        kind: event.document_kind?,
        document: event.document_id.clone(),
        says: Says {
            event_type: event.event_type?,
            reminds: None,
            seen: Seen::default(),
            confirmed: None,
        },
    })
}
