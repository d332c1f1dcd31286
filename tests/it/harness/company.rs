//! A company that uses the service: its hook, its API token, its rules, its dashboard.

use chrono::{DateTime, TimeDelta, Utc};
use ml_connector::app::accounts::{Beginning, TenantInput};
use ml_connector::domain::actor::Actor;
use ml_connector::domain::ids::{DeliveryId, EventId, TenantId};
use ml_connector::domain::user::Role;
use ml_connector::sandbox::samples::{self, Generator, Standing, Wish};
use ml_connector::sandbox::twilio::{Fault, FaultKind, FaultOrder, NewAccount, On};
use ml_connector::twilio;
use ml_connector::twilio::set_up::TwilioInput;
use ml_connector::zoho::secret::WebhookSecret;
use ml_connector::zoho::webhook;
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::TestApp;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const NUMBER: &str = "+15005550006";

/// A tenant with an owner, connected to Twilio's stand-in.
pub(crate) struct Company<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) id: TenantId,
    pub(crate) slug: String,
    pub(crate) email: String,
    pub(crate) hook_url: String,
    pub(crate) hook_secret: WebhookSecret,
    pub(crate) token: SecretString,
    pub(crate) account_sid: String,
    pub(crate) auth_token: String,
}

impl<'a> Company<'a> {
    pub(super) async fn new(app: &'a TestApp, name: &str) -> Self {
        let company = Self::unconnected(app, name).await;
        company.connect_twilio().await;
        company
    }

    /// A company that has not entered anything yet.
    pub(crate) async fn unconnected(app: &'a TestApp, name: &str) -> Self {
        let email = format!("owner@{}.example", name.to_lowercase().replace(' ', "-"));
        let made = app
            .app()
            .create_tenant(TenantInput {
                name: name.to_owned(),
                owner_email: email.clone(),
                password: SecretString::from(PASSWORD),
                country: "US".to_owned(),
                zone: "America/New_York".to_owned(),
                currency: "USD".to_owned(),
                beginning: Beginning::LiveAtAnyHour,
            })
            .await
            .unwrap();
        let token = app
            .app()
            .create_token(made.id, "tests", Role::Owner)
            .await
            .unwrap();
        let account = NewAccount {
            numbers: vec![NUMBER.to_owned()],
            ..NewAccount::default()
        };
        let credentials = app.sandbox.twilio().register(account).unwrap();
        Self {
            app,
            id: made.id,
            slug: made.slug,
            email,
            hook_url: made.hook_url,
            hook_secret: WebhookSecret::parse(made.hook_secret.expose_secret()).unwrap(),
            token,
            account_sid: credentials.account_sid,
            auth_token: credentials.auth_token,
        }
    }

