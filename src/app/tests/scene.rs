//! A tenant with rules and a provider, whose deliveries a test moves on step by step.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Deref;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::app::accounts::{Beginning, TenantInput};
use crate::app::rules::RuleSwitches;
use crate::app::sending::receipts::ReportAnswer;
use crate::app::*;
use crate::domain::actor::Actor;
use crate::domain::connection::ConnectionState;
use crate::domain::content::Content;
use crate::domain::delivery::{Attempt, Channel, Delivery, DeliveryState, StepKind};
use crate::domain::event::{Body, EventSource, EventType, NewEvent};
use crate::domain::ids::{AttemptId, ConnectionId, DeliveryId, EventId};
use crate::sandbox::twilio::{CallbackPlan, CallbackRule, Fault, FaultKind, FaultOrder, On};
use crate::sandbox::{DEMO_NUMBER, DemoCredentials, SandboxHandle};
use crate::store::{Claim, ClaimResult, Due, DueCursor};
use crate::testing::World;
use crate::transport::{CallTime, Outgoing, SignedRequest, Typed};
use crate::twilio;
use crate::twilio::set_up::TwilioInput;
use crate::twilio::signature::{self, Signed};
use crate::zoho;

pub(super) const TO: &str = "+12025550187";
pub(super) const OTHER: &str = "+12025550188";

pub(super) struct Scene {
    pub(super) app: App,
    pub(super) demo: DemoCredentials,
    pub(super) tenant: TenantId,
    pub(super) zoho: ConnectionId,
    next: std::cell::Cell<u8>,
    world: World,
}

impl Deref for Scene {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Scene {
    /// A tenant without Twilio.
    pub(super) async fn bare() -> Self {
        let world = World::at("2026-11-22T12:00:00Z").await;
        let world = world.with_sandbox(1).await;
        let app = world.process().await;
        let sandbox = world.sandbox.as_ref().unwrap();
        let plan = CallbackPlan::of(&[]);
        let rule = CallbackRule {
            to: None,
            to_ends_with: None,
            plan,
        };
        sandbox.twilio().plan(rule).unwrap();
        let demo = sandbox.seed_demo().unwrap();
        let input = TenantInput {
            name: "Bowman & Co".to_owned(),
            owner_email: "owner@example.com".to_owned(),
            password: SecretString::from("correct horse battery staple"),
            country: "US".to_owned(),
            zone: "America/New_York".to_owned(),
            currency: "USD".to_owned(),
            beginning: Beginning::LiveAtAnyHour,
        };
        let tenant = app.create_tenant(input).await.unwrap().id;
        let zoho = app
            .connection(tenant, zoho::PROVIDER)
            .await
            .unwrap()
            .unwrap()
            .id;
        let next = std::cell::Cell::new(0);
        Self {
            app,
            demo,
            tenant,
            zoho,
            next,
            world,
        }
    }

    pub(super) fn sandbox(&self) -> &SandboxHandle {
        self.world.sandbox.as_ref().unwrap()
    }

    /// With Twilio connected.
    pub(super) async fn open() -> Self {
        let scene = Self::bare().await;
        let token = scene.demo.twilio.auth_token.clone();
        scene.connect(&token).await;
        scene
    }

    pub(super) fn input(&self, token: &str) -> TwilioInput {
        TwilioInput {
            account_sid: self.demo.twilio.account_sid.clone(),
            auth_token: Some(SecretString::from(token)),
            from: DEMO_NUMBER.to_owned(),
            ..TwilioInput::default()
        }
    }

    pub(super) async fn connect(&self, token: &str) {
        let input = self.input(token);
        self.keep(input, false).await;
    }

    pub(super) async fn keep(&self, input: TwilioInput, save_anyway: bool) {
        let (typed, me) = (Typed::from(input), Actor::named("me"));
        let typed = (&typed, save_anyway);
        let kept = self.app.connect(self.tenant, twilio::PROVIDER, typed, &me);
        kept.await.unwrap();
    }

    /// Credentials that are kept while Twilio cannot be asked about them.
    pub(super) async fn connect_untried(&self, token: &str) {
        let down = FaultOrder {
            on: On::Other,
            ..FaultOrder::once(Fault::new(FaultKind::DropBefore))
        };
        self.sandbox().twilio().next(down).unwrap();
        self.keep(self.input(token), true).await;
    }

