//! What is said is true: when an event is decided, and when its message leaves.

use chrono::{DateTime, TimeDelta, Utc};
use ml_connector::domain::actor::Actor;
use ml_connector::domain::document::DocumentKind::{self, self as K};
use ml_connector::domain::money::Amount;
use ml_connector::sandbox::samples::Standing::{self, self as S};
use ml_connector::sandbox::samples::{self, Generator, Wish};
use ml_connector::sandbox::twilio::{Fault, FaultKind, FaultOrder};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Company, TestApp};

const FINANCE: &str = "+12025550199";

/// A document of the books, of which more and more becomes known.
struct Paper {
    kind: DocumentKind,
    wish: Wish,
}

impl Paper {
    fn new(kind: DocumentKind, n: usize, now: DateTime<Utc>) -> Self {
        let wish = Wish {
            id: Some(format!("98200000000{n:04}")),
            number: Some(format!("NO-{n}")),
            total: Some(Amount(1_000_000)),
            trader: Some(4),
            created: Some(now - TimeDelta::minutes(9)),
            modified: Some(now - TimeDelta::minutes(8)),
            ..Wish::default()
        };
        Self { kind, wish }
    }

    fn invoice(n: usize, now: DateTime<Utc>) -> Self {
        Self::new(DocumentKind::Invoice, n, now)
    }

    /// What Zoho posts of it when it stands so, with these fields.
    fn body(&self, standing: Standing, now: DateTime<Utc>, fields: &Value) -> Vec<u8> {
        let wish = Wish {
            standing: Some(standing),
            ..self.wish.clone()
        };
        let mut document = Generator::seeded(7).document(self.kind, &wish, now);
        let record = document.as_object_mut().unwrap().values_mut().next();
        let record = record.unwrap().as_object_mut().unwrap();
        record.extend(fields.as_object().unwrap().clone());
        samples::to_body(&document, false)
    }

    /// The same, changed at this time.
    fn changed(&self, at: DateTime<Utc>) -> Self {
        let wish = Wish {
            modified: Some(at),
            ..self.wish.clone()
        };
        Self { wish, ..*self }
    }
}

/// A payment that leaves `balance` open of an invoice.
fn payment(of: &Paper, n: usize, balance: f64, status: &str, now: DateTime<Utc>) -> Vec<u8> {
    let paper = Paper::new(DocumentKind::CustomerPayment, n, now);
    let line = json!({
        "invoice_id": of.wish.id, "amount_applied": 100.0 - balance, "balance_amount": balance,
    });
    let fields = json!({ "status": status, "invoices": [line] });
    paper.changed(now).body(Standing::Paid, now, &fields)
}

async fn only_decision(acme: &Company<'_>, event: &str) -> (String, String) {
    let story = acme.event(event).await;
    let decisions = story["decisions"].as_array().unwrap();
    assert_eq!(decisions.len(), 1, "{story:#}");
    let text = |key: &str| decisions[0][key].as_str().unwrap().to_owned();
    (text("kind"), text("reason"))
}

