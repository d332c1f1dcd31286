//! Contacts are written to within the hours of the day; whatever is due at night waits for the morning.

use chrono::{DateTime, TimeDelta, Utc};
use ml_connector::domain::actor::Actor;
use ml_connector::domain::hours::Hours;
use ml_connector::sandbox::samples::Standing;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::company::{PASSWORD, invoice};
use crate::harness::page::pairs;
use crate::harness::visitor::Visitor;
use crate::harness::{Company, TestApp};

const FIXED: &str = "+447700900555";

/// A company whose contacts are written to from 08:00 to 20:00 in New York. Its clock shows 05:00.
async fn sleeper(app: &TestApp) -> Company<'_> {
    let acme = app.company("Acme").await;
    set_hours(&acme, "08:00-20:00".parse().ok()).await;
    acme
}

async fn set_hours(acme: &Company<'_>, hours: Option<Hours>) {
    let amy = Actor::named("amy");
    let changed = acme.app.app().change_hours(acme.id, hours, &amy);
    changed.await.unwrap();
}

async fn only_delivery(acme: &Company<'_>, event: &str) -> Value {
    let story = acme.event(event).await;
    assert_eq!(
        story["deliveries"].as_array().unwrap().len(),
        1,
        "{story:#}"
    );
    story["deliveries"][0].clone()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_at_night_waits_for_the_morning_and_says_so() {
    let app = TestApp::spawn().await;
    let acme = sleeper(&app).await;
    acme.rule("invoice.sent", "Hello").await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let waits = only_delivery(&acme, &event).await;
    assert_eq!(waits["state"], "queued");
    assert_eq!(waits["reason"], "Waits until 08:00 in America/New_York");
    let due = waits["due_at"].as_str().unwrap();
    assert_eq!(at(due), at("2026-11-23T13:00:00Z"));

    app.advance(at("2026-11-23T12:59:59Z") - app.now());
    app.run_due_jobs().await;
    assert!(acme.messages().is_empty());
    app.advance(TimeDelta::seconds(1));
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 1);
    let sent = only_delivery(&acme, &event).await;
    assert_eq!(sent["state"], "delivered", "{sent:#}");
    let steps = app.rows("delivery_steps WHERE kind = 'waits'").await;
    assert_eq!(steps, 1, "told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_address_is_written_to_at_any_time() {
    let app = TestApp::spawn().await;
    let acme = sleeper(&app).await;
    acme.create_rule(json!({
        "name": "Tell us", "event_type": "invoice.sent", "channel": "sms",
        "recipient": { "kind": "fixed", "address": FIXED }, "template": { "body": "Sent" },
    }))
    .await;
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let to: Vec<_> = acme.messages().into_iter().map(|m| m.to).collect();
    assert_eq!(to, [FIXED]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_hours_wake_what_waits_and_none_at_all_send_it() {
    let app = TestApp::spawn().await;
    let acme = sleeper(&app).await;
    acme.rule("invoice.sent", "Hello").await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    set_hours(&acme, "06:30-20:00".parse().ok()).await;
    app.run_due_jobs().await;
    let waits = only_delivery(&acme, &event).await;
    assert_eq!(waits["reason"], "Waits until 06:30 in America/New_York");
    assert!(acme.messages().is_empty());
    set_hours(&acme, None).await;
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 1);
    let logged = "audit_entries WHERE action = 'settings.changed' \
                  AND detail LIKE '%\"hours\":\"06:30-20:00\"%'";
    assert_eq!(app.rows(logged).await, 2, "as the new one, and as the old");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_time_ends_before_the_morning_expires() {
    let app = TestApp::spawn().await;
    let acme = sleeper(&app).await;
    acme.create_rule(json!({
        "name": "Soon", "event_type": "invoice.sent", "channel": "sms", "send_within": 3600,
        "recipient": { "kind": "contact" }, "template": { "body": "Hello" },
    }))
    .await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    app.advance(TimeDelta::hours(1));
    app.run_due_jobs().await;
    let expired = only_delivery(&acme, &event).await;
    assert_eq!(expired["state"], "expired", "{expired:#}");
    let reason = expired["reason"].as_str().unwrap();
    assert!(reason.contains("Waits until 08:00"), "{reason}");
    app.advance(TimeDelta::hours(12));
    app.run_due_jobs().await;
    assert!(acme.messages().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_set_the_hours_and_a_replay_at_night_says_until_when_it_waits() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let sent = only_delivery(&acme, &event).await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let at = |below: &str| format!("/t/{}{below}", acme.slug);
    let settings = owner.get(&at("/settings")).await;
    let save = at("/settings/hours");
    for (from, to, field) in [("8", "20:00", "from"), ("08:00", "08:00", "to")] {
        let wrong = owner
            .submit(&settings, &save, &[("from", from), ("to", to)])
            .await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.error(field).is_some(), "{field}: {}", wrong.text());
    }
    let typed = [("from", "08:00"), ("to", "20:00")];
    let saved = owner.submit(&settings, &save, &typed).await;
    assert_eq!(saved.attribute("[name=from]", "value").unwrap(), "08:00");

    let again = at(&format!(
        "/deliveries/{}/replays",
        sent["id"].as_str().unwrap()
    ));
    let ask = owner.get(&format!("{again}/new")).await;
    let note = "it waits until 08:00 in America/New_York";
    assert!(ask.text().contains(note), "{}", ask.text());
    let ticked = ask.ticked();
    let story = owner.submit(&ask, &again, &pairs(&ticked)).await;
    assert!(story.text().contains("Waits until") || story.text().contains("message waits"));
    app.run_due_jobs().await;
    let story = owner.get(&at(&format!("/events/{event}"))).await;
    let waits = "Waits until 08:00 in America/New_York.";
    assert!(story.text().contains(waits), "{}", story.text());
    assert_eq!(acme.messages().len(), 1);
    let any = [("any_time", "1")];
    owner.submit(&settings, &save, &any).await;
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 2);
}
