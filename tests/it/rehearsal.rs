//! The rehearsal: everything happens, and nobody but the owner hears of it.

use ml_connector::domain::actor::Actor;
use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::{Fault, FaultKind, FaultOrder, Message};
use reqwest::StatusCode;
use serde_json::Value;

use crate::harness::company::{PASSWORD, invoice};
use crate::harness::visitor::Visitor;
use crate::harness::{Company, TestApp};

/// The owner's own number.
const OWN: &str = "+16175550199";

impl Company<'_> {
    async fn rehearse(&self) {
        let amy = Actor::named("amy");
        let begun = self.app.app().rehearse(self.id, &amy).await;
        begun.unwrap();
    }

    async fn go_live(&self) {
        let amy = Actor::named("amy");
        self.app.app().go_live(self.id, &amy).await.unwrap();
    }

    /// The owner shows by a code that a number is theirs.
    async fn confirm_own_number(&self) {
        let app = self.app.app();
        let user = app.store().platform().user_by_email(&self.email).await;
        let user = user.unwrap().unwrap();
        app.send_number_code(self.id, &user, OWN).await.unwrap();
        let code = self.messages().last().unwrap().body[..6].to_owned();
        let amy = Actor::named("amy");
        app.confirm_number(self.id, &user, &code, &amy)
            .await
            .unwrap();
    }

    /// What was sent to whom, without codes.
    fn told_whom(&self) -> Vec<(String, String)> {
        let is_code = |m: &Message| m.body.contains("is your code for");
        let messages = self.messages().into_iter().filter(|m| !is_code(m));
        messages.map(|m| (m.to, m.body)).collect()
    }

    async fn first_delivery(&self, event: &str) -> Value {
        self.event(event).await["deliveries"][0].clone()
    }

    async fn replay_message(&self, delivery: &Value) -> Value {
        let path = format!("/deliveries/{}", delivery["id"].as_str().unwrap());
        let (status, body) = self.replay(&path, "").await;
        assert_eq!(status, StatusCode::CREATED, "{body:#}");
        body
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_rehearsal_the_owner_reads_what_the_contact_would() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rehearse().await;
    acme.rule("invoice.sent", "Hello").await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let held = acme.first_delivery(&event).await;
    assert_eq!(held["state"], "held", "{held:#}");
    assert_eq!(
        held["reason"],
        "Confirm your own number: in rehearsal messages go to you"
    );
    let contact = held["to"].as_str().unwrap().to_owned();
    assert_ne!(contact, OWN);

    acme.confirm_own_number().await;
    app.run_due_jobs().await;
    let sent = acme.first_delivery(&event).await;
    assert_eq!(sent["state"], "delivered", "{sent:#}");
    assert_eq!(sent["to"], contact.as_str());
    assert_eq!(sent["rehearsal"]["to"], OWN);
    let told = acme.told_whom();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, OWN);
    let mark = format!(", {contact}] Hello");
    assert!(
        told[0].1.starts_with("[would go to ") && told[0].1.ends_with(&mark),
        "{}",
        told[0].1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_stays_one_and_its_replay_when_live_goes_to_the_contact_unmarked() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rehearse().await;
    acme.rule("invoice.sent", "Hello").await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    acme.go_live().await;
    app.run_due_jobs().await;
    assert!(acme.told_whom().is_empty(), "going live sends no rehearsal");
    acme.confirm_own_number().await;
    app.run_due_jobs().await;
    let rehearsed = acme.first_delivery(&event).await;
    let contact = rehearsed["to"].as_str().unwrap().to_owned();
    assert_eq!(acme.told_whom().len(), 1);
    assert_eq!(acme.told_whom()[0].0, OWN, "a rehearsal, even when live");

    acme.replay_message(&rehearsed).await;
    app.run_due_jobs().await;
    let told = acme.told_whom();
    assert_eq!(told.last().unwrap(), &(contact.clone(), "Hello".to_owned()));

    acme.rehearse().await;
    let story = acme.event(&event).await;
    let live = &story["deliveries"][1];
    assert_eq!(live["rehearsal"], Value::Null, "{live:#}");
    acme.replay_message(live).await;
    app.run_due_jobs().await;
    let told = acme.told_whom();
    assert_eq!(told.len(), 3);
    assert_eq!(told[2].0, OWN);
    assert!(told[2].1.starts_with("[would go to "), "{}", told[2].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn back_in_rehearsal_what_was_live_waits_for_going_live() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    let amy = Actor::named("amy");
    app.app().stop_sending(acme.id, &amy).await.unwrap();
    app.run_due_jobs().await;
    acme.rehearse().await;
    app.app().resume_sending(acme.id, &amy).await.unwrap();
    app.run_due_jobs().await;
    let held = acme.first_delivery(&event).await;
    assert_eq!(held["state"], "held", "{held:#}");
    let reason = held["reason"].as_str().unwrap();
    assert!(reason.contains("before the rehearsal began"), "{reason}");
    assert!(acme.messages().is_empty());
    acme.go_live().await;
    app.run_due_jobs().await;
    assert_eq!(acme.told_whom().len(), 1);
    assert_eq!(acme.told_whom()[0].1, "Hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_rehearsal_is_looked_for_at_the_owners_number() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rehearse().await;
    acme.confirm_own_number().await;
    acme.rule("invoice.sent", "Hello").await;
    let lost = FaultOrder::once(Fault::new(FaultKind::DropAfter));
    app.sandbox.twilio().next(lost).unwrap();
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    app.advance(chrono::TimeDelta::seconds(60));
    app.run_due_jobs().await;
    let found = acme.first_delivery(&event).await;
    assert_eq!(acme.told_whom().len(), 1, "{found:#}");
    assert_eq!(found["state"], "delivered", "{found:#}");
}

/// By the pages alone: the banner leads on, the number is confirmed, going live shows and asks.
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_lead_from_rehearsal_to_live_and_back() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rehearse().await;
    acme.rule("invoice.sent", "Hello").await;
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let at = |below: &str| format!("/t/{}{below}", acme.slug);
    let overview = owner.get(&at("/")).await;
    let banner = overview.texts(".banner").join(" ");
    assert!(banner.contains("confirm your own number"), "{banner}");

    let page = owner.get(&at("/own-number")).await;
    let wrong = owner
        .submit(&page, &at("/own-number"), &[("phone", "12")])
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.error("phone").unwrap().contains("few digits"));
    let asked = owner
        .submit(&page, &at("/own-number"), &[("phone", "(617) 555-0199")])
        .await;
    let confirm = at("/own-number/confirmation");
    let mistyped = owner.submit(&asked, &confirm, &[("code", "nothing")]).await;
    assert_eq!(mistyped.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(mistyped.error("code").unwrap().contains("not the code"));
    let code = acme.messages().last().unwrap().body[..6].to_owned();
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let confirmed = owner.submit(&asked, &confirm, &[("code", &spaced)]).await;
    assert_eq!(confirmed.status, StatusCode::OK);
    assert!(confirmed.text().contains("+1 617-555-0199"));
    app.run_due_jobs().await;
    assert_eq!(acme.told_whom().len(), 1, "what waited goes to the owner");
    let events = owner.get(&at("/history")).await;
    assert!(events.texts(".badges").join(" ").contains("Rehearsal"));

    let ask = owner.get(&at("/go-live")).await;
    assert!(
        ask.text().contains("1 message to 1 number"),
        "{}",
        ask.text()
    );
    assert!(
        ask.texts("td bdi").contains(&"Hello".to_owned()),
        "unmarked"
    );
    let unsaid = owner.submit(&ask, &at("/go-live"), &[]).await;
    assert_eq!(unsaid.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unsaid.error("attested").is_some(), "{}", unsaid.text());
    let attested = [("attested", "1")];
    let live = owner.submit(&ask, &at("/go-live"), &attested).await;
    assert!(live.text().contains("You are live"), "{}", live.text());
    assert!(live.texts(".banner").join(" ").find("Rehearsal").is_none());
    acme.told("", &invoice(2, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    assert_eq!(acme.told_whom().last().unwrap().1, "Hello");

    let back = owner.get(&at("/rehearsal")).await;
    let back = owner.submit(&back, &at("/rehearsal"), &[]).await;
    assert!(back.texts(".banner").join(" ").contains("Rehearsal."));
    acme.told("", &invoice(3, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    assert_eq!(acme.told_whom().last().unwrap().0, OWN);
    let logged = "audit_entries WHERE action IN \
                  ('number.confirmed', 'rehearsal.begun', 'rehearsal.ended')";
    assert_eq!(app.rows(logged).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_end_after_five_tries_ten_minutes_and_five_in_an_hour() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let at = |below: &str| format!("/t/{}{below}", acme.slug);
    let (send, confirm) = (at("/own-number"), at("/own-number/confirmation"));
    let page = owner.get(&send).await;
    let asked = owner.submit(&page, &send, &[("phone", OWN)]).await;
    let code = || acme.messages().last().unwrap().body[..6].to_owned();
    for _ in 0..5 {
        owner.submit(&asked, &confirm, &[("code", "x")]).await;
    }
    let late = owner.submit(&asked, &confirm, &[("code", &code())]).await;
    assert!(late.text().contains("No code is valid"), "{}", late.text());

    let asked = owner.submit(&page, &send, &[("phone", OWN)]).await;
    let elsewhere = acme.messages().last().unwrap().to.clone();
    assert_eq!(elsewhere, OWN);
    app.advance(chrono::TimeDelta::minutes(10));
    let late = owner.submit(&asked, &confirm, &[("code", &code())]).await;
    assert!(late.text().contains("No code is valid"), "{}", late.text());
    for _ in 0..3 {
        let again = owner.submit(&page, &send, &[("phone", OWN)]).await;
        assert_eq!(again.status, StatusCode::OK);
    }
    let sixth = owner.submit(&page, &send, &[("phone", OWN)]).await;
    assert_eq!(sixth.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(acme.messages().len(), 5);
    app.advance(chrono::TimeDelta::hours(1));
    let later = owner.submit(&page, &send, &[("phone", OWN)]).await;
    assert_eq!(later.status, StatusCode::OK, "{}", later.text());
    assert_eq!(
        app.rows("users WHERE phone_confirmed_at IS NOT NULL").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_twilio_the_page_says_what_to_do_first() {
    let app = TestApp::spawn().await;
    let acme = Company::unconnected(&app, "Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let page = owner.get(&format!("/t/{}/own-number", acme.slug)).await;
    assert!(
        page.text().contains("Connect Twilio first"),
        "{}",
        page.text()
    );
    assert!(page.texts("input[name=phone]").is_empty());
}
