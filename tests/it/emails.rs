//! E-mails from the webhook to the reader: to whom, from whom, with what, and what becomes of them.

use chrono::TimeDelta;
use ml_connector::domain::actor::Actor;
use ml_connector::sandbox::samples::{Standing, Trader};
use ml_connector::sandbox::twilio::{Email, Fault, FaultKind, FaultOrder, On};
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::company::{Company, invoice};

/// A company that sends e-mails from an address of its own.
async fn mailer(app: &TestApp) -> Company<'_> {
    let acme = app.company("Acme").await;
    acme.email_sender("billing@acme.example", "Acme Billing")
        .await;
    acme
}

fn template() -> Value {
    json!({
        "subject": "Invoice {{ invoice_number }}",
        "preview": "{{ total|money }} by {{ due_date|date }}",
        "body": "Dear {{ contact.name }},\n\nyour invoice is **here**.\n\n[[details]]\n\n[[items]]\n\n[[pay button]]",
    })
}

fn rule(recipient: &Value) -> Value {
    json!({
        "name": "Tell them", "event_type": "invoice.sent", "channel": "email",
        "recipient": recipient, "template": { "email": template() },
    })
}

fn to(emails: &[Email]) -> Vec<&str> {
    emails.iter().map(|e| e.to.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_goes_to_the_contact_with_details_and_button() {
    let app = TestApp::spawn().await;
    let acme = mailer(&app).await;
    acme.create_rule(rule(&json!({ "kind": "contact" }))).await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;

    let emails = acme.emails();
    let customer = Trader::customer(4);
    assert_eq!(to(&emails), [customer.email.as_str()]);
    let email = &emails[0];
    assert_eq!(
        (email.from.as_str(), email.from_name.as_str()),
        ("billing@acme.example", "Acme Billing")
    );
    assert!(email.subject.starts_with("Invoice "), "{}", email.subject);
    assert!(
        email.html.contains("<strong>here</strong>"),
        "{}",
        email.html
    );
    assert!(email.text.contains("your invoice is"), "{}", email.text);
    assert!(
        email.html.contains("billing@acme.example"),
        "where answers go"
    );

    let story = acme.event(&event).await;
    let delivery = &story["deliveries"][0];
    assert_eq!(delivery["channel"], "email");
    assert_eq!(delivery["to"], email.to.as_str());
    assert_eq!(delivery["subject"], email.subject.as_str());
    assert!(
        delivery["html"]
            .as_str()
            .unwrap()
            .contains("<strong>here</strong>")
    );
    assert!(
        delivery["body"]
            .as_str()
            .unwrap()
            .contains("your invoice is")
    );
    assert_eq!(email.tags["delivery"], delivery["id"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_it_is_asked_and_completed_is_not_delivered() {
    let app = TestApp::spawn().await;
    let acme = mailer(&app).await;
    acme.create_rule(rule(&json!({ "kind": "contact" }))).await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    for _ in 0..4 {
        app.advance(TimeDelta::hours(1));
        app.run_due_jobs().await;
    }
    let story = acme.event(&event).await;
    assert_eq!(story["deliveries"][0]["state"], "delivered", "{story:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_told_each_of_it_once_and_whoever_is_off_is_not() {
    let app = TestApp::spawn().await;
    let acme = mailer(&app).await;
    let group = acme
        .group(
            "Finance",
            &[
                ("Ann", "ann@acme.example", true),
                ("Bo", "bo@acme.example", true),
                ("Cy", "cy@acme.example", false),
            ],
        )
        .await;
    acme.create_rule(rule(&json!({ "kind": "group", "group": group })))
        .await;
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let mut emails = acme.emails();
    emails.sort_by(|a, b| a.to.cmp(&b.to));
    assert_eq!(to(&emails), ["ann@acme.example", "bo@acme.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_is_switched_off_while_it_waits_gets_nothing() {
    let app = TestApp::spawn().await;
    let acme = mailer(&app).await;
    let people = [("Ann", "ann@acme.example", true)];
    let group = acme.group("Finance", &people).await;
    acme.create_rule(rule(&json!({ "kind": "group", "group": group })))
        .await;
    acme.app
        .app()
        .stop_sending(acme.id, &Actor::named("amy"))
        .await
        .unwrap();
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    acme.switch_off(&group, "Ann").await;
    acme.app
        .app()
        .resume_sending(acme.id, &Actor::named("amy"))
        .await
        .unwrap();
    app.run_due_jobs().await;
    assert!(acme.emails().is_empty());
    let story = acme.event(&event).await;
    assert_eq!(story["deliveries"][0]["state"], "canceled", "{story:#}");
    let reason = story["deliveries"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("switched off in the group Finance"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn both_channels_are_two_messages_and_the_other_stands_in_for_one() {
    let app = TestApp::spawn().await;
    let acme = mailer(&app).await;
    let with = |name: &str, channel: &str, event_type: &str| {
        json!({
            "name": name, "event_type": event_type, "channel": channel,
            "recipient": { "kind": "contact" },
            "template": { "body": "Invoice {{ invoice_number }}", "email": template() },
        })
    };
    acme.create_rule(with("Both", "both", "invoice.sent")).await;
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    assert_eq!((acme.messages().len(), acme.emails().len()), (1, 1));

    acme.create_rule(with("Either", "sms_else_email", "invoice.paid"))
        .await;
    let paid = without_numbers(&invoice(2, Standing::Paid, app.now()));
    let event = acme.told("/invoice.paid", &paid).await;
    app.run_due_jobs().await;
    assert_eq!((acme.messages().len(), acme.emails().len()), (1, 2));
    let story = acme.event(&event).await;
    let reason = story["decisions"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("so by e-mail"), "{reason}");
}

/// An answer that was lost is looked for by our tag, and nothing is sent twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_by_its_tag() {
    let app = TestApp::spawn().await;
    let acme = mailer(&app).await;
    acme.create_rule(rule(&json!({ "kind": "contact" }))).await;
    let lost = FaultOrder {
        on: On::Email,
        ..FaultOrder::once(Fault::new(FaultKind::DropAfter))
    };
    app.sandbox.twilio().next(lost).unwrap();
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let state = |story: &Value| story["deliveries"][0]["state"].as_str().unwrap().to_owned();
    assert_eq!(state(&acme.event(&event).await), "unknown");
    for _ in 0..6 {
        app.advance(TimeDelta::minutes(5));
        app.run_due_jobs().await;
    }
    assert_eq!(acme.emails().len(), 1, "once");
    let story = acme.event(&event).await;
    assert!(
        ["accepted", "sent", "delivered"].contains(&state(&story).as_str()),
        "{story:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn in_rehearsal_it_goes_to_the_owner_and_says_for_whom_it_was_meant() {
    let app = TestApp::spawn().await;
    let acme = mailer(&app).await;
    acme.create_rule(rule(&json!({ "kind": "contact" }))).await;
    acme.app
        .app()
        .rehearse(acme.id, &Actor::named("amy"))
        .await
        .unwrap();
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let emails = acme.emails();
    assert_eq!(to(&emails), [acme.email.as_str()]);
    let meant = &Trader::customer(4).email;
    assert!(
        emails[0].subject.contains(meant.as_str()),
        "{}",
        emails[0].subject
    );
    assert!(emails[0].text.contains(meant.as_str()));
    assert!(emails[0].html.contains(meant.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sender_it_waits_and_says_so() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.create_rule(rule(&json!({ "kind": "contact" }))).await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let story = acme.event(&event).await;
    assert_eq!(story["deliveries"][0]["state"], "held", "{story:#}");
    assert_eq!(story["deliveries"][0]["hold"], "no_connection");
    acme.email_sender("billing@acme.example", "Acme Billing")
        .await;
    app.run_due_jobs().await;
    assert_eq!(acme.emails().len(), 1, "released by itself");
}

/// What the document says with every number taken away.
fn without_numbers(body: &[u8]) -> Vec<u8> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if ["phone", "mobile"].contains(&key.as_str()) {
                        *value = json!("");
                    } else {
                        strip(value);
                    }
                }
            }
            Value::Array(all) => all.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut json: Value = serde_json::from_slice(body).unwrap();
    strip(&mut json);
    json.to_string().into_bytes()
}
