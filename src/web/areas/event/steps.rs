//! Tells an event as a story: what came in, what was decided, what became of each message.
//!
//! All rules that said *no* at one moment share a step, so that ten rules do not bury one message.

use maud::{Markup, html};

use crate::domain::event::{EventState, EventType};
use crate::web::areas::event::page::{DecisionView, DeliveryView, EventView};
use crate::web::areas::words;
use crate::web::ui::address;
use crate::web::ui::figure::counted;
use crate::web::ui::rule_sentence::article;
use crate::web::ui::timeline::{Step, raw};
use crate::web::ui::tone::Tone;

/// The steps, oldest first.
pub fn steps(of: &EventView) -> Vec<Step> {
    let mut steps = vec![received(of)];
    for decision in of.decisions.iter().filter(|d| d.yes || d.rule.is_none()) {
        steps.push(decided(decision));
    }
    let noes: Vec<&DecisionView> = of
        .decisions
        .iter()
        .filter(|d| !d.yes && d.rule.is_some())
        .collect();
    for group in noes.chunk_by(|a, b| a.at == b.at) {
        steps.extend(said_no(group));
    }
    let several = of.deliveries.len() > 1;
    for delivery in &of.deliveries {
        let short = address::short(&delivery.address);
        // An address that a rule names is called as in the step that wants the message.
        let name = delivery.recipient.as_deref();
        let name = name.filter(|name| !words::is_address(name));
        let whose = several.then(|| name.unwrap_or(&short));
        let over = (delivery.channel, delivery.recipient.as_ref());
        let is_told_twice =
            |of: &DeliveryView| of.channel != over.0 && of.recipient.as_ref() == over.1;
        let channel = of
            .deliveries
            .iter()
            .any(is_told_twice)
            .then(|| over.0.label());
        steps.push(wanted(delivery));
        steps.extend(delivery.steps.iter().map(|step| Step {
            at: step.at,
            tone: step.tone,
            sentence: html! {
                @if let Some(whose) = whose { span class="muted" {
                    bdi { (whose) } @if let Some(channel) = channel { " (" (channel) ")" } ": "
                } }
                (step.sentence)
            },
            detail: step.exchange.as_ref().map(|exchange| {
                let both = html! {
                    (raw("We asked", &exchange.request))
                    (raw("The answer", &exchange.response))
                };
                ("Request and answer".to_owned(), both)
            }),
        }));
    }
    // Stable: steps of one instant stay in the order of cause and effect.
    steps.sort_by_key(|s| s.at);
    steps
}

fn received(of: &EventView) -> Step {
    let who = words::teller(of.source);
    let sentence = html! {
        @if let Some(event_type) = of.event_type { (who) " " (happened(event_type, of)) "." }
        @else { (who) " something that we could not read. It is kept." }
    };
    let tone = if of.state == EventState::Unrecognised {
        Tone::Needs
    } else {
        Tone::Ok
    };
    Step {
        at: of.at,
        tone,
        sentence,
        detail: None,
    }
}

/// "invoice is sent" -> "invoice INV-00003 is sent (14d)".
fn happened(event_type: EventType, of: &EventView) -> Markup {
    let (kind, words) = (event_type.document().label(), event_type.label());
    html! {
        @if let Some(number) = &of.document {
            (kind) " " b { (number) } (words.strip_prefix(kind).unwrap_or(words))
        } @else { (article(event_type)) " " (words) }
        @if let Some(label) = &of.label { " (" bdi { (label) } ")" }
    }
}

fn decided(decision: &DecisionView) -> Step {
    let sentence = html! {
        @if let Some(replay) = &decision.replay { bdi { (replay) } ": " }
        @if let Some(rule) = &decision.rule { b { (rule.name) } " matched: " bdi { (ended(&decision.reason)) } }
        @else { (words::capital(&ended(&decision.reason))) }
    };
    let tone = if decision.yes { Tone::Ok } else { Tone::Quiet };
    Step {
        at: decision.at,
        tone,
        sentence,
        detail: met(decision),
    }
}

fn said_no(group: &[&DecisionView]) -> Option<Step> {
    let first = group.first()?;
    if group.len() == 1 {
        let sentence = html! {
            @if let Some(rule) = &first.rule { b { (rule.name) } " did not match: " }
            bdi { (ended(&first.reason)) }
        };
        return Some(Step {
            at: first.at,
            tone: Tone::Quiet,
            sentence,
            detail: met(first),
        });
    }
    let list = html! {
        ul { @for no in group {
            li { @if let Some(rule) = &no.rule { bdi { (rule.name) } ": " } bdi { (no.reason) } }
        } }
    };
    let count = counted(group.len() as u64, "rule", "rules");
    Some(Step {
        at: first.at,
        tone: Tone::Quiet,
        sentence: html! { (count) " did not match." },
        detail: Some(("Why not".to_owned(), list)),
    })
}

fn wanted(of: &DeliveryView) -> Step {
    let to = words::message_to(
        of.channel,
        of.recipient.as_deref(),
        &address::short(&of.address),
    );
    Step {
        at: of.at,
        tone: Tone::Queued,
        sentence: html! {
            (to)
            @if let Some(to) = &of.rehearsal {
                ", as a rehearsal: it goes to the owner"
                @if let Some(number) = to { " (" (address::short(number)) ")" }
                " instead"
            }
            "."
        },
        detail: None,
    }
}

fn met(decision: &DecisionView) -> Option<(String, Markup)> {
    (!decision.met.is_empty()).then(|| {
        let values = html! {
            dl class="facts" {
                @for (name, value) in &decision.met { dt { (name) } dd { (value) } }
            }
        };
        ("Values met".to_owned(), values)
    })
}

/// The reason as the end of a sentence.
fn ended(reason: &str) -> String {
    if reason.ends_with(['.', '?']) {
        reason.to_owned()
    } else {
        format!("{reason}.")
    }
}

#[cfg(test)]
mod tests {
    use crate::web::samples;

    fn told(name: &str) -> Vec<String> {
        let html = samples::all()
            .into_iter()
            .find(|s| s.name == name)
            .unwrap()
            .html
            .unwrap();
        let sentence = scraper::Selector::parse(".story-sentence").unwrap();
        scraper::Html::parse_document(&html)
            .select(&sentence)
            .map(|s| {
                s.text()
                    .collect::<String>()
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect()
    }

    #[test]
    fn the_sentences_alone_tell_the_story() {
        assert_eq!(
            told("event-delivered"),
            [
                "Zoho Books told us invoice INV-00003 is sent.",
                "Big invoices matched: total 1,350.00 is at least 1,000.00.",
                "2 rules did not match.",
                "SMS to Benjamin George (+1617 … 0123).",
                "Twilio has it (SM3f2a…).",
                "Twilio handed it to the carrier.",
                "Delivered 4.1 s later.",
            ]
        );
    }

    #[test]
    fn a_step_says_whose_it_is_where_there_are_several_messages() {
        let told = told("event-unknown");
        assert!(told.contains(&"Benjamin George: Twilio did not answer within 10 s.".to_owned()));
        assert_eq!(
            told[0],
            "Zoho Books told us invoice INV-00003 is overdue (14d)."
        );
    }
}
