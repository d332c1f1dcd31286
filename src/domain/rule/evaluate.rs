//! Whether a rule matches, and why, in words.
//!
//! A field that is not given makes every condition false but `absent`, `ne` and `not_in`: what
//! is not there is certainly not that.

use std::borrow::Cow;
use std::cmp::Ordering;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::condition::{Condition, Conditions, DateOperand, Op};
use super::facts::{Fact, Facts};
use super::fields::{is_base, is_money};
use crate::domain::decimal;
use crate::domain::money::{self, MoneyStyle};

/// The longest value that a reason repeats, in characters.
const MAX_VALUE_CHARS: usize = 200;

/// The longest reason, in characters.
const MAX_REASON_CHARS: usize = 1000;

/// What a rule said about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub matched: bool,
    /// "total 950.00 is not at least 1000.00".
    pub reason: String,
    /// One per condition, in order.
    pub values: Vec<MetValue>,
}

/// What a condition asked for and what it met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetValue {
    pub field: String,
    pub op: String,
    pub expected: String,
    /// None when the field is not given.
    pub met: Option<String>,
}

/// Asks the facts every condition.
pub fn evaluate(conditions: &Conditions, facts: &Facts<'_>) -> Verdict {
    let list = conditions.list();
    if list.is_empty() {
        return Verdict {
            matched: true,
            reason: "it has no conditions".to_owned(),
            values: Vec::new(),
        };
    }
    let mut yes = Vec::new();
    let mut no = Vec::new();
    let mut values = Vec::with_capacity(list.len());
    for condition in list {
        let fact = facts.get(&condition.field);
        let (holds, words) = ask(condition, fact.as_ref(), facts);
        if holds { &mut yes } else { &mut no }.push(words);
        values.push(MetValue {
            field: condition.field.clone(),
            op: condition.op.as_str().to_owned(),
            expected: joined(condition.value.texts(), |text| Cow::Borrowed(text)),
            met: fact.map(|fact| cut(&fact.label(), MAX_VALUE_CHARS)),
        });
    }
    let matched = match conditions {
        Conditions::All(_) => no.is_empty(),
        Conditions::Any(_) => !yes.is_empty(),
    };
    let reasons = if matched { yes } else { no };
    Verdict {
        matched,
        reason: cut(&reasons.join(" and "), MAX_REASON_CHARS),
        values,
    }
}

fn ask(condition: &Condition, fact: Option<&Fact<'_>>, facts: &Facts<'_>) -> (bool, String) {
    let (field, op) = (&condition.field, condition.op);
    let Some(fact) = fact else {
        let holds = matches!(op, Op::Absent | Op::Ne | Op::NotIn);
        return (holds, format!("{field} is not given"));
    };
    let words_met = fact.label();
    let expected = &condition.value;
    let holds = match op {
        Op::Present => return (true, format!("{field} is given")),
        Op::Absent => return (false, format!("{field} {} is given", quoted(&words_met))),
        Op::Gt | Op::Gte | Op::Lt | Op::Lte => {
            let Some(number) = number_of(field, fact) else {
                return (
                    false,
                    format!("{field} {} is not a number", quoted(&words_met)),
                );
            };
            let text = expected.texts().first().map_or("", String::as_str);
            let Some(wanted) = decimal::parse(text) else {
                return (
                    false,
                    format!("{field} is compared with {}, no number", quoted(text)),
                );
            };
            let holds = holds_for(op, number.cmp(&wanted));
            let words = if holds { op.label() } else { op.label_for_no() };
            let places = places(&words_met).max(places(text));
            let [met, wanted] = [number, wanted]
                .map(|n| sum(field, n, facts).unwrap_or_else(|| decimal::fixed(n, places, None)));
            return (holds, format!("{field} {met} {words} {wanted}"));
        }
        Op::Before | Op::After => {
            let Some(day) = fact.date() else {
                return (
                    false,
                    format!("{field} {} is not a date", quoted(&words_met)),
                );
            };
            let text = expected.texts().first().map_or("", String::as_str);
            let Some(wanted) = DateOperand::parse(text).map(|wanted| wanted.on(facts.today)) else {
                return (
                    false,
                    format!("{field} is compared with {}, no date", quoted(text)),
                );
            };
            let holds = if op == Op::Before {
                day < wanted
            } else {
                day > wanted
            };
            let words = if holds { op.label() } else { op.label_for_no() };
            let aside = if text.starts_with("today") {
                format!(" ({text})")
            } else {
                String::new()
            };
            return (holds, format!("{field} {day} {words} {wanted}{aside}"));
        }
        Op::Eq | Op::In => any_item(fact, |item| is_any_of(item, expected.texts())),
        Op::Ne | Op::NotIn => !any_item(fact, |item| is_any_of(item, expected.texts())),
        Op::Contains | Op::StartsWith => any_item(fact, |item| {
            let text = folded(&item.label());
            expected
                .texts()
                .iter()
                .map(|wanted| folded(wanted))
                .any(|wanted| {
                    if op == Op::Contains {
                        text.contains(&wanted)
                    } else {
                        text.starts_with(&wanted)
                    }
                })
        }),
    };
    let sum_of = |number: Option<Decimal>| number.and_then(|n| sum(field, n, facts));
    let met = sum_of(number_of(field, fact)).unwrap_or_else(|| quoted(&words_met));
    let words = match (op, holds) {
        // "status is paid", not "status paid is paid".
        (Op::Eq, true) | (Op::Ne, false) => return (holds, format!("{field} is {met}")),
        (_, true) => op.label(),
        (_, false) => op.label_for_no(),
    };
    let wanted = joined(expected.texts(), |text| {
        Cow::Owned(sum_of(decimal::parse(text)).unwrap_or_else(|| quoted(text)))
    });
    (holds, format!("{field} {met} {words} {wanted}"))
}

