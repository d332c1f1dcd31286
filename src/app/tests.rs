//! Whole stories against the sandbox, over real HTTP, on a clock that the story moves.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::accounts::{Beginning, TenantInput};
use super::pipeline::replay::ReplayFacts;
use super::pipeline::replay::{ReplayWish, Replayed};
use super::resolve::Resolution;
use super::rules::RuleSwitches;
use super::sending::receipts::ReportAnswer;
use super::*;
use crate::crypto::master_key::MasterKey;
use crate::domain::actor::Actor;
use crate::domain::clock::FixedClock;
use crate::domain::connection::ConnectionState;
use crate::domain::content::Content;
use crate::domain::decision::DecisionKind;
use crate::domain::delivery::{Attempt, Channel, Delivery, DeliveryState, Hold, StepKind};
use crate::domain::event::{Body, EventSource, EventType, NewEvent};
use crate::domain::ids::{AttemptId, ConnectionId, DeliveryId, EventId, new_v7};
use crate::mail::Mailer;
use crate::queue::test_queue::test_queue;
use crate::sandbox::twilio::{
    CallbackPlan, CallbackRule, Fault, FaultKind, FaultOrder, MessageFilter, On, Settings,
};
use crate::sandbox::{DEMO_NUMBER, DemoCredentials, Sandbox, SandboxConfig, SandboxHandle};
use crate::store::test_database::TestDatabase;
use crate::store::{Change, Claim, ClaimResult, Due, DueCursor, Guard};
use crate::transport::Transports;
use crate::transport::{CallTime, Outgoing, SignedRequest, Typed};
use crate::twilio;
use crate::twilio::Twilio;
use crate::twilio::set_up::TwilioInput;
use crate::twilio::signature::{self, Signed};
use crate::zoho;
use crate::zoho::oauth::ZohoOAuth;

const TO: &str = "+12025550187";
const OTHER: &str = "+12025550188";

struct Scene {
    app: App,
    clock: Arc<FixedClock>,
    sandbox: SandboxHandle,
    demo: DemoCredentials,
    tenant: TenantId,
    zoho: ConnectionId,
    next: std::cell::Cell<u8>,
    database: TestDatabase,
}

