//! Sending and deciding again ask first: who, with what, what each has had, and the document today.

use chrono::{DateTime, TimeDelta, Utc};
use ml_connector::domain::document::DocumentKind;
use ml_connector::domain::money::Amount;
use ml_connector::sandbox::samples::{self, Generator, Standing, Wish};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::company::PASSWORD;
use crate::harness::page::Page;
use crate::harness::visitor::Visitor;
use crate::harness::{Company, TestApp};

const FINANCE: &str = "+12025550199";

/// The same invoice each time, as it stood when Zoho changed it.
fn paper(standing: Standing, changed: DateTime<Utc>, now: DateTime<Utc>) -> Vec<u8> {
    let wish = Wish {
        id: Some("9820000000077".to_owned()),
        number: Some("INV-3".to_owned()),
        total: Some(Amount(1_000_000)),
        trader: Some(4),
        created: Some(now - TimeDelta::minutes(9)),
        modified: Some(changed),
        standing: Some(standing),
        ..Wish::default()
    };
    let document = Generator::seeded(7).document(DocumentKind::Invoice, &wish, now);
    samples::to_body(&document, false)
}

impl Company<'_> {
    /// The facts that a replay is refused with until they are confirmed.
    async fn facts(&self, path: &str) -> Value {
        let (status, facts) = self.ask_again(path, "", json!({})).await;
        assert_eq!(status, StatusCode::CONFLICT, "{facts:#}");
        assert_eq!(
            facts["type"], "urn:ml-connector:problem:confirm",
            "{facts:#}"
        );
        facts["facts"].clone()
    }

    async fn finance(&self, event_type: &str) {
        self.create_rule(json!({
            "name": "Finance", "event_type": event_type, "channel": "sms",
            "recipient": { "kind": "fixed", "address": FINANCE },
            "template": { "body": "Look at {{ invoice_number }}" },
        }))
        .await;
    }

    async fn first_message(&self, event: &str) -> String {
        let story = self.event(event).await;
        let id = story["deliveries"][0]["id"].as_str();
        format!("/deliveries/{}", id.expect("a message"))
    }

    async fn in_browser(&self) -> Visitor<'_> {
        Visitor::signed_in(self.app, &self.email, PASSWORD).await
    }
}

