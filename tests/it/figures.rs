//! Each figure is the number of rows that it leads to.

use chrono::TimeDelta;
use ml_connector::app::accounts::SettingsInput;
use ml_connector::domain::actor::Actor;
use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::{Fault, FaultKind, FaultOrder};
use reqwest::StatusCode;

use crate::harness::TestApp;
use crate::harness::company::{Company, PASSWORD, invoice};
use crate::harness::page::Page;
use crate::harness::visitor::Visitor;

/// Twilio's word for a number that takes no SMS.
const LANDLINE: u32 = 21_614;

/// The number of a figure of Overview.
fn figure(page: &Page, name: &str) -> usize {
    let (names, numbers) = (page.texts(".figure-name"), page.texts(".figure-number"));
    let at = names.iter().position(|n| n == name).unwrap();
    let number = numbers[at].split(' ').next().unwrap();
    number.parse().unwrap()
}

/// The documents' numbers in the list that a figure leads to, newest first.
async fn listed(ann: &Visitor<'_>, overview: &Page, such: &str) -> Vec<String> {
    let selector = format!(".figure-number a[href*='{such}']");
    let list = overview.attribute(&selector, "href").unwrap();
    rows(&ann.get(&list).await)
}

fn rows(page: &Page) -> Vec<String> {
    page.texts("table.events tbody tr td:nth-child(3)")
}

/// Tells of an invoice, whose message fails; its event.
async fn fails(acme: &Company<'_>, seed: u64) -> String {
    refuses_once(acme);
    sends(acme, seed).await
}

fn refuses_once(acme: &Company<'_>) {
    let landline = Fault::new(FaultKind::ErrorCode).with_code(LANDLINE);
    let order = FaultOrder::once(landline);
    acme.app.sandbox.twilio().next(order).unwrap();
}

async fn sends(acme: &Company<'_>, seed: u64) -> String {
    let body = invoice(seed, Standing::Sent, acme.app.now());
    let event = acme.told("", &body).await;
    acme.app.run_due_jobs().await;
    event
}

async fn sends_again(acme: &Company<'_>, event: &str, key: &str) {
    let delivery = acme.event(event).await["deliveries"][0]["id"].clone();
    let path = format!("/deliveries/{}", delivery.as_str().unwrap());
    let (status, told) = acme.replay(&path, key).await;
    assert_eq!(status, StatusCode::CREATED, "{told}");
    acme.app.run_due_jobs().await;
}

