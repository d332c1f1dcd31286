//! From stored rows to the view of an event: every row becomes a sentence that reads alone.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::app::history::Timeline;
use crate::domain::decision::Decision;
use crate::domain::delivery::{Attempt, Delivery, DeliveryState, Receipt, Step, StepKind};
use crate::domain::event::Body;
use crate::domain::ids::ReplayId;
use crate::domain::provider::ProviderWords;
use crate::domain::replay::ReplayKind;
use crate::domain::report::Status;
use crate::domain::rule::{MetValue, Op};
use crate::web::areas::event::page::{
    Again, DecisionView, DeliveryActions, DeliveryView, EventView, Exchange, RuleRef, StepView,
};
use crate::web::areas::history::handlers::given;
use crate::web::areas::rules::words::frozen_sender;
use crate::web::areas::words;
use crate::web::chrome::Chrome;
use crate::web::ui::figure::counted;
use crate::web::ui::time::Moment;
use crate::web::ui::tone::Tone;

/// The view of an event.
pub(in crate::web) fn of(story: &Timeline, body: Option<&Body>, chrome: &Chrome) -> EventView {
    let event = &story.event;
    let open = story.deliveries.iter().find(|d| d.state.blocks_replay());
    EventView {
        id: event.id,
        at: event.received_at,
        event_type: event.event_type.or(event.path_type),
        state: event.state,
        source: event.source,
        label: given(event.label.clone()),
        document_kind: event.document_kind.map(|k| k.label().to_owned()),
        document: given(event.document_number.clone()),
        customer: given(event.party_name.clone()),
        amount: event.amount,
        currency: given(event.currency.clone()),
        decisions: decisions(story),
        rules_not_asked: u64::try_from(event.rules_not_asked).unwrap_or(0),
        deliveries: story
            .deliveries
            .iter()
            .map(|d| delivery_view(story, d, chrome))
            .collect(),
        body: body.map(|b| pretty(&b.bytes)),
        is_undealt: event.is_undealt() || story.deliveries.iter().any(Delivery::is_undealt),
        replay_blocked: open.map(|open| {
            let whose = if open.recipient.is_empty() {
                String::new()
            } else {
                format!(" to {}", open.recipient)
            };
            format!(
                "The message{whose} is still open ({}). Wait for it, or decide about it first; \
                 then the event can be decided again.",
                open.state.label(chrome.providers.of(open.channel))
            )
        }),
    }
}

/// JSON is indented, names and numbers as they came; anything else is shown as it is.
fn pretty(bytes: &[u8]) -> String {
    serde_json::from_slice::<Value>(bytes)
        .ok()
        .and_then(|json| serde_json::to_string_pretty(&json).ok())
        .unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned())
}

fn decisions(story: &Timeline) -> Vec<DecisionView> {
    let rulings = story.rulings.iter().flat_map(|ruling| {
        let replay = replayed_by(story, ruling.replay);
        ruling.decisions.iter().map(move |of| DecisionView {
            replay: replay.clone(),
            ..dry_decision(of, ruling.decided_at)
        })
    });
    rulings.collect()
}

/// A decision that is only thought of.
pub(in crate::web) fn dry_decision(of: &Decision, at: DateTime<Utc>) -> DecisionView {
    DecisionView {
        at,
        rule: of.rule.map(|id| RuleRef {
            id,
            name: of.rule_name.clone(),
            version: u32::try_from(of.rule_version).unwrap_or(0),
        }),
        yes: of.is_match,
        reason: of.reason.clone(),
        met: of.met.iter().map(met_words).collect(),
        replay: None,
    }
}

/// "total" and "950.00 (asked: is at least 1000)".
fn met_words(of: &MetValue) -> (String, String) {
    let asked = match Op::parse(&of.op) {
        Some(op) => op.label(),
        None => of.op.as_str(),
    };
    let met = of.met.as_deref().unwrap_or("not given");
    let words = format!("{met} (asked: {asked} {}", of.expected);
    (of.field.clone(), format!("{})", words.trim_end()))
}

/// "Decided again by Ada".
fn replayed_by(story: &Timeline, id: ReplayId) -> Option<String> {
    let replay = story.replays.iter().find(|o| o.id == id)?;
    let what = match replay.kind {
        ReplayKind::Event => "Decided again",
        ReplayKind::Delivery => "Sent again",
    };
    Some(format!("{what} by {}", replay.requested_by))
}