/// A value as a number; an amount may come as a text that is written for people ("1,350.00").
fn number_of(field: &str, fact: &Fact<'_>) -> Option<Decimal> {
    fact.decimal().or_else(|| match fact {
        Fact::Text(text) if is_money(field) => decimal::parse(&decimal::plain_text_of(text)?),
        _ => None,
    })
}

/// An amount with the currency of its document: "USD 950.00". None for what is no money, or where
/// the currency is not known. A sum finer than its currency keeps its decimals, so that a reason
/// never says that 10.00 is not at least 10.00.
fn sum(field: &str, number: Decimal, facts: &Facts<'_>) -> Option<String> {
    let currency = facts
        .currency
        .filter(|_| is_money(field) && !is_base(field))?;
    let text = if decimal::places(number) <= currency.places() {
        money::format(number, Some(currency), MoneyStyle::Bare)
    } else {
        decimal::fixed(number, decimal::places(number).min(6), Some(','))
    };
    Some(format!("{} {text}", currency.code()))
}

/// Texts as a list in one, nearly always of one alone.
fn joined(texts: &[String], each: impl Fn(&str) -> Cow<'_, str>) -> String {
    if let [one] = texts {
        return cut(&each(one), MAX_VALUE_CHARS);
    }
    let texts: Vec<_> = texts.iter().map(|text| each(text)).collect();
    cut(&texts.join(", "), MAX_VALUE_CHARS)
}

/// How many decimals to show: cents where there are any at all.
fn places(number: &str) -> u32 {
    let decimals = number.split_once('.').map_or(0, |(_, after)| after.len());
    match decimals {
        0 => 0,
        n => u32::try_from(n).unwrap_or(2).clamp(2, 6),
    }
}

fn holds_for(op: Op, order: Ordering) -> bool {
    match op {
        Op::Gt => order.is_gt(),
        Op::Gte => order.is_ge(),
        Op::Lt => order.is_lt(),
        _ => order.is_le(),
    }
}

/// Whether a plain value, or any item of a list, passes.
fn any_item(fact: &Fact<'_>, test: impl Fn(&Fact<'_>) -> bool) -> bool {
    match fact.items() {
        Some(items) => items.iter().any(test),
        None => test(fact),
    }
}

fn is_any_of(fact: &Fact<'_>, wanted: &[String]) -> bool {
    let (number, day) = (fact.decimal(), fact.date());
    let text = folded(&fact.label());
    wanted.iter().any(|wanted| {
        if let (Some(number), Some(wanted)) = (number, decimal::parse(wanted)) {
            return number == wanted;
        }
        let wanted = folded(wanted);
        // Zoho's two forms of one day are equal.
        text == wanted || day.is_some_and(|day| day.to_string() == wanted)
    })
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

/// A plain word stands bare, anything else in quotes, so that a reason reads unambiguously.
fn quoted(text: &str) -> String {
    let text = cut(text.trim(), MAX_VALUE_CHARS);
    let is_word = |letter: char| letter.is_alphanumeric() || "_-.@:+/…".contains(letter);
    if !text.is_empty() && text.chars().all(is_word) {
        text
    } else {
        format!("“{text}”")
    }
}

/// At most `most` characters, the last of them an ellipsis where something is missing. Line
/// breaks and control characters become spaces.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most && !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
    let short: Cow<'_, str> = match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.chars().take(most - 1).chain(['…']).collect()),
    };
    short.chars().map(clean).collect()
}

#[cfg(test)]
mod tests;
