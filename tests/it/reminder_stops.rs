//! Whoever gets a reminder by e-mail stops the next ones by its link, and nothing else.

use ml_connector::domain::actor::Actor;
use ml_connector::sandbox::samples::Standing;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::company::{PASSWORD, invoice};
use crate::harness::visitor::Visitor;
use crate::harness::{Company, TestApp};

/// A company that reminds by e-mail, and tells of what it sends.
async fn reminding(app: &TestApp) -> Company<'_> {
    let acme = app.company("Acme").await;
    for event_type in ["invoice.overdue", "invoice.sent"] {
        acme.create_rule(json!({
            "name": event_type, "event_type": event_type, "channel": "email",
            "recipient": { "kind": "contact" },
            "template": { "email": {
                "subject": "Invoice {{ invoice_number }}", "preview": "", "body": "Hello\n\n[[details]]",
            } },
        }))
        .await;
    }
    acme
}

async fn told(acme: &Company<'_>, path: &str, seed: u64, standing: Standing) -> Value {
    let event = acme
        .told(path, &invoice(seed, standing, acme.app.now()))
        .await;
    acme.app.run_due_jobs().await;
    let story = acme.event(&event).await;
    let id = story["deliveries"][0]["id"].as_str();
    let id = id.unwrap_or_else(|| panic!("no message: {story:#}"));
    acme.get(&format!("/deliveries/{id}")).await
}

async fn reminder(acme: &Company<'_>, seed: u64) -> Value {
    told(acme, "/invoice.overdue", seed, Standing::Overdue).await
}

/// The path of the link in an e-mail.
fn link(message: &Value) -> Option<String> {
    let part = |name: &str| {
        let text = message[name].as_str().unwrap();
        let (_, rest) = text.split_once("/stop/")?;
        let link: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
            .collect();
        Some(format!("/stop/{link}"))
    };
    assert_eq!(part("html"), part("body"), "both parts bear the same link");
    part("html")
}