    /// The same company at another process.
    pub(crate) fn at<'b>(&self, app: &'b TestApp) -> Company<'b> {
        let token = self.hook_url.rsplit('/').next().unwrap();
        Company {
            app,
            id: self.id,
            slug: self.slug.clone(),
            email: self.email.clone(),
            hook_url: app.url(&format!("/hooks/zoho/{token}")),
            hook_secret: self.hook_secret.clone(),
            token: self.token.clone(),
            account_sid: self.account_sid.clone(),
            auth_token: self.auth_token.clone(),
        }
    }

    pub(crate) async fn connect_twilio(&self) {
        self.connect(&self.auth_token, false).await;
    }

    /// Credentials that are kept while Twilio cannot be asked about them.
    pub(crate) async fn connect_untried(&self, auth_token: &str) {
        let down = FaultOrder {
            on: On::Other,
            ..FaultOrder::once(Fault::new(FaultKind::DropBefore))
        };
        self.app.sandbox.twilio().next(down).unwrap();
        self.connect(auth_token, true).await;
    }

    async fn connect(&self, auth_token: &str, save_anyway: bool) {
        let input = TwilioInput {
            account_sid: self.account_sid.clone(),
            auth_token: Some(SecretString::from(auth_token.to_owned())),
            from: NUMBER.to_owned(),
            ..TwilioInput::default()
        };
        self.app
            .app()
            .connect(
                self.id,
                twilio::PROVIDER,
                (&input.into(), save_anyway),
                &Actor::named("tests"),
            )
            .await
            .unwrap();
    }

    /// Adds a rule that writes to the contact.
    pub(crate) async fn rule(&self, event_type: &str, text: &str) -> Value {
        self.create_rule(json!({
            "name": format!("When {event_type}"), "event_type": event_type, "channel": "sms",
            "recipient": { "kind": "contact" }, "template": { "body": text },
        }))
        .await
    }

    pub(crate) async fn create_rule(&self, rule: Value) -> Value {
        let made = self.api(Method::POST, "/rules", Some(rule)).await;
        assert_eq!(
            made.status(),
            StatusCode::CREATED,
            "{}",
            made.text().await.unwrap()
        );
        made.json().await.unwrap()
    }

    /// A call of the JSON API.
    pub(crate) async fn api(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let url = self.app.url(&format!("/api/v1{path}"));
        let call = self
            .app
            .http
            .request(method, url)
            .bearer_auth(self.token.expose_secret());
        match body {
            Some(body) => call.json(&body).send().await.unwrap(),
            None => call.send().await.unwrap(),
        }
    }

    /// Sends or decides again: looks at the facts, and confirms them.
    pub(crate) async fn replay(&self, path: &str, key: &str) -> (StatusCode, Value) {
        let (status, told) = self.ask_again(path, key, json!({})).await;
        match told.pointer("/facts/fingerprint") {
            None => (status, told),
            Some(seen) => self.ask_again(path, key, json!({ "confirm": seen })).await,
        }
    }

    /// One request for a replay.
    pub(crate) async fn ask_again(
        &self,
        path: &str,
        key: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let url = self.app.url(&format!("/api/v1{path}/replays"));
        let mut call = self.app.http.post(url).json(&body);
        if !key.is_empty() {
            call = call.header("Idempotency-Key", key);
        }
        let answer = call.bearer_auth(self.token.expose_secret()).send().await;
        let answer = answer.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.api(Method::GET, path, None).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    }

    /// A signed webhook, as Zoho Books posts it.
    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> Response {
        self.post_signed(path, "", "application/json", body).await
    }

    pub(crate) async fn post_signed(
        &self,
        path: &str,
        query: &str,
        content_type: &str,
        body: &[u8],
    ) -> Response {
        let signature = webhook::sign(&self.hook_secret, query, Some(content_type), body);
        let mark = if query.is_empty() { "" } else { "?" };
        self.app
            .http
            .post(format!("{}{path}{mark}{query}", self.hook_url))
            .header("content-type", content_type)
            .header(webhook::SIGNATURE_HEADER, signature)
            .body(body.to_vec())
            .send()
            .await
            .unwrap()
    }

    /// A webhook that must be taken; the event's id.
    pub(crate) async fn told(&self, path: &str, body: &[u8]) -> String {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let json: Value = answer.json().await.unwrap();
        json["event"].as_str().unwrap().to_owned()
    }

    /// Decides an event; its deliveries, none of which left with that: the provider wanted a rest.
    pub(crate) async fn queued(&self, event: EventId) -> Vec<DeliveryId> {
        let app = self.app.app();
        let store = app.store().tenant(self.id);
        let twilio = store.connection(twilio::PROVIDER).await.unwrap().unwrap();
        let long = self.app.now() + TimeDelta::days(1);
        store
            .pause_connection(twilio.id, twilio.channels, long)
            .await
            .unwrap();
        app.route_event(self.id, event).await.unwrap();
        let rested = "UPDATE connections SET sms_paused_until = NULL, email_paused_until = NULL";
        self.app.database.run(rested).await;
        let made = store.deliveries_of(event).await.unwrap();
        made.iter().map(|d| d.id).collect()
    }

    /// An event with its decisions and deliveries, as the API shows it.
    pub(crate) async fn event(&self, id: &str) -> Value {
        self.get(&format!("/events/{id}")).await
    }

    /// Nobody was told the same twice.
    pub(crate) fn no_doubles(&self) {
        let mut told: Vec<_> = self
            .messages()
            .into_iter()
            .map(|m| (m.to, m.body))
            .collect();
        let all = told.len();
        told.sort();
        told.dedup();
        assert_eq!(told.len(), all, "something was sent twice");
    }

    /// Adds an address that e-mails come from, the default one if it is the first; its id.
    pub(crate) async fn email_sender(&self, address: &str, name: &str) -> String {
        let sender = json!({ "transport": "twilio_email", "address": address, "name": name });
        let made = self.api(Method::POST, "/senders", Some(sender)).await;
        assert_eq!(made.status(), StatusCode::CREATED);
        let made: Value = made.json().await.unwrap();
        made["id"].as_str().unwrap().to_owned()
    }

    /// Adds a group of people with their addresses, each on or off; its id.
    pub(crate) async fn group(&self, name: &str, people: &[(&str, &str, bool)]) -> String {
        let members = people
            .iter()
            .map(|(name, email, is_on)| json!({ "name": name, "email": email, "is_on": is_on }));
        let group = json!({ "name": name, "members": members.collect::<Vec<_>>() });
        let made = self.api(Method::POST, "/groups", Some(group)).await;
        assert_eq!(made.status(), StatusCode::CREATED);
        let made: Value = made.json().await.unwrap();
        made["id"].as_str().unwrap().to_owned()
    }

    /// Switches somebody in a group off.
    pub(crate) async fn switch_off(&self, group: &str, name: &str) {
        let path = format!("/groups/{group}");
        let mut now = self.get(&path).await;
        for member in now["members"].as_array_mut().unwrap() {
            if member["name"] == name {
                member["is_on"] = json!(false);
            }
        }
        let body = json!({ "name": now["name"], "members": now["members"] });
        let changed = self.api(Method::PUT, &path, Some(body)).await;
        assert_eq!(changed.status(), StatusCode::OK);
    }

    /// The e-mails that the stand-in for Twilio received for this company.
    pub(crate) fn emails(&self) -> Vec<ml_connector::sandbox::twilio::Email> {
        let filter = ml_connector::sandbox::twilio::EmailFilter {
            account_sid: Some(self.account_sid.clone()),
            ..Default::default()
        };
        self.app.sandbox.twilio().emails(&filter)
    }

    /// What the stand-in for Twilio received for this company.
    pub(crate) fn messages(&self) -> Vec<ml_connector::sandbox::twilio::Message> {
        let filter = ml_connector::sandbox::twilio::MessageFilter {
            account_sid: Some(self.account_sid.clone()),
            ..Default::default()
        };
        self.app.sandbox.twilio().messages(&filter)
    }
}

/// A fresh invoice of a given standing.
pub(crate) fn invoice(seed: u64, standing: Standing, now: DateTime<Utc>) -> Vec<u8> {
    let wish = Wish {
        standing: Some(standing),
        trader: Some(4),
        ..Wish::default()
    };
    samples::to_body(&Generator::seeded(seed).invoice(&wish, now), false)
}
