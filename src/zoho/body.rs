//! From the bytes of a webhook to the record in them.
//!
//! Zoho's default payload names neither the event nor, for payments, a documented envelope; so the
//! type in the path leads, the envelope's key comes second, the id field third. The content type is
//! believed last: some Zoho products say "form" over plain JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::webhook::ContentKind;
use super::{pairs, scalar};
use crate::domain::document::DocumentKind;
use crate::domain::event::EventType;

/// Deeper than any record of Zoho's (an invoice has five levels), far above the stack's end.
const MAX_DEPTH: usize = 64;

/// The envelopes of the records that we read. Those of payments are not documented, hence many.
const ENVELOPES: [(&str, DocumentKind); 11] = [
    ("invoice", DocumentKind::Invoice),
    ("bill", DocumentKind::Bill),
    ("purchaseorder", DocumentKind::PurchaseOrder),
    ("expense", DocumentKind::Expense),
    ("payment", DocumentKind::CustomerPayment),
    ("customer_payment", DocumentKind::CustomerPayment),
    ("customerpayment", DocumentKind::CustomerPayment),
    ("vendorpayment", DocumentKind::VendorPayment),
    ("vendor_payment", DocumentKind::VendorPayment),
    ("billpayment", DocumentKind::VendorPayment),
    ("bill_payment", DocumentKind::VendorPayment),
];

/// Records of Zoho Books that we do not read: envelope, id field, a clerk's words.
const FOREIGN: [(&str, &str, &str); 14] = [
    ("creditnote", "creditnote_id", "a credit note"),
    ("vendor_credit", "vendor_credit_id", "a vendor credit"),
    ("salesorder", "salesorder_id", "a sales order"),
    ("estimate", "estimate_id", "a quote"),
    (
        "retainerinvoice",
        "retainerinvoice_id",
        "a retainer invoice",
    ),
    (
        "recurring_invoice",
        "recurring_invoice_id",
        "a recurring invoice",
    ),
    ("recurring_bill", "recurring_bill_id", "a recurring bill"),
    (
        "recurring_expense",
        "recurring_expense_id",
        "a recurring expense",
    ),
    ("journal", "journal_id", "a journal"),
    ("project", "project_id", "a project"),
    ("time_entry", "time_entry_id", "a time entry"),
    ("task", "task_id", "a task"),
    ("item", "item_id", "an item"),
    ("contact", "contact_id", "a contact"),
];

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
    let (key, record) = unwrap_envelope(parse(&json)?, expected);
    let found = kind_of(key.as_deref(), &record, expected)?;
    match expected {
        Some(expected) if expected != found => Err(Unrecognised::WrongKind { expected, found }),
        _ => Ok(Found {
            kind: found,
            record,
        }),
    }
}

/// The field that holds the id of a record.
pub(super) const fn id_field(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Invoice => "invoice_id",
        DocumentKind::Bill => "bill_id",
        DocumentKind::PurchaseOrder => "purchaseorder_id",
        DocumentKind::Expense => "expense_id",
        DocumentKind::CustomerPayment | DocumentKind::VendorPayment => "payment_id",
    }
}

