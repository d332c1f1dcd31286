//! The limits of a provider's account and of carriers: followed, told and obeyed.

use chrono::TimeDelta;
use ml_connector::sandbox::samples::{Standing, Trader};
use ml_connector::sandbox::twilio::{AccountFigures, CallbackPlan, CallbackRule, Settings};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::company::{Company, NUMBER, PASSWORD, invoice};
use crate::harness::visitor::Visitor;

/// Other programs of every account have so many calls under way.
fn others_call(app: &TestApp, requests: usize) {
    let twilio = app.sandbox.twilio();
    twilio.set(Settings {
        other_requests: requests,
        ..twilio.settings()
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowded_account_is_given_a_pause_over_both_of_its_apis() {
    let app = TestApp::spawn().await;
    let (acme, other) = (app.company("Acme").await, app.company("Other").await);
    acme.email_sender("billing@acme.example", "Acme").await;
    for company in [&acme, &other] {
        company.rule("invoice.sent", "{{ invoice_number }}").await;
    }
    acme.create_rule(json!({
        "name": "Mail", "event_type": "invoice.created", "channel": "email",
        "recipient": { "kind": "contact" },
        "template": { "email": { "subject": "{{ invoice_number }}", "preview": "", "body": "Hello" } },
    }))
    .await;
    let tell = async |seed| {
        acme.told("/invoice.sent", &invoice(seed, Standing::Sent, app.now()))
            .await;
        app.run_due_jobs().await;
    };
    others_call(&app, 78);
    tell(1).await;
    tell(2).await;
    assert_eq!(acme.messages().len(), 2, "79 calls are no crowd");
    others_call(&app, 79);
    tell(3).await;
    assert_eq!(
        acme.messages().len(),
        3,
        "the call that tells of it is taken"
    );

    for (company, path, seed) in [
        (&acme, "/invoice.sent", 4),
        (&acme, "/invoice.created", 5),
        (&other, "/invoice.sent", 6),
    ] {
        let body = invoice(seed, Standing::Sent, app.now());
        let event = company.told(path, &body);
        for delivery in company.queued(event.await.parse().unwrap()).await {
            app.app().advance(company.id, delivery).await.unwrap();
        }
    }
    assert_eq!(acme.messages().len(), 3, "and the next one waits");
    assert_eq!(acme.emails().len(), 0, "an e-mail too");
    assert_eq!(other.messages().len(), 1, "but not another account's");

    others_call(&app, 0);
    app.advance(TimeDelta::seconds(1));
    app.run_due_jobs().await;
    assert_eq!((acme.messages().len(), acme.emails().len()), (4, 1));
}

/// What is left on a company's account, and what this month has cost.
fn left(of: &Company<'_>, balance: &str, month_price: &str) {
    of.app.sandbox.twilio().set_figures(AccountFigures {
        account_sid: of.account_sid.clone(),
        balance: Some(balance.to_owned()),
        month_price: Some(month_price.to_owned()),
    });
}

/// How often a company's account was asked what is left.
fn asked(of: &Company<'_>) -> usize {
    let path = format!("/2010-04-01/Accounts/{}/Balance.json", of.account_sid);
    let requests = of.app.sandbox.twilio().requests();
    requests.iter().filter(|r| r.path == path).count()
}

async fn limits(of: &Company<'_>) -> Value {
    of.get("/connections/twilio").await["limits"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_are_told_once_that_little_is_left_until_it_has_been_more() {
    let app = TestApp::spawn().await;
    let (acme, idle) = (app.company("Acme").await, app.company("Idle").await);
    acme.rule("invoice.sent", "{{ invoice_number }}").await;
    acme.told("/invoice.sent", &invoice(1, Standing::Sent, app.now()))
        .await;
    app.run_due_jobs().await;
    let before = (asked(&acme), asked(&idle));
    let mut seen = app.mails().await.len();
    let mut hour = async |balance: &str, price: &str| {
        left(&acme, balance, price);
        app.advance(TimeDelta::minutes(61));
        for _ in 0..2 {
            app.app().ask_accounts().await.unwrap();
            app.app().tell_owners().await.unwrap();
        }
        let mails = app.mails().await.split_off(seen);
        seen += mails.len();
        mails.into_iter().map(|l| l.subject).collect::<Vec<_>>()
    };
    let told = "Little is left on the Twilio account of \u{201c}Acme\u{201d}";
    assert!(hour("42.5", "0").await.is_empty());
    assert_eq!(asked(&acme), before.0 + 1, "once an hour");
    assert_eq!(asked(&idle), before.1, "not an account that nobody uses");

    assert_eq!(hour("9.99123", "0").await, [told]);
    let now = limits(&acme).await;
    assert_eq!(
        now["balance"],
        json!({ "amount": "9.9912", "currency": "USD" })
    );
    assert_eq!(now["is_low"], true);
    let owner = Visitor::stranger(&app);
    owner.sign_in(&acme.email, PASSWORD).await;
    let page = owner.get("/t/acme/connections").await;
    assert!(
        page.text().contains("Only 9.9912 USD are left"),
        "{}",
        page.text()
    );
    assert!(hour("9", "0").await.is_empty(), "it was told");
    assert!(hour("12", "0").await.is_empty());
    assert_eq!(limits(&acme).await["is_low"], false, "taken back");
    // 23 days at 10 each.
    assert_eq!(hour("29", "230").await, [told]);

    assert_eq!(limits(&idle).await["balance"], Value::Null);
    let owner = Visitor::stranger(&app);
    owner.sign_in(&idle.email, PASSWORD).await;
    let page = owner.get("/t/idle/connections").await;
    assert!(
        page.text().contains("42.50 USD"),
        "asked for whoever looks: {}",
        page.text()
    );
    assert_eq!(asked(&idle), before.1 + 1);
}

/// How messages end from now on, with a code of Twilio's.
fn end_so(app: &TestApp, status: &str, code: Option<u32>) {
    let plan = CallbackPlan {
        error_code: code,
        ..CallbackPlan::of(&["sent", status])
    };
    let rule = CallbackRule {
        to: None,
        to_ends_with: None,
        plan,
    };
    app.sandbox.twilio().plan(rule).unwrap();
}

async fn tell(of: &Company<'_>, seed: u64) -> Value {
    let body = invoice(seed, Standing::Sent, of.app.now());
    let event = of.told("/invoice.sent", &body).await;
    of.app.run_due_jobs().await;
    of.event(&event).await["deliveries"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_was_too_fast_for_carriers_rests_and_nobody_else() {
    let app = TestApp::spawn().await;
    let (acme, other) = (app.company("Acme").await, app.company("Other").await);
    for company in [&acme, &other] {
        company.rule("invoice.sent", "{{ invoice_number }}").await;
    }
    end_so(&app, "undelivered", Some(30022));
    let failed = tell(&acme, 1).await;
    assert_eq!(failed["state"], "undelivered", "{failed:#}");
    end_so(&app, "delivered", None);
    app.advance(TimeDelta::seconds(2));

    let waits = tell(&acme, 2).await;
    assert_eq!(waits["state"], "queued");
    let reason = waits["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("Waits until 05:01 in ") && reason.contains("(30022)"),
        "{reason}"
    );
    assert_eq!(tell(&other, 3).await["state"], "delivered");
    let told = limits(&acme).await["carriers"].clone();
    assert_eq!(told[0]["sender"], NUMBER);
    assert_eq!(told[0]["concerns"], "sender");
    assert_eq!(
        (&told[0]["code"], &told[0]["messages"]),
        (&json!(30022), &json!(1))
    );
    assert_eq!(limits(&other).await["carriers"], json!([]));

    app.advance(TimeDelta::seconds(60));
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 2);
    end_so(&app, "undelivered", Some(30022));
    tell(&acme, 4).await;
    let told = limits(&acme).await["carriers"].clone();
    assert_eq!(told[0]["messages"], 2);
    let until: chrono::DateTime<chrono::Utc> = told[0]["until"].as_str().unwrap().parse().unwrap();
    assert_eq!(until - app.now(), TimeDelta::minutes(2), "twice as long");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carriers_limit_for_the_day_is_counted_and_the_accounts_stops_all() {
    let app = TestApp::spawn().await;
    let (acme, other) = (app.company("Acme").await, app.company("Other").await);
    acme.rule("invoice.sent", "{{ invoice_number }}").await;
    end_so(&app, "undelivered", Some(30027));
    for seed in 1..=3 {
        tell(&acme, seed).await;
        app.advance(TimeDelta::seconds(2));
    }
    assert_eq!(acme.messages().len(), 3, "the sender goes on");
    let told = limits(&acme).await["carriers"].clone();
    assert_eq!(
        (&told[0]["concerns"], &told[0]["messages"]),
        (&json!("carrier"), &json!(3))
    );
    // Midnight Pacific.
    assert_eq!(told[0]["until"], "2026-11-24T08:00:00Z");

    end_so(&app, "failed", Some(63038));
    tell(&acme, 4).await;
    let paused = acme.get("/connections/twilio").await["paused_until"].clone();
    assert_eq!(paused, "2026-11-24T00:00:00Z");
    let owner = Visitor::stranger(&app);
    owner.sign_in(&acme.email, PASSWORD).await;
    let page = owner.get("/t/acme/connections").await.text();
    assert!(page.contains("Messages to T-Mobile within a day"), "{page}");
    assert_eq!(limits(&other).await["carriers"], json!([]));
}

/// A company whose number sends so many segments a second.
async fn paced(app: &TestApp, pace: u16) -> Company<'_> {
    let acme = app.company("Acme").await;
    let senders = acme.get("/senders").await;
    let path = format!("/senders/{}", senders["data"][0]["id"].as_str().unwrap());
    let changed = json!({ "address": NUMBER, "is_default": true, "segments_per_second": pace });
    let changed = acme.api(Method::PUT, &path, Some(changed)).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let changed: Value = changed.json().await.unwrap();
    assert_eq!(changed["segments_per_second"], pace);
    acme
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_messages_of_a_slow_number_leave_in_thirty_seconds_and_in_their_order() {
    let app = TestApp::spawn().await;
    let acme = paced(&app, 1).await;
    acme.rule("invoice.sent", "{{ invoice_id }}").await;
    let mut told = Vec::new();
    for seed in 1..=30 {
        told.push(tell(&acme, seed).await);
    }
    assert_eq!(acme.messages().len(), 1, "the others wait here");
    let pace = json!({ "sender": NUMBER, "segments_per_second": 1, "waiting": 29 });
    assert_eq!(limits(&acme).await["paces"], json!([pace]));
    let reason = told[29]["reason"].as_str().unwrap();
    assert!(reason.starts_with("Waits until 05:00:29 in "), "{reason}");
    for second in 2..=30 {
        app.advance(TimeDelta::seconds(1));
        app.run_due_jobs().await;
        assert_eq!(acme.messages().len(), second, "one a second");
    }
    let sent: Vec<String> = acme.messages().into_iter().map(|m| m.body).collect();
    let told: Vec<_> = told.iter().map(|d| d["body"].as_str().unwrap()).collect();
    assert_eq!(sent, told);
    acme.no_doubles();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_turn_can_be_called_off_and_long_texts_take_several() {
    let app = TestApp::spawn().await;
    let acme = paced(&app, 1).await;
    let long = "x".repeat(310);
    acme.rule("invoice.sent", &format!("{{{{ invoice_id }}}} {long}"))
        .await;
    tell(&acme, 1).await;
    tell(&acme, 2).await;
    for (seconds, sent) in [(2, 1), (1, 2)] {
        app.advance(TimeDelta::seconds(seconds));
        app.run_due_jobs().await;
        assert_eq!(acme.messages().len(), sent, "each takes three seconds");
    }
    tell(&acme, 3).await;
    let stop =
        json!({ "channel": "sms", "address": Trader::customer(4).mobile, "reason": "asked" });
    let stopped = acme.api(Method::POST, "/suppressions", Some(stop)).await;
    assert!(stopped.status().is_success());
    app.advance(TimeDelta::seconds(10));
    app.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 2);
    let states = acme.get("/deliveries?state=suppressed").await;
    assert_eq!(states["data"].as_array().unwrap().len(), 1, "{states:#}");
}