impl Scene {
    /// A tenant without Twilio.
    async fn bare() -> Self {
        let start: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let clock = Arc::new(FixedClock::at(start));
        let http = crate::http::client().unwrap();
        let mut config = SandboxConfig::new(clock.clone(), http.clone());
        config.workers = 1;
        let sandbox = Sandbox::start(config).await.unwrap();
        let plan = CallbackPlan::of(&[]);
        let rule = CallbackRule {
            to: None,
            to_ends_with: None,
            plan,
        };
        sandbox.twilio().plan(rule).unwrap();
        let demo = sandbox.seed_demo().unwrap();
        let database = TestDatabase::migrated().await;
        let store = Store::open(&database.url()).await.unwrap();
        let vault = Vault::new(MasterKey::generate(), &[]).unwrap();
        vault
            .admit(&vault.new_data_key(new_v7(start)).unwrap())
            .unwrap();
        let store = store.with_hasher(vault.address_hasher().unwrap());
        let base: url::Url = sandbox.base_url().parse().unwrap();
        let app = App::new(Parts {
            store,
            queue: test_queue(clock.clone()),
            vault,
            passwords: Passwords::default(),
            clock: clock.clone(),
            transports: Transports::alone(Twilio::new(http.clone(), Some(&base)), clock.clone()),
            dns: crate::dns::Dns::system(),
            mailer: Mailer::to_log(),
            zoho_tokens: AccessTokens::new(ZohoOAuth::new(http), clock.clone()),
            zoho_sandbox: Some(base),
            public_url: PublicUrl::parse("http://127.0.0.1:9/").unwrap(),
            signup: Signup::Open,
            is_sandboxed: true,
            lease_owner: "one".to_owned(),
            runtime: Handle::current(),
        });
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
            clock,
            sandbox,
            demo,
            tenant,
            zoho,
            next,
            database,
        }
    }

    /// With Twilio connected.
    async fn open() -> Self {
        let scene = Self::bare().await;
        let token = scene.demo.twilio.auth_token.clone();
        scene.connect(&token).await;
        scene
    }

    fn input(&self, token: &str) -> TwilioInput {
        TwilioInput {
            account_sid: self.demo.twilio.account_sid.clone(),
            auth_token: Some(SecretString::from(token)),
            from: DEMO_NUMBER.to_owned(),
            ..TwilioInput::default()
        }
    }

    async fn connect(&self, token: &str) {
        let input = self.input(token);
        self.keep(input, false).await;
    }

    async fn keep(&self, input: TwilioInput, save_anyway: bool) {
        let (typed, me) = (Typed::from(input), Actor::named("me"));
        let typed = (&typed, save_anyway);
        let kept = self.app.connect(self.tenant, twilio::PROVIDER, typed, &me);
        kept.await.unwrap();
    }

    /// Credentials that are kept while Twilio cannot be asked about them.
    async fn connect_untried(&self, token: &str) {
        let down = FaultOrder {
            on: On::Other,
            ..FaultOrder::once(Fault::new(FaultKind::DropBefore))
        };
        self.sandbox.twilio().next(down).unwrap();
        self.keep(self.input(token), true).await;
    }

    /// With an API key alone: nobody can check who signed a report.
    async fn connect_with_key(&self) {
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

    async fn rule(&self, change: Value) {
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
    async fn paid(&self, number: &str) -> EventId {
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
    async fn drain(&self) {
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

    async fn pass(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
        self.drain().await;
    }

    /// A paid invoice, routed and handed on; its one delivery.
    async fn tell(&self, number: &str) -> Delivery {
        let event = self.paid(number).await;
        self.drain().await;
        self.only(event).await
    }

    /// The same, and it still waits for its turn: the provider wanted a second of rest.
    async fn queued(&self, number: &str) -> Delivery {
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

    async fn only(&self, event: EventId) -> Delivery {
        let mut all = self
            .app
            .tenant(self.tenant)
            .deliveries_of(event)
            .await
            .unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    async fn read(&self, id: DeliveryId) -> Delivery {
        self.app
            .tenant(self.tenant)
            .delivery(id)
            .await
            .unwrap()
            .unwrap()
    }

    async fn state(&self, id: DeliveryId) -> DeliveryState {
        self.read(id).await.state
    }

    async fn steps(&self, id: DeliveryId) -> Vec<StepKind> {
        let story = self
            .app
            .tenant(self.tenant)
            .timeline(id.event)
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

    fn fault(&self, kind: FaultKind) {
        self.sandbox
            .twilio()
            .next(FaultOrder::once(Fault::new(kind)))
            .unwrap();
    }

    fn taken(&self) -> u64 {
        self.sandbox.twilio().taken()
    }

    async fn twilio_state(&self) -> (ConnectionState, Option<DateTime<Utc>>) {
        let twilio = self
            .app
            .connection(self.tenant, twilio::PROVIDER)
            .await
            .unwrap()
            .unwrap();
        (twilio.state, twilio.pauses.sms)
    }

    /// A message that nobody here wrote down.
    async fn behind_our_back(&self, text: &str) {
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
    async fn document_version(&self, d: &Delivery) -> i64 {
        let Some(asserts) = &d.asserts else { return 0 };
        let store = self.app.tenant(self.tenant);
        let document = store.document(asserts.source, asserts.kind, &asserts.document);
        document.await.unwrap().map_or(0, |row| row.version)
    }

    /// What a worker writes before its call.
    async fn claim(&self, d: &Delivery) {
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

    async fn report(&self, d: &Delivery, word: &str, code: &str, token: &str) -> ReportAnswer {
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

#[tokio::test]
async fn an_answer_that_was_lost_is_found_and_nothing_is_sent_again() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene.fault(FaultKind::DropAfter);
    let d = scene.tell("INV-1").await;
    assert_eq!(d.state, DeliveryState::Unknown);
    scene.pass(31).await;
    let found = scene.read(d.id).await;
    assert_eq!(found.state, DeliveryState::Accepted);
    assert!(found.sid.starts_with("SM") && found.due_at.is_some());
    assert_eq!(scene.taken(), 1);
    assert_eq!(
        scene.steps(d.id).await,
        [StepKind::Unknown, StepKind::Found]
    );
}

/// Smart Encoding rewrites the text of a message whose answer is lost.
async fn rewritten(template: &str) -> (Scene, Delivery) {
    let scene = Scene::open().await;
    scene.sandbox.twilio().set(Settings {
        smart_encoding: true,
        ..Settings::default()
    });
    scene
        .rule(json!({ "template": { "body": template } }))
        .await;
    scene.fault(FaultKind::DropAfter);
    let d = scene.tell("INV-1").await;
    assert_eq!(d.state, DeliveryState::Unknown);
    scene.clock.advance(TimeDelta::seconds(5));
    assert_eq!(
        scene.tell("INV-2").await.state,
        DeliveryState::Accepted,
        "the witness"
    );
    scene.pass(26).await;
    for _ in 0..6 {
        scene.pass(15).await;
    }
    (scene, d)
}

#[tokio::test]
async fn a_lost_text_that_was_rewritten_as_is_known_is_found() {
    let text = "Thank\u{a0}you\u{3002} \u{ff01}\u{bd}\u{201a}\u{202f}{{ invoice_number }}";
    let (scene, d) = rewritten(text).await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
    assert_eq!(scene.taken(), 2);
}

#[tokio::test]
async fn a_lost_text_that_was_rewritten_unexpectedly_waits_for_a_person() {
    let (scene, d) = rewritten("\u{2022} Paid: {{ invoice_number }}").await;
    let end = scene.read(d.id).await;
    assert_eq!(
        (end.state, end.hold),
        (DeliveryState::Unknown, Some(Hold::Person))
    );
    assert_eq!(scene.taken(), 2, "never a second SMS");
    assert!(end.reason.contains("another text"), "{}", end.reason);
}

#[tokio::test]
async fn a_daily_limit_waits_for_the_next_day() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let mut fault = Fault::new(FaultKind::ErrorCode).with_code(63038);
    fault.status = Some(429);
    scene
        .sandbox
        .twilio()
        .next(FaultOrder::once(fault))
        .unwrap();
    let d = scene.tell("INV-1").await;
    assert_eq!(d.state, DeliveryState::Queued);
    let midnight: DateTime<Utc> = "2026-11-23T00:00:00Z".parse().unwrap();
    assert!(
        d.due_at.is_some_and(|due| due >= midnight),
        "{:?}",
        d.due_at
    );
    assert!(d.reason.contains("tomorrow"), "{}", d.reason);
    let paused = scene.twilio_state().await.1;
    assert!(paused.is_some_and(|until| until >= midnight), "{paused:?}");
}

#[tokio::test]
async fn one_403_without_a_code_fails_its_message_and_not_the_connection() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let mut fault = Fault::new(FaultKind::ErrorCode).with_code(99_999);
    fault.status = Some(403);
    fault.message = Some("Forbidden <b>here</b>".to_owned());
    scene
        .sandbox
        .twilio()
        .next(FaultOrder::once(fault))
        .unwrap();
    let d = scene.tell("INV-1").await;
    assert_eq!(d.state, DeliveryState::Failed);
    assert!(
        d.reason.contains("(99999)") && d.reason.contains("Forbidden <b>here</b>"),
        "{}",
        d.reason
    );
    assert_eq!(scene.twilio_state().await.0, ConnectionState::Ready);
}

#[tokio::test]
async fn a_message_that_has_failed_at_once_is_not_told_as_taken() {
    for (code, state) in [
        (30006, DeliveryState::Failed),
        (21610, DeliveryState::Suppressed),
    ] {
        let scene = Scene::open().await;
        scene.rule(json!({})).await;
        let fault = Fault::new(FaultKind::FailedAtOnce).with_code(code);
        scene
            .sandbox
            .twilio()
            .next(FaultOrder::once(fault))
            .unwrap();
        let d = scene.tell("INV-1").await;
        assert_eq!(d.state, state);
        assert!(
            d.reason.contains(&format!("({code})")) && !d.reason.contains("has it"),
            "{}",
            d.reason
        );
        let next = scene.tell("INV-2").await.state;
        assert_eq!(next == DeliveryState::Suppressed, code == 21610, "{next:?}");
    }
}

#[tokio::test]
async fn a_delivered_message_shows_no_error() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.tell("INV-1").await;
    let token = scene.demo.twilio.auth_token.clone();
    scene.report(&d, "sent", "30003", &token).await;
    assert_eq!(scene.read(d.id).await.error_code, 30003);
    scene.report(&d, "delivered", "", &token).await;
    let end = scene.read(d.id).await;
    assert_eq!((end.state, end.error_code), (DeliveryState::Delivered, 0));
}

#[tokio::test]
async fn without_a_trace_beside_a_witness_it_is_sent_once_more_and_only_once() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene.fault(FaultKind::DropBefore);
    let d = scene.tell("INV-1").await;
    scene.clock.advance(TimeDelta::seconds(5));
    assert_eq!(
        scene.tell("INV-2").await.state,
        DeliveryState::Accepted,
        "the witness"
    );
    scene.pass(26).await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Unknown);
    scene.drain().await;
    assert_eq!(scene.read(d.id).await.looks, 1, "looks are 15 s apart");
    scene.pass(15).await;
    assert_eq!(scene.taken(), 1);
    scene.fault(FaultKind::DropBefore);
    scene.pass(15).await;
    assert_eq!(scene.read(d.id).await.attempt_no, 2);
    scene.clock.advance(TimeDelta::seconds(5));
    scene.tell("INV-3").await;
    for _ in 0..8 {
        scene.pass(15).await;
    }
    let end = scene.read(d.id).await;
    assert_eq!(
        (end.state, end.hold),
        (DeliveryState::Unknown, Some(Hold::Person))
    );
    assert_eq!(
        (end.attempt_no, scene.taken()),
        (2, 2),
        "the second absence waits for a person"
    );
}

#[tokio::test]
async fn without_a_witness_it_waits_for_a_person_who_may_send_it_however_late() {
    let scene = Scene::open().await;
    scene.rule(json!({ "send_within": 3600 })).await;
    scene.fault(FaultKind::DropBefore);
    let d = scene.tell("INV-1").await;
    for _ in 0..20 {
        scene.pass(120).await;
        assert_eq!(scene.state(d.id).await, DeliveryState::Unknown);
    }
    assert_eq!(scene.read(d.id).await.hold, None);
    for _ in 0..3 {
        scene.pass(1000).await;
    }
    let waits = scene.read(d.id).await;
    assert_eq!(
        (waits.state, waits.hold),
        (DeliveryState::Unknown, Some(Hold::Person))
    );
    scene
        .app
        .resolve(
            scene.tenant,
            d.id,
            Resolution::SendAgain,
            &Actor::named("me"),
        )
        .await
        .unwrap();
    scene.drain().await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
    assert_eq!(scene.taken(), 1);
}

#[tokio::test]
async fn two_that_could_be_it_are_for_a_person() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene.fault(FaultKind::DropAfter);
    let d = scene.tell("INV-1").await;
    scene.behind_our_back("Thank you for paying INV-1").await;
    scene.pass(31).await;
    let waits = scene.read(d.id).await;
    assert_eq!(
        (waits.state, waits.hold),
        (DeliveryState::Unknown, Some(Hold::Person))
    );
    scene
        .app
        .resolve(scene.tenant, d.id, Resolution::Arrived, &Actor::named("me"))
        .await
        .unwrap();
    assert_eq!(
        (scene.state(d.id).await, scene.taken()),
        (DeliveryState::Accepted, 2)
    );
}

#[tokio::test]
async fn what_may_go_leaves_with_its_decision_and_a_rehearsal_waits_for_its_turn() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let event = scene.paid("INV-1").await;
    scene.app.route_event(scene.tenant, event).await.unwrap();
    let d = scene.only(event).await;
    assert_eq!((d.state, scene.taken()), (DeliveryState::Accepted, 1));
    assert_eq!(scene.steps(d.id).await, [StepKind::Accepted]);
    let store = scene.app.tenant(scene.tenant);
    store
        .set_rehearsal(true, Actor::named("me"), scene.app.now())
        .await
        .unwrap();
    let event = scene.paid("INV-2").await;
    scene.app.route_event(scene.tenant, event).await.unwrap();
    let d = scene.only(event).await;
    assert_eq!((d.state, scene.taken()), (DeliveryState::Queued, 1));
}

#[tokio::test]
async fn what_the_brakes_hold_back_waits_as_queued() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene.fault(FaultKind::TooMany);
    let first = scene.tell("INV-1").await;
    assert_eq!(first.state, DeliveryState::Queued);
    let event = scene.paid("INV-2").await;
    scene.app.route_event(scene.tenant, event).await.unwrap();
    let second = scene.only(event).await;
    assert_eq!(
        (second.state, second.attempt_no),
        (DeliveryState::Queued, 0)
    );
    scene.pass(120).await;
    for id in [first.id, second.id] {
        assert_eq!(scene.state(id).await, DeliveryState::Accepted);
    }
    assert_eq!(scene.taken(), 2);
}

#[tokio::test]
async fn a_worker_that_died_leaves_a_message_that_is_looked_for() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.queued("INV-1").await;
    scene.claim(&d).await;
    scene.behind_our_back("Thank you for paying INV-1").await;
    scene.pass(29).await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Sending);
    scene.pass(2).await;
    assert_eq!(
        (scene.state(d.id).await, scene.taken()),
        (DeliveryState::Accepted, 1)
    );
    assert_eq!(
        scene.steps(d.id).await,
        [StepKind::LeaseExpired, StepKind::Found]
    );
}

