//! Writes the ready e-mails, filled in from made-up documents, as HTML and as text:
//! `cargo run --example emails -- /tmp/emails`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "it ends at the first thing that does not work"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{env, fs};

use chrono::NaiveDate;
use ml_connector::domain::brand::{Accent, Brand, Logo};
use ml_connector::domain::content::{Content, EmailContent};
use ml_connector::domain::currency::Currency;
use ml_connector::domain::document::{DocumentKind, Person};
use ml_connector::domain::rule::{EmailSource, Facts, READY_EMAILS, ReadyEmail};
use ml_connector::render::email::{EmailTemplate, Reader, Surroundings};
use serde_json::{Map, Value};
use url::Url;

#[path = "../benches/emails/documents.rs"]
mod documents;

const LOGO: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='180' height='44'%3E%3Crect width='44' height='44' rx='8' fill='%23284b8f'/%3E%3Cpath d='M12 32V12l20 20V12' stroke='white' stroke-width='4' fill='none'/%3E%3Ctext x='56' y='30' font-family='sans-serif' font-size='22' fill='%23284b8f'%3ENorthwind%3C/text%3E%3C/svg%3E";

const LETTER: &str = "\
# Your invoice is here

Hello {{ contact.first_name|default(customer_name) }},

we delivered *everything* you ordered, **{{ customer_name }}**. What you should know:

