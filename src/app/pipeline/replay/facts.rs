//! The facts of a replay: who would be written to with what, what each of them has had, and the document as
//! it is today.

use serde_json::json;

use super::confirm::{fingerprint, key};
use crate::app::pipeline::context::RoutingContext;
use crate::app::sending::SeenDocument;
use crate::app::{App, AppError};
use crate::domain::assertion::{Assertion, Says, Seen};
use crate::domain::decision::Decision;
use crate::domain::delivery::{Delivery, DeliveryState, NewDelivery};
use crate::domain::document::Document;
use crate::domain::event::{Event, EventType};
use crate::domain::replay_facts::{DocumentToday, Had, ReplayFacts, ReplayRecipient};
use crate::domain::states::{self, Calendar};
use crate::store::TenantStore;

/// Earlier messages that are shown of one person.
const MOST_HAD: usize = 20;

/// What is worked out before the recipients are looked at.
pub(super) struct Drafted {
    pub(super) event: Event,
    pub(super) delivery: Option<Delivery>,
    pub(super) messages: Vec<NewDelivery>,
    pub(super) decisions: Vec<Decision>,
    pub(super) document: Option<SeenDocument>,
    pub(super) unreadable: Option<String>,
    /// What the texts say of the document.
    pub(super) seen: Option<Seen>,
    pub(super) plan: String,
    pub(super) replays_before: usize,
}

impl App {
    /// What a person sees of what was drafted.
    pub(super) async fn replay_facts(
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
                .is_none_or(|old| old.person() == d.person());
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
    let same = told
        .iter()
        .filter(|(d, _)| !message.address.is_empty() && d.person() == message.person());
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