#[tokio::test]
async fn a_clock_that_is_set_in_mid_call_takes_no_message_from_its_sender() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.queued("INV-1").await;
    let slow = Fault::new(FaultKind::Slow).with_delay_ms(500);
    scene.sandbox.twilio().next(FaultOrder::once(slow)).unwrap();
    let sending = scene.app.advance(scene.tenant, d.id);
    let setting = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        scene.pass(3600).await;
        assert_eq!(scene.state(d.id).await, DeliveryState::Sending);
    };
    let (sent, ()) = tokio::join!(sending, setting);
    sent.unwrap();
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
    assert_eq!(scene.steps(d.id).await, [StepKind::Accepted]);
    assert_eq!(scene.taken(), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_between_an_attempt_and_its_looks_doubles_nothing() {
    for was_ahead in [-3600_i64, 3600] {
        let scene = Scene::open().await;
        scene.rule(json!({})).await;
        scene.fault(FaultKind::DropAfter);
        let d = scene.tell("INV-1").await;
        let micros = was_ahead * 1_000_000;
        let change = format!(
            "UPDATE attempts SET started_at = started_at + {micros}, \
             lease_until = lease_until + {micros}"
        );
        scene.database.run(&change).await;
        // A witness for either, before and after the wrong time of the attempt.
        scene.clock.advance(TimeDelta::seconds(5));
        scene.tell("INV-2").await;
        for _ in 0..6 {
            scene.pass(700).await;
        }
        scene.tell("INV-3").await;
        for _ in 0..6 {
            scene.pass(700).await;
        }
        let waits = scene.read(d.id).await;
        assert_eq!(
            (waits.state, waits.hold, waits.attempt_no),
            (DeliveryState::Unknown, Some(Hold::Person), 1),
            "{was_ahead}: {}",
            waits.reason
        );
        assert!(waits.reason.contains("another time"), "{}", waits.reason);
        assert_eq!(scene.taken(), 3);
    }
}

#[tokio::test]
async fn a_message_that_only_a_wrong_clock_made_newer_is_no_witness() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene.tell("INV-1").await;
    let later = "UPDATE provider_messages SET accepted_at = accepted_at + 3600000000";
    scene.database.run(later).await;
    scene.clock.advance(TimeDelta::minutes(1));
    scene.fault(FaultKind::DropBefore);
    let d = scene.tell("INV-2").await;
    for _ in 0..10 {
        scene.pass(30).await;
    }
    let waits = scene.read(d.id).await;
    assert_eq!((waits.state, waits.attempt_no), (DeliveryState::Unknown, 1));
    assert_eq!(scene.taken(), 1);
}

