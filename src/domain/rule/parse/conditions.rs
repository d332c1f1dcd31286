//! The conditions of a rule's JSON form. Numbers are kept as their decimal text.

use serde_json::Value;

use super::Problems;
use crate::domain::decimal;
use crate::domain::rule::{
    Condition, Conditions, DateOperand, MAX_CONDITIONS, Op, Operand, is_money,
};

const MAX_FIELD_CHARS: usize = 100;
const MAX_VALUE_CHARS: usize = 500;
const MAX_VALUES: usize = 100;

/// Reads `{"all": […]}` or `{"any": […]}`; nothing at all means always.
pub(super) fn parse(json: Option<&Value>, problems: &mut Problems) -> Conditions {
    let expected = "expected {\"all\": […]} or {\"any\": […]}";
    let map = match json {
        None | Some(Value::Null) => return Conditions::default(),
        Some(Value::Object(map)) if map.is_empty() => return Conditions::default(),
        Some(Value::Object(map)) if map.len() == 1 => map,
        Some(_) => {
            problems.add("conditions", expected);
            return Conditions::default();
        }
    };
    let (list, is_any) = match (map.get("all"), map.get("any")) {
        (Some(Value::Array(list)), None) => (list, false),
        (None, Some(Value::Array(list))) => (list, true),
        _ => {
            problems.add("conditions", expected);
            return Conditions::default();
        }
    };
    if list.len() > MAX_CONDITIONS {
        problems.add("conditions", "too many; 20 at the most");
        return Conditions::default();
    }
    let list = list
        .iter()
        .enumerate()
        .filter_map(|(index, json)| condition(json, &format!("conditions.{index}"), problems))
        .collect();
    if is_any {
        Conditions::Any(list)
    } else {
        Conditions::All(list)
    }
}

fn condition(json: &Value, path: &str, problems: &mut Problems) -> Option<Condition> {
    let part = |name: &str| {
        json.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .trim()
    };
    let field = part("field");
    let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
    let is_field =
        !field.is_empty() && field.chars().count() <= MAX_FIELD_CHARS && field.chars().all(is_name);
    if !is_field {
        problems.add(
            &format!("{path}.field"),
            "type a field’s name, such as total or status",
        );
    }
    let Some(op) = Op::parse(part("op")) else {
        let known: Vec<&str> = Op::ALL.iter().map(|op| op.as_str()).collect();
        problems.add(
            &format!("{path}.op"),
            format!("choose one of {}", known.join(", ")),
        );
        return None;
    };
    match operand(field, op, json.get("value")) {
        Ok(value) => is_field.then(|| Condition {
            field: field.to_owned(),
            op,
            value,
        }),
        Err(message) => {
            problems.add(&format!("{path}.value"), message);
            None
        }
    }
}

fn operand(field: &str, op: Op, json: Option<&Value>) -> Result<Operand, &'static str> {
    if op.takes_nothing() {
        let is_blank = json.is_none_or(|value| {
            value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
        });
        return if is_blank {
            Ok(Operand::Nothing)
        } else {
            Err("leave it empty for this comparison")
        };
    }
    let json = json.unwrap_or(&Value::Null);
    if op.takes_list() {
        let texts: Vec<String> = match json {
            Value::Array(items) if items.len() > MAX_VALUES => {
                return Err("too many values; 100 at the most");
            }
            Value::Array(items) => items.iter().map(text_of).collect::<Result<_, _>>()?,
            single => vec![text_of(single)?],
        };
        return if texts.is_empty() {
            Err("type at least one value")
        } else {
            Ok(Operand::Many(texts))
        };
    }
    let text = text_of(json)?;
    if op.takes_number() {
        return amount_of(json, &text).map(Operand::One);
    }
    // "total is 1,000" asks for the amount, not for the letters.
    if matches!(op, Op::Eq | Op::Ne) && is_money(field) {
        return Ok(Operand::One(amount_of(json, &text).unwrap_or(text)));
    }
    if op.takes_date() && DateOperand::parse(&text).is_none() {
        return Err("type a day as 2026-05-12, or today, today+7d, today-30d");
    }
    Ok(Operand::One(text))
}

/// The plain text of an amount as it was typed.
fn amount_of(json: &Value, text: &str) -> Result<String, &'static str> {
    // A number of JSON has one meaning, whoever wrote it.
    if json.is_number() && decimal::parse(text).is_some() {
        return Ok(text.to_owned());
    }
    decimal::plain_text_of(text).ok_or(if decimal::parse(text).is_some() {
        "this can be read in two ways; type a thousand as 1000 and one as 1"
    } else {
        "type a number such as 1000, 1,000.50 or 1000.50, without a currency sign"
    })
}

/// A text, or a number by its decimal text.
fn text_of(json: &Value) -> Result<String, &'static str> {
    let text = match json {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        _ => return Err("type a value"),
    };
    match text.chars().count() {
        0 => Err("type a value"),
        length if length > MAX_VALUE_CHARS => Err("is too long; 500 characters at the most"),
        _ => Ok(text),
    }
}