1. The invoice is due on {{ due_date|date('long') }}.
2. You can pay at {{ payment_link }} or by transfer.
3. Questions? Write to <billing@northwind.example> or see [our terms](https://northwind.example/terms).

> Prices are those of our list of 1 November.

| What | When |
|---|---:|
| Order | 3 Nov |
| Delivery | 16 Nov |

---

[[details]]
[[pay button]]
[[items]]
[[totals]]
[[bank details]]
[[signature]]
";

fn main() {
    let folder = PathBuf::from(env::args().nth(1).expect("name the folder to write to"));
    fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, email: EmailContent| {
        fs::write(folder.join(format!("{name}.html")), &email.html).unwrap();
        let text = format!("Subject: {}\n\n{}", email.subject, email.text);
        fs::write(folder.join(format!("{name}.txt")), text).unwrap();
    };
    let brand = Brand {
        postal_address: "12 Mill Lane\nLeeds LS1 4AP, United Kingdom".to_owned(),
        footer: "Registered in England, No. 01234567".to_owned(),
        ..Brand::plain("Northwind Paper")
    };
    let with_logo = Brand {
        logo: Some(Logo {
            url: LOGO.to_owned(),
            width: 180,
            height: 44,
            alt: String::new(),
        }),
        accent: Accent::of("#284b8f".parse().unwrap()).unwrap(),
        ..brand.clone()
    };
    let invoice = ReadyEmail::find("invoice-sent").unwrap().source();
    let letter = EmailSource {
        body: LETTER.to_owned(),
        ..invoice.clone()
    };
    let hostile = EmailSource {
        body: format!("{LETTER}\n{{{{ notes }}}}"),
        ..invoice.clone()
    };
    for (name, brand, source, fields) in [
        (
            "plain",
            &brand,
            &invoice,
            documents::invoice("Bowman & Co", "USD", 4),
        ),
        (
            "logo",
            &with_logo,
            &invoice,
            documents::invoice("Bowman & Co", "EUR", 4),
        ),
        (
            "long",
            &brand,
            &invoice,
            documents::invoice("Bowman & Co", "GBP", 60),
        ),
        (
            "letter",
            &with_logo,
            &letter,
            documents::invoice("Bowman & Co", "KWD", 6),
        ),
        (
            "hebrew",
            &brand,
            &letter,
            with_items(
                documents::invoice("יוסי כהן ובניו בע\"מ", "ILS", 3),
                ["נייר A4, 80 גרם", "מעטפות C5 עם חלון", "כריכה תרמית (כחול)"],
            ),
        ),
        (
            "arabic",
            &with_logo,
            &invoice,
            with_items(
                documents::invoice("شركة الورق المتحدة ذ.م.م", "AED", 3),
                [
                    "ورق A4، 80 غرام",
                    "أظرف C5 بنافذة",
                    "تجليد حراري مع غلاف مطبوع",
                ],
            ),
        ),
        ("japanese", &with_logo, &letter, japanese()),
        ("hostile", &brand, &hostile, hostile_fields()),
    ] {
        write(
            name,
            email(
                source,
                DocumentKind::Invoice,
                &fields,
                brand,
                Reader::Contact,
            ),
        );
    }
    for ready in &READY_EMAILS {
        let sample = sample(ready.event_type.document());
        let reader = if ready.is_internal {
            Reader::Named
        } else {
            Reader::Contact
        };
        let kind = ready.event_type.document();
        write(
            ready.key,
            email(&ready.source(), kind, &sample, &brand, reader),
        );
    }
    let fields = documents::invoice("Bowman & Co", "USD", 4);
    let rehearsed = email(
        &invoice,
        DocumentKind::Invoice,
        &fields,
        &brand,
        Reader::Contact,
    );
    let mark = "[would go to Bowman & Co, ada@bowman.example] ";
    if let Content::Email(email) = Content::Email(rehearsed).with_mark(mark) {
        write("rehearsal", email);
    }
}

fn email(
    source: &EmailSource,
    kind: DocumentKind,
    fields: &Map<String, Value>,
    brand: &Brand,
    reader: Reader,
) -> EmailContent {
    let template = EmailTemplate::parse(source, kind).unwrap();
    let person = Person {
        first_name: fields
            .get("first")
            .and_then(Value::as_str)
            .map(str::to_owned),
        ..Person::default()
    };
    let code = fields.get("currency_code").and_then(Value::as_str);
    let facts = Facts {
        fields,
        payment_link: fields.get("invoice_url").and_then(Value::as_str),
        contact: Some(&person),
        label: None,
        currency: code.and_then(|code| Currency::parse(code).ok()),
        today: NaiveDate::from_ymd_opt(2026, 11, 30).unwrap(),
    };
    let bank = "Northwind Paper Ltd\nIBAN GB33 BUKB 2020 1555 5555 55\nBIC BUKBGB22";
    let bank: BTreeMap<String, String> = ["GBP", "EUR", "USD", "KWD", "ILS", "AED"]
        .map(|code| (code.to_owned(), bank.to_owned()))
        .into();
    let stop = Url::parse("https://sms.example.com/stop/x").unwrap();
    let around = Surroundings {
        brand,
        signature: "Kind regards,\n**Ann Miller**, Northwind Paper",
        bank_details: &bank,
        answers_to: Some("billing@northwind.example"),
        reader,
        stop_link: source.subject.contains("was due").then_some(&stop),
        language: "en",
        pay_hosts: &[],
    };
    template.render(&facts, &around).unwrap()
}

/// The same with other names of its items.
fn with_items(mut fields: Map<String, Value>, names: [&str; 3]) -> Map<String, Value> {
    if let Some(Value::Array(items)) = fields.get_mut("line_items") {
        for (item, name) in items.iter_mut().zip(names) {
            item["name"] = name.into();
        }
    }
    fields
}

fn japanese() -> Map<String, Value> {
    let mut fields = documents::invoice("株式会社山田製作所", "JPY", 3);
    fields.insert("first".to_owned(), "花子".into());
    if let Some(Value::Array(items)) = fields.get_mut("line_items") {
        items[0]["name"] = "コピー用紙 A4 80g 五百枚入り 上質紙 ホワイト".into();
    }
    fields
}

fn hostile_fields() -> Map<String, Value> {
    let bad = "**x** <b>bold</b> <script>alert(1)</script> [pay](https://evil.example) \
               https://evil.example/login \u{202e}gnp.exe {{ total }} {% if %}\r\nBcc: all@example.com\n\n\
               [[bank details]]\n# Heading\n- list\n| a | b |";
    let mut fields = documents::invoice(bad, "USD", 3);
    fields.insert("first".to_owned(), bad.into());
    fields.insert("notes".to_owned(), bad.into());
    fields.insert("invoice_url".to_owned(), "https://evil.example/pay".into());
    fields.insert("invoice_number".to_owned(), "x".repeat(200_000).into());
    if let Some(Value::Array(items)) = fields.get_mut("line_items") {
        items[0]["name"] = bad.into();
        items[1]["name"] = "W".repeat(200_000).into();
    }
    fields
}

fn sample(kind: DocumentKind) -> Map<String, Value> {
    let text = match kind {
        DocumentKind::Invoice => include_str!("../tests/samples/webhook-invoice.json"),
        DocumentKind::CustomerPayment => {
            include_str!("../tests/samples/webhook-customerpayment.json")
        }
        DocumentKind::Bill => include_str!("../tests/samples/webhook-bill.json"),
        DocumentKind::PurchaseOrder => include_str!("../tests/samples/webhook-purchaseorder.json"),
        DocumentKind::VendorPayment => include_str!("../tests/samples/webhook-vendorpayment.json"),
        DocumentKind::Expense => include_str!("../tests/samples/webhook-expense.json"),
    };
    let body: Map<String, Value> = serde_json::from_str(text).unwrap();
    let record = body.into_iter().find_map(|(_, value)| match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    record.unwrap()
}
