//! From Zoho's record to a [`ParsedDocument`].
//!
//! Written from captured payloads: blanks mean absent, ids are text or numbers, and a field of the
//! wrong type is absent too, so that one odd value never costs a record.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::body::{self, Found, Unrecognised};
use super::{envelope, scalar};
use crate::domain::document::{Application, Clearing, DocumentKind, ParsedDocument, Party, Person};
use crate::domain::event::EventType;
use crate::domain::money::Amount;

/// The longest e-mail address (RFC 5321).
const EMAIL_BYTES: usize = 254;
const PHONE_BYTES: usize = 60;
/// Zoho's payment links have about 200 characters.
const LINK_BYTES: usize = 2000;

type Record = Map<String, Value>;

/// Reads a webhook's body, or an API reply with one record; `typed` is the event type of the path.
pub fn read(
    body: &[u8],
    content_type: Option<&str>,
    typed: Option<EventType>,
) -> Result<ParsedDocument, Unrecognised> {
    let Found { kind, record } = body::find(body, content_type, typed)?;
    parse(kind, record)
}

/// Reads one bare record of a known kind, as lists of the API hold them.
pub fn parse(kind: DocumentKind, record: Record) -> Result<ParsedDocument, Unrecognised> {
    let id = scalar::id(&record, envelope::id_field(kind)).ok_or(Unrecognised::NoId { kind })?;
    let persons = persons(&record);
    Ok(ParsedDocument {
        kind,
        id,
        number: number(kind, &record),
        status: scalar::text(&record, "status").map(|status| status.to_lowercase()),
        date: scalar::date(&record, "date"),
        due_date: scalar::date(&record, "due_date"),
        created_time: scalar::instant(&record, "created_time"),
        last_modified_time: scalar::instant(&record, "last_modified_time"),
        total: total(kind, &record),
        balance: scalar::amount(&record, "balance"),
        currency: currency(&record),
        party: party(kind, &record),
        email: scalar::whole(&record, "email", EMAIL_BYTES),
        country: country(&record),
        clearing: clearing(kind, &record),
        applications: applications(kind, &record),
        person_ids: person_ids(&record, &persons),
        persons,
        payment_link: payment_link(&record),
        fields: record,
    })
}

/// What a clerk calls it. Payments and expenses are known by their reference where they have no
/// number of their own.
fn number(kind: DocumentKind, record: &Record) -> Option<String> {
    let keys: &[&str] = match kind {
        DocumentKind::Invoice => &["invoice_number"],
        DocumentKind::Bill => &["bill_number"],
        DocumentKind::PurchaseOrder => &["purchaseorder_number"],
        DocumentKind::CustomerPayment | DocumentKind::VendorPayment => {
            &["payment_number", "reference_number"]
        }
        DocumentKind::Expense => &["expense_number", "reference_number"],
    };
    keys.iter().find_map(|key| scalar::text(record, key))
}

/// A payment has an `amount`; an expense's `amount` is before tax, so its `total` comes first.
fn total(kind: DocumentKind, record: &Record) -> Option<Amount> {
    let keys = match kind {
        DocumentKind::CustomerPayment | DocumentKind::VendorPayment => ["amount", "total"],
        _ => ["total", "amount"],
    };
    keys.iter().find_map(|key| scalar::amount(record, key))
}

/// Most invoices that one payment is read to be applied to.
const MOST_APPLICATIONS: usize = 200;

/// How a cleared invoice was cleared, where that was by no payment (invoice API: `payment_made`,
/// `credits_applied`, `write_off_amount`). Only what the body says counts.
fn clearing(kind: DocumentKind, record: &Record) -> Option<Clearing> {
    let amount = |key| scalar::amount(record, key).map(|a| a.0);
    let is_cleared = scalar::text(record, "status").is_some_and(|s| s.eq_ignore_ascii_case("paid"))
        || amount("balance").is_some_and(|b| b <= 0);
    if kind != DocumentKind::Invoice || !is_cleared {
        return None;
    }
    let (total, credits) = (amount("total"), amount("credits_applied").unwrap_or(0));
    if total == Some(0) {
        Some(Clearing::NothingOwed)
    } else if amount("write_off_amount").is_some_and(|w| w > 0) {
        Some(Clearing::WriteOff)
    } else {
        let is_credit = match amount("payment_made") {
            Some(made) => made == 0 && credits > 0,
            None => total.is_some_and(|t| credits >= t),
        };
        is_credit.then_some(Clearing::Credit)
    }
}

/// What a payment leaves open of each invoice (customer payment API: `invoices[].balance_amount`).
fn applications(kind: DocumentKind, record: &Record) -> Vec<Application> {
    let lines = record.get("invoices").and_then(Value::as_array);
    let lines = lines.filter(|_| kind == DocumentKind::CustomerPayment);
    lines
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .filter_map(|line| {
            Some(Application {
                invoice: scalar::id(line, "invoice_id")?,
                balance: scalar::amount(line, "balance_amount")?,
            })
        })
        .take(MOST_APPLICATIONS)
        .collect()
}

/// `currency_symbol` holds the code in some organisations (`"NGN"`).
fn currency(record: &Record) -> Option<String> {
    ["currency_code", "currency_symbol"].iter().find_map(|key| {
        let code = scalar::whole(record, key, 3)?;
        (code.len() == 3 && code.bytes().all(|b| b.is_ascii_alphabetic()))
            .then(|| code.to_ascii_uppercase())
    })
}

