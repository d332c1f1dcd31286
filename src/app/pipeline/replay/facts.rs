//! What a person sees before something is sent or decided again: who would be written to with what, what each
//! of them has had, and the document as it is today. Nothing here writes.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::choice::{fingerprint, key};
use crate::app::pipeline::decide::rehearse;
use crate::app::pipeline::route::{Asked, Plan, event_of, read};
use crate::app::recent::{AsOf, RoutingContext, SeenDocument};
use crate::app::{App, AppError};
use crate::domain::assertion::{Assertion, Says, Seen};
use crate::domain::decision::Decision;
use crate::domain::delivery::{Delivery, DeliveryState, NewDelivery};
use crate::domain::document::Document;
use crate::domain::event::{Event, EventType};
use crate::domain::ids::{DeliveryId, EventId, ReplayId, TenantId};
use crate::domain::phone::key_of;
use crate::domain::states::{self, Calendar};
use crate::store::TenantStore;

/// Earlier messages that are shown of one person.
const MOST_HAD: usize = 20;

/// The facts of a replay.
#[derive(Debug, Clone)]
pub struct ReplayFacts {
    /// The name of these facts: what is confirmed.
    pub fingerprint: String,
    pub event: Event,
    /// The message to send again; `None` when the event is decided again.
    pub delivery: Option<Delivery>,
    pub recipients: Vec<ReplayRecipient>,
    /// What today's rules say.
    pub decisions: Vec<Decision>,
    pub document: Option<DocumentToday>,
    /// Why the document's state forbids the message.
    pub forbidden: Option<String>,
    /// Why the body cannot be read.
    pub unreadable: Option<String>,
    /// A message that is still on its way, so that nothing can be sent again.
    pub open: Option<Delivery>,
    /// What it is owed now is not what the text says.
    pub is_balance_changed: bool,
    /// The name of what would be sent.
    pub(in crate::app) plan: String,
    pub(in crate::app) replays_before: usize,
}

/// Somebody who would be written to.
#[derive(Debug, Clone)]
pub struct ReplayRecipient {
    /// The name that they are chosen by.
    pub key: String,
    pub message: NewDelivery,
    /// Why nothing can be sent to them.
    pub refused: Option<String>,
    pub is_preselected: bool,
    /// What they have had about the document, newest first.
    pub had: Vec<Had>,
}