/// The view of one message.
fn delivery_view(story: &Timeline, of: &Delivery, chrome: &Chrome) -> DeliveryView {
    let provider = chrome.providers.of(of.channel);
    let attempt = story.attempts.iter().rfind(|a| a.delivery == of.id);
    let sender = attempt
        .and_then(|a| bound_sender(a, provider))
        .unwrap_or_else(|| frozen_sender(&of.sender));
    DeliveryView {
        id: of.id,
        state: of.state,
        channel: of.channel,
        at: of.created_at,
        recipient: given(of.recipient.clone()),
        address: of.address.clone(),
        rehearsal: of.is_rehearsal.then(|| given(of.rehearsal_to.clone())),
        answers_to: answers_to(&sender).map(str::to_owned),
        sender,
        rule: (!of.rule.is_nil()).then(|| RuleRef {
            id: of.rule,
            name: of.rule_name.clone(),
            version: u32::try_from(of.rule_version).unwrap_or(0),
        }),
        again: again(story, of),
        content: story.content_of(of),
        reason: reason(of),
        steps: steps(story, of, provider),
        proof: proof(story, of, provider.name, chrome.moment()),
        actions: actions(story, of),
    }
}

/// Why it is where it is.
fn reason(of: &Delivery) -> Option<String> {
    (!of.reason.is_empty()).then(|| ended(&of.reason))
}

/// The number or service that an attempt was made from.
fn bound_sender(of: &Attempt, provider: &ProviderWords) -> Option<String> {
    let kept: Value = serde_json::from_str(&of.request).ok()?;
    (provider.sender_of)(&kept)
}

/// A replay of the message names it; a replay of the event follows what the same rule told the same
/// address before.
fn again(story: &Timeline, of: &Delivery) -> Option<Again> {
    let earlier = |d: &&Delivery| match of.replay_of {
        Some(first) => d.id == first,
        None => d.rule == of.rule && d.address == of.address && d.created_at < of.created_at,
    };
    let after = story.deliveries.iter().rfind(earlier);
    Some(Again {
        replay: replayed_by(story, of.replay)?,
        after: after.map(|d| (d.id, d.created_at)),
    })
}

/// Where answers go to what comes from "Acme <billing@acme.example>": there is no other address to answer to.
pub(in crate::web) fn answers_to(sender: &str) -> Option<&str> {
    let address = match sender.rsplit_once('<') {
        Some((_, address)) => address.strip_suffix('>')?,
        None => sender,
    };
    address.contains('@').then_some(address)
}

/// A sentence that ends like one.
pub(in crate::web) fn ended(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '!', '?', '…']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

fn actions(story: &Timeline, of: &Delivery) -> DeliveryActions {
    let is_whole = !of.address.is_empty() && !story.text_of(of).is_empty();
    let is_open = story
        .deliveries
        .iter()
        .any(|d| d.state.blocks_replay() && d.address == of.address);
    DeliveryActions {
        send_again: match of.state {
            DeliveryState::Unknown => true,
            DeliveryState::Suppressed => false,
            state => is_whole && !is_open && !state.blocks_replay(),
        },
        it_arrived: of.state == DeliveryState::Unknown,
        call_off: matches!(
            of.state,
            DeliveryState::Unknown | DeliveryState::Held | DeliveryState::Queued
        ),
    }
}

