//! What automations put around a record: a list of one, `{"data": …}`, JSON in a text.
//!
//! A wrapper is opened only where it holds one thing, so that no record is taken for another.

use serde_json::{Map, Value};

use super::body::Unrecognised;
use super::envelope;

const WRAPPERS: [&str; 10] = [
    "JSONString",
    "body",
    "content",
    "data",
    "event_data",
    "message",
    "payload",
    "record",
    "response",
    "result",
];

/// More wrappers around each other than any product makes.
const MAX_LAYERS: usize = 4;

/// The object that holds the record, with its envelope.
pub(super) fn open(body: Value) -> Result<Map<String, Value>, Unrecognised> {
    let mut value = body;
    let mut around: Option<String> = None;
    for _ in 0..MAX_LAYERS {
        let mut map = match value {
            Value::Object(map) => map,
            Value::Array(items) => {
                value = only(items)?;
                continue;
            }
            _ => break,
        };
        if envelope::holds_record(&map) {
            return Ok(map);
        }
        let mut inside = map.iter().filter(|(key, value)| is_wrapper(key, value));
        let (Some((key, _)), None) = (inside.next(), inside.next()) else {
            return match around {
                Some(key) => Err(Unrecognised::Wrapper { key }),
                // What it is instead is said by those who read envelopes.
                None => Ok(map),
            };
        };
        let key = key.clone();
        value = match map.remove(&key) {
            Some(Value::String(text)) => serde_json::from_str(&text)
                .map_err(|_| Unrecognised::Wrapper { key: key.clone() })?,
            other => other.unwrap_or_default(),
        };
        around.get_or_insert(key);
    }
    Err(
        around.map_or(Unrecognised::ListOfNothing, |key| Unrecognised::Wrapper {
            key,
        }),
    )
}

fn only(items: Vec<Value>) -> Result<Value, Unrecognised> {
    let count = items.len();
    let mut items = items.into_iter();
    match (items.next(), count) {
        (Some(one @ Value::Object(_)), 1) => Ok(one),
        (_, 0 | 1) => Err(Unrecognised::ListOfNothing),
        _ => Err(Unrecognised::List { count }),
    }
}

fn is_wrapper(key: &str, value: &Value) -> bool {
    let is_known = WRAPPERS.contains(&key);
    match value {
        Value::Object(_) => is_known,
        Value::Array(_) => is_known || envelope::is_list_key(key),
        Value::String(text) => is_known && text.trim_start().starts_with(['{', '[']),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::body::find;
    use crate::domain::document::DocumentKind;

    fn read(json: &str) -> Result<DocumentKind, String> {
        find(json.as_bytes(), Some("application/json"), None)
            .map(|found| found.kind)
            .map_err(|problem| problem.to_string())
    }

    #[test]
    fn one_record_is_found_in_whatever_is_around_it() {
        for json in [
            r#"{"data":{"invoice":{"invoice_id":"1"}}}"#,
            r#"{"data":{"invoice_id":"1"}}"#,
            r#"[{"invoice":{"invoice_id":"1"}}]"#,
            r#"[{"invoice_id":"1"}]"#,
            r#"{"data":[{"invoice":{"invoice_id":"1"}}]}"#,
            r#"{"code":0,"invoices":[{"invoice_id":"1"}]}"#,
            r#"{"event":"x","payload":{"data":{"invoice":{"invoice_id":"1"}}}}"#,
            r#"{"JSONString":"{\"invoice\":{\"invoice_id\":\"1\"}}"}"#,
        ] {
            assert_eq!(read(json), Ok(DocumentKind::Invoice), "{json}");
        }
    }

    #[test]
    fn several_records_and_empty_wrappers_are_called_that() {
        let two = r#"[{"invoice":{"invoice_id":"1"}},{"invoice":{"invoice_id":"2"}}]"#;
        assert!(
            read(two)
                .unwrap_err()
                .starts_with("The body is a list of 2 records")
        );
        let wrapped = r#"{"invoices":[{"invoice_id":"1"},{"invoice_id":"2"}]}"#;
        assert!(
            read(wrapped)
                .unwrap_err()
                .starts_with("The body is a list of 2 records")
        );
        assert!(
            read("[]")
                .unwrap_err()
                .starts_with("The body is a list without a record")
        );
        let empty = read(r#"{"data":{"x":1}}"#).unwrap_err();
        assert!(empty.starts_with("The body is a wrapper “data”"), "{empty}");
        let contact = read(r#"{"data":{"contact":{"contact_id":"1"}}}"#).unwrap_err();
        assert!(contact.contains("a contact"), "{contact}");
    }
}
