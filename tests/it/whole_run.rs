//! A company from its connection to the last report, over both channels: whatever Twilio was asked on the
//! way is as Twilio describes it.

use chrono::TimeDelta;
use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::{
    CallbackPlan, CallbackRule, Credentials, Fault, FaultKind, FaultOrder, NewAccount, NewService,
    On,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::company::{Company, NUMBER, PASSWORD, invoice};
use crate::harness::visitor::Visitor;

/// What a whole run asks for at least.
const OPERATIONS: [&str; 12] = [
    "CreateMessage",
    "FetchAccount",
    "FetchBalance",
    "FetchEmailOperation",
    "FetchMessage",
    "FetchService",
    "ListEmails",
    "ListIncomingPhoneNumber",
    "ListMessage",
    "ListShortCode",
    "ListUsageRecordThisMonth",
    "SendEmails",
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_twilio_is_asked_is_described() {
    let app = TestApp::spawn().await;
    let (acme, of) = connected(&app).await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let sender = acme
        .email_sender("billing@acme.example", "Acme Billing")
        .await;
    press(&ann, &acme, "/senders", &format!("/senders/{sender}/tests")).await;
    let connection = acme.get("/connections/twilio").await;
    let checks = format!("/connections/{}/checks", connection["id"].as_str().unwrap());
    press(&ann, &acme, "/connections", &checks).await;

    rule(&acme, "invoice.sent", json!(null)).await;
    let service = json!({ "messaging_service_sid": of.services[0] });
    rule(&acme, "invoice.paid", service).await;
    rule(&acme, "invoice.overdue", json!({ "from": "894546" })).await;
    for (seed, path, standing) in [
        (1, "", Standing::Sent),
        (2, "/invoice.paid", Standing::Paid),
        (3, "/invoice.overdue", Standing::Overdue),
    ] {
        acme.told(path, &invoice(seed, standing, app.now())).await;
        app.run_due_jobs().await;
    }
    assert_eq!(
        (acme.messages().len(), acme.emails().len()),
        (3, 4),
        "with the test"
    );

    // Nothing is reported any more, and answers are lost.
    let silent = CallbackRule {
        to: None,
        to_ends_with: None,
        plan: CallbackPlan::of(&[]),
    };
    app.sandbox.twilio().plan(silent).unwrap();
    for on in [On::Create, On::Email] {
        let lost = FaultOrder {
            on,
            ..FaultOrder::once(Fault::new(FaultKind::DropAfter))
        };
        app.sandbox.twilio().next(lost).unwrap();
    }
    let event = acme.told("", &invoice(4, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    for _ in 0..8 {
        app.advance(TimeDelta::hours(1));
        // By what was accepted later it is told what is absent.
        acme.told("", &invoice(5, Standing::Sent, app.now())).await;
        app.run_due_jobs().await;
    }
    acme.no_doubles();
    let story = acme.event(&event).await;
    for delivery in story["deliveries"].as_array().unwrap() {
        assert_ne!(delivery["state"], "queued", "{story:#}");
    }

    press(&ann, &acme, "/rehearsal", "/rehearsal").await;
    let own = format!("/t/{}/own-number", acme.slug);
    let page = ann.get(&own).await;
    ann.submit(&page, &own, &[("number", "+16175550199")]).await;
    acme.told("", &invoice(6, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    assert_eq!(acme.emails().last().unwrap().to, acme.email, "in rehearsal");

    let Some(counts) = app.journal.operations() else {
        println!("there are no descriptions beside this folder");
        return;
    };
    for operation in OPERATIONS {
        assert!(counts.contains_key(operation), "{operation}: {counts:?}");
    }
    let all: usize = counts.values().sum();
    println!("{all} requests of {} operations: {counts:?}", counts.len());
}

async fn connected(app: &TestApp) -> (Company<'_>, Credentials) {
    let account = NewAccount {
        numbers: vec![NUMBER.to_owned(), "894546".to_owned()],
        services: vec![NewService {
            senders: vec![NUMBER.to_owned()],
            ..NewService::default()
        }],
        ..NewAccount::default()
    };
    let of = app.sandbox.twilio().register(account).unwrap();
    let acme = Company {
        account_sid: of.account_sid.clone(),
        auth_token: of.auth_token.clone(),
        ..Company::unconnected(app, "Acme").await
    };
    let typed = json!({
        "account_sid": of.account_sid, "auth_token": of.auth_token, "from": NUMBER,
    });
    let put = acme
        .api(Method::PUT, "/connections/twilio", Some(typed))
        .await;
    assert_eq!(put.status(), StatusCode::OK);
    (acme, of)
}

async fn rule(acme: &Company<'_>, event_type: &str, sender: Value) {
    acme.create_rule(json!({
        "name": event_type, "event_type": event_type, "channel": "both", "sender": sender,
        "recipient": { "kind": "contact" },
        "template": {
            "body": "Invoice {{ invoice_number }}",
            "email": {
                "subject": "Invoice {{ invoice_number }}", "preview": "", "body": "Hello\n\n[[details]]",
            },
        },
    }))
    .await;
}

/// Presses a button of a page.
async fn press(ann: &Visitor<'_>, acme: &Company<'_>, page: &str, action: &str) {
    let below = |path: &str| format!("/t/{}{path}", acme.slug);
    let token = ann.token(&below(page)).await;
    let done = ann.post(&below(action), &[("csrf", &token)]).await;
    assert_eq!(done.status, StatusCode::OK, "{action}: {}", done.text());
}
