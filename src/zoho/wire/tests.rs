use chrono::{DateTime, NaiveDate};
use proptest::prelude::*;
use serde_json::json;

use super::*;

macro_rules! sample {
    ($name:literal) => {
        read(
            include_bytes!(concat!("../../../tests/samples/webhook-", $name, ".json")),
            Some("application/json"),
            None,
        )
        .unwrap()
    };
}

fn day(text: &str) -> Option<NaiveDate> {
    text.parse().ok()
}

fn at(text: &str) -> Option<DateTime<chrono::Utc>> {
    text.parse().ok()
}

fn party_of(id: &str, name: &str) -> Party {
    Party {
        id: id.to_owned(),
        name: Some(name.to_owned()),
    }
}

#[test]
fn the_invoice_sample_is_read_wholly() {
    let invoice = sample!("invoice");
    assert_eq!(invoice.kind, DocumentKind::Invoice);
    assert_eq!(invoice.id, "8754310000010306009");
    assert_eq!(invoice.number.as_deref(), Some("INV-00003"));
    assert_eq!(invoice.status.as_deref(), Some("sent"));
    assert_eq!(invoice.date, day("2026-11-17"));
    assert_eq!(invoice.due_date, day("2026-12-02"));
    assert_eq!(invoice.created_time, at("2026-11-17T21:59:16Z"));
    assert_eq!(invoice.last_modified_time, at("2026-11-17T22:22:03Z"));
    assert_eq!(invoice.total, Some(Amount(1_350_000)));
    assert_eq!(invoice.balance, Some(Amount(1_350_000)));
    assert_eq!(invoice.currency.as_deref(), Some("USD"));
    assert_eq!(
        invoice.party,
        Some(party_of("8754310000006945057", "Bowman & Co"))
    );
    assert_eq!(invoice.email.as_deref(), Some("david.john@example.com"));
    assert_eq!(invoice.country.as_deref(), Some("US"));
    let link = invoice.payment_link.unwrap();
    assert!(link.starts_with("https://zohosecurepay.com/") && link.ends_with("ff"));
    assert_eq!(invoice.fields["total_formatted"], "$135.00");
    assert!(invoice.fields.len() > 200);
    assert_eq!(
        invoice.persons,
        [Person {
            id: "8754310000006945058".to_owned(),
            first_name: Some("David".to_owned()),
            last_name: Some("John".to_owned()),
            email: Some("david.john@example.com".to_owned()),
            phone: Some("+1-202-555-0143".to_owned()),
            mobile: Some("+1-202-555-0187".to_owned()),
            is_primary: true,
            takes_sms: None,
            takes_email: Some(true),
            seen_at: None,
        }]
    );
}

#[test]
fn dates_with_a_time_and_a_mobile_without_plus_are_read() {
    let invoice = sample!("invoice-variant-iso-dates");
    assert_eq!(invoice.status.as_deref(), Some("overdue"));
    assert_eq!(invoice.date, day("2026-11-17"));
    assert_eq!(invoice.due_date, day("2026-12-02"));
    assert_eq!(invoice.last_modified_time, at("2026-12-03T08:05:10Z"));
    let [person] = invoice.persons.as_slice() else {
        panic!("one person")
    };
    assert_eq!(
        (person.phone.as_deref(), person.mobile.as_deref()),
        (None, Some("447700900456"))
    );
}

#[test]
fn the_samples_of_outgoing_money_are_read() {
    let vendor = Some(party_of("460000000026049", "Harbour Paper Supply"));
    let bill = sample!("bill");
    assert_eq!(
        (bill.kind, bill.id.as_str()),
        (DocumentKind::Bill, "460000000098765")
    );
    assert_eq!(bill.number.as_deref(), Some("BILL-00454"));
    assert_eq!(
        (bill.status.as_deref(), bill.due_date),
        (Some("open"), day("2026-11-30"))
    );
    assert_eq!(
        (bill.total, bill.balance),
        (Some(Amount(8_400_000)), Some(Amount(8_400_000)))
    );
    assert_eq!(
        (bill.party.clone(), bill.country.as_deref()),
        (vendor.clone(), Some("U.K."))
    );
    assert!(bill.persons.is_empty() && bill.email.is_none() && bill.payment_link.is_none());

    let order = sample!("purchaseorder");
    assert_eq!(order.kind, DocumentKind::PurchaseOrder);
    assert_eq!(order.number.as_deref(), Some("PO-00001"));
    assert_eq!(
        (order.total, order.balance),
        (Some(Amount(1_120_000)), None)
    );
    assert_eq!(
        (order.party.clone(), order.due_date),
        (vendor.clone(), None)
    );
    let [person] = order.persons.as_slice() else {
        panic!("one person")
    };
    assert_eq!(
        person.email.as_deref(),
        Some("accounts@harbourpaper.example")
    );
    assert_eq!(person.name().as_deref(), Some("Petra Parker"));

    let payment = sample!("vendorpayment");
    assert_eq!(payment.kind, DocumentKind::VendorPayment);
    assert_eq!(
        (payment.number.as_deref(), payment.total),
        (Some("4"), Some(Amount(8_400_000)))
    );
    assert_eq!(
        (payment.party.clone(), payment.currency.as_deref()),
        (vendor.clone(), Some("GBP"))
    );

    let expense = sample!("expense");
    assert_eq!(
        (expense.kind, expense.id.as_str()),
        (DocumentKind::Expense, "982000000030049")
    );
    assert_eq!(expense.number.as_deref(), Some("EXP-778"));
    assert_eq!(
        (expense.total, expense.party),
        (Some(Amount(1_243_500)), vendor)
    );
}

