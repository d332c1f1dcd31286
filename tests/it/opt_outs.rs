//! Who does not want to be written to is not, however they say so; and requests that miss an address of
//! ours leave a trace.

use chrono::TimeDelta;
use ml_connector::domain::user::Role;
use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::Inbound;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::harness::company::{NUMBER, PASSWORD, invoice};
use crate::harness::visitor::Visitor;
use crate::harness::{Company, TestApp};

const CONTACT: &str = "+12025550187";

/// The path below which Twilio calls this company.
async fn twilio_hook(acme: &Company<'_>) -> String {
    let url = acme.inbound_url().await;
    url.strip_suffix("/inbound").unwrap().to_owned()
}

/// What a contact writes back.
async fn writes(acme: &Company<'_>, text: &str, tail: &str) {
    let inbound = Inbound {
        account_sid: acme.account_sid.clone(),
        from: CONTACT.to_owned(),
        to: NUMBER.to_owned(),
        body: text.to_owned(),
        url: Some(format!("{}{tail}", acme.inbound_url().await)),
    };
    let posted = acme.app.sandbox.twilio().receive(inbound).await.unwrap();
    assert_eq!(posted.status, Some(200), "{posted:?}");
}

async fn next_message(acme: &Company<'_>, n: u64) -> Value {
    let body = invoice(n, Standing::Sent, acme.app.now());
    let event = acme.told("", &with_contact(&body)).await;
    acme.app.run_due_jobs().await;
    acme.event(&event).await["deliveries"][0].clone()
}

fn with_contact(body: &[u8]) -> Vec<u8> {
    let mut json: Value = serde_json::from_slice(body).unwrap();
    for list in ["contact_persons_details", "contact_persons_associated"] {
        for person in json["invoice"][list].as_array_mut().unwrap() {
            person["mobile"] = json!(CONTACT);
        }
    }
    serde_json::to_vec(&json).unwrap()
}

