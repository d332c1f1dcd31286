//! Who does not want to be written to is not, and who writes back is heard.

use ml_connector::domain::actor::Actor;
use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::{Inbound, NewAccount, NewKey, OptOut, PostedCallback};
use ml_connector::twilio;
use ml_connector::twilio::set_up::TwilioInput;
use ml_connector::twilio::signature;
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::harness::company::{NUMBER, PASSWORD, invoice};
use crate::harness::visitor::Visitor;
use crate::harness::{Company, TestApp};

impl Company<'_> {
    /// Where Twilio posts what recipients write.
    pub(crate) async fn inbound_url(&self) -> String {
        let app = self.app.app();
        let twilio = app.connection(self.id, twilio::PROVIDER).await.unwrap();
        let store = app.store().tenant(self.id);
        let token = store.hook_token(twilio.unwrap().id).await.unwrap();
        self.app
            .url(&format!("/hooks/twilio/{}/inbound", token.unwrap()))
    }

    /// Somebody writes to the company's number.
    pub(crate) async fn hears(&self, from: &str, body: &str) -> PostedCallback {
        let inbound = Inbound {
            account_sid: self.account_sid.clone(),
            from: from.to_owned(),
            to: NUMBER.to_owned(),
            body: body.to_owned(),
            url: Some(self.inbound_url().await),
        };
        self.app.sandbox.twilio().receive(inbound).await.unwrap()
    }

    /// Tells of an invoice; its only message.
    async fn tells(&self, seed: u64) -> Value {
        let body = invoice(seed, Standing::Sent, self.app.now());
        let event = self.told("", &body).await;
        self.app.run_due_jobs().await;
        self.event(&event).await["deliveries"][0].clone()
    }

    async fn suppressed(&self, such: &str) -> i64 {
        let own = self.id.uuid().simple();
        let tenant = if self.app.database.is_file() {
            format!("hex(tenant_id) = upper('{own}')")
        } else {
            format!("tenant_id = '{own}'")
        };
        self.app
            .rows(&format!("suppressions WHERE {tenant} AND {such}"))
            .await
    }
}

