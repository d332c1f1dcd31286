//! From the bytes of a webhook to the record in them.
//!
//! Zoho's default payload names neither the event nor, for payments, a documented envelope; so the
//! type in the path leads, the envelope's key comes second, the id field third. The content type is
//! believed last: some Zoho products say "form" over plain JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::content::ContentKind;
use super::envelope::{self, id_field};
use super::{pairs, wrapper};
use crate::domain::document::DocumentKind;
use crate::domain::event::EventType;

/// Deeper than any record of Zoho's (an invoice has five levels), far above the stack's end.
const MAX_DEPTH: usize = 64;

/// Why a signed body is kept but not understood, in a clerk's words for the history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrecognised {
    #[error("The body is empty.")]
    Empty,
    #[error("The body is not UTF-8 text: byte {byte} does not belong there.")]
    NotText { byte: usize },
    #[error(
        "The body is not JSON: it goes wrong at byte {byte}. In Zoho Books, choose “Default Payload” as the body of the webhook."
    )]
    NotJson { byte: usize },
    #[error("The body is cut off: it ends after byte {byte}, in the middle of the JSON.")]
    Truncated { byte: usize },
    #[error("The body is nested deeper than {MAX_DEPTH} levels; records of Zoho Books are not.")]
    TooDeep,
    #[error(
        "The form has no field JSONString. In Zoho Books, choose “Default Payload” as the body of the webhook."
    )]
    FormWithoutRecord,
    #[error(
        "The body is a list of {count} records, but each webhook has to tell of one. In Zoho Books, choose “Default Payload” as the body of the webhook."
    )]
    List { count: usize },
    #[error(
        "The body is a list without a record in it. In Zoho Books, choose “Default Payload” as the body of the webhook."
    )]
    ListOfNothing,
    #[error(
        "The body is a wrapper “{key}” that holds no record we can tell. In Zoho Books, choose “Default Payload” as the body of the webhook."
    )]
    Wrapper { key: String },
    #[error("The body is {what}, a kind of record we do not read.")]
    NotRead { what: Cow<'static, str> },
    #[error("This address is for {}, but the body is {}.", plural(*.expected), article(*.found))]
    WrongKind {
        expected: DocumentKind,
        found: DocumentKind,
    },
    #[error("The body looks like {}, but has no usable {}.", article(*.kind), id_field(*.kind))]
    NoId { kind: DocumentKind },
    #[error(
        "The body holds no invoice, payment, bill, purchase order, vendor payment or expense that we can tell."
    )]
    Unknown,
}

/// A record, and what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub kind: DocumentKind,
    pub record: Map<String, Value>,
}

/// Finds the record in a body; `typed` is the event type of the webhook's path.
pub fn find(
    body: &[u8],
    content_type: Option<&str>,
    typed: Option<EventType>,
) -> Result<Found, Unrecognised> {
    let expected = typed.map(EventType::document);
    let json = json_text(body, content_type)?;
    let (key, record) = envelope::unwrap(wrapper::open(parse(&json)?)?, expected);
    let found = envelope::kind_of(key.as_deref(), &record, expected)?;
    match expected {
        Some(expected) if expected != found => Err(Unrecognised::WrongKind { expected, found }),
        _ => Ok(Found {
            kind: found,
            record,
        }),
    }
}

/// The JSON of a body: the body itself, or the field `JSONString` of a form.
fn json_text<'a>(
    body: &'a [u8],
    content_type: Option<&str>,
) -> Result<Cow<'a, [u8]>, Unrecognised> {
    let start = start_of_text(body).ok_or(Unrecognised::Empty)?;
    let is_form = ContentKind::of(content_type) == ContentKind::Form;
    if body[start] == b'{' || (body[start] == b'[' && !is_form) {
        return Ok(Cow::Borrowed(body));
    }
    if !is_form {
        std::str::from_utf8(body).map_err(|e| Unrecognised::NotText {
            byte: e.valid_up_to(),
        })?;
        return Err(Unrecognised::NotJson { byte: start });
    }
    let json = pairs::split(body)
        .find(|(key, _)| pairs::decode(key) == b"JSONString")
        .map(|(_, value)| pairs::decode(value))
        .ok_or(Unrecognised::FormWithoutRecord)?;
    match start_of_text(&json) {
        None => Err(Unrecognised::Empty),
        Some(start) if !matches!(json[start], b'{' | b'[') => {
            Err(Unrecognised::NotJson { byte: start })
        }
        Some(_) => Ok(Cow::Owned(json)),
    }
}

/// Where the text begins, after a byte order mark and blanks.
fn start_of_text(body: &[u8]) -> Option<usize> {
    let mark = if body.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    body[mark..]
        .iter()
        .position(|b| !b.is_ascii_whitespace())
        .map(|at| mark + at)
}

fn parse(json: &[u8]) -> Result<Value, Unrecognised> {
    let text = std::str::from_utf8(json).map_err(|error| Unrecognised::NotText {
        byte: error.valid_up_to(),
    })?;
    // Serde descends by recursion, so the depth is known before it starts.
    if depth(json) > MAX_DEPTH {
        return Err(Unrecognised::TooDeep);
    }
    let mark = text.len() - text.trim_start_matches('\u{feff}').len();
    serde_json::from_str(&text[mark..]).map_err(|error| {
        if error.is_eof() {
            Unrecognised::Truncated { byte: text.len() }
        } else {
            Unrecognised::NotJson {
                byte: mark + offset_of(&text[mark..], &error),
            }
        }
    })
}