async fn suppressions(acme: &Company<'_>) -> Vec<Value> {
    let listed = acme.get("/suppressions").await;
    listed["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_stops_reminders_of_one_customer_and_takes_it_back() {
    let app = TestApp::spawn().await;
    let acme = reminding(&app).await;
    let first = reminder(&acme, 1).await;
    let link = link(&first).expect("a link");

    let reader = Visitor::stranger(&app);
    let asked = reader.ask(Method::GET, &link, &[]).await;
    assert_eq!(asked.status(), StatusCode::OK);
    assert_eq!(asked.headers()["x-robots-tag"], "noindex, nofollow");
    let page = reader.get(&link).await;
    assert!(
        page.text().contains("Stop reminders from Acme?"),
        "{}",
        page.text()
    );
    assert!(
        page.text().contains(first["to"].as_str().unwrap()),
        "{}",
        page.text()
    );
    assert!(
        suppressions(&acme).await.is_empty(),
        "following a link does nothing"
    );

    let done = reader.submit(&page, &link, &[]).await;
    assert!(
        done.text().contains("You get no more reminders"),
        "{}",
        done.text()
    );
    // A mail program posts by itself, with no cookie and no page.
    let one_click = [("List-Unsubscribe", "One-Click")];
    let again = Visitor::stranger(&app).post(&link, &one_click).await;
    assert_eq!(again.status, StatusCode::OK);
    assert!(
        again.text().contains("You get no more reminders"),
        "{}",
        again.text()
    );
    let kept = suppressions(&acme).await;
    assert_eq!(kept.len(), 1, "{kept:#?}");
    assert_eq!(kept[0]["source"], "reader");
    assert_eq!(kept[0]["channel"], "email");

    let next = reminder(&acme, 2).await;
    assert_eq!(next["state"], "suppressed", "{next:#}");
    let sent = told(&acme, "/invoice.sent", 3, Standing::Sent).await;
    assert_ne!(sent["state"], "suppressed", "{sent:#}");
    let id = first["id"].as_str().unwrap();
    let story = acme.get(&format!("/deliveries/{id}")).await;
    let steps = story["steps"].as_array().unwrap();
    assert!(
        steps.iter().any(|s| s["kind"] == "reader_stopped"),
        "{story:#}"
    );
    let mails = app.mails().await;
    let told_of: Vec<_> = mails
        .iter()
        .filter(|m| m.text.contains("Stop reminders here"))
        .collect();
    assert_eq!(told_of.len(), 1);
    assert_eq!(told_of[0].to, acme.email);

    let taking_back = format!("{link}/taking-back");
    let back = reader.submit(&done, &taking_back, &[]).await;
    assert!(
        back.text().contains("Stop reminders from Acme?"),
        "{}",
        back.text()
    );
    assert!(suppressions(&acme).await.is_empty());
    let later = reminder(&acme, 4).await;
    assert_ne!(later["state"], "suppressed", "{later:#}");
    let entries = acme.get("/audit-entries").await;
    let pressed = |e: &&Value| e["actor"] == "the recipient";
    let entries = entries["data"].as_array().unwrap().clone();
    assert_eq!(entries.iter().filter(pressed).count(), 2, "{entries:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reader_stopped_a_member_lifts_only_with_a_fresh_permission() {
    let app = TestApp::spawn().await;
    let acme = reminding(&app).await;
    let link = link(&reminder(&acme, 1).await).expect("a link");
    Visitor::stranger(&app).post(&link, &[]).await;
    let kept = suppressions(&acme).await;
    let path = format!("/suppressions/{}", kept[0]["id"].as_str().unwrap());
    let without = format!("{path}?reason=oops");
    let refused = acme.api(Method::DELETE, &without, None).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let ask = owner
        .get(&format!("/t/{}{path}/lifting/new", acme.slug))
        .await;
    assert!(
        ask.text().contains("did not want to be reminded"),
        "{}",
        ask.text()
    );
    let fresh = format!("{path}?who=Ann&when=2026-03-02&how=phone");
    let lifted = acme.api(Method::DELETE, &fresh, None).await;
    assert!(
        lifted.status().is_success(),
        "{}",
        lifted.text().await.unwrap()
    );
    assert!(suppressions(&acme).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_bear_no_link_and_neither_do_messages_to_ones_own_people() {
    let app = TestApp::spawn().await;
    let acme = reminding(&app).await;
    let sent = told(&acme, "/invoice.sent", 1, Standing::Sent).await;
    assert_eq!(link(&sent), None);
    acme.create_rule(json!({
        "name": "Collections", "event_type": "invoice.overdue", "channel": "email",
        "recipient": { "kind": "fixed", "addresses": ["collections@acme.example"] },
        "template": { "email": { "subject": "Overdue", "preview": "", "body": "Hello" } },
    }))
    .await;
    let event = acme
        .told(
            "/invoice.overdue",
            &invoice(2, Standing::Overdue, app.now()),
        )
        .await;
    app.run_due_jobs().await;
    let story = acme.event(&event).await;
    for d in story["deliveries"].as_array().unwrap() {
        let id = d["id"].as_str().unwrap();
        let message = acme.get(&format!("/deliveries/{id}")).await;
        let is_to_contact = message["to"] != "collections@acme.example";
        assert_eq!(link(&message).is_some(), is_to_contact, "{message:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_rehearsal_the_link_stops_nothing() {
    let app = TestApp::spawn().await;
    let acme = reminding(&app).await;
    let amy = Actor::named("amy");
    app.app().rehearse(acme.id, &amy).await.unwrap();
    let link = link(&reminder(&acme, 1).await).expect("a link");
    let reader = Visitor::stranger(&app);
    for page in [reader.get(&link).await, reader.post(&link, &[]).await] {
        assert!(
            page.text().contains("This is a rehearsal"),
            "{}",
            page.text()
        );
    }
    assert!(suppressions(&acme).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_touched_leads_nowhere() {
    let app = TestApp::spawn().await;
    let acme = reminding(&app).await;
    let link = link(&reminder(&acme, 1).await).expect("a link");
    let reader = Visitor::stranger(&app);
    let last = link.len() - 1;
    let other = if link.ends_with('0') { "1" } else { "0" };
    let touched = format!("{}{other}", &link[..last]);
    let longer = format!("{link}0");
    for path in [
        touched,
        longer,
        "/stop/x".to_owned(),
        format!("/stop/{}", "é".repeat(40)),
    ] {
        let page = reader.get(&path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        let pressed = reader.post(&path, &[]).await;
        assert_eq!(pressed.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(suppressions(&acme).await.is_empty());
}