async fn number(acme: &Company<'_>, event: &str) -> String {
    let event = acme.event(event).await;
    event["document_number"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_today_is_what_is_listed_whatever_the_zone_and_however_old_the_event() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    // Where midnight is on no full hour of the world's clock: at 18:30 in UTC.
    let kolkata = SettingsInput {
        name: "Acme".to_owned(),
        country: "US".to_owned(),
        zone: "Asia/Kolkata".to_owned(),
        currency: "USD".to_owned(),
    };
    let amy = Actor::named("amy");
    let changed = app.app().change_settings(acme.id, &kolkata, "", &amy);
    changed.await.unwrap();
    acme.rule("invoice.sent", "Hello {{ invoice_number }}")
        .await;
    let first = fails(&acme, 1).await;
    app.advance(TimeDelta::minutes(8 * 60 + 10));
    let late = fails(&acme, 2).await;
    // Ten past midnight there, within the same hour of the world's clock.
    app.advance(TimeDelta::minutes(30));
    let early = fails(&acme, 3).await;
    sends(&acme, 4).await;
    refuses_once(&acme);
    sends_again(&acme, &first, "again").await;
    let [first, late, early] = [
        number(&acme, &first).await,
        number(&acme, &late).await,
        number(&acme, &early).await,
    ];

    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let overview = ann.get("/t/acme/").await;
    assert_eq!(figure(&overview, "Failed today"), 2);
    assert_eq!(figure(&overview, "Sent today"), 1);
    let today = listed(&ann, &overview, "result=failed").await;
    assert_eq!(today, [early, first.clone()]);
    let more = overview.texts(".figure-more").join(" ");
    assert!(more.contains("4 in 7 days"), "{more}");
    let yesterday = "/t/acme/history?result=failed&day=2026-11-23";
    assert_eq!(rows(&ann.get(yesterday).await), [late, first]);
    for day in [
        "%2B262142-12-31",
        "-262143-01-01",
        "0000-01-01",
        "9999-12-31",
        "1970-01-01",
        "x",
    ] {
        for result in ["failed", ""] {
            let far = format!("/t/acme/history?result={result}&day={day}");
            assert_eq!(ann.get(&far).await.status, StatusCode::OK, "{day}");
        }
    }

    // The next morning tells of the day that has gone by.
    app.advance(TimeDelta::hours(8 + 24));
    app.app().tell_owners().await.unwrap();
    app.run_due_jobs().await;
    let mail = app.mails().await.pop().unwrap();
    assert!(
        mail.subject.contains("1 sent, 2 failed"),
        "{}",
        mail.subject
    );
    assert!(
        mail.text.contains("result=failed&day=2026-11-24"),
        "{}",
        mail.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_somebody_is_counted_until_somebody_has_dealt_with_it() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello {{ invoice_number }}")
        .await;
    let failed = [fails(&acme, 1).await, fails(&acme, 2).await];
    let lost = FaultOrder::once(Fault::new(FaultKind::DropBefore));
    app.sandbox.twilio().next(lost).unwrap();
    sends(&acme, 3).await;
    let strange = acme.told("", br#"{"nothing":"we know"}"#).await;
    app.run_due_jobs().await;
    sends(&acme, 4).await;

    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let needs = async |n: usize| {
        let overview = ann.get("/t/acme/").await;
        assert_eq!(figure(&overview, "Needs you"), n);
        assert_eq!(listed(&ann, &overview, "needs_you").await.len(), n);
        overview
    };
    let overview = needs(4).await;
    let lines = overview.texts("#needs-you li p");
    assert_eq!(
        lines.len(),
        3,
        "what failed for one reason shares a line: {lines:?}"
    );
    let buttons = overview.texts("#needs-you li form button");
    assert_eq!(
        buttons,
        ["Done", "Done"],
        "of the unknown one must be decided"
    );

    let both = [("event", failed[0].as_str()), ("event", failed[1].as_str())];
    let done = ann.submit(&overview, "/t/acme/dealt", &both).await;
    assert!(
        done.text().contains("nothing more to do"),
        "{}",
        done.text()
    );
    let page = ann.get(&format!("/t/acme/events/{}", failed[0])).await;
    assert!(!page.text().contains("Nothing to do"), "{}", page.text());
    needs(2).await;
    let page = ann.get(&format!("/t/acme/events/{strange}")).await;
    assert!(page.text().contains("Nothing to do"), "{}", page.text());
    let one = [("event", strange.as_str()), ("on", "event")];
    ann.submit(&page, "/t/acme/dealt", &one).await;
    needs(1).await;

    // Whoever sends again has dealt with it; when that fails as well it waits once more.
    let event = fails(&acme, 5).await;
    needs(2).await;
    refuses_once(&acme);
    sends_again(&acme, &event, "one").await;
    needs(2).await;
    sends_again(&acme, &event, "two").await;
    let page = ann.get(&format!("/t/acme/events/{event}")).await;
    assert!(
        page.text().contains("Nothing to do"),
        "the first replay failed, too"
    );
    assert_eq!(
        app.rows("audit_entries WHERE action = 'event.dealt'").await,
        3
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_deals_with_what_is_another_companys() {
    let app = TestApp::spawn().await;
    let (acme, other) = (app.company("Acme").await, app.company("Other").await);
    acme.rule("invoice.sent", "Hello").await;
    let event = fails(&acme, 1).await;
    let path = format!("/events/{event}/dealt");
    let strange = other.api(reqwest::Method::POST, &path, None).await;
    assert_eq!(strange.status(), StatusCode::NOT_FOUND);
    let bob = Visitor::signed_in(&app, &other.email, PASSWORD).await;
    let csrf = bob.token("/t/other/settings").await;
    let fields = [("csrf", csrf.as_str()), ("event", event.as_str())];
    bob.post("/t/other/dealt", &fields).await;
    assert_eq!(app.rows("deliveries WHERE dealt_at IS NOT NULL").await, 0);
    let own = acme.api(reqwest::Method::POST, &path, None).await;
    let told: serde_json::Value = own.json().await.unwrap();
    assert_eq!(told["count"], 1);
    assert_eq!(app.rows("deliveries WHERE dealt_at IS NOT NULL").await, 1);
}