#[tokio::test]
async fn a_slow_list_does_not_move_the_window_past_the_message() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene.fault(FaultKind::DropAfter);
    let d = scene.tell("INV-1").await;
    scene.clock.advance(TimeDelta::seconds(31));
    let slow = Fault::new(FaultKind::Slow).with_delay_ms(700);
    let order = FaultOrder {
        on: On::List,
        ..FaultOrder::once(slow)
    };
    scene.sandbox.twilio().next(order).unwrap();
    let settings = scene.sandbox.twilio().settings();
    scene.sandbox.twilio().set(Settings {
        date_skew_s: 10,
        ..settings
    });
    let look = scene.drain();
    let wait = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        // Twilio's answer is dated ten seconds after we asked.
        scene.clock.advance(TimeDelta::seconds(10));
    };
    tokio::join!(look, wait);
    assert_eq!(
        (scene.state(d.id).await, scene.taken()),
        (DeliveryState::Accepted, 1)
    );
}

#[tokio::test]
async fn the_stop_switch_holds_and_resuming_releases() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene
        .app
        .stop_sending(scene.tenant, &Actor::named("me"))
        .await
        .unwrap();
    let d = scene.tell("INV-1").await;
    assert_eq!(
        (d.state, d.hold),
        (DeliveryState::Held, Some(Hold::Stopped))
    );
    assert_eq!(d.due_at, Some(d.expires_at), "somebody looks at it again");
    scene
        .app
        .resume_sending(scene.tenant, &Actor::named("me"))
        .await
        .unwrap();
    scene.drain().await;
    assert_eq!(
        (scene.state(d.id).await, scene.taken()),
        (DeliveryState::Accepted, 1)
    );
}

