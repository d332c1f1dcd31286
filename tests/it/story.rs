//! The main job: a webhook becomes an SMS, its fate comes back, and it can be replayed.

use chrono::TimeDelta;
use ml_connector::sandbox::samples::Standing;
use reqwest::StatusCode;
use serde_json::Value;

use crate::harness::TestApp;
use crate::harness::company::invoice;

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_webhook_becomes_a_delivered_message_and_can_be_replayed() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule(
        "invoice.sent",
        "Invoice {{ invoice_number }}: {{ total|money }}",
    )
    .await;

    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;

    let story = acme.event(&event).await;
    assert_eq!(story["state"], "matched");
    assert_eq!(story["decisions"][0]["matched"], true);
    let delivery = &story["deliveries"][0];
    assert_eq!(delivery["state"], "delivered", "{story:#}");
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 1);
    let words: Vec<_> = delivery["receipts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["status"].clone())
        .collect();
    assert_eq!(words, ["sending", "sent", "delivered"]);
    assert_eq!(acme.messages().len(), 1);

    app.advance(TimeDelta::hours(1));
    let first = delivery["id"].as_str().unwrap();
    let (status, _) = acme.replay(&format!("/deliveries/{first}"), "").await;
    assert_eq!(status, StatusCode::CREATED);
    app.run_due_jobs().await;
    let story: Value = acme.event(&event).await;
    let second = &story["deliveries"][1];
    assert_eq!(second["replay_of"], first);
    assert_eq!(second["state"], "delivered");
    assert_eq!(second["body"], delivery["body"]);
    assert_eq!(acme.messages().len(), 2);
}
