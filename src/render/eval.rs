//! Runs a lowered template over the facts of an event.
//!
//! A missing or blank value is never an error: it renders as nothing, is false, and equals `""`.
//! Each step costs one of [`MAX_STEPS`], and each 64 bytes of a text that is touched one more.

use std::borrow::Cow;
use std::cmp::Ordering;

use rust_decimal::Decimal;
use serde_json::Value;

use super::filters::Filter;
use super::marked::{MAX_MARKED_BYTES, Marked, is_mark, mark_of};
use super::template::{Expr, MAX_TEXT_BYTES, Node, Relation, RenderProblem};
use crate::domain::currency::Currency;
use crate::domain::decimal;
use crate::domain::rule::{Fact, Facts, MAX_LIST_ITEMS, has_lines, is_price, money_places};

const MAX_STEPS: usize = 50_000;
const BYTES_PER_STEP: usize = 64;
/// A unit price may be finer than the currency (0.125), but not by a float's tail.
const MAX_PRICE_PLACES: u32 = 6;

type Rendered<T> = Result<T, RenderProblem>;

/// Fills `nodes` in.
pub(super) fn render(nodes: &[Node], facts: &Facts<'_>) -> Rendered<String> {
    let mut run = Run::new(facts, MAX_TEXT_BYTES);
    run.body(nodes)?;
    Ok(run.out.trim().to_owned())
}

