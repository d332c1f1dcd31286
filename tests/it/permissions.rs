//! The ledger of permissions: what documents bring, what people add, and what leaves as CSV.

use ml_connector::sandbox::samples::Standing;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::company::{PASSWORD, invoice};
use crate::harness::visitor::Visitor;
use crate::harness::{Company, TestApp};

async fn permissions(acme: &Company<'_>) -> Vec<Value> {
    let listed = acme.get("/permissions").await;
    listed["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_that_first_brought_an_address_is_noted() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello {{ invoice_number }}")
        .await;
    acme.create_rule(json!({
        "name": "Collections", "event_type": "invoice.sent", "channel": "sms",
        "recipient": { "kind": "fixed", "addresses": ["+12025550199"] },
        "template": { "body": "Sent" },
    }))
    .await;
    let mut numbers = Vec::new();
    for seed in [1, 2] {
        let event = acme
            .told("", &invoice(seed, Standing::Sent, app.now()))
            .await;
        app.run_due_jobs().await;
        let story = acme.event(&event).await;
        numbers.push(story["document"]["number"].as_str().map(str::to_owned));
    }
    let noted = permissions(&acme).await;
    assert_eq!(noted.len(), 1, "once, and of contacts alone: {noted:#?}");
    assert_eq!(noted[0]["basis"], "contract");
    assert_eq!(noted[0]["channel"], "sms");
    assert_eq!(noted[0]["created_by"], Value::Null);
    let source = noted[0]["source"].as_str().unwrap();
    assert!(source.to_lowercase().starts_with("invoice "), "{source}");
    assert_eq!(acme.messages().len(), 4, "nothing is held back by it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_notes_a_permission_once_for_each_basis() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let note = async |basis: &str, source: &str| {
        let body = json!({ "address": "Ann@Example.com", "basis": basis, "source": source });
        let answer = acme.api(Method::POST, "/permissions", Some(body)).await;
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let (status, made) = note("asked", "On the phone").await;
    assert_eq!(status, StatusCode::CREATED, "{made:#}");
    assert_eq!(made["channel"], "email");
    let (status, again) = note("asked", "By e-mail").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(again["source"], "On the phone", "the first one counts");
    let (status, other) = note("given", "Order form").await;
    assert_eq!(status, StatusCode::CREATED, "{other:#}");
    let (status, refused) = note("because", "").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:#}");
    assert_eq!(permissions(&acme).await.len(), 2);
    let found = acme.get("/permissions?q=order").await;
    assert_eq!(found["data"].as_array().unwrap().len(), 1, "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_is_taken_in_whole_or_not_at_all_and_comes_back_without_formulas() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let at = |below: &str| format!("/t/{}/permissions{below}", acme.slug);
    let import = async |csv: &str| {
        let page = owner.get(&at("")).await;
        owner.submit(&page, &at("/import"), &[("csv", csv)]).await
    };
    let bad = import("address,basis,source\nann@example.com,given,Form\n+1,given,Form\n").await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bad.text().contains("Line 3, address"), "{}", bad.text());
    assert!(permissions(&acme).await.is_empty());

    let good = "address,basis,source\nann@example.com,given,=1+1\n(202) 555-0187,asked,Phone\n";
    for _ in 0..2 {
        let taken = import(good).await;
        assert_eq!(taken.status, StatusCode::OK, "{}", taken.text());
        assert_eq!(permissions(&acme).await.len(), 2);
    }
    let token = owner.token(&at("")).await;
    let csv = owner
        .ask(Method::POST, &at("/export"), &[("csrf", &token)])
        .await;
    assert_eq!(csv.headers()["content-type"], "text/csv; charset=utf-8");
    let text = csv.text().await.unwrap();
    assert!(
        text.starts_with("channel,address,basis,source,by,at\r\n"),
        "{text}"
    );
    assert!(
        text.contains("email,ann@example.com,given,'=1+1,"),
        "{text}"
    );
    assert!(text.contains("sms,'+12025550187,asked,Phone,"), "{text}");
    let again = import(&text).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text());
    assert_eq!(permissions(&acme).await.len(), 2, "all of it was known");
}

#[tokio::test(flavor = "multi_thread")]
async fn going_live_is_confirmed_with_a_name_and_a_time() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let amy = ml_connector::domain::actor::Actor::named("amy");
    app.app().rehearse(acme.id, &amy).await.unwrap();
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let at = |below: &str| format!("/t/{}{below}", acme.slug);
    let ask = owner.get(&at("/go-live")).await;
    let unsaid = owner.submit(&ask, &at("/go-live"), &[]).await;
    assert_eq!(unsaid.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unsaid.error("attested").is_some(), "{}", unsaid.text());
    let said = [("attested", "1")];
    let live = owner.submit(&unsaid, &at("/go-live"), &said).await;
    assert_eq!(live.status, StatusCode::OK, "{}", live.text());
    let page = owner.get(&at("/permissions")).await;
    let words = page.text();
    assert!(words.contains("Confirmed at going live"), "{words}");
    assert!(words.contains(&acme.email), "{words}");
}
