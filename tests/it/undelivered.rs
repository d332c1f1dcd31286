//! An e-mail address that nothing reaches is given up, but not after the first time.

use chrono::TimeDelta;
use ml_connector::domain::actor::Actor;
use ml_connector::domain::address::Email;
use ml_connector::domain::ids::SenderId;
use ml_connector::domain::sender::{SenderAddress, SenderProfile};
use ml_connector::sandbox::samples::Standing;
use ml_connector::twilio;
use serde_json::{Value, json};

use crate::harness::company::invoice;
use crate::harness::{Company, TestApp};

/// A company that tells its contact of invoices by e-mail.
async fn telling(app: &TestApp) -> Company<'_> {
    let acme = app.company("Acme").await;
    let sender = SenderProfile {
        id: SenderId::new(app.now()),
        transport: twilio::email::NAME,
        address: SenderAddress::Email(Email::parse("billing@acme.example").unwrap()),
        name: "Acme".to_owned(),
        is_default: true,
        countries: Vec::new(),
        customers: Vec::new(),
        segments_per_second: None,
        tested_at: None,
        created_at: app.now(),
    };
    let store = app.app().store().tenant(acme.id);
    let added = store.add_sender(sender, Actor::named("tests"), app.now());
    added.await.unwrap();
    acme.create_rule(json!({
        "name": "Sent", "event_type": "invoice.sent", "channel": "email",
        "recipient": { "kind": "contact" },
        "template": { "email": {
            "subject": "Invoice {{ invoice_number }}", "preview": "", "body": "Hello",
        } },
    }))
    .await;
    acme
}

/// An invoice whose people read at one address, and what became of its e-mail within the hour.
async fn mailed(acme: &Company<'_>, seed: u64, to: &str) -> Value {
    let body = invoice(seed, Standing::Sent, acme.app.now());
    let mut json: Value = serde_json::from_slice(&body).unwrap();
    for list in ["contact_persons_details", "contact_persons_associated"] {
        for person in json["invoice"][list].as_array_mut().unwrap() {
            person["email"] = json!(to);
            person["contact_person_email"] = json!(to);
        }
    }
    let event = acme.told("", &serde_json::to_vec(&json).unwrap()).await;
    for _ in 0..6 {
        acme.app.run_due_jobs().await;
        acme.app.advance(TimeDelta::minutes(10));
    }
    acme.app.run_due_jobs().await;
    acme.event(&event).await["deliveries"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_suppressed_after_the_second_day_and_says_why() {
    let app = TestApp::spawn().await;
    let acme = telling(&app).await;
    let to = "undelivered@bowman.example";
    for (seed, days) in [(1, 0), (2, 0), (3, 2)] {
        app.advance(TimeDelta::days(days));
        let told = mailed(&acme, seed, to).await;
        assert_eq!(told["state"], "undelivered", "{seed}: {told:#}");
        let kept = acme.get("/suppressions").await;
        let is_given_up = !kept["data"].as_array().unwrap().is_empty();
        assert_eq!(is_given_up, seed == 3, "{seed}: {kept:#}");
    }
    let next = mailed(&acme, 4, to).await;
    assert_eq!(next["state"], "suppressed", "{next:#}");
    let reason = next["reason"].as_str().unwrap();
    assert!(reason.contains("Not delivered on"), "{reason}");
    assert!(reason.contains("Twilio tells no reason"), "{reason}");
    let kept = acme.get("/suppressions").await;
    assert_eq!(kept["data"][0]["source"], "bounce", "{kept:#}");
    let other = mailed(&acme, 5, "ben@bowman.example").await;
    assert_eq!(other["state"], "delivered", "{other:#}");
}