fn to(delivery: &Value) -> String {
    delivery["to"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_stop_nothing_is_sent_and_after_start_it_is_again() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let first = acme.tells(1).await;
    assert_eq!(first["state"], "delivered", "{first:#}");
    let contact = to(&first);

    let answered = acme.hears(&contact, " Stop ").await;
    assert_eq!(answered.status, Some(200), "{answered:?}");
    let second = acme.tells(2).await;
    assert_eq!(second["state"], "suppressed", "{second:#}");
    assert_eq!(second["reason"], "Not sent: The recipient wrote STOP");
    assert_eq!(acme.messages().len(), 1, "not even tried");
    let name = first["recipient"].as_str().unwrap().replace('\'', "''");
    let named = format!("source = 'stop' AND name = '{name}'");
    assert_eq!(acme.suppressed(&named).await, 1);

    acme.hears(&contact, "START").await;
    let third = acme.tells(3).await;
    assert_eq!(third["state"], "delivered", "{third:#}");
    let logged = "audit_entries WHERE actor = 'the recipient'";
    assert_eq!(app.rows(logged).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn start_does_not_lift_what_somebody_here_decided() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let contact = to(&acme.tells(1).await);
    let by_hand = ml_connector::app::suppressions::SuppressionInput {
        channel: "sms".to_owned(),
        address: contact.clone(),
        reason: "Asked us on the phone".to_owned(),
    };
    let amy = Actor::named("amy");
    let added = app.app().suppress(acme.id, &by_hand, &amy);
    added.await.unwrap();
    for words in ["STOP", "START"] {
        acme.hears(&contact, words).await;
    }
    assert_eq!(acme.suppressed("source = 'stop'").await, 0);
    let next = acme.tells(2).await;
    assert_eq!(
        next["reason"], "Not sent: Asked us on the phone",
        "{next:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_twilio_knows_and_we_do_not_is_learnt_from_its_refusal() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let contact = to(&acme.tells(1).await);
    app.sandbox.twilio().opt_out(OptOut {
        account_sid: acme.account_sid.clone(),
        to: contact.clone(),
        opted_out: true,
    });
    let refused = acme.tells(2).await;
    assert_eq!(refused["state"], "suppressed", "{refused:#}");
    assert_eq!(refused["error_code"], 21610);
    assert_eq!(acme.suppressed("source = 'provider'").await, 1);
    acme.hears(&contact, "start").await;
    assert_eq!(acme.tells(3).await["state"], "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_start_that_comes_again_lifts_nothing() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let contact = "+16175550123";
    let start = acme.hears(contact, "START").await;
    acme.hears(contact, "STOP").await;
    assert_eq!(acme.suppressed("source = 'stop'").await, 1);
    let again = app
        .http
        .post(acme.inbound_url().await)
        .header("X-Twilio-Signature", start.signature.clone())
        .form(&start.params)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(acme.suppressed("source = 'stop'").await, 1);
    assert_eq!(app.rows("replies WHERE wish = 'start'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_message_changes_nothing_and_is_shown() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let fields = [
        ("MessageSid", "SM0123456789abcdef0123456789abcdef"),
        ("AccountSid", acme.account_sid.as_str()),
        ("From", "+16175550123"),
        ("To", NUMBER),
        ("Body", "STOP"),
    ];
    let url = acme.inbound_url().await;
    for signature in [None, Some("bm90IHRoZSBzaWduYXR1cmU=")] {
        let mut call = app.http.post(&url).form(&fields);
        if let Some(signature) = signature {
            call = call.header("X-Twilio-Signature", signature);
        }
        assert_eq!(call.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    }
    let nowhere = url.replace("/inbound", "x/inbound");
    let lost = app.http.post(nowhere).form(&fields).send().await.unwrap();
    assert_eq!(lost.status(), StatusCode::NOT_FOUND);
    assert_eq!(acme.suppressed("address <> ''").await, 0);
    assert_eq!(app.rows("replies WHERE address <> ''").await, 0);
    assert!(app.rows("rejected_requests WHERE path = 'twilio'").await > 0);
}

/// With an API key alone nobody's signature can be checked.
#[tokio::test(flavor = "multi_thread")]
async fn without_an_auth_token_a_stop_is_taken_and_a_start_is_not() {
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
    app.app()
        .connect(acme.id, twilio::PROVIDER, (&input.into(), false), &amy)
        .await
        .unwrap();
    let acme = Company {
        account_sid: account.account_sid,
        ..acme
    };
    let says = async |sid: &str, body: &str| {
        let sid = format!("SM{}", sid.repeat(32));
        let fields = [
            ("MessageSid", sid.as_str()),
            ("From", "+16175550123"),
            ("Body", body),
        ];
        let url = acme.inbound_url().await;
        let answer = app.http.post(url).form(&fields).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    };
    says("1", "STOP").await;
    assert_eq!(acme.suppressed("source = 'stop'").await, 1);
    says("2", "START").await;
    assert_eq!(
        acme.suppressed("source = 'stop'").await,
        1,
        "Twilio knows of no such message"
    );
    assert_eq!(app.rows("replies WHERE is_proven = FALSE").await, 2);

    acme.hears("+16175550123", "START").await;
    assert_eq!(
        acme.suppressed("source = 'stop'").await,
        0,
        "Twilio, when asked, shows it"
    );
    assert_eq!(app.rows("replies WHERE is_proven = TRUE").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_counts_for_all_who_wrote_from_that_account() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let contact = to(&acme.tells(1).await);
    let (twin, stranger) = (
        Company::unconnected(&app, "Twin").await,
        Company::unconnected(&app, "Stranger").await,
    );
    let share = async |company: Company<'_>| {
        let shared = Company {
            account_sid: acme.account_sid.clone(),
            auth_token: acme.auth_token.clone(),
            ..company
        };
        shared.connect_twilio().await;
        shared.id
    };
    twin.rule("invoice.sent", "Hello from the twin").await;
    let body = invoice(1, Standing::Sent, app.now());
    let (twin_id, stranger_id) = {
        let event = twin.told("", &body).await;
        let ids = (share(twin).await, share(stranger).await);
        app.run_due_jobs().await;
        assert!(event.starts_with("evt_"));
        ids
    };
    assert_eq!(acme.messages().len(), 2, "both wrote to the contact");
    acme.hears(&contact, "STOP").await;
    let source = async |id| {
        let store = app.app().store().tenant(id);
        let sms = ml_connector::domain::delivery::Channel::Sms;
        store.suppression(sms, &contact).await.unwrap()
    };
    assert!(source(acme.id).await.is_some());
    assert!(source(twin_id).await.is_some(), "it wrote from there");
    assert!(source(stranger_id).await.is_none(), "it never did");
}

/// Anybody may enter any account, with a token of their own making: what it signs is their word alone.
#[tokio::test(flavor = "multi_thread")]
async fn an_invented_auth_token_moves_nobody_elses_suppressions() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let contact = to(&acme.tells(1).await);
    acme.hears(&contact, "STOP").await;
    let eve = Company {
        account_sid: acme.account_sid.clone(),
        auth_token: "0123456789abcdef0123456789abcdef".to_owned(),
        ..Company::unconnected(&app, "Eve").await
    };
    eve.connect_untried(&eve.auth_token).await;
    let url = eve.inbound_url().await;
    for (sid, word, address) in [
        (
            "SM00000000000000000000000000000001",
            "START",
            contact.as_str(),
        ),
        ("SM00000000000000000000000000000002", "STOP", "+16175550177"),
    ] {
        let fields = [
            ("MessageSid", sid),
            ("AccountSid", acme.account_sid.as_str()),
            ("From", address),
            ("To", NUMBER),
            ("Body", word),
        ];
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let token = SecretString::from(eve.auth_token.clone());
        let signature = signature::sign(&url, signature::Signed::Form(body.as_bytes()), &token);
        let call = app.http.post(&url).body(body);
        let call = call.header("Content-Type", "application/x-www-form-urlencoded");
        let answer = call.header("X-Twilio-Signature", signature).send().await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK, "{word}");
    }
    assert_eq!(acme.suppressed("source = 'stop'").await, 1);
    assert_eq!(
        eve.suppressed("source = 'stop'").await,
        1,
        "at home it counts"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_are_shown_until_seen_and_mailed_to_owners() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let first = acme.tells(1).await;
    let contact = to(&first);
    acme.hears(&contact, "thanks, <b>paid</b>").await;
    acme.hears(&contact, "help").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let at = |below: &str| format!("/t/{}{below}", acme.slug);
    let overview = owner.get(&at("/")).await;
    let shown = overview.texts("[aria-labelledby=replies] li");
    assert_eq!(shown.len(), 1, "{shown:?}");
    let name = first["recipient"].as_str().unwrap();
    assert!(shown[0].starts_with(name), "{shown:?}");
    assert!(shown[0].contains("“thanks, <b>paid</b>”"), "{shown:?}");
    assert_eq!(app.rows("mails WHERE kind = 'reply'").await, 1);

    let form = overview.attribute("[aria-labelledby=replies] form", "action");
    let after = owner.submit(&overview, &form.unwrap(), &[]).await;
    assert!(after.texts("[aria-labelledby=replies] li").is_empty());
    let all = owner.get(&at("/replies")).await;
    let rows = all.texts("tbody tr");
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].contains("Asked for help"), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn suppressions_are_searched_added_and_lifted_with_a_reason() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let first = acme.tells(1).await;
    let contact = to(&first);
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let list = format!("/t/{}/suppressions", acme.slug);
    let page = owner.get(&list).await;
    let typed = [("address", "(617) 555-0142"), ("reason", "")];
    let wrong = owner.submit(&page, &list, &typed).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.error("reason").unwrap().contains("Say why"));
    let typed = [("address", "(617) 555-0142"), ("reason", "100% sure_")];
    owner.submit(&page, &list, &typed).await;
    acme.hears(&contact, "STOP").await;

    let found = async |query: &str| {
        let page = owner.get(&format!("{list}?{query}")).await;
        page.texts("tbody tr").len()
    };
    let name = first["recipient"].as_str().unwrap().to_uppercase();
    let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    assert_eq!(found("").await, 2);
    assert_eq!(found("source=stop").await, 1);
    assert_eq!(found(&format!("q={name}")).await, 1);
    assert_eq!(found("q=617-555-0142").await, 1);
    assert_eq!(found("q=%25").await, 1, "a sign, not a wildcard");
    assert_eq!(found("q=nobody").await, 0);

    let page = owner.get(&format!("{list}?source=stop")).await;
    let ask = page.attribute("td a", "href").unwrap();
    let ask = owner.get(&ask).await;
    assert!(
        ask.text().contains("until they text START"),
        "{}",
        ask.text()
    );
    let action = ask.attribute("form.sheet", "action").unwrap();
    let blank = owner.submit(&ask, &action, &[("who", " ")]).await;
    for field in ["who", "when", "how"] {
        assert!(blank.error(field).is_some(), "{field}: {}", blank.text());
    }
    let anew = [
        ("who", "Ann Lee"),
        ("when", "2026-11-20"),
        ("how", "A mistake"),
    ];
    owner.submit(&ask, &action, &anew).await;
    assert_eq!(acme.suppressed("source = 'stop'").await, 0);
    let logged = "audit_entries WHERE action = 'suppression.lifted' \
                  AND detail LIKE '%A mistake%' AND address <> ''";
    assert_eq!(app.rows(logged).await, 1);
    // Twilio blocks it still.
    let next = acme.tells(2).await;
    assert_eq!(next["error_code"], 21610, "{next:#}");
    assert_eq!(acme.suppressed("source = 'provider'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_read_add_and_lift_suppressions() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let new = json!({"channel": "sms", "address": "(617) 555-0142", "reason": "By phone"});
    let made = acme
        .api(Method::POST, "/suppressions", Some(new.clone()))
        .await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let made: Value = made.json().await.unwrap();
    assert_eq!(made["address"], "+16175550142");
    assert_eq!(made["source"], "hand");
    let again = acme.api(Method::POST, "/suppressions", Some(new)).await;
    assert_eq!(again.status(), StatusCode::OK);
    let wrong = json!({"channel": "fax", "address": "no", "reason": ""});
    let wrong = acme.api(Method::POST, "/suppressions", Some(wrong)).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let wrong: Value = wrong.json().await.unwrap();
    assert_eq!(wrong["errors"].as_array().unwrap().len(), 3, "{wrong:#}");
    assert_eq!(acme.get("/suppressions?q=0142").await["data"][0], made);
    assert_eq!(
        acme.get("/suppressions?source=stop").await["data"],
        json!([])
    );

    let path = format!("/suppressions/{}", made["id"].as_str().unwrap());
    let blank = acme.api(Method::DELETE, &path, None).await;
    assert_eq!(blank.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let other = app.company("Other").await;
    let lift = format!("{path}?reason=A+mistake");
    let foreign = other.api(Method::DELETE, &lift, None).await;
    assert_eq!(foreign.status(), StatusCode::NOT_FOUND);
    let lifted = acme.api(Method::DELETE, &lift, None).await;
    assert_eq!(lifted.status(), StatusCode::NO_CONTENT);
    let gone = acme.api(Method::DELETE, &lift, None).await;
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
}
