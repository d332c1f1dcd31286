use chrono::NaiveDate;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::domain::document::Person;
use crate::domain::rule::Operand;

fn invoice() -> Map<String, Value> {
    let body = r#"{
        "total": 950.00, "balance": "1350.5", "status": "Sent", "customer_name": "Bowman & Co",
        "due_date": "2026-05-15T00:00:00.000Z", "notes": " ", "customer_id": 8754310000010306009,
        "reference_number": "1e5", "is_emailed": false, "email": "pay@bowman.example",
        "line_items": [{"name": "Consulting hours", "rate": 100}, {"name": ""}, {"item_id": "4"}],
        "tags": ["vip", "net 30"], "billing_address": {"city": "Leeds", "zip": ""}
    }"#;
    serde_json::from_str(body).unwrap()
}

fn one(field: &str, op: &str, value: &Value) -> Condition {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let value = match value {
        Value::Null => Operand::Nothing,
        Value::Array(items) => Operand::Many(items.iter().map(text).collect()),
        single => Operand::One(text(single)),
    };
    Condition {
        field: field.to_owned(),
        op: Op::parse(op).unwrap(),
        value,
    }
}

fn ask_all(conditions: &Conditions) -> Verdict {
    let fields = invoice();
    let person = Person {
        first_name: Some("Ada".into()),
        ..Person::default()
    };
    let facts = Facts {
        fields: &fields,
        payment_link: Some(" https://pay.example/1 "),
        contact: Some(&person),
        label: Some("14d"),
        currency: None,
        today: NaiveDate::from_ymd_opt(2026, 5, 12).unwrap(),
    };
    evaluate(conditions, &facts)
}

fn said(field: &str, op: &str, value: impl std::borrow::Borrow<Value>) -> (bool, String) {
    let verdict = ask_all(&Conditions::All(vec![one(field, op, value.borrow())]));
    (verdict.matched, verdict.reason)
}

fn yes(reason: &str) -> (bool, String) {
    (true, reason.to_owned())
}

fn no(reason: &str) -> (bool, String) {
    (false, reason.to_owned())
}

#[test]
fn numbers_compare_exactly_and_say_so() {
    assert_eq!(
        said("total", "gte", json!("1000.00")),
        no("total 950.00 is not at least 1000.00")
    );
    assert_eq!(
        said("total", "gte", json!("950")),
        yes("total 950.00 is at least 950.00")
    );
    assert_eq!(said("total", "eq", json!("950")), yes("total is 950.00"));
    assert_eq!(
        said("balance", "gt", json!("1350.49")),
        yes("balance 1350.50 is more than 1350.49")
    );
    assert_eq!(
        said("total", "lt", json!("-1")),
        no("total 950.00 is not less than -1.00")
    );
    assert_eq!(
        said("status", "lte", json!("5")),
        no("status Sent is not a number")
    );
    assert!(!said("customer_id", "eq", json!("8754310000010306008")).0);
    assert!(said("customer_id", "eq", json!("8754310000010306009")).0);
    // A text with an `e` in it is no number.
    assert!(!said("reference_number", "eq", json!("100000")).0);
}

#[test]
fn an_amount_says_its_currency() {
    let fields = invoice();
    let facts = |code: &str| Facts {
        fields: &fields,
        payment_link: None,
        contact: None,
        label: None,
        currency: crate::domain::currency::Currency::parse(code).ok(),
        today: NaiveDate::from_ymd_opt(2026, 5, 12).unwrap(),
    };
    let said = |code: &str, field: &str, op: &str, value: Value| {
        evaluate(&Conditions::All(vec![one(field, op, &value)]), &facts(code)).reason
    };
    let text = |text: &str| json!(text);
    assert_eq!(
        said("USD", "total", "gte", text("1000")),
        "total USD 950.00 is not at least USD 1,000.00"
    );
    assert_eq!(
        said("JPY", "total", "gte", text("1000")),
        "total JPY 950 is not at least JPY 1,000"
    );
    assert_eq!(
        said("KWD", "balance", "lt", text("2000")),
        "balance KWD 1,350.500 is less than KWD 2,000.000"
    );
    assert_eq!(
        said("USD", "total", "eq", text("950")),
        "total is USD 950.00"
    );
    assert_eq!(
        said("USD", "total", "in", json!(["1", "2"])),
        "total USD 950.00 is not one of USD 1.00, USD 2.00"
    );
    assert_eq!(
        said("USD", "total", "lt", text("950.004")),
        "total USD 950.00 is less than USD 950.004"
    );
    // Numbers that are no money stay bare.
    assert_eq!(
        said("USD", "line_items.rate", "present", Value::Null),
        "line_items.rate is not given"
    );
    assert!(said("USD", "customer_id", "gt", text("5")).starts_with("customer_id 8754"));
}

