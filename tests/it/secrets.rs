//! Secrets: unreadable at rest, absent from logs, and not replaceable by a lost key.

use std::time::{Duration, Instant};

use base64::Engine as _;
use ml_connector::crypto::key_ring::KeyRing;
use ml_connector::crypto::master_key::MasterKeyId;
use ml_connector::crypto::vault::{Vault, WrappedKey};
use ml_connector::domain::delivery::Channel;
use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::NewAccount;
use ml_connector::store::Store;
use reqwest::Method;
use serde_json::json;

use crate::harness::TestApp;
use crate::harness::company::{NUMBER, PASSWORD, invoice};
use crate::harness::process::Service;
use crate::harness::smtp;

#[tokio::test(flavor = "multi_thread")]
async fn every_secret_typed_in_is_unreadable_in_the_database_and_absent_from_the_log() {
    let app = TestApp::spawn_in_real_time().await;
    let account = NewAccount {
        numbers: vec![NUMBER.to_owned()],
        ..NewAccount::default()
    };
    let account = app.sandbox.twilio().register(account).unwrap();
    let mut service = Service::new(app.sandbox.base_url())
        .await
        .with("SMTP_URL", &app.smtp.url())
        .with("MAIL_FROM", "sms@example.com");
    service.start();
    let acme = service.tenant("acme");
    acme.connect(&account.account_sid, &account.auth_token, NUMBER)
        .await;
    let rule = json!({
        "name": "An invoice for everybody", "event_type": "invoice.sent", "channel": "sms",
        "recipient": { "kind": "contact" }, "template": { "body": "Hello" },
    });
    acme.api(Method::POST, "/rules", Some(rule)).await;
    let one = json!({ "channel": "sms", "address": "+16175550123", "reason": "Asked" });
    acme.api(Method::POST, "/suppressions", Some(one)).await;
    let body = invoice(3, Standing::Sent, app.now());
    acme.post("", body).await.unwrap();
    acme.settled(Duration::from_secs(20)).await;
    // An e-mail tells of it.
    let reset = ["admin", "reset-password", "--email", "owner@acme.example"];
    let done = service.run(
        &[&reset[..], &["--password-stdin"]].concat(),
        "seven mellow anvils\n",
    );
    assert!(done.status.success(), "{done:?}");
    let end = Instant::now() + Duration::from_secs(20);
    while app.smtp.received().is_empty() {
        assert!(Instant::now() < end, "no mail: {}", service.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut shown = acme
        .api(Method::GET, "/connections/twilio", None)
        .await
        .to_string();
    // What was asked of Twilio and what it answered is kept compressed, so it is read through the API.
    let events = acme.api(Method::GET, "/events", None).await;
    let event = format!("/events/{}", events["data"][0]["id"].as_str().unwrap());
    let story = acme.api(Method::GET, &event, None).await.to_string();
    for kept in ["Messages.json", "num_segments"] {
        assert!(story.contains(kept), "{kept} in {story}");
    }
    shown += &story;
    service.kill();

    let secrets = [
        account.auth_token.as_str(),
        acme.hook_secret.expose(),
        acme.token.as_str(),
        PASSWORD,
        "a long enough password",
        "seven mellow anvils",
        smtp::PASSWORD,
        &smtp::credentials(),
    ];
    let stored = service.database.contents().await;
    let known = b"An invoice for everybody";
    assert!(
        stored.windows(known.len()).any(|w| w == known),
        "what is no secret is there"
    );
    let log = service.log();
    assert!(log.contains("INFO"), "the log was written");
    for secret in secrets {
        assert!(!log.contains(secret), "a secret stands in the log");
        assert!(!shown.contains(secret), "a secret is shown");
        let found = stored.windows(secret.len()).any(|w| w == secret.as_bytes());
        assert!(!found, "a secret can be read in the database");
    }
    let vault = vault(&service).await;
    let hash = vault.address_hasher().unwrap();
    let hash = hash.hash(Channel::Sms, "+16175550123");
    assert!(
        stored.windows(32).any(|w| w == hash.as_bytes()),
        "a suppressed number is known by its hash"
    );
    let key = vault.derive("addresses").unwrap();
    for form in [
        key.to_vec(),
        hex::encode(*key).into(),
        base64::engine::general_purpose::STANDARD
            .encode(*key)
            .into(),
    ] {
        let found = stored.windows(form.len()).any(|w| w == form);
        assert!(!found, "the key of the hashes can be read in the database");
    }
}

/// The secrets of a service that has ended.
async fn vault(service: &Service) -> Vault {
    let key = service.database.folder.path().join("test.db.key");
    let key = std::fs::read_to_string(key).unwrap_or_else(|_| service.key.clone());
    let store = Store::open(&service.database.url()).await.unwrap();
    let keys = store.platform().data_keys().await.unwrap();
    let keys = keys.into_iter().map(|k| WrappedKey {
        id: k.id,
        master_key_id: MasterKeyId::from_stored(k.master_key_id),
        wrapped: k.wrapped,
    });
    let masters = KeyRing::parse(&key, "the test").unwrap();
    Vault::new(masters, &keys.collect::<Vec<_>>()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_of_a_full_database_the_start_is_refused_with_its_id() {
    let app = TestApp::spawn_in_real_time().await;
    let mut service = Service::new(app.sandbox.base_url()).await;
    service.start();
    service.tenant("acme");
    service.kill();
    let key = service.database.folder.path().join("test.db.key");
    let mut serve = service.command(&["serve"]);
    if service.database.is_file() {
        std::fs::remove_file(&key).unwrap();
    } else {
        serve.env_remove("MASTER_KEY");
    }
    let refused = serve.output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    let id = said.split_whitespace().find(|w| w.starts_with("mk_"));
    assert!(
        id.is_some_and(|id| id
            .trim_matches(|c: char| !c.is_alphanumeric() && c != '_')
            .len()
            == 15),
        "{said}"
    );
    assert!(!key.exists(), "no new key is made beside sealed values");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_serve_on_one_file_is_refused_and_names_the_first() {
    let app = TestApp::spawn_in_real_time().await;
    let mut service = Service::new(app.sandbox.base_url()).await;
    if !service.database.is_file() {
        return;
    }
    service.start();
    for command in [&["serve"][..], &["work"], &["serve", "--no-worker"]] {
        let refused = service.run(command, "");
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("is in use by process"), "{said}");
    }
}
