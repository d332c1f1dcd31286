//! Conditions: what a document must say for a rule to match.

use std::fmt;

use chrono::{Days, NaiveDate};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use strum::VariantArray as _;

use super::fields::{is_base, is_money};
use crate::domain::currency::Currency;
use crate::domain::decimal;

/// How a field is compared. The text forms are part of the API.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Op {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
    Contains,
    StartsWith,
    In,
    NotIn,
    Before,
    After,
    Present,
    Absent,
}

impl Op {
    /// Every op, in the order of the editor's list.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// A clerk's words: "total *is at least* 1000.00".
    pub const fn label(self) -> &'static str {
        match self {
            Self::Eq => "is",
            Self::Ne => "is not",
            Self::Gt => "is more than",
            Self::Gte => "is at least",
            Self::Lt => "is less than",
            Self::Lte => "is at most",
            Self::Contains => "contains",
            Self::StartsWith => "begins with",
            Self::In => "is one of",
            Self::NotIn => "is none of",
            Self::Before => "is before",
            Self::After => "is after",
            Self::Present => "is given",
            Self::Absent => "is not given",
        }
    }

    /// The words for the opposite: "total *is not at least* 1000.00".
    pub const fn label_for_no(self) -> &'static str {
        match self {
            Self::Eq => "is not",
            Self::Ne => "is",
            Self::Gt => "is not more than",
            Self::Gte => "is not at least",
            Self::Lt => "is not less than",
            Self::Lte => "is not at most",
            Self::Contains => "does not contain",
            Self::StartsWith => "does not begin with",
            Self::In => "is not one of",
            Self::NotIn => "is one of",
            Self::Before => "is not before",
            Self::After => "is not after",
            Self::Present => "is not given",
            Self::Absent => "is given",
        }
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    /// `gt`, `gte`, `lt` and `lte` compare numbers only.
    pub const fn takes_number(self) -> bool {
        matches!(self, Self::Gt | Self::Gte | Self::Lt | Self::Lte)
    }

    /// `before` and `after` compare days only.
    pub const fn takes_date(self) -> bool {
        matches!(self, Self::Before | Self::After)
    }

    /// `in` and `not_in` take a list.
    pub const fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::NotIn)
    }

    /// `present` and `absent` take no value.
    pub const fn takes_nothing(self) -> bool {
        matches!(self, Self::Present | Self::Absent)
    }
}

impl Serialize for Op {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    Nothing,
    One(String),
    Many(Vec<String>),
}

impl Operand {
    /// The values, in order.
    pub fn texts(&self) -> &[String] {
        match self {
            Self::Nothing => &[],
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.texts().join(", "))
    }
}

/// One comparison of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// A name of Zoho's, or one of ours (`contact.name`, `label`, `payment_link`).
    pub field: String,
    pub op: Op,
    pub value: Operand,
}

impl Condition {
    /// A clerk's words: "total is at least EUR 1,000.00", the currency being the one that `beside`
    /// asks for, else that of whatever document comes.
    pub fn label(&self, beside: &Conditions) -> String {
        let field = self.field.replace('_', " ");
        let amount = match &self.value {
            Operand::One(text) if is_money(&self.field) => decimal::parse(text),
            _ => None,
        };
        let words = match amount {
            None => format!("{field} {} {}", self.op.label(), self.value),
            Some(amount) => {
                let currency = beside.currency().filter(|_| !is_base(&self.field));
                let places = currency
                    .map_or(2, Currency::places)
                    .max(decimal::places(amount).min(6));
                let sum = decimal::fixed(amount, places, Some(','));
                match currency {
                    Some(currency) => {
                        format!("{field} {} {} {sum}", self.op.label(), currency.code())
                    }
                    None if is_base(&self.field) => format!("{field} {} {sum}", self.op.label()),
                    None => format!(
                        "{field} {} {sum} in the document’s currency",
                        self.op.label()
                    ),
                }
            }
        };
        words.trim_end().to_owned()
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("field", &self.field)?;
        map.serialize_entry("op", &self.op)?;
        match &self.value {
            Operand::Nothing => {}
            Operand::One(text) => map.serialize_entry("value", text)?,
            Operand::Many(texts) => map.serialize_entry("value", texts)?,
        }
        map.end()
    }
}

