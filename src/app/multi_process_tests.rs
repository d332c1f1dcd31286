//! Two processes on one database: what one does, the other must not be misled about for long.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};

use super::pipeline::{HookRequest, Received};
use super::rules::RuleSwitches;
use super::{App, AppError};
use crate::crypto::master_key::MasterKey;
use crate::crypto::vault::{Place, Vault, VaultError, data_key_of};
use crate::domain::actor::Actor;
use crate::domain::event::EventSource;
use crate::domain::ids::new_v7;
use crate::store::{RuleEdit, StoredDataKey};
use crate::testing::TestDatabase;
use crate::testing::company::TestCompany;
use crate::zoho::secret::WebhookSecret;
use crate::zoho::webhook;

/// What a process says to a webhook with this secret: a kept event, a refusal, or no such hook.
async fn knows(app: &App, token: &str, secret: &SecretString) -> Option<bool> {
    let body = Bytes::from(format!(r#"{{"said": "{}"}}"#, new_v7(app.now())));
    let secret = WebhookSecret::parse(secret.expose_secret()).unwrap();
    let hook = app.hook(token).await.unwrap()?;
    let request = HookRequest {
        path_type: None,
        label: String::new(),
        query: String::new(),
        content_type: Some("application/json".to_owned()),
        signature: Some(webhook::sign(&secret, "", Some("application/json"), &body).into_bytes()),
        body,
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    Some(matches!(
        app.receive(EventSource::Webhook, &hook, request)
            .await
            .unwrap(),
        Received::Kept(_)
    ))
}

impl TestCompany {
    async fn hook_token(&self) -> String {
        let url = self.app.hook_details(self.tenant).await.unwrap().url;
        url.rsplit('/').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_secret_replaced_elsewhere_is_known_within_five_seconds_and_the_old_one_for_a_day() {
    let company = TestCompany::begin().await;
    let (here, there) = (company.process().await, &company.app);
    let token = company.hook_token().await;
    let old = there
        .rotate_hook_secret(company.tenant, &Actor::named("ann"))
        .await
        .unwrap();
    assert_eq!(knows(&here, &token, &old).await, Some(true));

    let new = there
        .rotate_hook_secret(company.tenant, &Actor::named("ann"))
        .await
        .unwrap();
    assert_eq!(knows(there, &token, &new).await, Some(true), "at once");
    company.clock.advance(TimeDelta::milliseconds(4999));
    assert_eq!(knows(&here, &token, &new).await, Some(false), "remembered");
    company.clock.advance(TimeDelta::milliseconds(1));
    for secret in [&new, &old] {
        assert_eq!(knows(&here, &token, secret).await, Some(true));
    }
    company.clock.advance(TimeDelta::hours(24));
    assert_eq!(knows(&here, &token, &new).await, Some(true));
    assert_eq!(knows(&here, &token, &old).await, Some(false));
}

#[tokio::test]
async fn a_hook_revoked_or_made_elsewhere_is_noticed_in_time() {
    let company = TestCompany::begin().await;
    let here = company.process().await;
    let token = company.hook_token().await;
    assert!(here.hook(&token).await.unwrap().is_some());
    company
        .database
        .run("UPDATE hooks SET revoked_at = 1")
        .await;
    company.clock.advance(TimeDelta::milliseconds(4999));
    assert!(here.hook(&token).await.unwrap().is_some(), "remembered");
    company.clock.advance(TimeDelta::milliseconds(1));
    assert!(here.hook(&token).await.unwrap().is_none());

    company
        .database
        .run("UPDATE hooks SET revoked_at = NULL")
        .await;
    assert!(here.hook(&token).await.unwrap().is_none(), "remembered");
    company.clock.advance(TimeDelta::seconds(1));
    assert!(here.hook(&token).await.unwrap().is_some());
}

#[tokio::test]
async fn a_hook_is_as_old_as_what_was_read_and_not_as_its_entry() {
    let company = TestCompany::begin().await;
    let token = company.hook_token().await;
    let is_suspended =
        async |app: &App| app.hook(&token).await.unwrap().unwrap().target.is_suspended;
    assert!(!is_suspended(&company.app).await);
    // Set back by an hour: an entry from the future would be believed for an hour.
    company.clock.advance(TimeDelta::hours(-1));
    let there = company.process().await;
    there
        .suspend_tenant(
            company.tenant,
            "It does not pay",
            &Actor::named("the operator"),
        )
        .await
        .unwrap();
    company
        .clock
        .advance(TimeDelta::hours(1) + TimeDelta::seconds(5));
    assert!(is_suspended(&company.app).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_made_here_is_known_here_at_once_however_many_read_beside_it() {
    let company = TestCompany::begin().await;
    let token = Arc::new(company.hook_token().await);
    for _ in 0..20 {
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let (app, token) = (company.app.clone(), token.clone());
                tokio::spawn(async move {
                    for _ in 0..10 {
                        app.hook(&token).await.unwrap();
                    }
                })
            })
            .collect();
        let secret = company
            .app
            .rotate_hook_secret(company.tenant, &Actor::named("ann"))
            .await;
        assert_eq!(
            knows(&company.app, &token, &secret.unwrap()).await,
            Some(true)
        );
        for reader in readers {
            reader.await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_another_process_sealed_under_a_newer_data_key_opens_here() {
    let company = TestCompany::begin().await;
    let text = MasterKey::generate().to_base64();
    let vault = || {
        let master = MasterKey::from_base64(text.expose_secret(), "the test").unwrap();
        Vault::new(master, &[]).unwrap()
    };
    let (before, after) = (vault(), vault());
    let first = before.new_data_key(new_v7(company.app.now())).unwrap();
    before.admit(&first).unwrap();
    after.admit(&first).unwrap();
    let here = App::new(company.parts_on(&company.database, &before).await);
    let there = App::new(company.parts_on(&company.database, &after).await);

    company.clock.advance(TimeDelta::seconds(1));
    let newer = after.new_data_key(new_v7(there.now())).unwrap();
    let row = StoredDataKey {
        id: newer.id,
        master_key_id: newer.master_key_id.as_str().to_owned(),
        wrapped: newer.wrapped.clone(),
    };
    let platform = there.store().platform();
    let kept = platform.create_first_data_key(row, there.now()).await;
    assert!(kept.unwrap());
    after.admit(&newer).unwrap();
    let secret = SecretString::from("hush");
    let stored = there.seal(company.tenant, "auth_token", &secret).unwrap();
    assert_eq!(data_key_of(&stored.sealed), Some(newer.id));
    let place = Place::tenant(company.tenant, "secrets", "sealed", stored.id);
    let opened = here.open(&place, &stored.sealed).await.unwrap();
    assert_eq!(opened.expose_secret(), "hush");

    // A key that is nowhere stays unknown.
    let nowhere = after.new_data_key(new_v7(there.now())).unwrap();
    after.admit(&nowhere).unwrap();
    let stored = there.seal(company.tenant, "auth_token", &secret).unwrap();
    let place = Place::tenant(company.tenant, "secrets", "sealed", stored.id);
    let refused = here.open(&place, &stored.sealed).await;
    assert!(
        matches!(
            refused,
            Err(AppError::Vault(VaultError::UnknownDataKey { id, .. })) if id == nowhere.id
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_set_up_code_is_the_same_in_all_processes_and_good_for_one_person() {
    let company = TestCompany::begin().await;
    let database = TestDatabase::migrated().await;
    let [one, other] = [
        App::new(company.parts_on(&database, &company.vault).await),
        App::new(company.parts_on(&database, &company.vault).await),
    ];
    let code = one.setup_code().unwrap().to_text();
    assert!(other.setup_code().unwrap().matches(&code));
    let stored = database.contents().await;
    assert!(!stored.windows(code.len()).any(|w| w == code.as_bytes()));
    let stranger = Vault::new(MasterKey::generate(), &[]).unwrap();
    let key = stranger.new_data_key(new_v7(one.now())).unwrap();
    stranger.admit(&key).unwrap();
    let stranger = App::new(company.parts_on(&database, &stranger).await);
    assert!(!stranger.setup_code().unwrap().matches(&code));

    let password = || SecretString::from("a long enough password");
    let (first, second) = tokio::join!(
        one.create_first_operator("ann@example.com", password(), ""),
        other.create_first_operator("bob@example.com", password(), ""),
    );
    let made = [first.unwrap(), second.unwrap()];
    assert_eq!(made.iter().flatten().count(), 1, "{made:?}");
    assert_eq!(database.count("users").await, 1);
    let late = other.create_first_operator("cyn@example.com", password(), "");
    assert_eq!(late.await.unwrap(), None);
}

#[tokio::test]
async fn a_rule_switched_off_elsewhere_stays_off_when_its_text_is_edited() {
    let company = TestCompany::begin().await;
    let there = company.process().await;
    let rule = serde_json::json!({
        "name": "Big", "event_type": "invoice.sent", "channel": "sms",
        "recipient": { "kind": "contact" }, "template": { "body": "one" },
    });
    let (tenant, any) = (company.tenant, RuleSwitches::default());
    let ann = Actor::named("ann");
    let made = company.app.create_rule(tenant, &rule, any, &ann);
    let id = made.await.unwrap().id;
    // The one who edits has read it while it was on.
    let mut edited = company.app.rule(tenant, id).await.unwrap();
    there
        .switch_rule(tenant, id, false, &Actor::named("bob"))
        .await
        .unwrap();
    edited.definition.template.body = "two".to_owned();
    let store = company.app.store().tenant(tenant);
    let given = (any.enabled, any.position);
    let kept = store.update_rule(edited, given, Actor::named("ann"), company.app.now());
    assert_eq!(kept.await.unwrap(), RuleEdit::Done);
    let now = company.app.rule(tenant, id).await.unwrap();
    assert!(!now.enabled);
    assert_eq!(now.definition.template.body, "two");
}