/// Fills `nodes` in with a mark in place of each value, so that none is read as a part of the text.
pub(super) fn render_marked(nodes: &[Node], facts: &Facts<'_>) -> Rendered<Marked> {
    let mut run = Run::new(facts, MAX_MARKED_BYTES);
    run.marked = Some(Vec::new());
    run.body(nodes)?;
    Ok(Marked {
        text: run.out.trim().to_owned(),
        values: run.marked.unwrap_or_default(),
    })
}

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
    fn of(fact: Option<Fact<'a>>) -> Self {
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
    fn field(name: &str, fact: Option<Fact<'a>>, currency: Option<Currency>) -> Self {
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

    fn is_true(&self) -> bool {
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
    fn cost(&self) -> usize {
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

struct Run<'r, 'a> {
    facts: &'r Facts<'a>,
    out: String,
    /// The values that stand apart, where they do.
    marked: Option<Vec<String>>,
    /// Bytes written, values that stand apart included.
    written: usize,
    most: usize,
    steps: usize,
    /// Loop targets and `loop`, the innermost last.
    scope: Vec<(&'r str, Val<'a>)>,
}

impl<'r, 'a: 'r> Run<'r, 'a> {
    fn new(facts: &'r Facts<'a>, most: usize) -> Self {
        Self {
            facts,
            out: String::new(),
            marked: None,
            written: 0,
            most,
            steps: MAX_STEPS,
            scope: Vec::new(),
        }
    }

    fn body(&mut self, nodes: &'r [Node]) -> Rendered<()> {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &'r Node) -> Rendered<()> {
        self.spend(1)?;
        match node {
            Node::Text(text) => {
                self.pay_for(text)?;
                match self.marked {
                    // Nobody types a mark.
                    Some(_) => self
                        .out
                        .extend(clean(text).chars().filter(|c| !is_mark(*c))),
                    None => self.out.push_str(&clean(text)),
                }
                Ok(())
            }
            Node::Emit(expr) => {
                let value = self.expr(expr)?;
                self.value(&value.words()?)
            }
            Node::If { test, yes, no } => {
                let branch = if self.expr(test)?.is_true() { yes } else { no };
                self.body(branch)
            }
            Node::For {
                target,
                list,
                test,
                body,
                otherwise,
            } => {
                let mut items = self.expr(list)?.items().unwrap_or_default();
                if let Some(test) = test {
                    let mut kept = Vec::with_capacity(items.len());
                    for item in items {
                        self.scope.push((target, item));
                        let holds = self.expr(test)?.is_true();
                        if let Some((_, item)) = self.scope.pop()
                            && holds
                        {
                            kept.push(item);
                        }
                    }
                    items = kept;
                }
                if items.is_empty() {
                    return self.body(otherwise);
                }
                let length = items.len();
                for (index, item) in items.into_iter().enumerate() {
                    self.scope.push(("loop", Val::Loop { index, length }));
                    self.scope.push((target, item));
                    self.body(body)?;
                    self.scope.truncate(self.scope.len() - 2);
                }
                Ok(())
            }
        }
    }

    fn expr(&mut self, expr: &'r Expr) -> Rendered<Val<'a>> {
        self.spend(1)?;
        let value = match expr {
            Expr::Name(name) => self.name(name),
            Expr::Part(of, name) => {
                let of = self.expr(of)?;
                self.part(&of, name)
            }
            Expr::Item(of, index) => {
                let items = self.expr(of)?.items().unwrap_or_default();
                items.into_iter().nth(*index).unwrap_or(Val::Missing)
            }
            Expr::Text(text) => Val::owned(clean(text).into_owned())?,
            Expr::Number(text) => Val::Number(Cow::Owned(text.clone())),
            Expr::Bool(yes) => Val::Bool(*yes),
            Expr::Nothing => Val::Missing,
            Expr::List(items) => {
                let items = items.iter().map(|item| self.expr(item));
                Val::List(items.collect::<Rendered<_>>()?)
            }
            Expr::Not(expr) => Val::Bool(!self.expr(expr)?.is_true()),
            Expr::And(left, right) => {
                let left = self.expr(left)?;
                if left.is_true() {
                    self.expr(right)?
                } else {
                    left
                }
            }
            Expr::Or(left, right) => {
                let left = self.expr(left)?;
                if left.is_true() {
                    left
                } else {
                    self.expr(right)?
                }
            }
            Expr::Compare(first, chain) => {
                let mut left = self.expr(first)?;
                let mut holds = true;
                for (relation, right) in chain {
                    let right = self.expr(right)?;
                    holds = holds && compare(*relation, &left, &right)?;
                    left = right;
                }
                Val::Bool(holds)
            }
            Expr::Choose { test, yes, no } => {
                if self.expr(test)?.is_true() {
                    self.expr(yes)?
                } else {
                    self.expr(no)?
                }
            }
            Expr::IsGiven(expr) => Val::Bool(!self.expr(expr)?.is_missing()),
            Expr::Filter(Filter::Default(fallback), input) => {
                let value = self.expr(input)?;
                if value.is_missing() {
                    self.expr(fallback)?
                } else {
                    value
                }
            }
            Expr::Filter(filter, input) => {
                let value = self.expr(input)?;
                filter.apply(value, self.facts.currency)?
            }
        };
        self.spend(value.cost())?;
        Ok(value)
    }

    fn name(&self, name: &str) -> Val<'a> {
        let in_scope = self.scope.iter().rev().find(|(known, _)| *known == name);
        match in_scope {
            Some((_, value)) => value.clone(),
            None if name == "contact" => Val::Contact,
            None => Val::field(name, self.facts.get(name), self.facts.currency),
        }
    }

    fn part(&self, of: &Val<'a>, name: &str) -> Val<'a> {
        match of {
            Val::Nested(Value::Object(parts)) => {
                let fact = parts.get(name).and_then(Fact::json);
                Val::field(name, fact, self.facts.currency)
            }
            Val::Contact => Val::of(self.facts.get(&format!("contact.{name}"))),
            Val::Loop { index, length } => match name {
                "index" => Val::count(index + 1),
                "index0" => Val::count(*index),
                "first" => Val::Bool(*index == 0),
                "last" => Val::Bool(index + 1 == *length),
                "length" => Val::count(*length),
                _ => Val::Missing,
            },
            _ => Val::Missing,
        }
    }

    fn value(&mut self, words: &str) -> Rendered<()> {
        self.pay_for(words)?;
        let words = clean(words);
        match &mut self.marked {
            None => self.out.push_str(&words),
            Some(_) if words.trim().is_empty() => {}
            Some(values) => {
                self.out
                    .push(mark_of(values.len()).ok_or(RenderProblem::TooMuchWork)?);
                values.push(words.into_owned());
            }
        }
        Ok(())
    }

    fn pay_for(&mut self, text: &str) -> Rendered<()> {
        self.spend(text.len() / BYTES_PER_STEP)?;
        self.written += text.len();
        if self.written > self.most {
            return Err(RenderProblem::TooLong);
        }
        Ok(())
    }

    fn spend(&mut self, steps: usize) -> Rendered<()> {
        self.steps = self
            .steps
            .checked_sub(steps)
            .ok_or(RenderProblem::TooMuchWork)?;
        Ok(())
    }
}

fn compare(relation: Relation, left: &Val<'_>, right: &Val<'_>) -> Rendered<bool> {
    Ok(match relation {
        Relation::Eq => equal(left, right)?,
        Relation::Ne => !equal(left, right)?,
        Relation::Lt => order(left, right).is_some_and(Ordering::is_lt),
        Relation::Lte => order(left, right).is_some_and(Ordering::is_le),
        Relation::Gt => order(left, right).is_some_and(Ordering::is_gt),
        Relation::Gte => order(left, right).is_some_and(Ordering::is_ge),
        Relation::In => is_in(left, right)?,
        Relation::NotIn => !is_in(left, right)?,
    })
}

fn equal(left: &Val<'_>, right: &Val<'_>) -> Rendered<bool> {
    let is_number = |of: &Val<'_>| matches!(of, Val::Number(_) | Val::Money(..));
    let is_number = is_number(left) || is_number(right);
    if is_number && let (Some(left), Some(right)) = (left.decimal(), right.decimal()) {
        return Ok(left == right);
    }
    Ok(match (left, right) {
        (Val::Bool(left), Val::Bool(right)) => left == right,
        (Val::Bool(_), _) | (_, Val::Bool(_)) => false,
        _ => left.words()? == right.words()?,
    })
}

/// Numbers by size, texts by letters; what cannot be compared is neither more nor less.
fn order(left: &Val<'_>, right: &Val<'_>) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (left.decimal(), right.decimal()) {
        return Some(left.cmp(&right));
    }
    match (left, right) {
        (Val::Text(left), Val::Text(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn is_in(needle: &Val<'_>, hay: &Val<'_>) -> Rendered<bool> {
    if let Some(items) = hay.items() {
        for item in &items {
            if equal(needle, item)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let needle = needle.words()?;
    Ok(!needle.is_empty() && hay.words()?.contains(needle.as_ref()))
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
