//! The filters: each named, its arguments checked when the template is saved.

use std::borrow::Cow;

use crate::domain::currency::Currency;
use crate::domain::decimal;
use crate::domain::money::{self, MoneyStyle};
use crate::domain::rule::Fact;

use super::problem::{MAX_TEXT_BYTES, RenderProblem};
use super::syntax::Expr;
use super::value::{Val, clean};

/// Said of `default(x="…")` and of splats.
pub(super) const PLAIN_ARGUMENTS: &str = "a filter takes plain arguments, as in default(\"…\")";

const MAX_ARGUMENT_CHARS: usize = 200;
const NAMES: &str =
    "money, date, upper, lower, trim, default, truncate, first, last, replace, round and length";

/// One filter with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    Money(MoneyStyle),
    Date(DateStyle),
    Upper,
    Lower,
    Trim,
    Default(Box<Expr>),
    /// At most so many characters.
    Truncate(usize),
    First,
    Last,
    Replace(String, String),
    /// To so many decimals.
    Round(u32),
    Length,
}

/// How a day is written, always in English.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateStyle {
    /// `12 May 2026`
    Medium,
    /// `12 May`
    Short,
    /// `Tuesday, 12 May 2026`
    Long,
    /// `2026-05-12`
    Iso,
}

impl Filter {
    /// Reads a filter's name and arguments, or says what to type.
    pub(super) fn parse(name: &str, args: Vec<Expr>) -> Result<Self, String> {
        let mut args = args.into_iter();
        let filter = match name {
            "money" => Self::Money(match args.next() {
                None => MoneyStyle::Short,
                Some(Expr::Text(style)) if style == "code" => MoneyStyle::Code,
                Some(Expr::Text(style)) if style == "symbol" => MoneyStyle::Symbol,
                Some(Expr::Text(style)) if style == "bare" => MoneyStyle::Bare,
                Some(_) => return Err(r#"money takes "code", "symbol" or "bare""#.to_owned()),
            }),
            "date" => Self::Date(match args.next() {
                None => DateStyle::Medium,
                Some(Expr::Text(style)) if style == "short" => DateStyle::Short,
                Some(Expr::Text(style)) if style == "long" => DateStyle::Long,
                Some(Expr::Text(style)) if style == "iso" => DateStyle::Iso,
                Some(_) => return Err(r#"date takes "short", "long" or "iso""#.to_owned()),
            }),
            "upper" => Self::Upper,
            "lower" => Self::Lower,
            "trim" => Self::Trim,
            "first" => Self::First,
            "last" => Self::Last,
            "length" => Self::Length,
            "default" => match args.next() {
                Some(arg) => Self::Default(Box::new(arg)),
                None => return Err(r#"default needs a text, as in default("customer")"#.to_owned()),
            },
            "truncate" => match args.next().and_then(number) {
                Some(most) if (1..=1600).contains(&most) => Self::Truncate(most),
                _ => return Err("truncate needs a number from 1 to 1600".to_owned()),
            },
            "round" => match args.next().map_or(Some(0), number).map(u32::try_from) {
                Some(Ok(places)) if places <= 6 => Self::Round(places),
                _ => return Err("round takes a number of decimals from 0 to 6".to_owned()),
            },
            "replace" => match (args.next(), args.next()) {
                (Some(Expr::Text(from)), Some(Expr::Text(to)))
                    if !from.is_empty() && is_short(&from) && is_short(&to) =>
                {
                    Self::Replace(from, to)
                }
                _ => {
                    return Err(
                        r#"replace needs two short texts, as in replace("a", "b")"#.to_owned()
                    );
                }
            },
            other => {
                let name: String = other.chars().take(40).collect();
                return Err(format!("no filter `{name}`; there are {NAMES}"));
            }
        };
        if args.next().is_some() {
            return Err(format!("too many arguments for {name}"));
        }
        Ok(filter)
    }

    /// Applies the filter; [`Filter::Default`] is the evaluator's, which knows its argument.
    pub(super) fn apply<'a>(
        &self,
        value: Val<'a>,
        currency: Option<Currency>,
    ) -> Result<Val<'a>, RenderProblem> {
        match self {
            Self::First | Self::Last => return Ok(end_of(value, *self == Self::First)),
            Self::Length => return Ok(Val::count(value.length())),
            Self::Default(_) => return Ok(value),
            _ if value.is_missing() => return Ok(Val::Missing),
            _ => {}
        }
        let text = match self {
            Self::Money(style) => match value.decimal() {
                Some(amount) => money::format(amount, currency, *style),
                // Already formatted, such as `total_formatted`.
                None => return Ok(value),
            },
            Self::Round(places) => match value.decimal() {
                Some(number) => {
                    return Ok(Val::Number(Cow::Owned(decimal::fixed(
                        number, *places, None,
                    ))));
                }
                None => return Ok(value),
            },
            Self::Date(style) => {
                let text = value.words()?;
                let Some(day) = Fact::text(&text).and_then(|fact| fact.date()) else {
                    return Ok(value);
                };
                day.format(style.pattern()).to_string()
            }
            Self::Upper => value.words()?.to_uppercase(),
            Self::Lower => value.words()?.to_lowercase(),
            Self::Trim => value.words()?.trim().to_owned(),
            Self::Truncate(most) => truncated(&value.words()?, *most),
            Self::Replace(from, to) => replaced(&value.words()?, from, to)?,
            Self::First | Self::Last | Self::Length | Self::Default(_) => return Ok(value),
        };
        Val::owned(text)
    }
}

impl DateStyle {
    const fn pattern(self) -> &'static str {
        match self {
            Self::Medium => "%-d %b %Y",
            Self::Short => "%-d %b",
            Self::Long => "%A, %-d %B %Y",
            Self::Iso => "%Y-%m-%d",
        }
    }
}

fn number(arg: Expr) -> Option<usize> {
    match arg {
        Expr::Number(text) => text.parse().ok(),
        _ => None,
    }
}

fn is_short(text: &str) -> bool {
    text.chars().count() <= MAX_ARGUMENT_CHARS
}

/// The first or last item of a list, or letter of a text.
fn end_of(value: Val<'_>, is_first: bool) -> Val<'_> {
    if let Some(mut items) = value.items() {
        let item = if is_first {
            items.into_iter().next()
        } else {
            items.pop()
        };
        return item.unwrap_or(Val::Missing);
    }
    let letter = match &value {
        Val::Text(text) if is_first => text.chars().next(),
        Val::Text(text) => text.chars().next_back(),
        _ => return value,
    };
    letter.map_or(Val::Missing, |letter| {
        Val::Text(Cow::Owned(letter.to_string()))
    })
}

/// Three dots, since the single character `…` would turn the whole SMS to UCS-2.
fn truncated(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    if most <= 3 {
        return text.chars().take(most).collect();
    }
    let kept: String = text.chars().take(most - 3).collect();
    format!("{}...", kept.trim_end())
}

/// Stops as soon as the result would be too long, so that it never is.
fn replaced(text: &str, from: &str, to: &str) -> Result<String, RenderProblem> {
    let to = clean(to);
    let mut out = String::with_capacity(text.len());
    for (index, piece) in text.split(from).enumerate() {
        if index > 0 {
            out.push_str(&to);
        }
        out.push_str(piece);
        if out.len() > MAX_TEXT_BYTES {
            return Err(RenderProblem::TooLong);
        }
    }
    Ok(out)
}