/// A company that has written to its contact.
async fn known(app: &TestApp) -> Company<'_> {
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let first = next_message(&acme, 1).await;
    assert_eq!(first["state"], "delivered", "{first:#}");
    acme
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_a_stop_in_any_dress() {
    for (n, text) in (0_u32..).zip([
        "opt out",
        "Opt-out",
        "Stop.",
        "\"stop\"",
        "ST\u{200b}OP",
        "ｓｔｏｐ",
        "remove",
    ]) {
        let app = TestApp::spawn().await;
        let acme = known(&app).await;
        writes(&acme, text, if n == 0 { "/" } else { "" }).await;
        let next = next_message(&acme, 2).await;
        assert_eq!(next["state"], "suppressed", "{text}: {next:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_outlives_the_number_that_it_came_from() {
    let app = TestApp::spawn().await;
    let acme = known(&app).await;
    writes(&acme, "STOP", "").await;
    let erase = "UPDATE suppressions SET address = '', name = ''";
    app.database.run(erase).await;
    let next = next_message(&acme, 2).await;
    assert_eq!(next["state"], "suppressed", "{next:#}");
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let list = owner.get(&format!("/t/{}/suppressions", acme.slug)).await;
    assert!(list.text().contains("Address erased"), "{}", list.text());
    let listed = acme.api(Method::GET, "/suppressions", None).await;
    let listed: Value = listed.json().await.unwrap();
    assert_eq!(listed["data"][0]["address"], Value::Null, "{listed:#}");
    writes(&acme, "START", "").await;
    let next = next_message(&acme, 3).await;
    assert_eq!(next["state"], "delivered", "{next:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_may_mean_stop_holds_until_a_person_has_said() {
    let app = TestApp::spawn().await;
    let acme = known(&app).await;
    writes(&acme, "please stop texting me at night", "").await;
    let held = next_message(&acme, 2).await;
    assert_eq!(held["state"], "held", "{held:#}");
    assert!(
        held["reason"]
            .as_str()
            .unwrap()
            .contains("please stop texting me")
    );
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let at = |below: &str| format!("/t/{}{below}", acme.slug);
    let overview = owner.get(&at("/")).await;
    assert!(
        overview.text().contains("Does that mean stop?"),
        "{}",
        overview.text()
    );
    let go_on = overview
        .attribute("form[action$='/go-on']", "action")
        .unwrap();
    owner.submit(&overview, &go_on, &[]).await;
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 2, "what was held has gone");
    assert!(
        !owner
            .get(&at("/"))
            .await
            .text()
            .contains("Does that mean stop?")
    );

    writes(&acme, "again: STOP this please", "").await;
    let replies = owner.get(&at("/replies")).await;
    let stop = replies
        .attribute("form[action$='/stop']", "action")
        .unwrap();
    owner.submit(&replies, &stop, &[]).await;
    let next = next_message(&acme, 3).await;
    assert_eq!(next["state"], "suppressed", "{next:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_answers_for_themselves_leaves_no_question_open() {
    let app = TestApp::spawn().await;
    let acme = known(&app).await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let overview = format!("/t/{}/", acme.slug);
    writes(&acme, "could you stop this?", "").await;
    let held = next_message(&acme, 2).await;
    assert_eq!(held["state"], "held", "{held:#}");
    // Somebody else's question does not keep theirs.
    acme.hears("+12025550111", "please stop it").await;
    writes(&acme, "START", "").await;
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 2, "what was held has gone");
    assert_eq!(app.rows("suppressions WHERE source = 'asked'").await, 1);
    writes(&acme, "no, stop it", "").await;
    writes(&acme, "STOP", "").await;
    let page = owner.get(&overview).await;
    assert_eq!(
        page.attributes("form[action$='/go-on']", "action").len(),
        1,
        "the other's"
    );
    let next = next_message(&acme, 3).await;
    assert_eq!(next["state"], "suppressed", "{next:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_it_is_a_stop_after_two_working_days() {
    let app = TestApp::spawn().await;
    let acme = known(&app).await;
    // Monday, 05:00 in New York.
    writes(&acme, "I want you to stop", "").await;
    let held = next_message(&acme, 2).await;
    assert_eq!(held["state"], "held", "{held:#}");
    let id = held["id"].as_str().unwrap().to_owned();
    app.app().close_questions().await.unwrap();
    assert_eq!(app.rows("suppressions WHERE source = 'asked'").await, 1);
    app.advance(TimeDelta::hours(24));
    app.app().close_questions().await.unwrap();
    assert_eq!(
        app.rows("suppressions WHERE source = 'asked'").await,
        1,
        "one day is not two"
    );
    app.advance(TimeDelta::hours(24));
    app.app().close_questions().await.unwrap();
    app.run_due_jobs().await;
    assert_eq!(app.rows("suppressions WHERE source = 'stop'").await, 1);
    let ended = acme.get(&format!("/deliveries/{id}")).await;
    // It waited for longer than a day: what comes first is told.
    assert!(
        ["suppressed", "expired"].contains(&ended["state"].as_str().unwrap()),
        "{ended:#}"
    );
    let next = next_message(&acme, 3).await;
    assert_eq!(next["state"], "suppressed", "{next:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_lifted_by_start_or_by_an_owner_with_a_fresh_permission() {
    let app = TestApp::spawn().await;
    let acme = known(&app).await;
    writes(&acme, "STOP", "").await;
    let listed = acme.get("/suppressions").await;
    let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
    let editor = app
        .app()
        .create_token(acme.id, "editor", Role::Editor)
        .await
        .unwrap();
    let url = app.url(&format!("/api/v1/suppressions/{id}?reason=because"));
    let by_editor = app
        .http
        .delete(&url)
        .bearer_auth(editor.expose_secret())
        .send()
        .await
        .unwrap();
    assert_eq!(by_editor.status(), StatusCode::CONFLICT);
    assert!(by_editor.text().await.unwrap().contains("START"));
    let lift = |query: &str| format!("/suppressions/{id}?{query}");
    for incomplete in [
        "reason=because",
        "who=Ann&how=phone",
        "who=Ann&how=phone&when=2030-01-01",
    ] {
        let refused = acme.api(Method::DELETE, &lift(incomplete), None).await;
        assert_eq!(
            refused.status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "{incomplete}"
        );
    }
    let whole = lift("who=Ann%20Lee&how=on%20the%20phone&when=2026-11-22");
    let done = acme.api(Method::DELETE, &whole, None).await;
    assert_eq!(done.status(), StatusCode::NO_CONTENT);
    let logged = "audit_entries WHERE action = 'suppression.lifted' \
                  AND detail LIKE '%Allowed anew by Ann Lee on 2026-11-22: on the phone%'";
    assert_eq!(app.rows(logged).await, 1);
    writes(&acme, "Stop!", "").await;
    writes(&acme, "START", "").await;
    let next = next_message(&acme, 2).await;
    assert_eq!(next["state"], "delivered", "{next:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_misses_leaves_a_line_with_the_remedy() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let twilio = twilio_hook(&acme).await;
    let slashed = invoice(1, Standing::Sent, app.now());
    assert_eq!(acme.post("/", &slashed).await.status(), StatusCode::OK);
    let slashed = invoice(2, Standing::Sent, app.now());
    assert_eq!(
        acme.post("/invoice.sent/", &slashed).await.status(),
        StatusCode::OK
    );
    let cases = [
        (
            Method::GET,
            acme.hook_url.clone(),
            405,
            "method of this webhook to POST",
        ),
        (
            Method::GET,
            format!("{}/invoice.sent/", acme.hook_url),
            405,
            "method of this webhook to POST",
        ),
        (Method::GET, format!("{twilio}/inbound"), 405, "HTTP POST"),
        (
            Method::POST,
            format!("{twilio}/incoming"),
            404,
            "it ends in /inbound",
        ),
        (Method::POST, twilio.clone(), 404, "it ends in /inbound"),
        (
            Method::POST,
            format!("{}/invoice.sent/a/b", acme.hook_url),
            404,
            "an event type and a label at most",
        ),
    ];
    for (method, url, status, remedy) in cases {
        let before = app.rows("rejected_requests").await;
        let answer = app.http.request(method.clone(), &url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {url}");
        assert_eq!(
            app.rows("rejected_requests").await,
            before + 1,
            "{method} {url}"
        );
        let such = format!("rejected_requests WHERE reason LIKE '%{remedy}%'");
        assert!(app.rows(&such).await > 0, "{remedy}");
        app.advance(TimeDelta::seconds(2));
    }
    // A stranger's guess leaves nothing.
    let before = app.rows("rejected_requests").await;
    for guess in ["/hooks/twilio/nobody/incoming", "/hooks/zoho/nobody"] {
        app.http.get(app.url(guess)).send().await.unwrap();
    }
    assert_eq!(app.rows("rejected_requests").await, before);
}
