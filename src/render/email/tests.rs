//! Whole e-mails, from a source and a body to what is read.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::NaiveDate;
use serde_json::{Map, Value};

use super::*;
use crate::domain::document::Person;
use crate::domain::money::Currency;

const INVOICE: &str = include_str!("../../../tests/samples/webhook-invoice.json");

static NO_DETAILS: BTreeMap<String, String> = BTreeMap::new();

fn invoice() -> Map<String, Value> {
    let body: Value = serde_json::from_str(INVOICE).unwrap();
    let invoice = body.get("invoice").unwrap_or(&body);
    invoice.as_object().unwrap().clone()
}

fn person() -> Person {
    Person {
        first_name: Some("Ada".into()),
        last_name: Some("Bowman".into()),
        ..Person::default()
    }
}

fn facts<'a>(fields: &'a Map<String, Value>, person: &'a Person) -> Facts<'a> {
    Facts {
        fields,
        payment_link: fields.get("invoice_url").and_then(Value::as_str),
        contact: Some(person),
        label: None,
        currency: fields
            .get("currency_code")
            .and_then(Value::as_str)
            .and_then(|code| Currency::parse(code).ok()),
        today: NaiveDate::from_ymd_opt(2026, 11, 30).unwrap(),
    }
}

static BRAND: LazyLock<Brand> = LazyLock::new(|| Brand {
    postal_address: "12 Mill Lane\nLeeds LS1 4AP".to_owned(),
    ..Brand::plain("Northwind Paper")
});

fn around() -> Surroundings<'static> {
    Surroundings {
        brand: &BRAND,
        signature: "Kind regards,\n**Northwind Paper**",
        bank_details: &NO_DETAILS,
        answers_to: Some("billing@northwind.example"),
        reader: Reader::Contact,
        stop_link: None,
        language: "en",
        pay_hosts: &[],
    }
}

fn source(subject: &str, body: &str) -> EmailSource {
    EmailSource {
        subject: subject.to_owned(),
        preview: String::new(),
        body: body.to_owned(),
    }
}

fn rendered(source: &EmailSource, fields: &Map<String, Value>) -> EmailContent {
    let person = person();
    let template = EmailTemplate::parse(source, DocumentKind::Invoice)
        .unwrap_or_else(|problem| panic!("{problem}"));
    template.render(&facts(fields, &person), &around()).unwrap()
}

#[test]
fn an_invoice_is_told_in_both_parts() {
    let source = source(
        "Invoice {{ invoice_number }} from Northwind Paper",
        "Hello {{ contact.first_name }},\n\nhere is your invoice.\n\n[[details]]\n[[items]]\n[[totals]]\n\
         [[pay button]]\n\n- one\n- two\n\nSee [our terms](https://northwind.example/terms).\n\n[[signature]]",
    );
    let email = rendered(&source, &invoice());
    println!("{}\n\n{}\n\n{}", email.subject, email.text, email.html);
    assert_eq!(email.subject, "Invoice INV-00003 from Northwind Paper");
}