#[test]
fn the_payment_received_sample_is_read_wrapped_or_bare() {
    let payment = sample!("customerpayment");
    assert_eq!(payment.kind, DocumentKind::CustomerPayment);
    assert_eq!(
        (payment.id.as_str(), payment.number.as_deref()),
        ("9030000079467", Some("2"))
    );
    assert_eq!(
        (payment.total, payment.balance),
        (Some(Amount(1_350_000)), None)
    );
    assert_eq!(payment.email.as_deref(), Some("david.john@example.com"));
    assert_eq!(payment.created_time, at("2026-11-20T16:11:05Z"));
    let bare = serde_json::to_vec(&payment.fields).unwrap();
    assert_eq!(
        read(&bare, None, Some(EventType::PaymentReceived)),
        Ok(payment)
    );
}

#[test]
fn a_person_of_both_lists_is_one_and_the_primary_leads_the_rest() {
    let record = json!({
        "invoice_id": 1,
        "contact_persons_associated": [
            {"contact_person_id": "2", "contact_person_name": "Ann", "mobile": " "},
            {"contact_person_email": "desk@example.com"},
            {"first_name": "Nobody"}, "text", null
        ],
        "contact_persons_details": [
            {"contact_person_id": 3, "first_name": "Cy", "phone": "1"},
            {"contact_person_id": 2, "first_name": "Ann", "last_name": "Lee", "mobile": "2"},
            {"contact_person_id": 4, "first_name": "Bo", "is_primary_contact": true}
        ]
    });
    let Value::Object(record) = record else {
        unreachable!()
    };
    let persons = parse(DocumentKind::Invoice, record).unwrap().persons;
    let ids: Vec<&str> = persons.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids, ["2", "", "4", "3"]);
    assert_eq!(persons[0].mobile.as_deref(), Some("2"));
    assert_eq!(persons[0].name().as_deref(), Some("Ann Lee"));
    assert_eq!(persons[1].email.as_deref(), Some("desk@example.com"));
}

#[test]
fn aliases_and_wrong_types_never_cost_the_record() {
    let body = br#"{"invoice":{"invoice_id":9007199254740993,"status":" Partially_Paid ",
        "currency_code":"","currency_symbol":"ngn","total":"1234.5","balance":{},"email":[1],
        "billing_address":"12 Quay Street","due_date":"","date":20261117,
        "customer_default_billing_address":{"country":"Nigeria"},"customer_id":null,
        "contact_persons_associated":{"a":1},"contact_persons_details":"",
        "created_time":true,"invoice_url":"javascript:alert(1)","invoice_number":["x"]}}"#;
    let invoice = read(body, None, None).unwrap();
    assert_eq!(invoice.id, "9007199254740993");
    assert_eq!(invoice.status.as_deref(), Some("partially_paid"));
    assert_eq!(invoice.currency.as_deref(), Some("NGN"));
    assert_eq!(
        (invoice.total, invoice.balance),
        (Some(Amount(12_345_000)), None)
    );
    assert_eq!(invoice.country.as_deref(), Some("Nigeria"));
    assert!(invoice.party.is_none() && invoice.email.is_none() && invoice.date.is_none());
    assert!(invoice.payment_link.is_none() && invoice.number.is_none());
    assert_eq!(invoice.fields["invoice_url"], "javascript:alert(1)");
}

#[test]
fn an_amount_out_of_range_is_absent_but_its_field_stays() {
    let body = br#"{"bill":{"bill_id":"1","total":1e400,"balance":12345678901234567890.5}}"#;
    let bill = read(body, None, None).unwrap();
    assert_eq!((bill.total, bill.balance), (None, None));
    assert_eq!(bill.fields["balance"].to_string(), "12345678901234567890.5");
}

/// Any JSON, made of the keys that the reader looks at.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "[0-9T:Z+.-]{0,30}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "invoice",
            "payment",
            "bill",
            "expense",
            "contact",
            "invoice_id",
            "payment_id",
            "vendor_id",
            "customer_id",
            "bills",
            "invoices",
            "total",
            "amount",
            "date",
            "due_date",
            "created_time",
            "last_modified_time",
            "billing_address",
            "country",
            "contact_persons_associated",
            "contact_persons_details",
            "contact_person_id",
            "mobile",
            "email",
            "status",
            "currency_code",
            "invoice_url",
            "is_primary_contact",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(value in any_json(), typed in prop::sample::select(EventType::ALL.to_vec())) {
        let bytes = serde_json::to_vec(&value).unwrap();
        let _ = (read(&bytes, None, None), read(&bytes, None, Some(typed)));
        if let Value::Object(mut record) = value {
            record.insert("invoice_id".to_owned(), Value::from("1"));
            prop_assert!(parse(DocumentKind::Invoice, record).is_ok());
        }
    }
}
