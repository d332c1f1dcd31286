//! From the JSON of a body to the record in it, and to what kind of record it is.
//!
//! Zoho does not document the envelopes of payments, so several are known, and the ids inside have
//! the last word.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::body::Unrecognised;
use super::scalar;
use crate::domain::document::DocumentKind;

/// The envelopes of the records that we read. Those of payments are not documented, hence many.
pub(super) const ENVELOPES: [(&str, DocumentKind); 11] = [
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

/// The record, and the key of the envelope it was in.
pub(super) fn unwrap(
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

/// Whether a record lies here, in an envelope that we know or bare.
pub(super) fn holds_record(top: &Map<String, Value>) -> bool {
    let known = ENVELOPES.iter().map(|(key, _)| *key);
    let foreign = FOREIGN.iter().map(|(key, ..)| *key);
    let foreign_id = |(_, field, _): &(&str, &str, &str)| scalar::id(top, field).is_some();
    has_id(top)
        || known
            .chain(foreign)
            .any(|key| top.get(key).is_some_and(Value::is_object))
        || FOREIGN.iter().any(foreign_id)
}

/// Whether a key is what the API calls a list of records, such as `invoices`.
pub(super) fn is_list_key(key: &str) -> bool {
    key.strip_suffix('s')
        .is_some_and(|one| ENVELOPES.iter().any(|(known, _)| *known == one))
}

/// Whether a record of ours lies bare at the top: an invoice has a `contact` inside, too.
fn has_id(top: &Map<String, Value>) -> bool {
    DocumentKind::ALL
        .iter()
        .any(|kind| scalar::id(top, id_field(*kind)).is_some())
}

pub(super) fn kind_of(
    key: Option<&str>,
    record: &Map<String, Value>,
    expected: Option<DocumentKind>,
) -> Result<DocumentKind, Unrecognised> {
    let by_key = key.and_then(|key| ENVELOPES.iter().find(|(known, _)| *known == key));
    let foreign = key.and_then(|key| FOREIGN.iter().find(|(known, ..)| *known == key));
    let kind = match (by_key, foreign) {
        // `payment` is the name of both kinds, so the record decides.
        (Some(("payment", _)), _) => payment_kind(record)
            .or(expected.filter(|k| is_payment(*k)))
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
    if has("payment_id")
        && let Some(kind) = payment_kind(record).or(expected.filter(|k| is_payment(*k)))
    {
        return Ok(Some(kind));
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

fn is_payment(kind: DocumentKind) -> bool {
    matches!(
        kind,
        DocumentKind::CustomerPayment | DocumentKind::VendorPayment
    )
}
/// A stranger's key, fit for one line of the history.
fn quoted(key: &str) -> String {
    let shown: String = key.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("“{shown}”")
}

#[cfg(test)]
mod tests {
    use super::super::body;
    use super::*;
    use crate::domain::event::EventType;

    fn kind(json: &str, typed: Option<EventType>) -> Result<DocumentKind, Unrecognised> {
        body::find(json.as_bytes(), Some("application/json"), typed).map(|found| found.kind)
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
}