fn boxes(page: &Page) -> (Vec<String>, usize) {
    let all = page.attributes("input[type=checkbox][name^=to-]", "name");
    let ticked = page.attributes("input[type=checkbox][name^=to-][checked]", "name");
    (all, ticked.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_again_tells_the_facts_and_goes_once_they_are_confirmed() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Invoice {{ invoice_number }}")
        .await;
    let body = paper(Standing::Sent, app.now() - TimeDelta::minutes(8), app.now());
    let event = acme.told("/invoice.sent", &body).await;
    app.run_due_jobs().await;
    let path = acme.first_message(&event).await;

    let facts = acme.facts(&path).await;
    assert_eq!(acme.messages().len(), 1, "nothing is sent unasked");
    let to = &facts["recipients"][0];
    assert_eq!(to["to"], acme.messages()[0].to.as_str(), "{facts:#}");
    assert_eq!(to["body"], "Invoice INV-3");
    assert_eq!(to["preselected"], true);
    assert_eq!(to["had"][0]["state"], "delivered", "{facts:#}");
    assert_eq!(facts["document"]["number"], "INV-3");
    assert_eq!(facts["document"]["status"], "sent");
    assert_eq!(facts["document"]["balance"], "100.00");
    assert_eq!(facts["forbidden"], Value::Null);

    let (status, other) = acme
        .ask_again(&path, "", json!({"confirm": "something else"}))
        .await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(other["facts"]["fingerprint"], facts["fingerprint"]);

    let confirm = json!({"confirm": facts["fingerprint"]});
    let (status, made) = acme.ask_again(&path, "once", confirm.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{made:#}");
    let (status, again) = acme.ask_again(&path, "once", confirm.clone()).await;
    assert_eq!((status, &again["id"]), (StatusCode::CREATED, &made["id"]));
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 2);

    // What was confirmed is true no more: this person has had it once more.
    let (status, other) = acme.ask_again(&path, "twice", confirm).await;
    assert_eq!(status, StatusCode::CONFLICT, "{other:#}");
    assert_ne!(other["facts"]["fingerprint"], facts["fingerprint"]);
    let had = other["facts"]["recipients"][0]["had"].as_array().unwrap();
    assert_eq!(had.len(), 2, "{other:#}");
    let confirm = json!({"confirm": other["facts"]["fingerprint"]});
    let (status, _) = acme.ask_again(&path, "twice", confirm).await;
    assert_eq!(status, StatusCode::CREATED);
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn deciding_again_rehearses_todays_rules_and_writes_to_whom_was_chosen() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let body = paper(Standing::Sent, app.now() - TimeDelta::minutes(8), app.now());
    let event = acme.told("/invoice.sent", &body).await;
    app.run_due_jobs().await;
    acme.rule("invoice.sent", "Invoice {{ invoice_number }}")
        .await;
    acme.finance("invoice.sent").await;
    let path = format!("/events/{event}");

    let facts = acme.facts(&path).await;
    assert_eq!(facts["decisions"].as_array().unwrap().len(), 2);
    assert_eq!(facts["decisions"][0]["matched"], true, "{facts:#}");
    let to = facts["recipients"].as_array().unwrap();
    assert_eq!(to.len(), 2, "{facts:#}");
    assert_eq!(to[1]["to"], FINANCE);
    let story = acme.event(&event).await;
    assert_eq!(story["decisions"].as_array().unwrap().len(), 1, "dry");
    assert_eq!(story["replays"], json!([]));

    let unknown = json!({"confirm": facts["fingerprint"], "recipients": ["nobody"]});
    let (status, wrong) = acme.ask_again(&path, "", unknown).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong:#}");
    let one = json!({"confirm": facts["fingerprint"], "recipients": [to[1]["key"]]});
    let (status, made) = acme.ask_again(&path, "", one).await;
    assert_eq!(status, StatusCode::CREATED, "{made:#}");
    assert_eq!(made["deliveries"].as_array().unwrap().len(), 1);
    app.run_due_jobs().await;
    let sent: Vec<_> = acme.messages().into_iter().map(|m| m.to).collect();
    assert_eq!(sent, [FINANCE]);

    // An edit of the rules is another answer than the one that was confirmed.
    let facts = acme.facts(&path).await;
    acme.create_rule(json!({
        "name": "Third", "event_type": "invoice.sent", "channel": "sms",
        "recipient": { "kind": "fixed", "address": "+12025550188" },
        "template": { "body": "Also {{ invoice_number }}" },
    }))
    .await;
    let confirm = json!({"confirm": facts["fingerprint"]});
    let (status, other) = acme.ask_again(&path, "", confirm).await;
    assert_eq!(status, StatusCode::CONFLICT, "{other:#}");
    assert_eq!(other["facts"]["recipients"].as_array().unwrap().len(), 3);
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_invoices_reminder_is_sent_again_only_to_whom_a_person_ticks() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.overdue", "{{ invoice_number }} is overdue")
        .await;
    let start = app.now();
    let body = paper(Standing::Overdue, start - TimeDelta::minutes(8), start);
    let event = acme.told("/invoice.overdue", &body).await;
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 1);
    app.advance(TimeDelta::minutes(10));
    let body = paper(Standing::Paid, app.now() - TimeDelta::minutes(1), start);
    acme.told("/invoice.paid", &body).await;
    app.run_due_jobs().await;
    let ann = acme.in_browser().await;
    let home = format!("/t/{}", acme.slug);
    let message = acme.first_message(&event).await;

    for (n, below) in [message, format!("/events/{event}")].iter().enumerate() {
        let ask = format!("{home}{below}/replays/new");
        let post = format!("{home}{below}/replays");
        let page = ann.get(&ask).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
        assert!(page.text().contains("INV-3 is paid"), "{}", page.text());
        assert!(page.text().contains("Delivered"), "{}", page.text());
        let (all, ticked) = boxes(&page);
        assert_eq!((all.len(), ticked), (1, 0), "{}", page.text());

        let none = ann.submit(&page, &post, &[]).await;
        assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(none.text().contains("Tick"), "{}", none.text());
        app.run_due_jobs().await;
        assert_eq!(acme.messages().len(), 1 + n);

        let page = ann.get(&ask).await;
        for _ in 0..2 {
            let done = ann.submit(&page, &post, &[(&all[0], "1")]).await;
            assert_eq!(
                done.path,
                format!("{home}/events/{event}"),
                "{}",
                done.text()
            );
        }
        app.run_due_jobs().await;
        assert_eq!(acme.messages().len(), 2 + n, "once, and past the gate");
        app.advance(TimeDelta::minutes(1));
    }
    let facts = acme.facts(&format!("/events/{event}")).await;
    let why = facts["forbidden"].as_str().unwrap();
    assert!(why.starts_with("INV-3 is paid"), "{why}");
    assert_eq!(facts["recipients"][0]["preselected"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_the_page_was_drawn_is_shown_before_anything_is_sent() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.overdue", "{{ invoice_number }} is overdue")
        .await;
    let start = app.now();
    let body = paper(Standing::Overdue, start - TimeDelta::minutes(8), start);
    let event = acme.told("/invoice.overdue", &body).await;
    app.run_due_jobs().await;
    let ann = acme.in_browser().await;
    let home = format!("/t/{}", acme.slug);
    let message = acme.first_message(&event).await;
    let mut pages = Vec::new();
    for below in [message, format!("/events/{event}")] {
        let page = ann.get(&format!("{home}{below}/replays/new")).await;
        let (all, ticked) = boxes(&page);
        assert_eq!((all.len(), ticked), (1, 1), "{}", page.text());
        pages.push((below, page, all));
    }
    app.advance(TimeDelta::minutes(10));
    let body = paper(Standing::Paid, app.now() - TimeDelta::minutes(1), start);
    acme.told("/invoice.paid", &body).await;
    app.run_due_jobs().await;
    for (below, page, all) in pages {
        let post = format!("{home}{below}/replays");
        let again = ann.submit(&page, &post, &[(&all[0], "1")]).await;
        assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text());
        assert!(again.text().contains("changed"), "{}", again.text());
        assert!(again.text().contains("INV-3 is paid"), "{}", again.text());
        assert_eq!(boxes(&again).1, 0);
    }
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_after_the_confirmation_stops_the_message() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.overdue", "{{ invoice_number }} is overdue")
        .await;
    let start = app.now();
    let body = paper(Standing::Overdue, start - TimeDelta::minutes(8), start);
    let event = acme.told("/invoice.overdue", &body).await;
    app.run_due_jobs().await;
    let path = acme.first_message(&event).await;
    let facts = acme.facts(&path).await;
    let stop = acme.api(Method::PUT, "/stop", None).await;
    assert!(stop.status().is_success());
    let confirm = json!({"confirm": facts["fingerprint"]});
    let (status, made) = acme.ask_again(&path, "", confirm).await;
    assert_eq!(status, StatusCode::CREATED, "{made:#}");
    app.run_due_jobs().await;
    app.advance(TimeDelta::minutes(10));
    let body = paper(Standing::Paid, app.now() - TimeDelta::minutes(1), start);
    acme.told("/invoice.paid", &body).await;
    app.run_due_jobs().await;
    acme.api(Method::DELETE, "/stop", None).await;
    app.run_due_jobs().await;
    let story = acme.event(&event).await;
    assert_eq!(story["deliveries"][1]["state"], "canceled", "{story:#}");
    assert_eq!(acme.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_or_cannot_be_read_is_said_on_the_page() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Invoice {{ invoice_number }}")
        .await;
    let ann = acme.in_browser().await;
    let home = format!("/t/{}", acme.slug);

    let odd = acme.told("", b"hello").await;
    app.run_due_jobs().await;
    let ask = format!("{home}/events/{odd}/replays/new");
    let page = ann.get(&ask).await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.texts("h1"), ["Decide again"]);
    assert!(page.text().contains("cannot be read"), "{}", page.text());

    let body = paper(Standing::Sent, app.now() - TimeDelta::minutes(8), app.now());
    acme.api(Method::PUT, "/stop", None).await;
    let event = acme.told("/invoice.sent", &body).await;
    app.run_due_jobs().await;
    let message = acme.first_message(&event).await;
    for below in [message.clone(), format!("/events/{event}")] {
        let (status, open) = acme.ask_again(&below, "", json!({})).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(open["type"], "urn:ml-connector:problem:still-open");
        let page = ann.get(&format!("{home}{below}/replays/new")).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        assert!(page.text().contains("still open"), "{}", page.text());
    }
    acme.api(Method::DELETE, "/stop", None).await;
    app.run_due_jobs().await;
    let to = acme.messages()[0].to.clone();
    let suppress = json!({"channel": "sms", "address": to, "reason": "asked us"});
    acme.api(Method::POST, "/suppressions", Some(suppress))
        .await;
    let (status, refused) = acme.ask_again(&message, "", json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(refused["type"], "urn:ml-connector:problem:suppressed");
    let facts = acme.facts(&format!("/events/{event}")).await;
    let why = facts["recipients"][0]["refused"].as_str().unwrap();
    assert!(why.contains("asked us"), "{facts:#}");
    let page = ann.get(&format!("{home}/events/{event}/replays/new")).await;
    assert_eq!(boxes(&page), (Vec::new(), 0), "{}", page.text());
}
