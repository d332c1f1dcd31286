//! The first hour: the checklist ticks by itself, the requests are listed with their verdict, and a
//! test event takes the way of a webhook but reaches nobody else.

use ml_connector::domain::actor::Actor;
use ml_connector::domain::address::{OwnAddresses, Phone};
use ml_connector::domain::event::EventType;
use ml_connector::sandbox::samples::Standing;
use ml_connector::zoho::webhook::SIGNATURE_HEADER;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::TestApp;
use crate::harness::company::{Company, PASSWORD, invoice};
use crate::harness::page::Page;
use crate::harness::visitor::Visitor;

/// The titles of the steps that are not done.
fn open_steps(page: &Page) -> Vec<String> {
    page.texts(".checklist > li:not(.done) h3")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checklist_ticks_by_itself_until_the_first_message_is_delivered() {
    let app = TestApp::spawn().await;
    let acme = Company::unconnected(&app, "Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let home = format!("/t/{}/", acme.slug);

    let page = ann.get(&home).await;
    let all = [
        "Connect Twilio",
        "Make the webhook in Zoho Books",
        "Hear the first request",
        "Send a test event",
        "Write the first rule",
        "See the first message delivered",
    ];
    assert_eq!(open_steps(&page), all);
    let next = page.attribute(".checklist .now a.button", "href");
    assert_eq!(next, Some(format!("{home}connections#twilio")));

    acme.connect_twilio().await;
    assert_eq!(open_steps(&ann.get(&home).await), all[1..]);

    let body = invoice(1, Standing::Draft, app.now());
    let unsigned = app.http.post(&acme.hook_url).body(body.clone()).send();
    assert_eq!(unsigned.await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let page = ann.get(&home).await;
    assert_eq!(open_steps(&page), all[2..], "somebody knocked");
    assert!(page.text().contains("was not believed"));

    acme.told("", &body).await;
    assert_eq!(open_steps(&ann.get(&home).await), all[3..]);

    let set_up = format!("{home}connections/set-up");
    let page = ann.get(&set_up).await;
    let typed = [("event_type", "invoice.sent")];
    let page = ann.submit(&page, &format!("{set_up}/tests"), &typed).await;
    assert_eq!(
        page.texts("[role=status]")[0],
        "The test event is sent. What becomes of it is listed below."
    );
    assert_eq!(open_steps(&ann.get(&home).await), all[4..]);

    let editor = ann
        .get(&format!("{home}rules/new?ready=invoice-sent"))
        .await;
    let value = |name: &str| editor.attribute(&format!("[name='{name}']"), "value");
    assert_eq!(value("name").as_deref(), Some("Invoice sent"));
    acme.rule("invoice.sent", "Invoice {{ invoice_number }}")
        .await;
    assert_eq!(open_steps(&ann.get(&home).await), all[5..]);

    acme.told("", &invoice(2, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let page = ann.get(&home).await;
    assert!(page.texts(".checklist").is_empty(), "all is done");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_folds_the_checklist_away_can_bring_it_back() {
    let app = TestApp::spawn().await;
    let acme = Company::unconnected(&app, "Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let home = format!("/t/{}/", acme.slug);
    let fold = format!("{home}checklist");
    let page = ann.submit(&ann.get(&home).await, &fold, &[]).await;
    assert!(page.texts(".checklist").is_empty());
    assert!(page.text().contains("0 of 6 done"));
    let page = ann.submit(&page, &fold, &[]).await;
    assert_eq!(page.texts(".checklist > li").len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_listed_with_their_verdict_and_what_to_do() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let list = format!("/t/{}/connections/set-up/requests", acme.slug);
    assert!(
        ann.get(&list)
            .await
            .text()
            .contains("Waiting for the first request")
    );

    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    app.advance(chrono::TimeDelta::seconds(5));
    let forged = app
        .http
        .post(&acme.hook_url)
        .header(SIGNATURE_HEADER, "0".repeat(64))
        .body("{}")
        .send();
    assert_eq!(forged.await.unwrap().status(), StatusCode::UNAUTHORIZED);

    let page = ann.get(&list).await;
    let verdicts = page.texts(".list > li > .badge");
    assert_eq!(verdicts, ["Refused", "Accepted"], "the newest first");
    let sentences = page.texts(".list-main p");
    assert!(
        sentences[0].contains("Check that the secret token in Zoho Books"),
        "{sentences:?}"
    );
    assert!(
        sentences[1].ends_with("; no rule matched."),
        "{sentences:?}"
    );
    let link = page.attribute(".list a", "href").unwrap();
    assert_eq!(link, format!("/t/{}/events/{event}", acme.slug));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_event_reaches_nobody_but_the_one_who_sent_it() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    for (name, recipient) in [
        ("To the contact", json!({ "kind": "contact" })),
        (
            "To the boss",
            json!({ "kind": "fixed", "address": "+12025550199" }),
        ),
    ] {
        acme.create_rule(json!({
            "name": name, "event_type": "bill.overdue", "channel": "sms", "recipient": recipient,
            "conditions": {"all": [{"field": "label", "op": "eq", "value": "7d"}]},
            "template": { "body": format!("{name}: {{{{ bill_number }}}}") },
        }))
        .await;
    }
    let actor = Actor::named("ann@acme.example");
    let send = async |own: Option<&str>| {
        let own = OwnAddresses {
            phone: own.and_then(Phone::from_stored),
            email: None,
        };
        let event = app
            .app()
            .send_test_event(acme.id, EventType::BillOverdue, own, &actor);
        let event = event.await.unwrap();
        app.run_due_jobs().await;
        acme.event(&event.to_string()).await
    };

    let told = send(Some("+12025550123")).await;
    assert_eq!(told["source"], "test");
    let to: Vec<_> = acme.messages().into_iter().map(|m| m.to).collect();
    assert_eq!(to, ["+12025550123", "+12025550123"]);
    assert_eq!(
        app.rows("audit_entries WHERE action = 'test_event.sent'")
            .await,
        1
    );

    let untold = send(None).await;
    assert_eq!(acme.messages().len(), 2, "nobody else is written to");
    let deliveries = untold["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 2);
    for delivery in deliveries {
        assert_eq!(delivery["state"], "failed");
        let reason = delivery["reason"].as_str().unwrap();
        assert!(reason.contains("Confirm your own number"), "{reason}");
    }

    // It is none of Zoho's: whoever waits for Zoho Books still waits.
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let page = ann.get(&format!("/t/{}/", acme.slug)).await;
    assert!(
        page.text()
            .contains("Zoho Books has not been heard from yet")
    );
}