    /// With an API key alone: nobody can check who signed a report.
    pub(super) async fn connect_with_key(&self) {
        let (key, secret) = self.demo.twilio.api_keys[0].clone();
        let input = TwilioInput {
            account_sid: self.demo.twilio.account_sid.clone(),
            api_key_sid: key,
            api_key_secret: Some(SecretString::from(secret)),
            from: DEMO_NUMBER.to_owned(),
            ..TwilioInput::default()
        };
        self.keep(input, false).await;
    }

    pub(super) async fn rule(&self, change: Value) {
        let mut rule = json!({
            "name": "Thanks", "event_type": "invoice.paid", "channel": "sms",
            "recipient": { "kind": "fixed", "address": TO },
            "template": { "body": "Thank you for paying {{ invoice_number }}" },
        });
        for (key, value) in change.as_object().unwrap() {
            rule[key] = value.clone();
        }
        let switches = RuleSwitches {
            position: None,
            enabled: None,
        };
        self.app
            .create_rule(self.tenant, &rule, switches, &Actor::named("me"))
            .await
            .unwrap();
    }

    /// A paid invoice of this number comes in.
    pub(super) async fn paid(&self, number: &str) -> EventId {
        let now = self.app.now();
        let n = self.next.get() + 1;
        self.next.set(n);
        let body = json!({ "invoice": {
            "invoice_id": format!("98200000056711{n}"), "invoice_number": number,
            "status": "paid", "balance": 0, "total": 10, "currency_code": "USD",
            "customer_id": "1", "customer_name": "Bowman & Co",
            "created_time": now.to_rfc3339(), "last_modified_time": now.to_rfc3339(),
        }});
        let event = NewEvent {
            id: EventId::new(now),
            tenant: self.tenant,
            connection: self.zoho,
            source: EventSource::Webhook,
            path_type: Some(EventType::InvoicePaid),
            label: String::new(),
            body: Body {
                content_type: "application/json".to_owned(),
                query: String::new(),
                bytes: body.to_string().into(),
            },
            digest: [n; 32],
            day_digest: None,
            received_at: now,
        };
        let kept = self.app.store().ingest(event).await.unwrap();
        assert!(!kept.is_duplicate);
        kept.event
    }

    /// Does what is due now, as workers would, until nothing moves any more.
    pub(super) async fn drain(&self) {
        for _ in 0..8 {
            let due = self
                .app
                .store()
                .platform()
                .due(self.app.now(), &mut DueCursor::default(), 100)
                .await
                .unwrap();
            if due.is_empty() {
                return;
            }
            for one in due {
                match one {
                    Due::Event(tenant, event) => self.app.route_event(tenant, event).await.unwrap(),
                    Due::Replay(tenant, replay) => {
                        self.app.run_replay(tenant, replay).await.unwrap();
                    }
                    Due::Mail(_, id) => self.app.send_mail(id).await.unwrap(),
                    Due::Delivery(tenant, delivery, _) => {
                        self.app.advance(tenant, delivery).await.unwrap();
                    }
                }
            }
        }
    }

    pub(super) async fn pass(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
        self.drain().await;
    }

    /// A paid invoice, routed and handed on; its one delivery.
    pub(super) async fn tell(&self, number: &str) -> Delivery {
        let event = self.paid(number).await;
        self.drain().await;
        self.only(event).await
    }

    /// The same, and it still waits for its turn: the provider wanted a second of rest.
    pub(super) async fn queued(&self, number: &str) -> Delivery {
        let second = TimeDelta::seconds(1);
        let store = self.app.tenant(self.tenant);
        let connection = store.connection(twilio::PROVIDER).await.unwrap().unwrap();
        let rest =
            store.pause_connection(connection.id, connection.channels, self.app.now() + second);
        rest.await.unwrap();
        let event = self.paid(number).await;
        self.app.route_event(self.tenant, event).await.unwrap();
        self.clock.advance(second);
        let d = self.only(event).await;
        assert_eq!(d.state, DeliveryState::Queued);
        d
    }

