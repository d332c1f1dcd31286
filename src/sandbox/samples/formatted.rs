//! The `…_formatted` twins of amounts, dates and statuses, as Zoho writes them.

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value};

/// Writes every twin anew that stands beside its value and was not blank.
pub(super) fn refresh(record: &mut Map<String, Value>, symbol: &str) {
    let twins: Vec<(String, String)> = record
        .iter()
        .filter_map(|(key, old)| {
            let (own, old) = (key.strip_suffix("_formatted")?, old.as_str()?);
            Some((key.clone(), twin(own, record.get(own)?, old, symbol)?))
        })
        .collect();
    for (key, twin) in twins {
        record.insert(key, Value::String(twin));
    }
    for value in record.values_mut() {
        refresh_in(value, symbol);
    }
}

fn refresh_in(value: &mut Value, symbol: &str) {
    match value {
        Value::Object(fields) => refresh(fields, symbol),
        Value::Array(items) => items.iter_mut().for_each(|item| refresh_in(item, symbol)),
        _ => {}
    }
}

fn twin(own: &str, value: &Value, old: &str, symbol: &str) -> Option<String> {
    match value {
        Value::Number(number) if old.starts_with(['$', '£']) => {
            Some(money(number.as_str(), symbol))
        }
        Value::String(status) if matches!(own, "status" | "current_sub_status") => {
            Some(words(status))
        }
        Value::String(text) if !old.is_empty() => when(text, old.contains('/')),
        _ => None,
    }
}

/// `1234.5` as `$1,234.50`.
fn money(number: &str, symbol: &str) -> String {
    let (sign, size) = number
        .strip_prefix('-')
        .map_or(("", number), |size| ("-", size));
    let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{symbol}{grouped}.{fraction:0<2}")
}

fn when(text: &str, is_numeric: bool) -> Option<String> {
    let day = if is_numeric { "%d/%m/%Y" } else { "%d %b %Y" };
    if let Ok(at) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z") {
        return Some(at.format(&format!("{day} %I:%M %p")).to_string());
    }
    let date: NaiveDate = text.parse().ok()?;
    Some(date.format(day).to_string())
}

/// `partially_paid` as `Partially Paid`.
fn words(status: &str) -> String {
    let words: Vec<String> = status
        .split('_')
        .map(|word| {
            let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
            format!("{}{rest}", first.to_uppercase())
        })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_follow_their_values() {
        assert_eq!(money("1234567.5", "£"), "£1,234,567.50");
        assert_eq!(money("0.0", "$"), "$0.00");
        assert_eq!(money("-120", "$"), "-$120.00");
        assert_eq!(words("partially_paid"), "Partially Paid");
        assert_eq!(when("2026-11-30", true).as_deref(), Some("30/11/2026"));
        let noon = when("2026-11-17T13:59:16-0800", false);
        assert_eq!(noon.as_deref(), Some("17 Nov 2026 01:59 PM"));
        assert_eq!(when("Client", false), None);
    }

    #[test]
    fn blank_twins_stay_blank() {
        let text = r#"{"a":1.5,"a_formatted":"$9.00","b":"","b_formatted":"",
            "in":[{"c":2,"c_formatted":"£7.00","c_unformatted":1}]}"#;
        let mut record: Map<String, Value> = serde_json::from_str(text).unwrap();
        refresh(&mut record, "£");
        assert_eq!(record["a_formatted"], "£1.50");
        assert_eq!(record["b_formatted"], "");
        assert_eq!(record["in"][0]["c_formatted"], "£2.00");
    }
}
