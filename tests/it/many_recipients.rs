//! One event with as many recipients as there can be, over both channels.

use std::time::{Duration, Instant};

use ml_connector::domain::group::MOST_MEMBERS;
use ml_connector::sandbox::samples::Standing;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::company::invoice;
use crate::harness::{Company, TestApp};

async fn rule(acme: &Company<'_>, name: &str, event_type: &str, recipient: Value) {
    acme.email_sender(&format!("{name}@acme.example"), "Acme")
        .await;
    acme.create_rule(json!({
        "name": name, "event_type": event_type, "channel": "both", "recipient": recipient,
        "template": {
            "body": "Invoice {{ invoice_number }} for {{ contact.name }}",
            "email": {
                "subject": "Invoice {{ invoice_number }}", "preview": "",
                "body": "Hello {{ contact.name }}\n\n[[details]]\n\n[[items]]\n\n[[totals]]",
            },
        },
    }))
    .await;
}

fn group(members: usize) -> Value {
    let members = (0..members).map(|n| {
        json!({
            "name": format!("Member {n}"), "phone": format!("+12025550{n:03}"),
            "email": format!("member{n}@acme.example"),
        })
    });
    json!({ "name": "Everybody", "members": members.collect::<Vec<_>>() })
}

/// An invoice that names so many people.
fn crowd(app: &TestApp, people: usize) -> Vec<u8> {
    let mut body: Value = serde_json::from_slice(&invoice(1, Standing::Sent, app.now())).unwrap();
    let people = (0..people).map(|n| {
        json!({
            "contact_person_id": format!("{}", 460_000_000_000_u64 + n as u64),
            "first_name": "Person", "last_name": format!("{n}"),
            "email": format!("person{n}@customer.example"), "mobile": format!("+12125550{n:03}"),
        })
    });
    body["invoice"]["contact_persons_associated"] = people.collect();
    body["invoice"]["contact_persons_details"] = json!([]);
    serde_json::to_vec(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_group_and_a_crowd_are_told_within_bounds() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let full = acme
        .api(Method::POST, "/groups", Some(group(MOST_MEMBERS + 1)))
        .await;
    assert_eq!(full.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let problem: Value = full.json().await.unwrap();
    assert!(
        problem
            .to_string()
            .contains("at most 50 people; make a second group"),
        "{problem}"
    );
    let made = acme
        .api(Method::POST, "/groups", Some(group(MOST_MEMBERS)))
        .await;
    let made: Value = made.json().await.unwrap();
    rule(
        &acme,
        "group",
        "invoice.sent",
        json!({ "kind": "group", "group": made["id"] }),
    )
    .await;
    rule(
        &acme,
        "crowd",
        "invoice.sent",
        json!({ "kind": "contact", "who": "all" }),
    )
    .await;
    let globex = app.company("Globex").await;
    globex.rule("invoice.sent", "Hello").await;

    let event = acme.told("", &crowd(&app, 100)).await;
    let began = Instant::now();
    app.app()
        .route_event(acme.id, event.parse().unwrap())
        .await
        .unwrap();
    let routed = began.elapsed();
    let story = acme.event(&event).await;
    let all = story["deliveries"].as_array().unwrap();
    let bytes = all
        .iter()
        .map(|d| d["html"].as_str().unwrap_or_default().len())
        .sum::<usize>();
    println!(
        "{} messages decided in {routed:?}, {bytes} bytes of HTML",
        all.len()
    );
    assert_eq!(all.len(), 4 * MOST_MEMBERS);
    assert!(routed < Duration::from_secs(10), "{routed:?}");
    let reason = story["decisions"][1]["reason"].as_str().unwrap();
    assert!(
        reason.contains("100 messages, as many as a rule sends about one event"),
        "{reason}"
    );
    assert!(
        reason.contains("not sent to: Person 0 by e-mail"),
        "{reason}"
    );
    // With the document's own address.
    assert!(reason.contains("and 91 more"), "{reason}");

    // Another company's message does not wait for them.
    globex
        .told("", &invoice(9, Standing::Sent, app.now()))
        .await;
    app.run_due_jobs().await;
    assert_eq!(globex.messages().len(), 1);
    assert_eq!(
        acme.messages().len() + acme.emails().len(),
        4 * MOST_MEMBERS
    );
    acme.no_doubles();
}
