//! Whole e-mails, from a source and a body to what is read.

mod harmless;
mod hostile;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::NaiveDate;
use scraper::{Html, Selector};
use serde_json::{Map, Value, json};

use super::*;
use crate::domain::brand::{Accent, Logo};
use crate::domain::content::Content;
use crate::domain::currency::Currency;
use crate::domain::document::Person;
use crate::domain::rule::READY_EMAILS;

const LINK: &str = "https://zohosecurepay.com/books/northwind/secure?CInvoiceID=2-00aa";

static NO_DETAILS: BTreeMap<String, String> = BTreeMap::new();

static BRAND: LazyLock<Brand> = LazyLock::new(|| Brand {
    postal_address: "12 Mill Lane\nLeeds LS1 4AP".to_owned(),
    ..Brand::plain("Northwind Paper")
});

/// The record of a sample of Zoho's.
fn sample(kind: DocumentKind) -> Map<String, Value> {
    let text = match kind {
        DocumentKind::Invoice => include_str!("../../../tests/samples/webhook-invoice.json"),
        DocumentKind::CustomerPayment => {
            include_str!("../../../tests/samples/webhook-customerpayment.json")
        }
        DocumentKind::Bill => include_str!("../../../tests/samples/webhook-bill.json"),
        DocumentKind::PurchaseOrder => {
            include_str!("../../../tests/samples/webhook-purchaseorder.json")
        }
        DocumentKind::VendorPayment => {
            include_str!("../../../tests/samples/webhook-vendorpayment.json")
        }
        DocumentKind::Expense => include_str!("../../../tests/samples/webhook-expense.json"),
    };
    let body: Map<String, Value> = serde_json::from_str(text).unwrap();
    let mut records = body.into_iter().filter_map(|(_, value)| match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    records.next().unwrap()
}

fn invoice(changes: Value) -> Map<String, Value> {
    let mut fields = sample(DocumentKind::Invoice);
    fields.insert("invoice_url".to_owned(), LINK.into());
    if let Value::Object(changes) = changes {
        fields.extend(changes);
    }
    fields
}

fn ada() -> Person {
    Person {
        first_name: Some("Ada".into()),
        last_name: Some("Bowman".into()),
        ..Person::default()
    }
}

fn facts<'a>(fields: &'a Map<String, Value>, person: &'a Person) -> Facts<'a> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    Facts {
        fields,
        payment_link: text("invoice_url"),
        contact: Some(person),
        label: None,
        currency: text("currency_code").and_then(|code| Currency::parse(code).ok()),
        today: NaiveDate::from_ymd_opt(2026, 11, 30).unwrap(),
    }
}

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

fn source(body: &str) -> EmailSource {
    EmailSource {
        subject: "Invoice {{ invoice_number }}".to_owned(),
        preview: String::new(),
        body: body.to_owned(),
    }
}

fn parsed(source: &EmailSource, kind: DocumentKind) -> EmailTemplate {
    EmailTemplate::parse(source, kind).unwrap_or_else(|problem| panic!("{problem}: {source:?}"))
}

fn rendered(body: &str, fields: &Map<String, Value>) -> EmailContent {
    let template = parsed(&source(body), DocumentKind::Invoice);
    template.render(&facts(fields, &ada()), &around()).unwrap()
}

/// What somebody reads of an HTML part's text, without what stands around it.
fn words_of(email: &EmailContent) -> String {
    let page = Html::parse_document(&email.html);
    let rows = Selector::parse(".sheet").unwrap();
    let text: Vec<&str> = page.select(&rows).flat_map(|row| row.text()).collect();
    text.join(" ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Every address that an HTML part leads to.
fn links_of(html: &str) -> Vec<String> {
    let page = Html::parse_document(html);
    let links = Selector::parse("[href], [src], [action], [background]").unwrap();
    let links = page.select(&links).flat_map(|element| {
        let names = ["href", "src", "action", "background"];
        names.into_iter().filter_map(move |name| element.attr(name))
    });
    links.map(str::to_owned).collect()
}