    pub(super) async fn only(&self, event: EventId) -> Delivery {
        let mut all = self
            .app
            .tenant(self.tenant)
            .deliveries_of(event)
            .await
            .unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    pub(super) async fn read(&self, id: DeliveryId) -> Delivery {
        self.app
            .tenant(self.tenant)
            .delivery(id)
            .await
            .unwrap()
            .unwrap()
    }

    pub(super) async fn state(&self, id: DeliveryId) -> DeliveryState {
        self.read(id).await.state
    }

    pub(super) async fn steps(&self, id: DeliveryId) -> Vec<StepKind> {
        let story = self
            .app
            .tenant(self.tenant)
            .story(id.event)
            .await
            .unwrap()
            .unwrap();
        story
            .steps
            .iter()
            .filter(|s| s.delivery == id)
            .map(|s| s.kind)
            .collect()
    }

    pub(super) fn fault(&self, kind: FaultKind) {
        self.sandbox()
            .twilio()
            .next(FaultOrder::once(Fault::new(kind)))
            .unwrap();
    }

    pub(super) fn taken(&self) -> u64 {
        self.sandbox().twilio().taken()
    }

    pub(super) async fn twilio_state(&self) -> (ConnectionState, Option<DateTime<Utc>>) {
        let twilio = self
            .app
            .connection(self.tenant, twilio::PROVIDER)
            .await
            .unwrap()
            .unwrap();
        (twilio.state, twilio.pauses.sms)
    }

    /// A message that nobody here wrote down.
    pub(super) async fn behind_our_back(&self, text: &str) {
        let store = self.app.tenant(self.tenant);
        let link = self.app.link_for(&store, Channel::Sms).await.unwrap();
        let message = Outgoing {
            mark: None,
            to: TO,
            reader: "",
            sender: "",
            content: &Content::Text(text.to_owned()),
            hooks: None,
            within: Duration::from_mins(1),
        };
        let time = CallTime::of(Duration::from_secs(5));
        let transport = link.unwrap().transport;
        transport.send(&message, time).await.unwrap();
    }

    /// The version of the document that a message tells of.
    pub(super) async fn document_version(&self, d: &Delivery) -> i64 {
        let Some(asserts) = &d.asserts else { return 0 };
        let store = self.app.tenant(self.tenant);
        let document = store.document(asserts.source, asserts.kind, &asserts.document);
        document.await.unwrap().map_or(0, |row| row.version)
    }

    /// What a worker writes before its call.
    pub(super) async fn claim(&self, d: &Delivery) {
        let now = self.app.now();
        let twilio = self
            .app
            .connection(self.tenant, twilio::PROVIDER)
            .await
            .unwrap()
            .unwrap();
        let document_version = self.document_version(d).await;
        let claim = Claim {
            document_version,
            attempt: Attempt {
                id: AttemptId::new(now),
                delivery: d.id,
                attempt_no: d.attempt_no + 1,
                connection: twilio.id,
                account: twilio.account.clone(),
                request: "{}".to_owned(),
                started_at: now,
                lease_until: now + TimeDelta::seconds(30),
            },
            to: d.to().to_owned(),
            meant: d.address.clone(),
            channel: d.channel,
            fingerprint: d.fingerprint.clone(),
            scope: String::new(),
            member: crate::domain::ids::MemberId::nil(),
            is_accepted: twilio.is_accepted(),
            lease_owner: "dead".to_owned(),
            hours: None,
            zone: self
                .app
                .tenant(self.tenant)
                .tenant()
                .await
                .unwrap()
                .unwrap()
                .zone,
            now,
            is_by_database: false,
        };
        let claimed = self.app.tenant(self.tenant).claim(claim).await.unwrap();
        assert_eq!(claimed, ClaimResult::Claimed);
    }

    pub(super) async fn report(
        &self,
        d: &Delivery,
        word: &str,
        code: &str,
        token: &str,
    ) -> ReportAnswer {
        let store = self.app.tenant(self.tenant);
        let hook = store.hook_token(d.connection).await.unwrap().unwrap();
        let path = format!("/hooks/twilio/{hook}/status?d={}&a=1", d.id);
        let body = format!(
            "MessageSid={}&MessageStatus={word}&ErrorCode={code}&AccountSid={}",
            d.sid, d.account
        );
        let url = signature::full_url(&self.app.public_url().origin(), &path);
        let signed = Signed::Form(body.as_bytes());
        let request = SignedRequest {
            signature: Some(signature::sign(&url, signed, &SecretString::from(token))),
            path_and_query: path,
            body: body.clone().into(),
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let answered = self.app.receive_reports(twilio::PROVIDER, &hook, request);
        answered.await.unwrap()
    }
}
