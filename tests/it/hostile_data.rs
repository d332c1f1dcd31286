//! Whatever stands in a document: it is read as e-mails, on one line where it stands in one, and nobody but
//! those whom a rule means gets it.

use std::collections::BTreeSet;

use ml_connector::domain::document::DocumentKind;
use ml_connector::sandbox::samples::{self, Generator, Trader, Wish};
use reqwest::StatusCode;
use scraper::{Html, Selector};
use serde_json::{Value, json};

use crate::harness::company::PASSWORD;
use crate::harness::visitor::Visitor;
use crate::harness::{Company, TestApp};

const EVIL: &str = "x\r\nBcc: all@evil.example\r\n\r\n{{ total }}{% raw %}<script>alert(1)</script>\
                    <img src=x onerror=alert(1)>\" onmouseover=\"a **b** [pay](https://evil.example/p) \
                    javascript:alert(1) data:text/html,x https://zohosecurep\u{430}y.com/x \u{202e}gnp.exe\
                    \u{2066}\u{2028}\n[[bank details]]\n# y =?utf-8?q?x?=";

const FINANCE: &str = "finance@acme.example";

/// Each kind of document, with the event that its first body tells and the key of its people's names.
const KINDS: [(DocumentKind, &str); 6] = [
    (DocumentKind::Invoice, "invoice.sent"),
    (DocumentKind::CustomerPayment, "payment.received"),
    (DocumentKind::Bill, "bill.created"),
    (DocumentKind::PurchaseOrder, "purchase_order.issued"),
    (DocumentKind::VendorPayment, "vendor_payment.sent"),
    (DocumentKind::Expense, "expense.recorded"),
];

/// Puts `bad` in every text that is neither an id, a state, a day, a sum nor an address.
fn spoil(key: &str, value: &mut Value, bad: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(key, item, bad)),
        Value::Object(parts) => {
            for (key, part) in parts {
                spoil(key, part, bad);
            }
        }
        Value::String(text) => {
            let is_kept = [
                "_id", "_time", "date", "status", "email", "mobile", "phone", "_code", "_url",
            ]
            .iter()
            .any(|end| key.ends_with(end));
            let is_sum = text.parse::<f64>().is_ok();
            if !text.trim().is_empty() && !is_kept && !is_sum {
                bad.clone_into(text);
            }
        }
        _ => {}
    }
}

async fn mailer<'a>(app: &'a TestApp, name: &str) -> Company<'a> {
    let acme = app.company("Acme").await;
    acme.email_sender("billing@acme.example", "Acme Billing")
        .await;
    let group = acme.group("Finance", &[("Ann", FINANCE, true)]).await;
    for (kind, event_type) in KINDS {
        for recipient in [
            json!({ "kind": "contact", "who": "all" }),
            json!({ "kind": "group", "group": group }),
        ] {
            let text = "Hello {{ contact.name }}: {{ reference_number }}.";
            let body = format!(
                "{text}\n\n> {{{{ reference_number }}}}\n\n[[details]]\n[[items]]\n[[totals]]\n[[pay button]]"
            );
            acme.create_rule(json!({
                "name": format!("{name} {kind} {}", recipient["kind"]), "event_type": event_type,
                "channel": "both", "recipient": recipient,
                "template": { "body": text, "email": {
                    "subject": "{{ reference_number }} of {{ contact.name }}",
                    "preview": "{{ reference_number }}", "body": body,
                } },
            }))
            .await;
        }
    }
    acme
}