fn steps(story: &Timeline, of: &Delivery, provider: &ProviderWords) -> Vec<StepView> {
    let attempts: Vec<&Attempt> = story
        .attempts
        .iter()
        .filter(|a| a.delivery == of.id)
        .collect();
    let own = story.steps.iter().filter(|s| s.delivery == of.id);
    let mut steps: Vec<StepView> = own
        .map(|step| step_view(step, &attempts, provider))
        .collect();
    let receipts = story.receipts.iter().filter(|r| r.delivery == of.id);
    // What the provider answered at once is the attempt's own step.
    let later = receipts.filter(|r| r.source != "answer");
    steps.extend(later.map(|r| receipt_view(r, of, &attempts, provider)));
    if of.state == DeliveryState::Sending
        && let Some(attempt) = attempts.iter().find(|a| a.attempt_no == of.attempt_no)
    {
        steps.push(StepView {
            at: attempt.started_at,
            tone: Tone::Waiting,
            sentence: format!("Being handed to {}.", provider.name),
            exchange: Some(Exchange {
                request: request(attempt),
                response: String::new(),
            }),
        });
    }
    if let Some(first) = of.replay_of {
        let again = replayed_by(story, of.replay).unwrap_or_else(|| "Sent again".to_owned());
        let earlier = story.deliveries.iter().find(|d| d.id == first);
        let sentence = match earlier {
            Some(d) => format!(
                "{again}; the message before it is “{}”.",
                d.state.label(provider)
            ),
            None => format!("{again}."),
        };
        steps.push(StepView {
            at: of.created_at,
            tone: Tone::Quiet,
            sentence,
            exchange: None,
        });
    }
    // What could not even be tried has no step of its own.
    if steps.is_empty()
        && of.state == DeliveryState::Failed
        && let Some(sentence) = reason(of)
    {
        steps.push(StepView {
            at: of.created_at,
            tone: Tone::Failed,
            sentence,
            exchange: None,
        });
    }
    steps.sort_by_key(|s| s.at);
    steps
}

const fn tone(kind: StepKind) -> Tone {
    match kind {
        StepKind::Refused => Tone::Failed,
        StepKind::Unknown
        | StepKind::LeaseExpired
        | StepKind::NeedsPerson
        | StepKind::Double
        | StepKind::GaveUp => Tone::Needs,
        StepKind::Held | StepKind::ReaderStopped => Tone::Held,
        StepKind::Accepted
        | StepKind::Retry
        | StepKind::Look
        | StepKind::Absent
        | StepKind::Waits
        | StepKind::Renewed
        | StepKind::Unconfirmed => Tone::Waiting,
        StepKind::Found | StepKind::Resolved => Tone::Ok,
        StepKind::Released | StepKind::ReaderResumed => Tone::Queued,
        StepKind::Expired | StepKind::Suppressed | StepKind::Canceled | StepKind::Untrue => {
            Tone::Quiet
        }
    }
}

fn step_view(of: &Step, attempts: &[&Attempt], provider: &ProviderWords) -> StepView {
    let detail: Value = serde_json::from_str(&of.detail).unwrap_or_default();
    let exchange = detail.get("response").map(|response| Exchange {
        request: attempts
            .iter()
            .find(|a| a.attempt_no == of.attempt_no)
            .map_or_else(String::new, |a| request(a)),
        response: answer(response, provider),
    });
    StepView {
        at: of.at,
        tone: tone(of.kind),
        sentence: words::capital(&ended(&of.sentence)),
        exchange,
    }
}

/// The kept request: method, address, and its form with one field per line, or its JSON.
fn request(of: &Attempt) -> String {
    let kept: Value = serde_json::from_str(&of.request).unwrap_or_default();
    let part = |name: &str| kept.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut text = format!("{} {}", part("method"), part("url"));
    for pair in kept
        .get("form")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if let (Some(name), Some(value)) = (
            pair.get(0).and_then(Value::as_str),
            pair.get(1).and_then(Value::as_str),
        ) {
            text.extend(["\n", name, ": ", value]);
        }
    }
    if let Some(json) = kept.get("json").filter(|json| !json.is_null()) {
        text.push_str("\n\n");
        text.push_str(&serde_json::to_string_pretty(json).unwrap_or_default());
    }
    text.trim().to_owned()
}

/// The kept answer: status, the provider's own number for it, and the body.
fn answer(of: &Value, provider: &ProviderWords) -> String {
    let Some(http) = of.get("http").and_then(Value::as_u64) else {
        return "No answer came.".to_owned();
    };
    let mut text = format!("HTTP {http}");
    if let Some(id) = of.get("request_id").and_then(Value::as_str) {
        text.extend(["\n", provider.call_id, ": ", id]);
    }
    if let Some(body) = of.get("body").and_then(Value::as_str) {
        text.push_str("\n\n");
        text.push_str(&pretty(body.as_bytes()));
    }
    text
}