/// The JSON of a body: the body itself, or the field `JSONString` of a form.
fn json_text<'a>(
    body: &'a [u8],
    content_type: Option<&str>,
) -> Result<Cow<'a, [u8]>, Unrecognised> {
    let start = start_of_text(body).ok_or(Unrecognised::Empty)?;
    if body[start] == b'{' {
        return Ok(Cow::Borrowed(body));
    }
    if ContentKind::of(content_type) != ContentKind::Form {
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
        Some(start) if json[start] != b'{' => Err(Unrecognised::NotJson { byte: start }),
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

fn parse(json: &[u8]) -> Result<Map<String, Value>, Unrecognised> {
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

/// The record, and the key of the envelope it was in.
fn unwrap_envelope(
    mut top: Map<String, Value>,
    expected: Option<DocumentKind>,
) -> (Option<String>, Map<String, Value>) {
    let mut known: Vec<_> = ENVELOPES
        .iter()
        .filter(|(key, _)| top.get(*key).is_some_and(Value::is_object))
        .collect();
    // Where there are several, the one that the path speaks of.
    known.sort_by_key(|(_, kind)| Some(*kind) != expected);
    let key = match known.first() {
        Some((key, _)) => Some((*key).to_owned()),
        None => top
            .iter()
            .find(|(key, value)| {
                let foreign = FOREIGN.iter().any(|(envelope, ..)| envelope == key);
                value.is_object() && (top.len() == 1 || (foreign && !has_id(&top)))
            })
            .map(|(key, _)| key.clone()),
    };
    match key.and_then(|key| top.remove_entry(&key)) {
        Some((key, Value::Object(record))) => (Some(key), record),
        _ => (None, top),
    }
}

/// Whether a record of ours lies bare at the top: an invoice has a `contact` inside, too.
fn has_id(top: &Map<String, Value>) -> bool {
    DocumentKind::ALL
        .iter()
        .any(|kind| scalar::id(top, id_field(*kind)).is_some())
}

fn kind_of(
    key: Option<&str>,
    record: &Map<String, Value>,
    expected: Option<DocumentKind>,
) -> Result<DocumentKind, Unrecognised> {
    let by_key = key.and_then(|key| ENVELOPES.iter().find(|(known, _)| *known == key));
    let foreign = key.and_then(|key| FOREIGN.iter().find(|(known, ..)| *known == key));
    let kind = match (by_key, foreign) {
        // `payment` is the name of both kinds, so the record decides.
        (Some(("payment", _)), _) => payment_kind(record)
            .or(expected.filter(is_payment))
            .unwrap_or(DocumentKind::CustomerPayment),
        (Some((_, kind)), _) => *kind,
        (None, Some((.., what))) => {
            return Err(Unrecognised::NotRead {
                what: Cow::Borrowed(*what),
            });
        }
        (None, None) => kind_by_id(record, expected)?.ok_or_else(|| match (expected, key) {
            (_, Some(key)) => Unrecognised::NotRead {
                what: Cow::Owned(quoted(key)),
            },
            (Some(kind), None) => Unrecognised::NoId { kind },
            (None, None) => Unrecognised::Unknown,
        })?,
    };
    match scalar::id(record, id_field(kind)) {
        Some(_) => Ok(kind),
        // A body of another kind at this address is the likelier mistake, and the clearer message.
        None if expected.is_some_and(|e| e != kind) => Ok(kind),
        None => Err(Unrecognised::NoId { kind }),
    }
}

/// A record's kind by the id it bears. The order matters: a credit note and an invoiced expense
/// have an `invoice_id` too, and an invoice may have the `estimate_id` it was made from.
fn kind_by_id(
    record: &Map<String, Value>,
    expected: Option<DocumentKind>,
) -> Result<Option<DocumentKind>, Unrecognised> {
    let has = |field: &str| scalar::id(record, field).is_some();
    let foreign = |rows: &[(&str, &str, &'static str)]| {
        rows.iter()
            .find(|(_, field, _)| has(field))
            .map(|(.., what)| Cow::Borrowed(*what))
    };
    let (credits, others) = FOREIGN.split_at(2);
    if let Some(what) = foreign(credits) {
        return Err(Unrecognised::NotRead { what });
    }
    if has("expense_id") {
        return Ok(Some(DocumentKind::Expense));
    }
    if has("payment_id") {
        if let Some(kind) = payment_kind(record).or(expected.filter(is_payment)) {
            return Ok(Some(kind));
        }
    }
    let ours = [
        DocumentKind::Bill,
        DocumentKind::Invoice,
        DocumentKind::PurchaseOrder,
    ];
    if let Some(kind) = ours.into_iter().find(|kind| has(id_field(*kind))) {
        return Ok(Some(kind));
    }
    foreign(others).map_or(Ok(None), |what| Err(Unrecognised::NotRead { what }))
}

/// Both kinds of payment have a `payment_id`; who it is with, and what it settles, tells them apart.
fn payment_kind(record: &Map<String, Value>) -> Option<DocumentKind> {
    let has = |field: &str| scalar::id(record, field).is_some();
    let lists = |field: &str| record.get(field).is_some_and(Value::is_array);
    let told = |vendor: bool, customer: bool| match (vendor, customer) {
        (true, false) => Some(DocumentKind::VendorPayment),
        (false, true) => Some(DocumentKind::CustomerPayment),
        _ => None,
    };
    told(has("vendor_id"), has("customer_id")).or_else(|| told(lists("bills"), lists("invoices")))
}

fn is_payment(kind: &DocumentKind) -> bool {
    matches!(
        kind,
        DocumentKind::CustomerPayment | DocumentKind::VendorPayment
    )
}

fn article(kind: DocumentKind) -> String {
    let article = if kind.words().starts_with(['e', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}

fn plural(kind: DocumentKind) -> String {
    format!("{kind}s")
}

/// A stranger's key, fit for one line of the history.
fn quoted(key: &str) -> String {
    let shown: String = key.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("“{shown}”")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            Unrecognised::NotJson { byte: 0 }
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
        assert_eq!(problem(b"[1]"), Unrecognised::NotJson { byte: 0 });
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

    #[test]
    fn bare_and_oddly_wrapped_records_are_told_by_their_id() {
        assert_eq!(
            kind(r#"{"invoice_id":1,"contact":{}}"#, None),
            Ok(DocumentKind::Invoice)
        );
        assert_eq!(
            kind(r#"{"data":{"bill_id":"1"}}"#, None),
            Ok(DocumentKind::Bill)
        );
        assert_eq!(
            kind(r#"{"purchaseorder_id":"1"}"#, None),
            Ok(DocumentKind::PurchaseOrder)
        );
        let invoiced = r#"{"expense_id":"1","invoice_id":"2"}"#;
        assert_eq!(kind(invoiced, None), Ok(DocumentKind::Expense));
        let api = r#"{"code":0,"message":"success","invoice":{"invoice_id":"1"}}"#;
        assert_eq!(kind(api, None), Ok(DocumentKind::Invoice));
    }

    #[test]
    fn the_two_kinds_of_payment_are_told_apart() {
        let received = Ok(DocumentKind::CustomerPayment);
        let made = Ok(DocumentKind::VendorPayment);
        assert_eq!(kind(r#"{"payment_id":1,"vendor_id":"2"}"#, None), made);
        assert_eq!(kind(r#"{"payment_id":1,"bills":[]}"#, None), made);
        assert_eq!(
            kind(r#"{"payment_id":1,"customer_id":"2"}"#, None),
            received
        );
        assert_eq!(kind(r#"{"payment_id":1,"invoices":[]}"#, None), received);
        assert_eq!(
            kind(r#"{"payment":{"payment_id":1,"vendor_id":2}}"#, None),
            made
        );
        assert_eq!(kind(r#"{"payment":{"payment_id":1}}"#, None), received);
        let sent = Some(EventType::VendorPaymentSent);
        assert_eq!(kind(r#"{"payment":{"payment_id":1}}"#, sent), made);
        assert_eq!(kind(r#"{"payment_id":1}"#, sent), made);
        assert_eq!(
            kind(r#"{"payment_id":1}"#, None),
            Err(Unrecognised::Unknown)
        );
    }

    #[test]
    fn a_body_of_another_kind_than_the_address_is_refused_in_words() {
        let wrong = kind(
            r#"{"bill":{"bill_id":"1"}}"#,
            Some(EventType::InvoiceOverdue),
        )
        .unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "This address is for invoices, but the body is a bill."
        );
        let paid = r#"{"invoice":{"invoice_id":"1"}}"#;
        let wrong = kind(paid, Some(EventType::PaymentReceived)).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "This address is for payments, but the body is an invoice."
        );
        let no_id = kind(r#"{"invoice":{"invoice_id":" "}}"#, None).unwrap_err();
        assert_eq!(
            no_id.to_string(),
            "The body looks like an invoice, but has no usable invoice_id."
        );
        let bare = kind(r#"{"x":1,"y":2}"#, Some(EventType::BillCreated)).unwrap_err();
        assert_eq!(
            bare,
            Unrecognised::NoId {
                kind: DocumentKind::Bill
            }
        );
    }

    #[test]
    fn foreign_records_are_named() {
        let what = |json: &str| kind(json, None).unwrap_err().to_string();
        let contact = "The body is a contact, a kind of record we do not read.";
        assert_eq!(what(r#"{"contact":{"contact_id":"1"}}"#), contact);
        assert_eq!(what(r#"{"contact_id":"1","email":""}"#), contact);
        assert_eq!(what(r#"{"code":0,"contact":{"contact_id":"1"}}"#), contact);
        let note = "The body is a credit note, a kind of record we do not read.";
        assert_eq!(what(r#"{"creditnote_id":"1","invoice_id":"2"}"#), note);
        let hostile = format!("{{\"<b>\\u0000\\n{}\":{{}}}}", "x".repeat(9_999));
        let said = what(&hostile);
        assert!(
            said.len() < 200 && !said.contains(char::is_control),
            "{said}"
        );
        assert_eq!(kind(r#"{"invoice":"x"}"#, None), Err(Unrecognised::Unknown));
        assert_eq!(
            kind(r#"{"code":57,"message":"no"}"#, None),
            Err(Unrecognised::Unknown)
        );
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