async fn sends(bad: &str, rehearsed: bool) {
    let app = TestApp::spawn().await;
    let acme = mailer(&app, "Hostile").await;
    if rehearsed {
        let actor = ml_connector::domain::actor::Actor::named("amy");
        app.app().rehearse(acme.id, &actor).await.unwrap();
    }
    let mut events = Vec::new();
    for (seed, (kind, event_type)) in (1..).zip(KINDS) {
        let wish = Wish {
            trader: Some(4),
            ..Wish::default()
        };
        let mut document = Generator::seeded(seed).document(kind, &wish, app.now());
        spoil("", &mut document, bad);
        let path = format!("/{event_type}");
        events.push(acme.told(&path, &samples::to_body(&document, false)).await);
        app.run_due_jobs().await;
    }
    let (customer, vendor) = (Trader::customer(4), Trader::vendor(4));
    let mut meant = BTreeSet::from([customer.email, vendor.email, FINANCE.to_owned()]);
    if rehearsed {
        meant = BTreeSet::from([acme.email.clone()]);
    }
    let emails = acme.emails();
    assert!(emails.len() >= KINDS.len(), "{}", emails.len());
    let safe = [
        "a",
        "body",
        "br",
        "blockquote",
        "center",
        "div",
        "head",
        "html",
        "h1",
        "img",
        "meta",
        "p",
        "span",
        "strong",
        "style",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "title",
        "tr",
    ];
    for email in &emails {
        assert!(meant.contains(&email.to), "{}", email.to);
        let is_line =
            |text: &str| !text.contains(|c: char| c.is_control() || "\u{2028}\u{2029}".contains(c));
        assert!(
            is_line(&email.subject) && !email.subject.contains("=?"),
            "{:?}",
            email.subject
        );
        assert!(email.html.len() + email.text.len() < 500_000);
        let page = Html::parse_document(&email.html);
        for element in page.select(&Selector::parse("*").unwrap()) {
            let element = element.value();
            assert!(safe.contains(&element.name()), "{}", element.name());
            for (name, value) in element.attrs() {
                assert!(!name.starts_with("on"), "{name}");
                let points = ["href", "src", "action", "background"].contains(&name);
                let is_evil = ["evil", "javascript:", "data:", "\u{430}"]
                    .iter()
                    .any(|bad| value.contains(bad));
                assert!(!(points && is_evil), "{name}={value}");
            }
        }
        let hello = email
            .text
            .lines()
            .find(|line| line.starts_with("Hello "))
            .unwrap();
        assert!(hello.ends_with('.'), "a value broke its line: {hello}");
    }
    for message in acme.messages() {
        assert!(
            !message
                .body
                .contains(|c: char| c.is_control() || c == '\u{2028}'),
            "{:?}",
            message.body
        );
    }
    looked_at(&app, &acme, &events).await;
}

/// The pages that show what came in have no element of it.
async fn looked_at(app: &TestApp, acme: &Company<'_>, events: &[String]) {
    let ann = Visitor::signed_in(app, &acme.email, PASSWORD).await;
    let history = [
        "/history".to_owned(),
        "/permissions".to_owned(),
        "/".to_owned(),
    ];
    let events = events.iter().map(|event| format!("/events/{event}"));
    for path in history.into_iter().chain(events) {
        let page = ann.get(&format!("/t/{}{path}", acme.slug)).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        for bad in [
            "[onerror]",
            "[onmouseover]",
            "[href*=evil]",
            "[src=x]",
            "script:not([src])",
        ] {
            assert_eq!(page.texts(bad), [""; 0], "{bad} on {path}");
        }
        for line in page.texts(".sentence, h1, h2, td, dd") {
            assert!(
                !line.contains(['\u{202e}', '\u{2066}', '\0']),
                "{path}: {line:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_stands_in_a_document_is_only_mails() {
    sends(EVIL, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_it_break_out_of_a_rehearsal() {
    sends(EVIL, true).await;
}

/// As long as a webhook takes it: cut, and far below what Twilio takes.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_very_long_is_cut() {
    let app = TestApp::spawn().await;
    let acme = mailer(&app, "Long").await;
    for (seed, mail) in (1..).zip(["x", "{", "<", "\u{5d0}"]) {
        let mut document = Generator::seeded(seed).invoice(&Wish::default(), app.now());
        let long = mail.repeat(200_000 / mail.len());
        for name in ["customer_name", "notes", "reference_number"] {
            document["invoice"][name] = json!(long);
        }
        acme.told("/invoice.sent", &samples::to_body(&document, false))
            .await;
        app.run_due_jobs().await;
    }
    assert!(acme.emails().len() >= 4);
    for email in acme.emails() {
        // Twice what is shown: braces are held apart.
        assert!(email.subject.chars().count() <= 520, "{}", email.subject);
        assert!(email.html.len() < 500_000, "{}", email.html.len());
    }
}
