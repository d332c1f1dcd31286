//! What a message says, what the pages say of it, and dates that people's books write their own way.

use chrono::{DateTime, TimeDelta, Utc};
use ml_connector::sandbox::samples::Standing;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::company::invoice;
use crate::harness::{Company, TestApp};

/// An invoice with these fields of its own; null takes a field away.
fn with(n: u64, standing: Standing, now: DateTime<Utc>, fields: &Value) -> Value {
    let mut body: Value = serde_json::from_slice(&invoice(n, standing, now)).unwrap();
    let record = body["invoice"].as_object_mut().unwrap();
    for (name, value) in fields.as_object().unwrap() {
        if value.is_null() {
            record.remove(name);
        } else {
            record.insert(name.clone(), value.clone());
        }
    }
    body
}

async fn decided(acme: &Company<'_>, path: &str, body: &Value) -> Value {
    let event = acme.told(path, &serde_json::to_vec(body).unwrap()).await;
    acme.app.run_due_jobs().await;
    acme.event(&event).await
}

fn reason(story: &Value) -> &str {
    story["decisions"][0]["reason"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_is_written_with_its_currencys_places() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "{{ total }}").await;
    for (n, code, total) in [
        (1, "USD", "135.00"),
        (2, "JPY", "135"),
        (3, "KWD", "135.000"),
    ] {
        let fields = json!({ "total": 135.0, "currency_code": code });
        let story = decided(
            &acme,
            "/invoice.sent",
            &with(n, Standing::Sent, app.now(), &fields),
        )
        .await;
        assert_eq!(story["deliveries"][0]["state"], "delivered", "{story:#}");
        assert!(acme.messages().iter().any(|m| m.body == total), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_template_and_a_doubtful_amount_are_refused_in_words() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let rule = |text: &str, amount: &str| {
        json!({
            "name": "R", "event_type": "invoice.sent", "channel": "sms",
            "recipient": { "kind": "contact" }, "template": { "body": text },
            "conditions": { "all": [{ "field": "total", "op": "gte", "value": amount }] },
        })
    };
    for (text, amount, words) in [
        ("Pay ${INVOICE.TOTAL}", "1", "write {{ total }}"),
        ("Pay {{ total }", "1", "a brace is missing"),
        ("Pay", "1.000", "two ways"),
    ] {
        let answer = acme
            .api(Method::POST, "/rules", Some(rule(text, amount)))
            .await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let said = answer.text().await.unwrap();
        assert!(said.contains(words), "{text}: {said}");
    }
    let kept = acme.create_rule(rule("Pay", "1,000")).await;
    assert_eq!(kept["conditions"]["all"][0]["value"], "1000");
    let fields = json!({ "total": 950, "currency_code": "USD" });
    let story = decided(
        &acme,
        "/invoice.sent",
        &with(1, Standing::Sent, app.now(), &fields),
    )
    .await;
    assert_eq!(
        reason(&story),
        "total USD 950.00 is not at least USD 1,000.00"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_cannot_be_read_is_called_that() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    for (n, date, words) in [
        (1, "05/11/2026", "may be 5 November 2026 or 11 May 2026"),
        (2, "soon", "“soon” could not be read as a date"),
        (3, " ", "names neither its created_time nor its date"),
    ] {
        let fields = json!({ "created_time": null, "date": date });
        let story = decided(
            &acme,
            "/invoice.sent",
            &with(n, Standing::Sent, app.now(), &fields),
        )
        .await;
        assert!(reason(&story).contains(words), "{story:#}");
        assert!(!reason(&story).contains("older than 24 hours"));
    }
    // What can only be one day is that day.
    let today = app.now().format("%d %b %Y").to_string();
    let fields = json!({ "created_time": null, "date": today });
    let story = decided(
        &acme,
        "/invoice.sent",
        &with(4, Standing::Sent, app.now(), &fields),
    )
    .await;
    assert_eq!(story["deliveries"][0]["state"], "delivered", "{story:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weekly_reminder_without_a_due_date_is_no_repeat() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.overdue", "Overdue").await;
    let fields = json!({ "due_date": "soon" });
    let body = with(1, Standing::Overdue, app.now(), &fields);
    for week in 1..=2 {
        let story = decided(&acme, "/invoice.overdue", &body).await;
        assert_ne!(
            story["decisions"][0]["kind"], "already_handled",
            "{week}: {story:#}"
        );
        app.advance(TimeDelta::days(7));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapped_record_is_read_and_a_list_called_a_list() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let one = with(1, Standing::Sent, app.now(), &json!({}));
    let two = with(2, Standing::Sent, app.now(), &json!({}));
    for (n, body) in [json!({ "data": one }), json!([two])].iter().enumerate() {
        let story = decided(&acme, "/invoice.sent", body).await;
        assert_eq!(
            story["deliveries"][0]["state"], "delivered",
            "{n}: {story:#}"
        );
    }
    let story = decided(&acme, "/invoice.sent", &json!([one, two])).await;
    assert!(reason(&story).contains("a list of 2 records"), "{story:#}");
}