/// How deep brackets nest, those inside of strings aside; meaningful for broken JSON too.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Serde counts lines and columns, people who look into a capture count bytes.
fn offset_of(text: &str, error: &serde_json::Error) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    (before + error.column().saturating_sub(1)).min(text.len())
}

fn article(kind: DocumentKind) -> String {
    let article = if kind.label().starts_with(['e', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}

fn plural(kind: DocumentKind) -> String {
    format!("{kind}s")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::envelope::ENVELOPES;
    use super::*;

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=utf-8");

    fn kind(json: &str, typed: Option<EventType>) -> Result<DocumentKind, Unrecognised> {
        find(json.as_bytes(), Some("application/json"), typed).map(|found| found.kind)
    }

    #[test]
    fn every_envelope_is_known_and_the_content_type_believed_last() {
        for (key, expected) in ENVELOPES {
            let id = id_field(expected);
            let json = format!("{{\"{key}\":{{\"{id}\":\"1\"}}}}");
            for content_type in [None, Some("application/json"), Some("text/plain"), FORM] {
                let found = find(json.as_bytes(), content_type, None).unwrap();
                assert_eq!(found.kind, expected, "{key}");
                assert_eq!(found.record[id], "1");
            }
        }
    }

    #[test]
    fn a_form_is_read_from_its_field() {
        let json = r#"{"invoice":{"invoice_id":"1","note":"a+b & 100% {é}"}}"#;
        let form: String = form_urlencoded::Serializer::new("x=1".to_owned())
            .append_pair("JSONString", json)
            .finish();
        let found = find(form.as_bytes(), FORM, None).unwrap();
        assert_eq!(found.record["note"], "a+b & 100% {é}");
        assert_eq!(
            find(b"a=1&b=2", FORM, None).unwrap_err(),
            Unrecognised::FormWithoutRecord
        );
        assert_eq!(
            find(b"JSONString=", FORM, None).unwrap_err(),
            Unrecognised::Empty
        );
        assert_eq!(
            find(b"JSONString=[1]", FORM, None).unwrap_err(),
            Unrecognised::ListOfNothing
        );
        let other = find(form.as_bytes(), None, None).unwrap_err();
        assert_eq!(other, Unrecognised::NotJson { byte: 0 });
    }

    #[test]
    fn a_mark_blanks_and_double_keys_are_borne() {
        let json = "\u{feff}\r\n {\"invoice\":{\"invoice_id\":\"1\",\"invoice_id\":\"2\"}} \n";
        assert_eq!(
            find(json.as_bytes(), None, None).unwrap().record["invoice_id"],
            "2"
        );
    }

    #[test]
    fn broken_bodies_say_what_is_wrong_and_where() {
        let problem = |body: &[u8]| find(body, None, None).unwrap_err();
        assert_eq!(problem(b""), Unrecognised::Empty);
        assert_eq!(problem(b" \r\n"), Unrecognised::Empty);
        assert_eq!(problem(b"\xef\xbb\xbf"), Unrecognised::Empty);
        assert_eq!(
            problem(b"{\"invoice\":{\"a\":"),
            Unrecognised::Truncated { byte: 16 }
        );
        assert_eq!(
            problem(b"{\"invoice\":\n{\"a\" 1}}"),
            Unrecognised::NotJson { byte: 17 }
        );
        assert_eq!(problem(b"{} x"), Unrecognised::NotJson { byte: 3 });
        assert_eq!(problem(b"  <xml/>"), Unrecognised::NotJson { byte: 2 });
        assert_eq!(problem(b"[1]"), Unrecognised::ListOfNothing);
        assert_eq!(
            problem(b"{\"a\":\"\xff\"}"),
            Unrecognised::NotText { byte: 6 }
        );
        assert_eq!(problem(b"\xff\xfe{\x00"), Unrecognised::NotText { byte: 0 });
    }

    #[test]
    fn deep_nesting_is_an_answer_not_a_crash() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(
            find(deep.as_bytes(), None, None).unwrap_err(),
            Unrecognised::TooDeep
        );
        let cut = "{\"a\":".repeat(10_000);
        assert_eq!(
            find(cut.as_bytes(), None, None).unwrap_err(),
            Unrecognised::TooDeep
        );
        let in_text = format!(
            "{{\"bill\":{{\"bill_id\":1,\"n\":\"\\\"{}\"}}}}",
            "[".repeat(999)
        );
        assert_eq!(kind(&in_text, None), Ok(DocumentKind::Bill));
        let fine = format!(
            "{{\"bill\":{{\"bill_id\":1,\"n\":{}{}}}}}",
            "[".repeat(MAX_DEPTH - 2),
            "]".repeat(MAX_DEPTH - 2)
        );
        assert_eq!(kind(&fine, None), Ok(DocumentKind::Bill));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            for content_type in [None, FORM] {
                if let Err(problem) = find(&body, content_type, None) {
                    prop_assert!(problem.to_string().len() < 300);
                }
            }
        }

        #[test]
        fn a_record_cut_anywhere_is_never_taken_for_whole(at in any::<prop::sample::Index>()) {
            let whole = include_bytes!("../../tests/samples/webhook-customerpayment.json");
            let end = whole.iter().rposition(|b| *b == b'}').unwrap();
            prop_assert!(find(&whole[..at.index(end + 1)], None, None).is_err());
        }
    }
}