#[tokio::test]
async fn a_hold_whose_cause_went_away_meanwhile_does_not_last() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.queued("INV-1").await;
    let store = scene.app.tenant(scene.tenant);
    // The worker read "stopped" before sending was resumed, and writes only now.
    scene
        .app
        .hold(&store, &d, Hold::Stopped, "Stopped")
        .await
        .unwrap();
    assert_eq!(scene.state(d.id).await, DeliveryState::Queued);
    scene.drain().await;
    assert_eq!(scene.taken(), 1);
}

#[tokio::test]
async fn a_release_that_a_crash_cut_short_is_ended_later() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene
        .app
        .stop_sending(scene.tenant, &Actor::named("me"))
        .await
        .unwrap();
    let d = scene.tell("INV-1").await;
    scene.app.release_forgotten().await.unwrap();
    assert_eq!(scene.state(d.id).await, DeliveryState::Held);
    // The switch was lifted, and the process ended before it released anything.
    let store = scene.app.tenant(scene.tenant);
    store
        .lift_stop(Actor::named("me"), scene.app.now())
        .await
        .unwrap();
    scene.drain().await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Held);
    scene.app.release_forgotten().await.unwrap();
    scene.drain().await;
    assert_eq!(
        (scene.state(d.id).await, scene.taken()),
        (DeliveryState::Accepted, 1)
    );
}