#[test]
fn texts_compare_without_case_and_outer_space() {
    assert_eq!(said("status", "eq", json!(" sent ")), yes("status is Sent"));
    assert_eq!(said("status", "ne", json!("sent")), no("status is Sent"));
    assert_eq!(
        said("status", "in", json!(["paid", "void"])),
        no("status Sent is not one of paid, void")
    );
    assert_eq!(
        said("status", "not_in", json!(["paid"])),
        yes("status Sent is none of paid")
    );
    assert_eq!(
        said("customer_name", "contains", json!("bowman")),
        yes("customer_name “Bowman & Co” contains bowman")
    );
    assert_eq!(
        said("customer_name", "starts_with", json!("Co")),
        no("customer_name “Bowman & Co” does not begin with Co")
    );
    assert_eq!(
        said("is_emailed", "eq", json!("false")),
        yes("is_emailed is false")
    );
}

#[test]
fn days_compare_by_their_first_ten_characters() {
    assert_eq!(
        said("due_date", "before", json!("today+7d")),
        yes("due_date 2026-05-15 is before 2026-05-19 (today+7d)")
    );
    assert_eq!(
        said("due_date", "after", json!("2026-05-15")),
        no("due_date 2026-05-15 is not after 2026-05-15")
    );
    assert!(said("due_date", "eq", json!("2026-05-15")).0);
    assert_eq!(
        said("status", "before", json!("today")),
        no("status Sent is not a date")
    );
}

#[test]
fn lists_are_searched_by_their_items_and_names() {
    assert!(said("line_items", "contains", json!("consulting")).0);
    assert!(said("tags", "in", json!(["VIP", "gold"])).0);
    assert!(!said("tags", "eq", json!("vi")).0);
    assert_eq!(
        said("tags", "contains", json!("zzz")),
        no("tags “vip, net 30” does not contain zzz")
    );
    assert!(said("billing_address.city", "eq", json!("leeds")).0);
}

#[test]
fn a_missing_or_blank_field_is_not_given() {
    for field in [
        "nothing",
        "notes",
        "billing_address.zip",
        "contact.last_name",
        "a.b.c",
    ] {
        let words = format!("{field} is not given");
        for op in ["eq", "gt", "contains", "starts_with", "before"] {
            assert_eq!(said(field, op, json!("1")), no(&words), "{field} {op}");
        }
        assert_eq!(said(field, "present", Value::Null), no(&words));
        assert_eq!(said(field, "absent", Value::Null), yes(&words));
        assert_eq!(said(field, "ne", json!("x")), yes(&words));
        assert_eq!(said(field, "not_in", json!(["x"])), yes(&words));
    }
    assert_eq!(
        said("total", "absent", Value::Null),
        no("total 950.00 is given")
    );
}

#[test]
fn our_own_names_are_read() {
    assert!(said("label", "eq", json!("14d")).0);
    assert!(said("contact.first_name", "eq", json!("ada")).0);
    assert!(said("contact.name", "eq", json!("Ada")).0);
    assert!(said("contact.email", "eq", json!("pay@bowman.example")).0);
    assert!(said("payment_link", "starts_with", json!("https://")).0);
}

#[test]
fn all_needs_each_and_any_needs_one() {
    let expensive = one("total", "gte", &json!("1000"));
    let sent = one("status", "eq", &json!("sent"));
    let all = ask_all(&Conditions::All(vec![expensive.clone(), sent.clone()]));
    assert!(!all.matched);
    assert_eq!(all.reason, "total 950.00 is not at least 1000.00");
    assert_eq!(all.values.len(), 2);
    assert_eq!(all.values[0].met.as_deref(), Some("950.00"));
    let any = ask_all(&Conditions::Any(vec![expensive.clone(), sent]));
    assert_eq!((any.matched, any.reason.as_str()), (true, "status is Sent"));
    let none = ask_all(&Conditions::Any(vec![expensive.clone(), expensive]));
    assert!(!none.matched);
    assert_eq!(
        ask_all(&Conditions::Any(Vec::new())).reason,
        "it has no conditions"
    );
}

#[test]
fn reasons_stay_short_whatever_a_body_holds() {
    let mut fields = invoice();
    fields.insert("notes".into(), json!("é\n".repeat(100_000)));
    let facts = Facts {
        fields: &fields,
        payment_link: None,
        contact: None,
        label: None,
        currency: None,
        today: NaiveDate::from_ymd_opt(2026, 5, 12).unwrap(),
    };
    let long = one("notes", "eq", &json!("z".repeat(5000)));
    let verdict = evaluate(&Conditions::All(vec![long; 20]), &facts);
    assert!(verdict.reason.chars().count() <= MAX_REASON_CHARS);
    assert!(!verdict.reason.contains('\n'));
    assert!(
        verdict
            .values
            .iter()
            .all(|v| v.met.as_ref().unwrap().chars().count() <= 200)
    );
}

proptest! {
    #[test]
    fn no_condition_panics_and_ne_is_the_opposite_of_eq(
        field in "[a-z_.]{1,30}|total|tags|due_date|line_items",
        op in proptest::sample::select(Op::ALL.to_vec()),
        value in "\\PC{0,20}",
    ) {
        let asked = |op| {
            let value = Operand::One(value.clone());
            ask_all(&Conditions::All(vec![Condition { field: field.clone(), op, value }]))
        };
        let _ = asked(op);
        prop_assert_ne!(asked(Op::Eq).matched, asked(Op::Ne).matched);
    }
}
