//! A reminder that waited while its document changed: its text is made anew before it is first tried, so
//! that nobody is asked for what they have paid in part.

use serde_json::Value;

use super::context::RoutingContext;
use super::evaluation_input::EvaluationInput;
use super::people::other_people;
use super::recipients::{Finder, Reached};
use super::said::Frame;
use super::stored_event::StoredEvent;
use crate::app::cache::AsOf;
use crate::app::reminder_stops::Reminded;
use crate::app::sending::SeenDocument;
use crate::app::{App, AppError};
use crate::domain::assertion::{Says, Seen};
use crate::domain::content::Content;
use crate::domain::delivery::{Delivery, StepKind, rehearsal_mark};
use crate::domain::document::{Document, ParsedDocument};
use crate::domain::money::Amount;
use crate::domain::rule::Facts;
use crate::store::{NewStep, Renewal, TenantStore};

impl App {
    /// Makes the text of a queued reminder anew; why not, where that is impossible.
    pub(in crate::app) async fn renew(
        &self,
        store: &TenantStore,
        d: &Delivery,
        seen: &SeenDocument,
    ) -> Result<Result<(), String>, AppError> {
        let Some(asserts) = &d.asserts else {
            return Ok(Ok(()));
        };
        let content = match self.said_today(store, d, seen).await? {
            Ok(content) => content,
            Err(why) => return Ok(Err(why)),
        };
        let now_is = &seen.document;
        let says = Says {
            seen: Seen::of(now_is),
            ..asserts.says.clone()
        };
        let sentence = format!(
            "The balance is {} by now, so the text was made anew",
            owed(now_is)
        );
        let before = store.content(d.id).await?;
        let before = before.as_ref().map(Content::text);
        let detail = serde_json::json!({ "text_before": before }).to_string();
        let step = NewStep {
            kind: StepKind::Renewed,
            sentence,
            detail,
        };
        let renewal = Renewal {
            delivery: d.id,
            content,
            says,
            step,
        };
        store.renew(renewal, self.now()).await?;
        Ok(Ok(()))
    }

    /// What the rule, as it was when it decided, says of the document as it is today.
    async fn said_today(
        &self,
        store: &TenantStore,
        d: &Delivery,
        seen: &SeenDocument,
    ) -> Result<Result<Content, String>, AppError> {
        let gone = |what: &str| Ok(Err(format!("{what} is no longer kept")));
        let Some(rule) = store.rule_version(d.rule, d.rule_version).await? else {
            return gone("the rule");
        };
        let Some(stored) = StoredEvent::read(store, d.id.event).await? else {
            return gone("the event");
        };
        let Ok(mut parsed) = stored.parse() else {
            return gone("the document");
        };
        // What the latest body says of the same document, where there is one.
        if seen.last_event != stored.event.id
            && let Some(latest) = StoredEvent::read(store, seen.last_event).await?
            && let Ok(latest) = latest.parse()
            && (latest.kind, &latest.id) == (parsed.kind, &parsed.id)
        {
            let persons = std::mem::take(&mut parsed.persons);
            parsed = ParsedDocument { persons, ..latest };
        }
        set_balance(&mut parsed, &seen.document);
        let context = self.routing_context(store, AsOf::Now).await?;
        // Its rule may be gone, and what that needed with it.
        let context = RoutingContext {
            settings: store.message_settings().await?,
            ..(*context).clone()
        };
        let parsed = parsed.with_days(context.tenant.date_format);
        let other_people = other_people(self, store, &context, &stored.event, &parsed).await?;
        let event_type = d
            .asserts
            .as_ref()
            .map_or(rule.definition.event_type, |a| a.says.event_type);
        let input = EvaluationInput {
            context: &context,
            event: &stored.event,
            replay: d.replay,
            event_type,
            passed_over: &[],
            document: &seen.document,
            parsed: &parsed,
            other_people: &other_people,
            wished_at: stored.event.received_at,
            now: self.now(),
        };
        // They may be found by another way today, or not at all.
        let reached = Finder::new(&input).reach(&rule.definition);
        let is_they = |r: &&Reached<'_>| {
            let address = r.address.as_ref().ok();
            address.is_some_and(|a| (a.channel(), a.key()) == d.person())
        };
        let they = reached.iter().find(is_they).or(reached.first());
        let label = Some(stored.event.label.as_str()).filter(|l| !l.is_empty());
        let today = stored
            .event
            .received_at
            .with_timezone(&context.tenant.zone)
            .date_naive();
        let person = they.and_then(|r| r.person);
        let facts = Facts::of(&parsed, person, label, today);
        let from = self.answers_to(d, &context.settings.senders);
        let stop_link = self.stop_link(&Reminded::by(d, &d.scope()));
        let frame = Frame {
            channel: d.channel,
            answers_to: from.as_deref(),
            stop_link: stop_link.as_ref(),
        };
        let said = self.said_by(&rule, frame, &input, &facts);
        Ok(said.map(|content| {
            if d.is_rehearsal {
                content.with_mark(&rehearsal_mark(&d.recipient, &d.address))
            } else {
                content
            }
        }))
    }
}

/// The balance as payments have left it, in the fields that templates read.
fn set_balance(parsed: &mut ParsedDocument, document: &Document) {
    let Some(balance) = document.balance.filter(|b| parsed.balance != Some(*b)) else {
        return;
    };
    parsed.balance = Some(balance);
    if let Ok(number) = serde_json::from_str::<Value>(&balance.to_string()) {
        parsed.fields.insert("balance".to_owned(), number);
    }
    let formatted = Value::String(owed(document));
    parsed
        .fields
        .insert("balance_formatted".to_owned(), formatted);
}

/// "USD 40.00".
fn owed(document: &Document) -> String {
    let balance = document.balance.unwrap_or(Amount(0));
    match &document.currency {
        Some(currency) => format!("{currency} {balance}"),
        None => balance.to_string(),
    }
}