#[tokio::test]
async fn what_waits_for_a_connection_is_released_though_the_release_was_cut_short() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.queued("INV-1").await;
    let store = scene.app.tenant(scene.tenant);
    let hold = async |d: &Delivery| {
        let guard = Guard::unmoved(&scene.read(d.id).await);
        let change = Change {
            hold: Some(Hold::NoConnection),
            due_at: Some(d.expires_at),
            ..Change::to(DeliveryState::Held, d.id, guard, scene.app.now())
        };
        assert!(store.change(change).await.unwrap());
    };
    // Held before the connection was saved: nobody released it.
    hold(&d).await;
    scene.clock.advance(chrono::TimeDelta::seconds(1));
    let connection = store.connection(twilio::PROVIDER).await.unwrap().unwrap();
    store
        .set_connection_state(
            connection.id,
            ConnectionState::Ready,
            String::new(),
            None,
            scene.app.now(),
        )
        .await
        .unwrap();
    scene.drain().await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Held);
    scene.app.release_forgotten().await.unwrap();
    scene.drain().await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
    // Held afterwards, as without a sender: there is nothing to release.
    let d = scene.queued("INV-2").await;
    hold(&d).await;
    scene.app.release_forgotten().await.unwrap();
    assert_eq!(scene.state(d.id).await, DeliveryState::Held);
}

#[tokio::test]
async fn without_twilio_it_is_held_until_somebody_connects_it() {
    let scene = Scene::bare().await;
    scene.rule(json!({})).await;
    let d = scene.tell("INV-1").await;
    assert_eq!(
        (d.state, d.hold),
        (DeliveryState::Held, Some(Hold::NoConnection))
    );
    scene.connect(&scene.demo.twilio.auth_token).await;
    scene.drain().await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
}

#[tokio::test]
async fn refused_credentials_hold_and_new_ones_release() {
    let scene = Scene::bare().await;
    scene.connect_untried(&"0".repeat(32)).await;
    scene.rule(json!({})).await;
    let (one, two) = (scene.tell("INV-1").await, scene.tell("INV-2").await);
    for d in [&one, &two] {
        assert_eq!((d.state, d.hold), (DeliveryState::Held, Some(Hold::Broken)));
        assert_eq!(d.due_at, Some(d.expires_at));
    }
    assert_eq!(two.attempt_no, 0, "the second was not tried");
    assert_eq!(scene.twilio_state().await.0, ConnectionState::Broken);
    scene.connect(&scene.demo.twilio.auth_token).await;
    scene.drain().await;
    for id in [one.id, two.id] {
        assert_eq!(scene.state(id).await, DeliveryState::Accepted);
    }
    assert_eq!(scene.taken(), 2);
}

#[tokio::test]
async fn what_is_held_or_queued_expires_and_is_never_sent() {
    let scene = Scene::open().await;
    scene.rule(json!({ "send_within": 60 })).await;
    scene
        .app
        .stop_sending(scene.tenant, &Actor::named("me"))
        .await
        .unwrap();
    let held = scene.tell("INV-1").await;
    scene.pass(61).await;
    assert_eq!(scene.state(held.id).await, DeliveryState::Expired);
    scene
        .app
        .resume_sending(scene.tenant, &Actor::named("me"))
        .await
        .unwrap();
    let twilio = scene
        .app
        .connection(scene.tenant, twilio::PROVIDER)
        .await
        .unwrap()
        .unwrap();
    let until = scene.app.now() + TimeDelta::seconds(90);
    scene
        .app
        .tenant(scene.tenant)
        .pause_connection(twilio.id, twilio.channels, until)
        .await
        .unwrap();
    let queued = scene.tell("INV-2").await;
    assert_eq!(queued.state, DeliveryState::Queued);
    scene.pass(61).await;
    assert_eq!(scene.state(queued.id).await, DeliveryState::Expired);
    scene.pass(120).await;
    assert_eq!(scene.taken(), 0);
}