/// An earlier message about the same document to the same address.
#[derive(Debug, Clone)]
pub struct Had {
    pub delivery: DeliveryId,
    pub event_type: Option<EventType>,
    pub state: DeliveryState,
    pub is_rehearsal: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A document as we know it today.
#[derive(Debug, Clone)]
pub struct DocumentToday {
    pub document: Document,
    /// When a body about it last came.
    pub heard_at: Option<DateTime<Utc>>,
}

impl ReplayFacts {
    /// The keys of those who are wanted: by default all who can be written to.
    pub(in crate::app) fn chosen(
        &self,
        wanted: Option<&[String]>,
    ) -> Result<Vec<String>, AppError> {
        let can = self.recipients.iter().filter(|r| r.refused.is_none());
        let can: Vec<String> = can.map(|r| r.key.clone()).collect();
        let Some(wanted) = wanted else {
            return Ok(can);
        };
        if let Some(odd) = wanted.iter().find(|w| !can.contains(w)) {
            let message =
                format!("“{odd}” is nobody who can be written to; give keys of `recipients`");
            return Err(AppError::field("recipients", message));
        }
        if wanted.is_empty() && !can.is_empty() {
            return Err(AppError::field(
                "recipients",
                "Tick whom to write to, or leave it",
            ));
        }
        Ok(wanted.to_vec())
    }
}

/// What is worked out before the recipients are looked at.
struct Drafted {
    event: Event,
    delivery: Option<Delivery>,
    messages: Vec<NewDelivery>,
    decisions: Vec<Decision>,
    document: Option<SeenDocument>,
    unreadable: Option<String>,
    /// What the texts say of the document.
    seen: Option<Seen>,
    plan: String,
    replays_before: usize,
}

impl App {
    /// The facts of deciding an event again: a dry run of today's rules.
    pub async fn event_replay_facts(
        &self,
        tenant: TenantId,
        id: EventId,
    ) -> Result<ReplayFacts, AppError> {
        let store = self.tenant(tenant);
        let replays_before = store.replays_of(id).await?.len();
        let known = event_of(&store, id).await?;
        let known = known.ok_or(AppError::NotFound("event"))?;
        let context = self.routing_context(&store, AsOf::Now).await?;
        let now = self.now();
        let asked = Asked {
            event: &known.event,
            body: known.body.as_ref(),
            replay: ReplayId::new(now),
            wished_at: now,
        };
        let plan = self.plan_wished(&store, &context, &asked).await?;
        let parsed = read(&known.event, known.body.as_ref());
        let (seen, unreadable) = match parsed {
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
            event: known.event,
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
        if old.address.is_empty() || old.body.is_empty() {
            return Err(AppError::Conflict(format!(
                "This message was never complete: {}. Correct it and decide the event again instead",
                old.reason
            )));
        }
        let Some(text) = old.text_meant() else {
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
            asserts,
            is_rehearsal: false,
            rehearsal_to: String::new(),
            sender: old.sender.clone(),
            body: text.to_owned(),
            state: DeliveryState::Queued,
            reason: String::new(),
            due_at: Some(now),
            expires_at: now + self.send_within(store, old).await?,
        };
        if context.tenant.is_rehearsal {
            rehearse(&mut message, context.rehearsal_to.as_ref());
        }
        Ok(message)
    }

    async fn replay_facts(
        &self,
        store: &TenantStore,
        context: &RoutingContext,
        of: Drafted,
    ) -> Result<ReplayFacts, AppError> {
        let now = self.now();
        let told = store.told_about(&of.event).await?;
        let open = told.iter().map(|(d, _)| d).find(|d| {
            let is_concerned = of
                .delivery
                .as_ref()
                .is_none_or(|old| key_of(&old.address) == key_of(&d.address));
            d.id.event == of.event.id && d.state.blocks_replay() && is_concerned
        });
        let calendar = Calendar::at(now, context.tenant.zone);
        let against = |message: &NewDelivery| {
            let (asserts, seen) = (message.asserts.as_ref()?, of.document.as_ref()?);
            forbids(
                asserts,
                of.seen.as_ref(),
                message.is_to_contact,
                &seen.document,
                calendar,
            )
        };
        let mut recipients = Vec::new();
        let mut forbidden = None;
        let mut is_balance_changed = false;
        for message in of.messages {
            let why = against(&message);
            let refused = match message.state {
                DeliveryState::Queued => {
                    let queued = store.as_queued(&message, now);
                    store.suppression_of(&queued).await?.map(|s| s.reason)
                }
                _ => Some(message.reason.clone()),
            };
            is_balance_changed |= of
                .document
                .as_ref()
                .zip(message.asserts.as_ref())
                .is_some_and(|(seen, asserts)| {
                    with_seen(asserts, of.seen.as_ref()).is_outdated_by(&seen.document)
                });
            recipients.push(ReplayRecipient {
                key: key(&message),
                is_preselected: refused.is_none() && why.is_none(),
                had: had(&told, &message),
                refused,
                message,
            });
            forbidden = forbidden.or(why);
        }
        if forbidden.is_none()
            && let (Some(event_type), Some(seen)) = (of.event.event_type, &of.document)
        {
            forbidden = states::forbids(event_type, &seen.document, calendar);
        }
        let document = match of.document {
            Some(seen) => Some(DocumentToday {
                heard_at: store.event(seen.last_event).await?.map(|e| e.received_at),
                document: seen.document,
            }),
            None => None,
        };
        let mut facts = ReplayFacts {
            fingerprint: String::new(),
            open: open.cloned(),
            event: of.event,
            delivery: of.delivery,
            recipients,
            decisions: of.decisions,
            document,
            forbidden,
            unreadable: of.unreadable,
            is_balance_changed,
            plan: of.plan,
            replays_before: of.replays_before,
        };
        facts.fingerprint = named(&facts);
        Ok(facts)
    }
}

/// The name of what is shown.
fn named(facts: &ReplayFacts) -> String {
    let recipients = facts.recipients.iter().map(|r| {
        let had = r.had.iter().map(|h| json!([h.delivery, h.state.as_str()]));
        json!([r.key, r.refused, r.is_preselected, had.collect::<Vec<_>>()])
    });
    let decisions = facts.decisions.iter();
    let decisions = decisions.map(|d| json!([d.rule, d.rule_version, d.is_match, d.reason]));
    let document = facts.document.as_ref().map(|d| Seen::of(&d.document));
    fingerprint(&json!([
        facts.event.id,
        facts.delivery.as_ref().map(|d| d.id),
        recipients.collect::<Vec<_>>(),
        decisions.collect::<Vec<_>>(),
        document,
        facts.forbidden,
        facts.plan,
    ]))
}

/// What a message about an event says, where it was made before messages said so themselves.
fn asserted_by(event: &Event) -> Option<Assertion> {
    Some(Assertion {
        source: event.connection,
        kind: event.document_kind?,
        document: event.document_id.clone(),
        says: Says {
            event_type: event.event_type?,
            seen: Seen::default(),
            confirmed: None,
        },
    })
}

/// An assertion as its text makes it, before anybody confirms it.
fn with_seen(asserts: &Assertion, seen: Option<&Seen>) -> Assertion {
    let seen = seen.unwrap_or(&asserts.says.seen).clone();
    Assertion {
        says: Says {
            seen,
            confirmed: None,
            ..asserts.says.clone()
        },
        ..asserts.clone()
    }
}

/// Why the document as it is today forbids the message.
fn forbids(
    asserts: &Assertion,
    seen: Option<&Seen>,
    is_to_contact: bool,
    document: &Document,
    calendar: Calendar,
) -> Option<String> {
    let refuted = with_seen(asserts, seen).refuted_by(document, calendar);
    refuted.or_else(|| {
        (is_to_contact && states::is_draft(document)).then(|| {
            format!(
                "{}: drafts are told to nobody outside",
                states::described(document)
            )
        })
    })
}

fn had(told: &[(Delivery, Option<EventType>)], message: &NewDelivery) -> Vec<Had> {
    let same = told.iter().filter(|(d, _)| {
        !message.address.is_empty()
            && (d.channel, key_of(&d.address)) == (message.channel, key_of(&message.address))
    });
    let had = same.map(|(d, event_type)| Had {
        delivery: d.id,
        event_type: *event_type,
        state: d.state,
        is_rehearsal: d.is_rehearsal,
        created_at: d.created_at,
        updated_at: d.updated_at,
    });
    had.take(MOST_HAD).collect()
}