fn receipt_view(
    of: &Receipt,
    delivery: &Delivery,
    attempts: &[&Attempt],
    provider: &ProviderWords,
) -> StepView {
    let ProviderWords { name, carrier, .. } = provider;
    let status = Status::parse(&of.status);
    let code = if of.error_code == 0 {
        String::new()
    } else {
        format!(" ({name}'s error {})", of.error_code)
    };
    let (tone, mut sentence) = match status {
        Some(Status::Delivered | Status::Read) => {
            let word = if status == Some(Status::Read) {
                "Read"
            } else {
                "Delivered"
            };
            let began = attempts
                .iter()
                .map(|a| a.started_at)
                .rfind(|at| *at <= of.at);
            (Tone::Ok, format!("{word}{}.", later(began, of)))
        }
        Some(Status::Sent) => (Tone::Waiting, format!("{name} handed it to {carrier}.")),
        Some(Status::Failed) => (Tone::Failed, format!("{name} could not send it{code}.")),
        Some(Status::Undelivered) => (
            Tone::Failed,
            words::capital(&format!("{carrier} could not deliver it{code}.")),
        ),
        Some(Status::Canceled) => (Tone::Quiet, format!("Canceled at {name}.")),
        Some(Status::Sending) => (Tone::Waiting, format!("{name} is sending it.")),
        Some(_) => (Tone::Waiting, format!("{name} has it in its queue.")),
        None => (Tone::Quiet, format!("{name} says “{}”{code}.", of.status)),
    };
    if !delivery.sid.is_empty() && of.sid != delivery.sid {
        sentence.extend([" (Message ", of.sid.as_str(), ".)"]);
    }
    if !of.is_verified {
        sentence.push_str(" (Told without a signature that we can check.)");
    }
    StepView {
        at: of.at,
        tone,
        sentence,
        exchange: None,
    }
}

/// " 4.1 s later", counted from the call.
fn later(began: Option<chrono::DateTime<chrono::Utc>>, of: &Receipt) -> String {
    let Some(span) = began.map(|began| of.at - began) else {
        return String::new();
    };
    let tenths = span.num_milliseconds() / 100;
    match tenths {
        0..1_200 => format!(" {}.{} s later", tenths / 10, tenths % 10),
        1_200..72_000 => format!(" {} minutes later", tenths / 600),
        _ => String::new(),
    }
}

/// What each look into the provider's list showed.
fn proof(story: &Timeline, of: &Delivery, name: &str, moment: Moment) -> Vec<String> {
    let looks = story.steps.iter().filter(|s| s.delivery == of.id);
    looks.filter_map(|step| look(step, name, moment)).collect()
}

fn look(step: &Step, name: &str, moment: Moment) -> Option<String> {
    let detail: Value = serde_json::from_str(&step.detail).ok()?;
    let local = |at: DateTime<Utc>| {
        at.with_timezone(&moment.zone)
            .format("%H:%M:%S")
            .to_string()
    };
    let bound = |index: usize| {
        let at = detail["window"][index].as_str()?;
        at.parse::<DateTime<Utc>>().ok().map(local)
    };
    let between = bound(0).zip(bound(1));
    let listed = detail["listed"].as_u64();
    let mut told = if let Some(tagged) = detail["tagged"].as_array() {
        let tagged = counted(tagged.len() as u64, "e-mail", "e-mails");
        let around = listed
            .zip(between)
            .map_or_else(String::new, |(listed, (from, to))| {
                let listed = counted(listed, "e-mail", "e-mails");
                format!(", and {listed} of anybody between {from} and {to}")
            });
        format!("{name} listed {tagged} with the mark of this one{around}.")
    } else {
        let listed = counted(listed?, "message", "messages");
        let between = between.map_or_else(String::new, |(from, to)| {
            format!(", looking for ours between {from} and {to}")
        });
        format!("{name} listed {listed} to this number{between}.")
    };
    let is_marked = detail["tagged"].is_array();
    match detail["witness"].as_str() {
        Some(id) => {
            let was = if detail["witness_shown"].as_bool() == Some(true) {
                "was"
            } else {
                "was not"
            };
            told = format!("{told} The witness {id}, taken later, {was} in the list.");
        }
        // Where a mark says whether a message is there, none is needed.
        None if is_marked => {}
        None => {
            told.push_str(" No later message of this account is known that could be a witness.");
        }
    }
    Some(format!("At {} {told}", local(step.at)))
}