#[tokio::test]
async fn after_429_the_connection_rests_and_the_message_goes_once() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let mut fault = Fault::new(FaultKind::TooMany);
    fault.retry_after = Some(7);
    scene
        .sandbox
        .twilio()
        .next(FaultOrder::once(fault))
        .unwrap();
    let d = scene.tell("INV-1").await;
    assert_eq!((d.state, d.tries), (DeliveryState::Queued, 1));
    let until = scene.twilio_state().await.1.unwrap();
    assert!(until >= scene.app.now() + TimeDelta::seconds(7));
    let other = scene.tell("INV-2").await;
    assert_eq!((other.state, other.attempt_no), (DeliveryState::Queued, 0));
    for _ in 0..4 {
        scene.pass(5).await;
    }
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
    assert_eq!(scene.state(other.id).await, DeliveryState::Accepted);
    assert_eq!(scene.taken(), 2);
}

#[tokio::test]
async fn a_report_of_a_failure_explains_it_and_a_forged_one_does_nothing() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.tell("INV-1").await;
    let forged = scene.report(&d, "undelivered", "30006", "wrong").await;
    assert_eq!(forged, ReportAnswer::Forged);
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
    let kept = scene
        .report(&d, "undelivered", "30006", &scene.demo.twilio.auth_token)
        .await;
    assert_eq!(kept, ReportAnswer::Kept);
    let end = scene.read(d.id).await;
    assert_eq!(
        (end.state, end.error_code),
        (DeliveryState::Undelivered, 30006)
    );
    assert!(
        end.reason.contains("30006") && end.due_at.is_none(),
        "{}",
        end.reason
    );
}

#[tokio::test]
async fn a_poll_does_not_take_a_state_back_that_a_report_moved_meanwhile() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.tell("INV-1").await;
    assert_eq!(d.state, DeliveryState::Accepted);
    scene
        .report(&d, "sent", "", &scene.demo.twilio.auth_token)
        .await;
    // A worker that read the delivery before that report polls it now.
    let store = scene.app.tenant(scene.tenant);
    scene.app.poll(&store, &d).await.unwrap();
    scene.app.plan_poll(&store, None, &d).await.unwrap();
    let end = scene.read(d.id).await;
    assert_eq!(end.state, DeliveryState::Sent);
    assert!(end.due_at.is_some());
}

#[tokio::test]
async fn an_opted_out_number_ends_as_suppressed_and_so_do_later_ones() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let stop = Fault::new(FaultKind::ErrorCode).with_code(21610);
    scene.sandbox.twilio().next(FaultOrder::once(stop)).unwrap();
    let (one, two) = (scene.tell("INV-1").await, scene.tell("INV-2").await);
    assert_eq!(
        (one.state, two.state),
        (DeliveryState::Suppressed, DeliveryState::Suppressed)
    );
    assert_eq!((two.attempt_no, scene.taken()), (0, 0));
}

#[tokio::test]
async fn a_contact_without_a_number_is_a_failure_that_says_what_to_do() {
    let scene = Scene::open().await;
    scene
        .rule(json!({ "recipient": { "kind": "contact" } }))
        .await;
    let d = scene.tell("INV-1").await;
    assert_eq!((d.state, d.due_at), (DeliveryState::Failed, None));
    assert!(
        d.reason.contains("No mobile number known for Bowman & Co"),
        "{}",
        d.reason
    );
}