/// A rule's conditions; none means always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conditions {
    /// Each must hold.
    All(Vec<Condition>),
    /// One must hold.
    Any(Vec<Condition>),
}

impl Conditions {
    /// The conditions, in order.
    pub fn list(&self) -> &[Condition] {
        match self {
            Self::All(list) | Self::Any(list) => list,
        }
    }

    /// The one currency that a document must have, where a condition says so.
    fn currency(&self) -> Option<Currency> {
        let Self::All(list) = self else {
            return None;
        };
        list.iter()
            .find(|c| c.field == "currency_code" && c.op == Op::Eq)
            .and_then(|c| c.value.texts().first())
            .and_then(|code| Currency::parse(code).ok())
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

/// A day, fixed or counted from today in the tenant's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOperand {
    Day(NaiveDate),
    /// Days from today; negative for the past.
    FromToday(i64),
}

impl DateOperand {
    /// Reads `2026-05-12`, `today`, `today+7d` or `today-30d`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let Some(offset) = text.strip_prefix("today") else {
            return (text.len() == 10)
                .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
                .flatten()
                .map(Self::Day);
        };
        if offset.is_empty() {
            return Some(Self::FromToday(0));
        }
        let (sign, rest) = match offset.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let digits = rest.strip_suffix('d')?;
        let is_plain =
            (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        is_plain
            .then(|| digits.parse::<i64>().ok())
            .flatten()
            .map(|days| Self::FromToday(sign * days))
    }

    /// The day meant, when today is `today`.
    pub fn on(self, today: NaiveDate) -> NaiveDate {
        match self {
            Self::Day(day) => day,
            Self::FromToday(days) => {
                let span = Days::new(days.unsigned_abs());
                let moved = if days < 0 {
                    today.checked_sub_days(span)
                } else {
                    today.checked_add_days(span)
                };
                moved.unwrap_or(today)
            }
        }
    }
}

#[cfg(test)]
mod amount_tests {
    use super::*;

    fn condition(field: &str, op: Op, value: &str) -> Condition {
        Condition {
            field: field.to_owned(),
            op,
            value: Operand::One(value.to_owned()),
        }
    }

    #[test]
    fn an_amount_in_a_sentence_has_a_currency() {
        let total = condition("total", Op::Gte, "1000");
        assert_eq!(
            total.label(&Conditions::All(vec![total.clone()])),
            "total is at least 1,000.00 in the document’s currency"
        );
        let yen = condition("currency_code", Op::Eq, "JPY");
        assert_eq!(
            total.label(&Conditions::All(vec![total.clone(), yen.clone()])),
            "total is at least JPY 1,000"
        );
        // Where one of several is enough, the other may hold.
        assert!(
            total
                .label(&Conditions::Any(vec![total.clone(), yen]))
                .ends_with("currency")
        );
        let status = condition("status", Op::Eq, "sent");
        assert_eq!(status.label(&Conditions::default()), "status is sent");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_fixed_or_counted_from_today() {
        let today = NaiveDate::from_ymd_opt(2026, 5, 12).unwrap();
        let on = |text: &str| DateOperand::parse(text).map(|d| d.on(today).to_string());
        assert_eq!(on("today").as_deref(), Some("2026-05-12"));
        assert_eq!(on("today+7d").as_deref(), Some("2026-05-19"));
        assert_eq!(on("today-30d").as_deref(), Some("2026-04-12"));
        assert_eq!(on("2027-01-31").as_deref(), Some("2027-01-31"));
        for text in [
            "",
            "tomorrow",
            "today+d",
            "today7d",
            "today+7",
            "2027-02-30",
            "12/05/2026",
        ] {
            assert_eq!(on(text), None, "{text}");
        }
    }

    #[test]
    fn every_op_survives_its_text() {
        for &op in Op::ALL {
            assert_eq!(Op::parse(op.as_str()), Some(op));
        }
    }
}
