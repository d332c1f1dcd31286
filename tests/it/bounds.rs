//! What strangers and members can make grow ends somewhere, and says so.

use ml_connector::domain::actor::Actor;
use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::{NewAccount, NewKey};
use ml_connector::store::{HINTS_KEPT, MOST_RULES, MOST_TOKENS, UNMATCHED_KEPT};
use ml_connector::twilio;
use ml_connector::twilio::set_up::TwilioInput;
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::harness::company::{NUMBER, PASSWORD, invoice};
use crate::harness::visitor::Visitor;
use crate::harness::{Company, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_unknown_messages_are_kept_up_to_a_bound() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    for n in 0..UNMATCHED_KEPT + 30 {
        let sid = format!("SM{n:032}");
        let fields = [("MessageSid", sid.as_str()), ("MessageStatus", "sent")];
        let told = acme.forges("/status", &fields).await;
        assert_eq!(told, StatusCode::NO_CONTENT);
    }
    assert_eq!(app.rows("unmatched_receipts").await, UNMATCHED_KEPT);
}

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_reports_of_one_message_are_kept_up_to_a_bound() {
    let app = TestApp::spawn().await;
    let acme = Company::unconnected(&app, "Acme").await;
    let account = app.sandbox.twilio().register(NewAccount {
        numbers: vec![NUMBER.to_owned()],
        api_keys: vec![NewKey::default()],
        ..NewAccount::default()
    });
    let account = account.unwrap();
    let (key, secret) = account.api_keys[0].clone();
    let input = TwilioInput {
        account_sid: account.account_sid.clone(),
        api_key_sid: key,
        api_key_secret: Some(SecretString::from(secret)),
        from: NUMBER.to_owned(),
        ..TwilioInput::default()
    };
    let amy = Actor::named("amy");
    let connected = app
        .app()
        .connect(acme.id, twilio::PROVIDER, (&input.into(), false), &amy)
        .await;
    connected.unwrap();
    acme.rule("invoice.sent", "Hello").await;
    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let event = acme.event(&event).await;
    let id = event["deliveries"][0]["id"].as_str().unwrap().to_owned();
    let url = acme.inbound_url().await;
    let url = url.replace("/inbound", &format!("/status?d={id}&a=1"));
    for n in 0..60 {
        let (sid, long) = (format!("SM{n:032}"), "x".repeat(20_000));
        let fields = [
            ("MessageSid", sid.as_str()),
            ("MessageStatus", "undelivered"),
            ("ErrorMessage", long.as_str()),
        ];
        let answer = app.http.post(&url).form(&fields).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
    app.run_due_jobs().await;
    assert_eq!(
        app.rows("receipts WHERE source = 'callback'").await,
        HINTS_KEPT
    );
    let shown = acme.get(&format!("/deliveries/{id}")).await.to_string();
    assert!(shown.len() < 30_000, "{}", shown.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_as_many_rules_as_fit_a_page_and_the_next_is_refused_in_words() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let rule = json!({
        "name": "Hello", "event_type": "invoice.sent", "channel": "sms",
        "recipient": { "kind": "contact" }, "template": { "body": "Hello" },
    });
    for _ in 0..MOST_RULES {
        acme.create_rule(rule.clone()).await;
    }
    let refused = acme.api(Method::POST, "/rules", Some(rule)).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let problem: Value = refused.json().await.unwrap();
    let says = problem.to_string();
    assert!(says.contains("there are 200 rules"), "{says}");
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let form = owner.get("/t/acme/rules/new").await;
    let typed = [
        ("name", "One more"),
        ("event_type", "invoice.sent"),
        ("recipient", "contact"),
        ("template", "Hello"),
    ];
    let csrf = form.attribute("[name=csrf]", "value").unwrap();
    let mut fields = vec![("csrf", csrf.as_str())];
    fields.extend(typed);
    let again = owner.post("/t/acme/rules", &fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    let says = again.error("name").unwrap();
    assert!(says.contains("here are 200 rules"), "{says}");
    assert_eq!(app.rows("rules").await, MOST_RULES);
    let page = owner.get("/t/acme/rules").await;
    assert!(page.source().len() < 1_000_000, "{}", page.source().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_changed_so_often_a_day_and_may_still_be_switched_off() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let rule = acme.rule("invoice.sent", "Hello").await;
    let path = format!("/rules/{}", rule["id"].as_str().unwrap());
    let name = |n: usize| Some(json!({ "name": format!("Rule {n}") }));
    // As many entries as 998 changes leave; with the one that made it, one more may follow.
    let (ms, own) = (app.now().timestamp_millis(), acme.id.uuid().simple());
    let (id, tenant) = if app.database.is_file() {
        let id = format!("unhex(printf('%012x%020x', {ms}, n.i))");
        (id, format!("x'{own}'"))
    } else {
        let id = format!("(lpad(to_hex({ms}), 12, '0') || lpad(to_hex(n.i), 20, '0'))::uuid");
        (id, format!("'{own}'::uuid"))
    };
    app.database
        .run(&format!(
            "INSERT INTO audit_entries (id, tenant_id, at, actor, address, action, subject, detail) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 998) \
             SELECT {id}, {tenant}, 1, 'ann', '', 'rule.changed', '', '{{}}' FROM n"
        ))
        .await;
    let changed = acme.api(Method::PATCH, &path, name(1)).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let refused = acme.api(Method::PATCH, &path, name(2)).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let says = refused.text().await.unwrap();
    assert!(says.contains("1000 times within a day"), "{says}");
    let off = acme.api(Method::PATCH, &path, Some(json!({ "enabled": false })));
    assert_eq!(off.await.status(), StatusCode::OK);
    let on = acme.api(Method::PATCH, &path, Some(json!({ "enabled": true })));
    assert_eq!(on.await.status(), StatusCode::CONFLICT);
    app.advance(chrono::TimeDelta::days(1) + chrono::TimeDelta::seconds(1));
    let changed = acme.api(Method::PATCH, &path, name(3)).await;
    assert_eq!(changed.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_so_many_tokens_and_the_next_is_refused_in_words() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let role = ml_connector::domain::user::Role::Viewer;
    // The harness has made one.
    for _ in 1..MOST_TOKENS {
        app.app().create_token(acme.id, "t", role).await.unwrap();
    }
    let page = owner.get("/t/acme/tokens").await;
    let typed = [("name", "One more"), ("role", "viewer"), ("days", "30")];
    let refused = owner.submit(&page, "/t/acme/tokens", &typed).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let says = refused.error("name").unwrap();
    assert!(says.contains("100 tokens already"), "{says}");
    let revoke = page
        .attribute("form[action$='/revocation']", "action")
        .unwrap();
    owner.submit(&page, &revoke, &[]).await;
    let made = owner.submit(&page, "/t/acme/tokens", &typed).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_so_many_sessions_and_the_oldest_end() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let most = ml_connector::store::MOST_SESSIONS;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    app.advance(chrono::TimeDelta::minutes(1));
    app.database
        .run(&format!(
            "INSERT INTO sessions (token_hash, user_id, csrf, address, agent, created_at, seen_at, \
             expires_at) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) \
             SELECT {hash}, s.user_id, '', '', '', s.created_at + 1, s.seen_at + 1, s.expires_at \
             FROM sessions s CROSS JOIN n",
            hash = if app.database.is_file() {
                "unhex(printf('%064x', n.i))"
            } else {
                "decode(lpad(to_hex(n.i), 64, '0'), 'hex')"
            }
        ))
        .await;
    assert_eq!(app.rows("sessions").await, most + 1);
    let last = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    assert_eq!(app.rows("sessions").await, most);
    assert_eq!(last.get("/t/acme/").await.status, StatusCode::OK);
    assert!(owner.get("/t/acme/").await.path.starts_with("/sign-in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_so_many_suppressions_and_a_proven_stop_is_taken_all_the_same() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    app.app().check(acme.id, twilio::PROVIDER).await.unwrap();
    let most = ml_connector::store::MOST_SUPPRESSIONS;
    let (id, tenant, hash) = if app.database.is_file() {
        let tenant = format!("x'{}'", acme.id.uuid().simple());
        let hash = "unhex(printf('%064x', n.i))";
        ("unhex(printf('%032x', n.i))".to_owned(), tenant, hash)
    } else {
        let id = "lpad(to_hex(n.i), 32, '0')::uuid".to_owned();
        let hash = "decode(lpad(to_hex(n.i), 64, '0'), 'hex')";
        (id, format!("'{}'::uuid", acme.id.uuid()), hash)
    };
    app.database
        .run(&format!(
            "INSERT INTO suppressions (id, tenant_id, channel, address, address_hash, source, scope, name, reason, \
             created_by, created_at) WITH RECURSIVE n (i) AS \
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) \
             SELECT {id}, {tenant}, 'sms', '+44' || i, {hash}, 'hand', '', '', 'Wished so', '', 1 FROM n"
        ))
        .await;
    let one = json!({ "channel": "sms", "address": "+16175550123", "reason": "On the phone" });
    let refused = acme.api(Method::POST, "/suppressions", Some(one)).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let says = refused.text().await.unwrap();
    assert!(says.contains("there are 100000 suppressions"), "{says}");
    acme.hears("+16175550123", "STOP").await;
    assert_eq!(app.rows("suppressions WHERE source = 'stop'").await, 1);
}