#[tokio::test]
async fn two_rules_with_equal_texts_are_one_message() {
    let scene = Scene::open().await;
    scene.rule(json!({ "name": "One" })).await;
    scene.rule(json!({ "name": "Two" })).await;
    scene
        .rule(json!({ "name": "Elsewhere", "recipient": { "kind": "fixed", "address": OTHER } }))
        .await;
    let event = scene.paid("INV-1").await;
    scene.drain().await;
    let store = scene.app.tenant(scene.tenant);
    assert_eq!(store.deliveries_of(event).await.unwrap().len(), 2);
    let rulings = store.rulings_of(event).await.unwrap();
    let kinds: Vec<_> = rulings[0].decisions.iter().map(|d| d.kind).collect();
    assert_eq!(
        kinds,
        [
            DecisionKind::Rule,
            DecisionKind::AlreadyTold,
            DecisionKind::Rule
        ]
    );
    let all = scene.sandbox.twilio().messages(&MessageFilter::default());
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn equal_texts_of_two_events_wait_for_one_another() {
    let scene = Scene::open().await;
    scene
        .rule(json!({ "template": { "body": "Thank you" } }))
        .await;
    scene.fault(FaultKind::DropAfter);
    let (one, two) = (scene.tell("INV-1").await, scene.tell("INV-2").await);
    assert_eq!(
        (one.state, two.state),
        (DeliveryState::Unknown, DeliveryState::Queued)
    );
    assert!(two.due_at.is_some() && two.reason.contains(&one.id.to_string()));
    scene.pass(31).await;
    scene.pass(3).await;
    assert_eq!(scene.state(one.id).await, DeliveryState::Accepted);
    assert_eq!(scene.state(two.id).await, DeliveryState::Accepted);
    assert_eq!(scene.taken(), 2);
}

impl Scene {
    /// Looks at the facts and confirms them.
    async fn decide_again(&self, event: EventId, nonce: &str) -> Result<Replayed, AppError> {
        let facts = self.app.event_replay_facts(self.tenant, event).await?;
        let (wish, me) = (confirmed(nonce, facts), Actor::named("me"));
        self.app.replay_event(self.tenant, event, &wish, &me).await
    }

    async fn send_again(&self, id: DeliveryId, nonce: &str) -> Result<Replayed, AppError> {
        let facts = self.app.delivery_replay_facts(self.tenant, id).await?;
        let (wish, me) = (confirmed(nonce, facts), Actor::named("me"));
        self.app.replay_delivery(self.tenant, id, &wish, &me).await
    }
}

fn confirmed(nonce: &str, facts: ReplayFacts) -> ReplayWish {
    ReplayWish {
        nonce: nonce.to_owned(),
        confirm: facts.fingerprint,
        chosen: None,
    }
}

#[tokio::test]
async fn a_replay_sends_once_per_click_and_not_before_the_event_is_decided() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let event = scene.paid("INV-1").await;
    // Asked while it is still being decided: the decision under way is the answer.
    let early = scene.decide_again(event, "early").await.unwrap();
    assert!(early.is_pending && early.deliveries.is_empty());
    scene.drain().await;
    assert_eq!(scene.taken(), 1);
    let (one, two) = tokio::join!(
        scene.decide_again(event, "a"),
        scene.decide_again(event, "a"),
    );
    assert_eq!(one.unwrap().replay, two.unwrap().replay);
    scene.drain().await;
    assert_eq!(scene.taken(), 2);
    let d = scene
        .app
        .tenant(scene.tenant)
        .deliveries_of(event)
        .await
        .unwrap()
        .remove(0);
    scene.send_again(d.id, "b").await.unwrap();
    let open = scene.send_again(d.id, "c").await;
    assert!(matches!(open, Err(AppError::Open(_))));
    scene.drain().await;
    assert_eq!(scene.taken(), 3);
}

#[tokio::test]
async fn an_unsigned_report_of_a_lost_message_is_a_hint_that_twilio_itself_confirms() {
    let scene = Scene::bare().await;
    scene.connect_with_key().await;
    scene.rule(json!({})).await;
    scene.fault(FaultKind::DropAfter);
    let d = scene.tell("INV-1").await;
    assert_eq!(d.state, DeliveryState::Unknown);
    let message = scene
        .sandbox
        .twilio()
        .messages(&MessageFilter::default())
        .remove(0);
    let named = Delivery {
        sid: message.sid,
        ..d.clone()
    };
    let answer = scene.report(&named, "sent", "", "anything").await;
    assert_eq!(answer, ReportAnswer::Kept);
    assert_eq!(
        scene.state(d.id).await,
        DeliveryState::Unknown,
        "nobody signed it"
    );
    scene
        .sandbox
        .twilio()
        .next(FaultOrder {
            count: 5,
            on: On::List,
            ..FaultOrder::once(Fault::new(FaultKind::InternalError))
        })
        .unwrap();
    scene.pass(31).await;
    let found = scene.read(d.id).await;
    assert_eq!(found.state, DeliveryState::Accepted, "{}", found.reason);
    assert_eq!(scene.taken(), 1);
}