/// The vendor where money goes out (bill, purchase order, vendor payment, expense), else the
/// customer. An expense without a vendor has its customer, who may be billed for it.
fn party(kind: DocumentKind, record: &Record) -> Option<Party> {
    let of = |id: &str, name: &str| {
        Some(Party {
            id: scalar::id(record, id)?,
            name: scalar::text(record, name),
        })
    };
    let vendor = || of("vendor_id", "vendor_name");
    let customer = || of("customer_id", "customer_name");
    match kind {
        DocumentKind::Invoice | DocumentKind::CustomerPayment => customer(),
        DocumentKind::Bill | DocumentKind::PurchaseOrder | DocumentKind::VendorPayment => vendor(),
        DocumentKind::Expense => vendor().or_else(customer),
    }
}

/// The billing address's country: a code where Zoho has one, else free text ("U.S.A").
fn country(record: &Record) -> Option<String> {
    ["billing_address", "customer_default_billing_address"]
        .iter()
        .find_map(|key| {
            let address = record.get(*key)?.as_object()?;
            scalar::text(address, "country_code").or_else(|| scalar::text(address, "country"))
        })
}

/// Associated persons first, then details with the primary first; each once, and what one list
/// lacks about a person is filled from the other.
fn persons(record: &Record) -> Vec<Person> {
    let mut details = listed(record, "contact_persons_details");
    details.sort_by_key(|person| !person.is_primary);
    let mut persons: Vec<Person> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for person in listed(record, "contact_persons_associated")
        .into_iter()
        .chain(details)
    {
        if let Some(place) = places.get(&person.id) {
            fill(&mut persons[*place], person);
            continue;
        }
        if !person.id.is_empty() {
            places.insert(person.id.clone(), persons.len());
        }
        persons.push(person);
    }
    persons
}

/// The people of a customer or vendor as `GET /contacts/{id}` has it, the primary one first.
pub fn people_of_contact(contact: &Value) -> Vec<Person> {
    let mut people = contact
        .as_object()
        .map(|record| listed(record, "contact_persons"))
        .unwrap_or_default();
    people.sort_by_key(|person| !person.is_primary);
    people
}

fn listed(record: &Record, key: &str) -> Vec<Person> {
    let list = record
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    list.iter()
        .filter_map(Value::as_object)
        .filter_map(person)
        .collect()
}

/// A person one can at least look up or write to.
fn person(record: &Record) -> Option<Person> {
    let email = |key: &str| scalar::whole(record, key, EMAIL_BYTES);
    let preference = record.get("communication_preference");
    let allows = |key: &str| preference.and_then(|p| p.get(key)).and_then(Value::as_bool);
    let person = Person {
        id: scalar::id(record, "contact_person_id").unwrap_or_default(),
        first_name: scalar::text(record, "first_name")
            .or_else(|| scalar::text(record, "contact_person_name")),
        last_name: scalar::text(record, "last_name"),
        email: email("email").or_else(|| email("contact_person_email")),
        phone: scalar::whole(record, "phone", PHONE_BYTES),
        mobile: scalar::whole(record, "mobile", PHONE_BYTES),
        is_primary: record
            .get("is_primary_contact")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        takes_sms: allows("is_sms_enabled"),
        takes_email: allows("is_email_enabled"),
        seen_at: None,
    };
    let is_somebody = person.email.is_some()
        || person.phone.is_some()
        || person.mobile.is_some()
        || !person.id.is_empty();
    is_somebody.then_some(person)
}

/// Most people that are looked up by their ids alone.
const MOST_IDS: usize = 50;

/// Those of `contact_persons` of whom the body says nothing else.
fn person_ids(record: &Record, persons: &[Person]) -> Vec<String> {
    let ids = record.get("contact_persons").and_then(Value::as_array);
    let mut only: Vec<String> = Vec::new();
    for id in ids.into_iter().flatten().take(MOST_IDS) {
        let text = match id {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        let is_told = persons.iter().any(|p| p.id == text) || only.contains(&text);
        if !text.is_empty() && !is_told {
            only.push(text);
        }
    }
    only
}

fn fill(person: &mut Person, other: Person) {
    let Person {
        id: _,
        first_name,
        last_name,
        email,
        phone,
        mobile,
        is_primary,
        takes_sms,
        takes_email,
        seen_at: _,
    } = other;
    // Names go together: one person's first name beside another spelling's last name is nobody.
    if person.name().is_none() {
        (person.first_name, person.last_name) = (first_name, last_name);
    } else if person.last_name.is_none() && person.first_name == first_name {
        person.last_name = last_name;
    }
    person.email = person.email.take().or(email);
    person.phone = person.phone.take().or(phone);
    person.mobile = person.mobile.take().or(mobile);
    person.is_primary |= is_primary;
    person.takes_sms = both_allow(person.takes_sms, takes_sms);
    person.takes_email = both_allow(person.takes_email, takes_email);
}

/// One no is a no.
const fn both_allow(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, other) => other,
        (one, _) => one,
    }
}

/// Zoho's `invoice_url` ends with a blank in captured payloads. Anything but a web address would be
/// a trap for whoever taps it.
fn payment_link(record: &Record) -> Option<String> {
    let link = scalar::whole(record, "invoice_url", LINK_BYTES)?;
    let is_web = link.starts_with("https://") || link.starts_with("http://");
    (is_web && !link.contains(char::is_whitespace)).then_some(link)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    macro_rules! sample {
        ($name:literal) => {
            read(
                include_bytes!(concat!("../../tests/samples/webhook-", $name, ".json")),
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
}
