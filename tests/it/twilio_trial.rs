//! What is typed to connect Twilio is tried before it is kept.

use ml_connector::sandbox::twilio::{
    AccountKind, Credentials, Fault, FaultKind, FaultOrder, KeyKind, NewAccount, NewKey,
    NewService, On, Permission,
};
use ml_connector::twilio;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::company::{Company, NUMBER, PASSWORD};
use crate::harness::page::Page;
use crate::harness::visitor::Visitor;

const PATH: &str = "/connections/twilio";

/// Twilio answers no question about the account, this often.
fn is_down(app: &TestApp, times: u32) {
    let down = FaultOrder {
        on: On::Other,
        count: times,
        ..FaultOrder::once(Fault::new(FaultKind::DropBefore))
    };
    app.sandbox.twilio().next(down).unwrap();
}

fn account(app: &TestApp) -> Credentials {
    let account = NewAccount {
        numbers: vec![NUMBER.to_owned(), "894546".to_owned(), "ACME".to_owned()],
        services: vec![NewService::default()],
        api_keys: vec![
            NewKey::default(),
            NewKey {
                kind: KeyKind::Restricted,
                may: vec![Permission::MessagesCreate, Permission::MessagesRead],
                ..NewKey::default()
            },
        ],
        ..NewAccount::default()
    };
    app.sandbox.twilio().register(account).unwrap()
}

/// What the API says to these words beside the account's SID: the status, and the answer.
async fn puts(acme: &Company<'_>, of: &Credentials, typed: Value) -> (StatusCode, Value) {
    let mut body = typed;
    body["account_sid"] = json!(of.account_sid);
    let answer = acme.api(Method::PUT, PATH, Some(body)).await;
    let status = answer.status();
    (status, answer.json().await.unwrap_or_default())
}

async fn is_connected(acme: &Company<'_>) -> bool {
    let answer = acme.api(Method::GET, PATH, None).await;
    answer.status() == StatusCode::OK
}

fn first_field(problem: &Value) -> (&str, &str) {
    let field = |name: &str| problem["errors"][0][name].as_str().unwrap_or_default();
    (field("field"), field("message"))
}

