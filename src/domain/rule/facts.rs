//! Facts: what an event gives rules and templates to read.
//!
//! Zoho sends `""` and `" "` for what is not given, so a blank value is an absent one everywhere.

use std::borrow::Cow;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::domain::currency::Currency;
use crate::domain::day;
use crate::domain::decimal;
use crate::domain::document::{ParsedDocument, Person};

/// The most items of a list that are looked at.
pub const MAX_LIST_ITEMS: usize = 200;

/// How deep a dotted name may reach.
const MAX_DEPTH: usize = 4;

/// What an event says, read by rules and templates alike.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The whole record with Zoho's own top-level names, raw.
    pub fields: &'a Map<String, Value>,
    /// The customer's payment page.
    pub payment_link: Option<&'a str>,
    /// The person who is written to or about.
    pub contact: Option<&'a Person>,
    /// The label at the end of the webhook's path.
    pub label: Option<&'a str>,
    pub currency: Option<Currency>,
    /// The day of the event in the tenant's zone.
    pub today: NaiveDate,
}

impl<'a> Facts<'a> {
    /// The facts of a body that was understood.
    pub fn of(
        parsed: &'a ParsedDocument,
        contact: Option<&'a Person>,
        label: Option<&'a str>,
        today: NaiveDate,
    ) -> Self {
        let code = parsed.currency.as_deref();
        Self {
            fields: &parsed.fields,
            payment_link: parsed.payment_link.as_deref(),
            contact,
            label,
            currency: code.and_then(|code| Currency::parse(code).ok()),
            today,
        }
    }

    /// The value of a name, plain or dotted (`billing_address.city`); a blank one is `None`.
    pub fn get(&self, name: &str) -> Option<Fact<'a>> {
        if name == "payment_link" {
            return self.payment_link.and_then(Fact::text);
        }
        if name == "label" {
            return self.label.and_then(Fact::text);
        }
        if let Some(part) = name.strip_prefix("contact.") {
            return self.contact_part(part);
        }
        let mut parts = name.split('.');
        let mut value = self.fields.get(parts.next()?)?;
        for (depth, part) in parts.enumerate() {
            if depth >= MAX_DEPTH {
                return None;
            }
            value = value.get(part)?;
        }
        Fact::json(value)
    }

    fn contact_part(&self, part: &str) -> Option<Fact<'a>> {
        let field = |name: &str| self.fields.get(name).and_then(Fact::json);
        let person = |read: fn(&'a Person) -> &'a Option<String>| {
            self.contact
                .and_then(|person| read(person).as_deref())
                .and_then(Fact::text)
        };
        match part {
            // A company without named persons is still called by its name.
            "name" => self
                .contact
                .and_then(Person::name)
                .map(|name| Fact::Text(Cow::Owned(name)))
                .or_else(|| field("customer_name"))
                .or_else(|| field("vendor_name")),
            "first_name" => person(|p| &p.first_name),
            "last_name" => person(|p| &p.last_name),
            "email" => person(|p| &p.email).or_else(|| field("email")),
            "phone" => person(|p| &p.phone),
            "mobile" => person(|p| &p.mobile),
            _ => None,
        }
    }
}

/// One value that is given, never blank.
#[derive(Debug, Clone)]
pub enum Fact<'a> {
    Text(Cow<'a, str>),
    Number(String),
    Bool(bool),
    /// A list or a group of further values.
    Nested(&'a Value),
}

impl<'a> Fact<'a> {
    /// A text, unless it is blank.
    pub fn text(text: &'a str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then_some(Self::Text(Cow::Borrowed(text)))
    }

    /// A JSON value, unless it is blank.
    pub fn json(value: &'a Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(yes) => Some(Self::Bool(*yes)),
            Value::Number(number) => Some(Self::Number(number.to_string())),
            Value::String(text) => Self::text(text),
            Value::Array(items) => (!items.is_empty()).then_some(Self::Nested(value)),
            Value::Object(parts) => (!parts.is_empty()).then_some(Self::Nested(value)),
        }
    }

    /// The words of a value: a list's items joined by commas, a group's name.
    pub fn label(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(text) => Cow::Borrowed(text),
            Self::Bool(yes) => Cow::Borrowed(if *yes { "true" } else { "false" }),
            Self::Nested(_) => {
                let items = self.items().unwrap_or_default();
                let words: Vec<_> = items.iter().map(|item| item.label()).collect();
                Cow::Owned(words.join(", "))
            }
        }
    }

    /// The items of a list (a group's name, for groups): plain values, blank ones left out.
    pub fn items(&self) -> Option<Vec<Fact<'a>>> {
        let Self::Nested(value) = self else {
            return None;
        };
        Some(match value {
            Value::Array(items) => items
                .iter()
                .take(MAX_LIST_ITEMS)
                .filter_map(item_of)
                .collect(),
            other => item_of(other).into_iter().collect(),
        })
    }

    /// The value as a decimal. JSON numbers may have an exponent, texts may not.
    pub fn decimal(&self) -> Option<Decimal> {
        match self {
            Self::Number(text) => decimal::parse_json(text),
            Self::Text(text) => decimal::parse(text),
            Self::Bool(_) | Self::Nested(_) => None,
        }
    }

    /// The value as a day: Zoho sends `2026-09-04` and `2026-09-04T00:00:00.000Z` alike.
    pub fn date(&self) -> Option<NaiveDate> {
        let Self::Text(text) = self else {
            return None;
        };
        day::read(text)
    }
}

/// A list's item as a plain value: of a group, its name.
fn item_of(item: &Value) -> Option<Fact<'_>> {
    const NAMES: [&str; 3] = ["name", "item_name", "tag_name"];
    match item {
        Value::Object(parts) => NAMES
            .iter()
            .filter_map(|name| parts.get(*name))
            .filter(|value| value.is_string())
            .find_map(Fact::json),
        Value::Array(_) => None,
        plain => Fact::json(plain),
    }
}