async fn only_delivery(acme: &Company<'_>, event: &str) -> Value {
    let story = acme.event(event).await;
    let deliveries = story["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 1, "{story:#}");
    deliveries[0].clone()
}

async fn finance_rule(acme: &Company<'_>, event_type: &str) {
    acme.create_rule(json!({
        "name": format!("Finance: {event_type}"), "event_type": event_type, "channel": "sms",
        "recipient": { "kind": "fixed", "address": FINANCE },
        "template": { "body": format!("{event_type}: look") },
    }))
    .await;
}

fn texts(acme: &Company<'_>) -> Vec<String> {
    acme.messages().into_iter().map(|m| m.body).collect()
}

/// A contact's reminder that asks for what is owed.
async fn reminder_rule(acme: &Company<'_>) {
    let text = "{{ invoice_number }}: {{ balance_formatted }} is overdue";
    acme.rule("invoice.overdue", text).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_contradicts_the_address_tells_nobody_and_says_why() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    for event_type in [
        "payment.received",
        "invoice.overdue",
        "invoice.due_soon",
        "invoice.sent",
        "invoice.paid",
        "vendor_payment.sent",
        "purchase_order.created",
        "purchase_order.issued",
        "bill.created",
        "bill.overdue",
    ] {
        finance_rule(&acme, event_type).await;
    }
    let next_year = (app.now() + TimeDelta::days(365)).date_naive();
    let last_week = (app.now() - TimeDelta::days(7)).date_naive();
    let cases = [
        (
            K::CustomerPayment,
            S::Paid,
            "/payment.received",
            json!({"status": "failure"}),
            "failed",
        ),
        (
            K::CustomerPayment,
            S::Paid,
            "/payment.received",
            json!({"status": "void"}),
            "is void",
        ),
        (
            K::CustomerPayment,
            S::Paid,
            "/payment.received",
            json!({"status": "draft"}),
            "is a draft",
        ),
        (
            K::Invoice,
            S::Overdue,
            "/invoice.overdue",
            json!({"status": "pending_approval"}),
            "waits for approval",
        ),
        (
            K::Invoice,
            S::Overdue,
            "/invoice.overdue",
            json!({"status": "rejected"}),
            "was rejected",
        ),
        (
            K::Invoice,
            S::Overdue,
            "/invoice.overdue",
            json!({"status": "write_off"}),
            "was written off",
        ),
        (
            K::Invoice,
            S::Overdue,
            "/invoice.overdue",
            json!({"balance": 0}),
            "nothing is owed",
        ),
        (
            K::Invoice,
            S::Sent,
            "/invoice.overdue",
            json!({"due_date": next_year}),
            "is not overdue",
        ),
        (
            K::Invoice,
            S::Sent,
            "/invoice.due_soon",
            json!({"due_date": last_week}),
            "no longer due soon",
        ),
        (
            K::VendorPayment,
            S::Paid,
            "/vendor_payment.sent",
            json!({"status": "void"}),
            "is void",
        ),
        (
            K::PurchaseOrder,
            S::Void,
            "/purchase_order.created",
            json!({}),
            "was cancelled",
        ),
        (
            K::PurchaseOrder,
            S::Draft,
            "/purchase_order.issued",
            json!({}),
            "is a draft",
        ),
        (
            K::Bill,
            S::Sent,
            "/bill.created",
            json!({"status": "rejected"}),
            "was rejected",
        ),
        (
            K::Bill,
            S::Overdue,
            "/bill.overdue",
            json!({"status": "pending_approval"}),
            "waits for approval",
        ),
        (
            K::Invoice,
            S::Sent,
            "/invoice.sent",
            json!({"status": "rejected"}),
            "was rejected",
        ),
        (K::Invoice, S::Paid, "/invoice.sent", json!({}), "is paid"),
        (
            K::Invoice,
            S::Paid,
            "/invoice.paid",
            json!({"total": 0}),
            "its total is zero",
        ),
        (
            K::Invoice,
            S::Paid,
            "/invoice.paid",
            json!({"payment_made": 0, "credits_applied": 100}),
            "by a credit",
        ),
        (
            K::Invoice,
            S::Paid,
            "/invoice.paid",
            json!({"write_off_amount": 60}),
            "written off",
        ),
    ];
    let mut events = Vec::new();
    for (n, (kind, standing, path, fields, why)) in cases.into_iter().enumerate() {
        let body = Paper::new(kind, n, app.now()).body(standing, app.now(), &fields);
        events.push((acme.told(path, &body).await, path, why));
    }
    app.run_due_jobs().await;
    for (event, path, why) in events {
        let (kind, reason) = only_decision(&acme, &event).await;
        assert_eq!(kind, "contradiction", "{path}: {reason}");
        assert!(reason.contains(why), "{path}: {reason}");
    }
    assert_eq!(texts(&acme), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untyped_body_tells_no_step_that_its_state_forbids() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    for event_type in ["payment.received", "invoice.paid", "bill.created"] {
        finance_rule(&acme, event_type).await;
    }
    let cases = [
        (
            DocumentKind::CustomerPayment,
            json!({"status": "failure"}),
            "failed",
        ),
        (
            DocumentKind::Invoice,
            json!({"status": "paid", "total": 0, "balance": 0}),
            "its total is zero",
        ),
        (
            DocumentKind::Invoice,
            json!({"status": "write_off"}),
            "was written off",
        ),
        (
            DocumentKind::Bill,
            json!({"status": "rejected"}),
            "was rejected",
        ),
    ];
    for (n, (kind, fields, why)) in cases.into_iter().enumerate() {
        let paper = Paper::new(kind, n, app.now());
        // What was told of it before leaves only the last step open.
        if kind == DocumentKind::Invoice {
            acme.told("", &paper.body(Standing::Sent, app.now(), &json!({})))
                .await;
            app.run_due_jobs().await;
        }
        let paper = paper.changed(app.now());
        let event = acme
            .told("", &paper.body(Standing::Sent, app.now(), &fields))
            .await;
        app.run_due_jobs().await;
        let (kind, reason) = only_decision(&acme, &event).await;
        assert_eq!(kind, "nothing_new", "{reason}");
        assert!(reason.contains(why), "{reason}");
    }
    assert_eq!(texts(&acme), [""; 0]);
    // A payment that failed first and then came through is told.
    let paid = payment(&Paper::invoice(1, app.now()), 0, 0.0, "success", app.now());
    acme.told("", &paid).await;
    app.run_due_jobs().await;
    assert_eq!(texts(&acme), ["payment.received: look"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_goes_to_nobody_outside_and_an_issued_order_to_its_vendor() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("purchase_order.created", "Order {{ purchaseorder_number }}")
        .await;
    acme.rule(
        "purchase_order.issued",
        "Please deliver {{ purchaseorder_number }}",
    )
    .await;
    finance_rule(&acme, "purchase_order.created").await;
    let persons = json!({ "contact_persons_associated": [
        { "contact_person_id": "77", "contact_person_name": "Petra", "mobile": "+1 202 555 0187" }
    ] });
    let order = Paper::new(DocumentKind::PurchaseOrder, 1, app.now());
    let draft = acme
        .told("", &order.body(Standing::Draft, app.now(), &persons))
        .await;
    app.run_due_jobs().await;
    assert_eq!(
        texts(&acme),
        ["purchase_order.created: look"],
        "only to Finance"
    );
    let story = acme.event(&draft).await;
    let reasons = story["decisions"].to_string();
    assert!(
        reasons.contains("NO-1 is a draft: drafts are told to nobody outside"),
        "{reasons}"
    );

    let issued = order
        .changed(app.now())
        .body(Standing::Sent, app.now(), &persons);
    let event = acme.told("", &issued).await;
    app.run_due_jobs().await;
    assert_eq!(
        acme.event(&event).await["event_type"],
        "purchase_order.issued"
    );
    assert_eq!(texts(&acme).last().unwrap(), "Please deliver NO-1");
    assert_eq!(texts(&acme).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn created_and_sent_in_one_is_told_by_the_rule_about_created() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.created", "New: {{ invoice_number }}")
        .await;
    let paper = Paper::invoice(1, app.now());
    let sent = paper.body(Standing::Sent, app.now(), &json!({}));
    let event = acme.told("", &sent).await;
    app.run_due_jobs().await;
    assert_eq!(texts(&acme), ["New: NO-1"]);
    let story = acme.event(&event).await;
    assert_eq!(story["event_type"], "invoice.sent");
    let reasons = story["decisions"].to_string();
    assert!(
        reasons.contains("no active rule is about “invoice is sent”; as it was passed over, those about “invoice is created” are asked"),
        "{reasons}"
    );
    // Neither a late body of the draft, nor the address for *created*, tells it again.
    let draft = paper.body(Standing::Draft, app.now(), &json!({}));
    for path in ["", "/invoice.created"] {
        acme.told(path, &draft).await;
        app.run_due_jobs().await;
    }
    assert_eq!(texts(&acme).len(), 1);
    // With a rule about *sent*, that is the one that is asked.
    acme.rule("invoice.sent", "Sent: {{ invoice_number }}")
        .await;
    let other = Paper::invoice(2, app.now()).body(Standing::Sent, app.now(), &json!({}));
    acme.told("", &other).await;
    app.run_due_jobs().await;
    assert_eq!(texts(&acme), ["New: NO-1", "Sent: NO-2"]);
}

/// What makes a reminder wait, and what lets it go.
#[derive(Clone, Copy, Debug)]
enum Wait {
    Hours,
    Stop,
    NoTwilio,
    Retry,
}

impl Wait {
    const ALL: [Self; 4] = [Self::Hours, Self::Stop, Self::NoTwilio, Self::Retry];

    async fn begin<'a>(self, app: &'a TestApp, name: &str) -> Company<'a> {
        let acme = match self {
            Self::NoTwilio => Company::unconnected(app, name).await,
            _ => app.company(name).await,
        };
        let amy = Actor::named("amy");
        match self {
            Self::Hours => {
                let hours = "08:00-20:00".parse().ok();
                app.app().change_hours(acme.id, hours, &amy).await.unwrap();
            }
            Self::Stop => app.app().stop_sending(acme.id, &amy).await.unwrap(),
            Self::NoTwilio => {}
            Self::Retry => {
                let busy = Fault::new(FaultKind::TooMany);
                app.sandbox.twilio().next(FaultOrder::once(busy)).unwrap();
            }
        }
        acme
    }

    async fn end(self, acme: &Company<'_>) {
        let (app, amy) = (acme.app, Actor::named("amy"));
        match self {
            Self::Hours => app.app().change_hours(acme.id, None, &amy).await.unwrap(),
            Self::Stop => app.app().resume_sending(acme.id, &amy).await.unwrap(),
            Self::NoTwilio => acme.connect_twilio().await,
            Self::Retry => app.advance(TimeDelta::minutes(2)),
        }
        app.run_due_jobs().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_paid_while_a_reminder_waited_is_not_reminded() {
    let app = TestApp::spawn().await;
    for (n, wait) in Wait::ALL.into_iter().enumerate() {
        for is_payment in [false, true] {
            let acme = wait.begin(&app, &format!("Waits {n} {is_payment}")).await;
            reminder_rule(&acme).await;
            let paper = Paper::invoice(1, app.now());
            let overdue = paper.body(Standing::Overdue, app.now(), &json!({}));
            let event = acme.told("/invoice.overdue", &overdue).await;
            app.run_due_jobs().await;
            assert_eq!(texts(&acme), [""; 0], "{wait:?}");
            let paid = if is_payment {
                payment(&paper, 2, 0.0, "success", app.now())
            } else {
                paper
                    .changed(app.now())
                    .body(Standing::Paid, app.now(), &json!({}))
            };
            acme.told("", &paid).await;
            app.run_due_jobs().await;
            wait.end(&acme).await;
            let ended = only_delivery(&acme, &event).await;
            assert_eq!(ended["state"], "canceled", "{wait:?} {ended:#}");
            let reason = ended["reason"].as_str().unwrap();
            let says = if is_payment {
                "nothing is owed on NO-1 any more ("
            } else {
                "NO-1 is paid ("
            };
            assert!(reason.contains(says), "{reason}");
            assert_eq!(texts(&acme), [""; 0], "{wait:?} {is_payment}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_in_part_makes_the_reminder_ask_for_the_rest() {
    let app = TestApp::spawn().await;
    for (n, wait) in [Wait::Hours, Wait::Stop].into_iter().enumerate() {
        let acme = wait.begin(&app, &format!("Part {n}")).await;
        reminder_rule(&acme).await;
        let paper = Paper::invoice(1, app.now());
        let overdue = paper.body(Standing::Overdue, app.now(), &json!({}));
        let event = acme.told("/invoice.overdue", &overdue).await;
        app.run_due_jobs().await;
        acme.told("", &payment(&paper, 2, 40.0, "success", app.now()))
            .await;
        // One that failed leaves nothing settled.
        acme.told("", &payment(&paper, 3, 0.0, "failure", app.now()))
            .await;
        app.run_due_jobs().await;
        wait.end(&acme).await;
        let [text] = texts(&acme).try_into().unwrap();
        assert!(
            text.starts_with("NO-1: ") && text.contains(" 40.00 is overdue"),
            "{text}"
        );
        let sent = only_delivery(&acme, &event).await;
        assert_eq!(sent["body"], text.as_str());
        let steps = format!(
            "delivery_steps s JOIN deliveries d ON d.id = s.delivery_id \
             WHERE s.kind = 'renewed' AND d.tenant_id IN (SELECT id FROM tenants WHERE slug = '{}')",
            acme.slug
        );
        assert_eq!(app.rows(&steps).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_ends_when_its_document_moved_on() {
    let app = TestApp::spawn().await;
    let acme = Wait::Stop.begin(&app, "Acme").await;
    reminder_rule(&acme).await;
    acme.rule("invoice.sent", "Sent").await;
    acme.rule("payment.received", "Thanks").await;
    finance_rule(&acme, "bill.overdue").await;
    let later = (app.now() + TimeDelta::days(9)).date_naive();
    let cases = [
        (
            K::Invoice,
            "/invoice.overdue",
            S::Overdue,
            json!({}),
            S::Sent,
            json!({"due_date": later}),
            "is due on",
        ),
        (
            K::Invoice,
            "/invoice.overdue",
            S::Overdue,
            json!({}),
            S::Void,
            json!({}),
            "is void",
        ),
        (
            K::Invoice,
            "/invoice.overdue",
            S::Overdue,
            json!({}),
            S::Sent,
            json!({"status": "write_off"}),
            "was written off",
        ),
        (
            K::Invoice,
            "",
            S::Sent,
            json!({}),
            S::Draft,
            json!({}),
            "is a draft",
        ),
        (
            K::Invoice,
            "",
            S::Sent,
            json!({}),
            S::Paid,
            json!({}),
            "is paid",
        ),
        (
            K::CustomerPayment,
            "",
            S::Paid,
            json!({}),
            S::Paid,
            json!({"status": "void"}),
            "is void",
        ),
        (
            K::Bill,
            "/bill.overdue",
            S::Overdue,
            json!({}),
            S::Paid,
            json!({}),
            "is paid",
        ),
    ];
    let mut events = Vec::new();
    for (n, (kind, path, first, fields, then, change, why)) in cases.into_iter().enumerate() {
        let paper = Paper::new(kind, n, app.now());
        let event = acme
            .told(path, &paper.body(first, app.now(), &fields))
            .await;
        app.run_due_jobs().await;
        acme.told("", &paper.changed(app.now()).body(then, app.now(), &change))
            .await;
        app.run_due_jobs().await;
        events.push((event, why));
    }
    Wait::Stop.end(&acme).await;
    for (event, why) in events {
        let ended = only_delivery(&acme, &event).await;
        assert_eq!(ended["state"], "canceled", "{why}: {ended:#}");
        assert!(
            ended["reason"].as_str().unwrap().contains(why),
            "{why}: {ended:#}"
        );
    }
    let sent = texts(&acme);
    assert!(
        !sent.iter().any(|t| t.contains("overdue") || t == "Thanks"),
        "{sent:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_captured_body_reminds_once_wherever_it_is_posted() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    reminder_rule(&acme).await;
    let overdue = Paper::invoice(1, app.now()).body(Standing::Overdue, app.now(), &json!({}));
    for path in ["", "/1d", "/2d", "/3d", "/7d", "/14d", "/30d", "/other"] {
        let answer = acme
            .post(&format!("/invoice.overdue{path}"), &overdue)
            .await;
        assert_eq!(answer.status(), StatusCode::OK);
        app.run_due_jobs().await;
    }
    assert_eq!(texts(&acme).len(), 1);
    // Nor does it when the night has passed, unless the day brings another offset.
    app.advance(TimeDelta::hours(11));
    acme.told("/invoice.overdue/21d", &overdue).await;
    app.run_due_jobs().await;
    assert_eq!(texts(&acme).len(), 1);
}