fn is_ticked(page: &Page) -> bool {
    let open = page.texts(".checklist > li:not(.done) h3");
    !open.contains(&"Connect Twilio".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_twilio_refuses_is_not_kept() {
    let app = TestApp::spawn().await;
    let acme = Company::unconnected(&app, "Acme").await;
    let of = account(&app);
    let (token, wrong) = (of.auth_token.clone(), "0".repeat(32));
    let (key, secret) = of.api_keys[0].clone();
    let strange = format!("MG{}", "0d".repeat(16));
    for (typed, field, says) in [
        (
            json!({ "auth_token": wrong, "from": NUMBER }),
            "auth_token",
            "refuses this Auth Token",
        ),
        (
            json!({ "auth_token": wrong, "from": NUMBER, "save_anyway": true }),
            "auth_token",
            "refuses this Auth Token",
        ),
        (
            json!({ "api_key_sid": key, "api_key_secret": wrong, "from": NUMBER }),
            "api_key_secret",
            "refuses this API key",
        ),
        // Beside a good key, the Auth Token verifies what Twilio reports.
        (
            json!({ "api_key_sid": key, "api_key_secret": secret, "auth_token": wrong, "from": NUMBER }),
            "auth_token",
            "refuses this Auth Token",
        ),
        (
            json!({ "auth_token": token, "from": "+14155550123" }),
            "from",
            "has no number +14155550123",
        ),
        (
            json!({ "auth_token": token, "from": "12345" }),
            "from",
            "has no number 12345",
        ),
        (
            json!({ "auth_token": token, "messaging_service_sid": strange }),
            "messaging_service_sid",
            "has no Messaging Service",
        ),
    ] {
        let (status, problem) = puts(&acme, &of, typed.clone()).await;
        assert_eq!(
            status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{typed} {problem}"
        );
        let (at, why) = first_field(&problem);
        assert_eq!(at, field, "{typed} {problem}");
        assert!(why.contains(says), "{typed} {problem}");
        assert!(!is_connected(&acme).await, "{typed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_twilio_takes_is_kept_and_accepted() {
    let app = TestApp::spawn().await;
    let of = account(&app);
    let (key, secret) = of.api_keys[0].clone();
    let (limited, limited_secret) = of.api_keys[1].clone();
    for (n, (typed, says)) in [
        (
            json!({ "auth_token": of.auth_token, "from": NUMBER }),
            "the balance is 42.50 USD",
        ),
        (
            json!({ "auth_token": of.auth_token, "from": "894546" }),
            "accepts",
        ),
        (
            json!({ "auth_token": of.auth_token, "from": "ACME" }),
            "lists no sender names",
        ),
        (
            json!({ "auth_token": of.auth_token, "messaging_service_sid": of.services[0] }),
            "accepts",
        ),
        (
            json!({ "api_key_sid": key, "api_key_secret": secret, "from": NUMBER }),
            "accepts",
        ),
        // It may not look, so nobody knows: the words say that.
        (
            json!({ "api_key_sid": limited, "api_key_secret": limited_secret, "from": NUMBER }),
            "may not list the account's senders",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let acme = Company::unconnected(&app, &format!("Acme {n}")).await;
        let (status, kept) = puts(&acme, &of, typed).await;
        assert_eq!(status, StatusCode::OK, "{kept}");
        assert!(kept["accepted_at"].is_string(), "{kept}");
        assert!(kept["checked"].as_str().unwrap().contains(says), "{kept}");
    }
    // A trial's lent number may stand in no list.
    let trial = NewAccount {
        kind: AccountKind::Trial,
        ..NewAccount::default()
    };
    let trial = app.sandbox.twilio().register(trial).unwrap();
    let acme = Company::unconnected(&app, "Trial").await;
    let typed = json!({ "auth_token": trial.auth_token, "from": NUMBER });
    let (status, kept) = puts(&acme, &trial, typed).await;
    assert_eq!(status, StatusCode::OK, "{kept}");
    assert!(kept["checked"].as_str().unwrap().contains("lent"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clerk_is_told_at_the_field_and_may_save_untried_only_while_twilio_is_down() {
    let app = TestApp::spawn().await;
    let acme = Company::unconnected(&app, "Acme").await;
    let of = account(&app);
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let home = format!("/t/{}/", acme.slug);
    let path = format!("{home}connections");
    let action = format!("{path}/twilio");
    let typed = |token: &str, sender: &str, more: bool| {
        let mut typed = vec![
            ("account_sid", of.account_sid.clone()),
            ("auth_token", token.to_owned()),
            ("sender", sender.to_owned()),
        ];
        if more {
            typed.push(("save_anyway", "1".to_owned()));
        }
        typed
    };
    let page = ann.get(&path).await;
    let saves = async |token: &str, sender: &str, more: bool| {
        let typed = typed(token, sender, more);
        let typed: Vec<_> = typed.iter().map(|(n, v)| (*n, v.as_str())).collect();
        ann.submit(&page, &action, &typed).await
    };
    let untried = "[name='save_anyway']";

    let refused = saves(&"0".repeat(32), NUMBER, false).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let why = refused.texts(".field-error").join(" ");
    assert!(why.contains("refuses this Auth Token"), "{why}");
    assert!(refused.texts(untried).is_empty(), "no way around a refusal");
    let kept = refused.attribute("[name='account_sid']", "value");
    assert_eq!(kept.as_deref(), Some(of.account_sid.as_str()));

    is_down(&app, 1);
    let down = saves(&of.auth_token, NUMBER, false).await;
    assert_eq!(down.status, StatusCode::CONFLICT);
    assert!(
        down.text().contains("nothing is kept yet"),
        "{}",
        down.text()
    );
    assert_eq!(down.texts(untried), ["Save untried"]);
    assert!(!down.source().contains(&of.auth_token));
    assert!(!is_connected(&acme).await);

    is_down(&app, 1);
    let kept = saves(&of.auth_token, NUMBER, true).await;
    assert!(kept.text().contains("saved untried"), "{}", kept.text());
    assert!(is_connected(&acme).await);
    let overview = ann.get(&home).await;
    assert!(!is_ticked(&overview), "nobody has accepted it");
    assert!(overview.text().contains("has not accepted it yet"));

    app.app().check(acme.id, twilio::PROVIDER).await.unwrap();
    assert!(is_ticked(&ann.get(&home).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rules_own_sender_is_asked_about_as_well() {
    let app = TestApp::spawn().await;
    let acme = Company::unconnected(&app, "Acme").await;
    let of = account(&app);
    let typed = json!({ "auth_token": of.auth_token, "from": NUMBER });
    assert_eq!(puts(&acme, &of, typed).await.0, StatusCode::OK);
    let rule = |name: &str, sender: Value| {
        json!({
            "name": name, "event_type": "invoice.sent", "channel": "sms",
            "recipient": { "kind": "contact" }, "template": { "body": "Hello" },
            "sender": sender,
        })
    };
    let strange = json!({ "from": "+14155550123" });
    let refused = acme
        .api(
            Method::POST,
            "/rules",
            Some(rule("Strange", strange.clone())),
        )
        .await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(first_field(&problem).0, "sender", "{problem}");
    let own = json!({ "messaging_service_sid": of.services[0] });
    let made = acme.create_rule(rule("Own", own)).await;

    let path = format!("/rules/{}", made["id"].as_str().unwrap());
    let change = json!({ "sender": strange });
    let changed = acme.api(Method::PATCH, &path, Some(change.clone())).await;
    assert_eq!(changed.status(), StatusCode::UNPROCESSABLE_ENTITY);
    // Whoever writes a rule does not wait for Twilio.
    is_down(&app, 1);
    let changed = acme.api(Method::PATCH, &path, Some(change)).await;
    assert_eq!(changed.status(), StatusCode::OK);
}

/// Two admins at once: a blank secret keeps the one that was tried, not one that came meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_kept_secret_is_the_one_that_was_tried() {
    let app = TestApp::spawn().await;
    let acme = Company::unconnected(&app, "Acme").await;
    let of = account(&app);
    let typed = json!({ "auth_token": of.auth_token, "from": NUMBER });
    assert_eq!(puts(&acme, &of, typed.clone()).await.0, StatusCode::OK);
    let slow = FaultOrder {
        on: On::Other,
        ..FaultOrder::once(Fault::new(FaultKind::Slow).with_delay_ms(1500))
    };
    app.sandbox.twilio().next(slow).unwrap();
    let waits = puts(&acme, &of, json!({ "from": "894546" }));
    let overtakes = async {
        let asked = async || {
            let twilio = app.sandbox.twilio();
            twilio
                .requests()
                .iter()
                .filter(|r| r.path.contains(&of.account_sid))
                .count()
        };
        let before = asked().await;
        while asked().await == before {
            tokio::task::yield_now().await;
        }
        puts(&acme, &of, typed).await
    };
    let ((late, problem), (first, _)) = tokio::join!(waits, overtakes);
    assert_eq!(first, StatusCode::OK);
    assert_eq!(late, StatusCode::CONFLICT, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("meanwhile"));
    let kept = acme.get(PATH).await;
    assert_eq!(kept["from"], NUMBER);
}
