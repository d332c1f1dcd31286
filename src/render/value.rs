//! A value while a template is rendered: blank ones are missing, amounts keep their exact text, and every text
//! is bounded and cleaned.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde_json::Value;

use super::problem::{MAX_TEXT_BYTES, RenderProblem};
use crate::domain::currency::Currency;
use crate::domain::decimal;
use crate::domain::rule::{Fact, MAX_LIST_ITEMS, has_lines, is_price, money_places};

/// So many bytes of a text that is touched cost a step.
pub(super) const BYTES_PER_STEP: usize = 64;
/// A unit price may be finer than the currency (0.125), but not by a float's tail.
const MAX_PRICE_PLACES: u32 = 6;

pub(super) type Rendered<T> = Result<T, RenderProblem>;

/// A value while rendering. Every owned text is at most [`MAX_TEXT_BYTES`] long.
#[derive(Debug, Clone)]
pub(super) enum Val<'a> {
    Missing,
    Bool(bool),
    /// Decimal text.
    Number(Cow<'a, str>),
    /// Decimal text of an amount, and the places that it is written with.
    Money(Cow<'a, str>, u32),
    Text(Cow<'a, str>),
    /// A list or group of the body.
    Nested(&'a Value),
    /// A literal list.
    List(Vec<Val<'a>>),
    Contact,
    Loop {
        index: usize,
        length: usize,
    },
}

impl<'a> Val<'a> {
    /// A text made by a filter; too long a one is refused, a blank one is missing.
    pub(super) fn owned(text: String) -> Rendered<Self> {
        match text.len() {
            0 => Ok(Self::Missing),
            1..=MAX_TEXT_BYTES => Ok(Self::Text(Cow::Owned(text))),
            _ => Err(RenderProblem::TooLong),
        }
    }

    pub(super) fn count(count: usize) -> Self {
        Self::Number(Cow::Owned(count.to_string()))
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// A value of the body, on one line: whoever is called by three lines must not look like a part of the
    /// text.
    pub(super) fn of(fact: Option<Fact<'a>>) -> Self {
        match Self::lines_of(fact) {
            Self::Text(text) => Self::Text(folded(text)),
            value => value,
        }
    }

    /// The same with its lines; over-long texts are cut, since only 16 KB could be sent anyway.
    fn lines_of(fact: Option<Fact<'a>>) -> Self {
        match fact {
            None => Self::Missing,
            Some(Fact::Bool(yes)) => Self::Bool(yes),
            // A body may hold a number of a million digits; beyond any decimal it is a text.
            Some(Fact::Number(text)) if decimal::parse_json(&text).is_none() => {
                Self::Text(Cow::Owned(head(&text).to_owned()))
            }
            Some(Fact::Number(text)) => Self::Number(Cow::Owned(text)),
            Some(Fact::Text(Cow::Borrowed(text))) => Self::Text(clean(head(text))),
            Some(Fact::Text(Cow::Owned(text))) => {
                Self::Text(Cow::Owned(clean(head(&text)).into_owned()))
            }
            Some(Fact::Nested(value)) => Self::Nested(value),
        }
    }

    /// The value of a field; an amount keeps its exact value and is written with its currency's
    /// places, since Zoho's `135.0` is no way to name a sum.
    pub(super) fn field(name: &str, fact: Option<Fact<'a>>, currency: Option<Currency>) -> Self {
        if has_lines(name) {
            return Self::lines_of(fact);
        }
        match (Self::of(fact), money_places(name, currency)) {
            (Self::Number(text) | Self::Text(text), Some(places)) => {
                match decimal::parse_json(&text) {
                    Some(amount) if is_price(name) => {
                        let places = places.max(decimal::places(amount).min(MAX_PRICE_PLACES));
                        Self::Money(text, places)
                    }
                    Some(_) => Self::Money(text, places),
                    // Written for people already, such as "1,350.00".
                    None => Self::Text(text),
                }
            }
            (value, _) => value,
        }
    }

    /// What is written out: a list's items joined by commas, a group's name.
    pub(super) fn words(&self) -> Rendered<Cow<'_, str>> {
        Ok(match self {
            Self::Missing | Self::Contact | Self::Loop { .. } => Cow::Borrowed(""),
            Self::Bool(yes) => Cow::Borrowed(if *yes { "true" } else { "false" }),
            Self::Number(text) | Self::Text(text) => Cow::Borrowed(text),
            Self::Money(text, places) => match decimal::parse_json(text) {
                Some(amount) => Cow::Owned(decimal::fixed(amount, *places, None)),
                None => Cow::Borrowed(text),
            },
            Self::Nested(value) => {
                let items = Fact::Nested(value).items().unwrap_or_default();
                Cow::Owned(joined(items.into_iter().map(|item| Val::of(Some(item))))?)
            }
            Self::List(items) => Cow::Owned(joined(items.iter().cloned())?),
        })
    }

    pub(super) fn decimal(&self) -> Option<Decimal> {
        match self {
            Self::Number(text) | Self::Money(text, _) => decimal::parse_json(text),
            Self::Text(text) => decimal::parse(text),
            _ => None,
        }
    }

    /// The items of a list, at most [`MAX_LIST_ITEMS`]; groups stay groups.
    pub(super) fn items(&self) -> Option<Vec<Val<'a>>> {
        match self {
            Self::Nested(Value::Array(items)) => {
                let items = items.iter().take(MAX_LIST_ITEMS);
                Some(items.map(|item| Val::of(Fact::json(item))).collect())
            }
            Self::List(items) => Some(items.clone()),
            _ => None,
        }
    }

    /// Items of a list, characters of a text.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Nested(Value::Array(items)) => items.len(),
            Self::Nested(Value::Object(parts)) => parts.len(),
            Self::List(items) => items.len(),
            Self::Number(text) | Self::Text(text) | Self::Money(text, _) => text.chars().count(),
            _ => 0,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Missing => false,
            Self::Bool(yes) => *yes,
            Self::Number(text) | Self::Money(text, _) => {
                !decimal::parse_json(text).is_some_and(|number| number.is_zero())
            }
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Nested(_) | Self::Contact | Self::Loop { .. } => true,
        }
    }

    /// The cost of touching it, in steps.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Number(text) | Self::Text(text) | Self::Money(text, _) => {
                text.len() / BYTES_PER_STEP
            }
            Self::Nested(Value::Array(items)) => items.len().min(MAX_LIST_ITEMS),
            Self::List(items) => items.len(),
            _ => 0,
        }
    }
}

fn joined<'a>(items: impl Iterator<Item = Val<'a>>) -> Rendered<String> {
    let mut text = String::new();
    for item in items.take(MAX_LIST_ITEMS) {
        // A list in a list has no words of its own.
        if matches!(item, Val::Nested(_) | Val::List(_)) {
            continue;
        }
        let words = item.words()?;
        if words.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&words);
        if text.len() > MAX_TEXT_BYTES {
            return Err(RenderProblem::TooLong);
        }
    }
    Ok(text)
}

/// At most [`MAX_TEXT_BYTES`], cut between characters.
fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

/// With a single space wherever there is white space.
fn folded(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains('\n') && !text.contains("  ") {
        return text;
    }
    Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Without control characters (tabs become spaces, line separators line breaks) and without the
/// marks that turn the direction of text, with which one text can be made to look like another.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| {
        letter == '\n'
            || !(letter.is_control()
                || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}')
                || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    };
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n");
    let letters = text.chars().filter_map(|letter| match letter {
        letter if is_plain(letter) => Some(letter),
        '\t' => Some(' '),
        '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => Some('\n'),
        _ => None,
    });
    Cow::Owned(letters.collect())
}
