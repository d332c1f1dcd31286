//! The store on a file, from outside: what may be said twice, in any order, or by two at once.

mod at_once;
mod batches;
mod counts;
mod erasure;
mod gate;
mod log;
mod lost_transactions;
mod message_settings;
mod rehearsal;
mod same_account;
mod search;
mod undelivered;

use chrono::TimeDelta;
use proptest::prelude::*;
use uuid::Uuid;

use super::engine::{sql, writer};
use super::pipeline::new_deliveries;
use super::tenant::suppressions;
use super::*;
use crate::domain::actor::Actor;
use crate::domain::address_hash::AddressHasher;
use crate::domain::connection::{Connection, ConnectionState, Pauses, Settings};
use crate::domain::content::Content;
use crate::domain::delivery::{
    Attempt, Channel, Channels, Delivery, DeliveryState, Hold, NewDelivery, StepKind,
};
use crate::domain::document::{Document, DocumentKind};
use crate::domain::event::{Body, EventSource, EventState, EventType, Ingested, NewEvent};
use crate::domain::ids::{
    AttemptId, ConnectionId, DeliveryId, EventId, MemberId, ReplayId, RuleId, UserId,
};
use crate::domain::replay::{Replay, ReplayKind};
use crate::domain::report::Status;
use crate::domain::tenant::Tenant;
use crate::domain::transition::{Claim as Transition, Told};
use crate::store::engine::writer::{Lane, PlatformWriter};
use crate::testing::TestDatabase;
use crate::twilio;
use chrono::{DateTime, Utc};

const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// The credentials of both tenants' connections to Twilio.
const LOGIN: Uuid = Uuid::from_u128(7);
const ZONE: chrono_tz::Tz = chrono_tz::Europe::London;
const TO: &str = "+447700900123";

fn hasher() -> AddressHasher {
    AddressHasher::new(&[7; 32])
}

fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

/// A database in a folder of its own, with one tenant that has both connections.
struct House {
    store: Store,
    tenant: TenantStore,
    zoho: ConnectionId,
    twilio: ConnectionId,
    database: TestDatabase,
}

impl House {
    async fn open() -> Self {
        let database = TestDatabase::migrated().await;
        let store = Store::open(&database.url()).await.unwrap();
        let store = store.with_hasher(hasher());
        let (tenant, zoho, twilio) = add_tenant(&store, "bowman").await;
        Self {
            tenant: store.tenant(tenant),
            store,
            zoho,
            twilio,
            database,
        }
    }

    async fn ingest(&self, digest: u8, at: DateTime<Utc>) -> Ingested {
        self.store
            .ingest(self.event(digest, None, at))
            .await
            .unwrap()
    }

    fn event(&self, digest: u8, day: Option<u8>, at: DateTime<Utc>) -> NewEvent {
        NewEvent {
            id: EventId::new(at),
            tenant: self.tenant.tenant_id(),
            connection: self.zoho,
            source: EventSource::Webhook,
            path_type: day.map(|_| EventType::InvoiceOverdue),
            label: String::new(),
            body: Body {
                content_type: "application/json".to_owned(),
                query: String::new(),
                bytes: b"{}"[..].into(),
            },
            digest: [digest; 32],
            day_digest: day.map(|d| [d; 32]),
            received_at: at,
        }
    }

    fn wish(event: EventId, body: &str) -> NewDelivery {
        NewDelivery {
            id: DeliveryId::new(event, now()),
            rule: RuleId::new(now()),
            rule_version: 1,
            rule_name: "Thanks".to_owned(),
            replay: ReplayId::nil(),
            replay_of: None,
            channel: Channel::Sms,
            address: TO.to_owned(),
            recipient: "Bowman & Co".to_owned(),
            is_to_contact: true,
            member: MemberId::nil(),
            asserts: None,
            is_rehearsal: false,
            rehearsal_to: String::new(),
            sender: String::new(),
            content: Content::Text(body.to_owned()),
            state: DeliveryState::Queued,
            reason: String::new(),
            due_at: Some(now()),
            expires_at: later(86_400),
        }
    }

    fn commit(&self, event: EventId, deliveries: Vec<NewDelivery>) -> RouteCommit {
        RouteCommit {
            event,
            replay: ReplayId::nil(),
            connection: self.zoho,
            routed_at: now(),
            rule_set: 0,
            classified: Some(ClassifiedEvent {
                event_type: Some(EventType::InvoicePaid),
                state: EventState::Matched,
                kind: Some(DocumentKind::Invoice),
                document_id: "1".to_owned(),
                number: "INV-1".to_owned(),
                party_id: String::new(),
                party_name: String::new(),
                amount: None,
                currency: String::new(),
                rules_not_asked: 0,
            }),
            document: None,
            applied: Vec::new(),
            decisions: Vec::new(),
            deliveries,
        }
    }

    /// An event with one queued delivery.
    async fn queued(&self, digest: u8, body: &str) -> Delivery {
        let event = self.ingest(digest, now()).await.event;
        let wish = Self::wish(event, body);
        let id = wish.id;
        let done = self
            .tenant
            .commit_route(self.commit(event, vec![wish]))
            .await
            .unwrap();
        assert_eq!(done, RouteResult::Committed);
        self.read(id).await
    }

    async fn read(&self, id: DeliveryId) -> Delivery {
        self.tenant.delivery(id).await.unwrap().unwrap()
    }

    fn claim_of(&self, d: &Delivery, at: DateTime<Utc>) -> Claim {
        Claim {
            attempt: Attempt {
                id: AttemptId::new(at),
                delivery: d.id,
                attempt_no: d.attempt_no + 1,
                connection: self.twilio,
                account: ACCOUNT.to_owned(),
                request: "{}".to_owned(),
                started_at: at,
                lease_until: at + TimeDelta::seconds(30),
            },
            to: d.to().to_owned(),
            meant: d.address.clone(),
            channel: d.channel,
            fingerprint: d.fingerprint.clone(),
            scope: d.scope(),
            member: d.member,
            is_accepted: true,
            document_version: 0,
            lease_owner: "one".to_owned(),
            hours: None,
            zone: ZONE,
            now: at,
            is_by_database: false,
        }
    }

    async fn claim(&self, d: &Delivery) -> ClaimResult {
        self.tenant.claim(self.claim_of(d, now())).await.unwrap()
    }

    /// The 201 of an attempt.
    async fn accepted(&self, id: DeliveryId, attempt_no: i64, sid: &str) -> bool {
        let guard = Guard {
            states: &[
                DeliveryState::Sending,
                DeliveryState::Unknown,
                DeliveryState::Queued,
                DeliveryState::Held,
            ],
            attempt_no,
            lease_owner: None,
        };
        let change = Change {
            is_outcome: true,
            leaves_flight: true,
            due_at: Some(later(900)),
            message: Some(KnownMessage {
                provider: "Twilio".to_owned(),
                account: ACCOUNT.to_owned(),
                sid: sid.to_owned(),
                channel: Channel::Sms,
                address: TO.to_owned(),
                status: Status::Queued,
                accepted_at: now(),
            }),
            ..Change::to(DeliveryState::Accepted, id, guard, later(1)).because(
                StepKind::Accepted,
                "Twilio has it",
                "{}".to_owned(),
            )
        };
        self.tenant.change(change).await.unwrap()
    }

    async fn lose(&self, d: &Delivery) {
        let guard = Guard {
            states: &[DeliveryState::Sending],
            attempt_no: d.attempt_no,
            lease_owner: Some(d.lease_owner.clone()),
        };
        let change = Change {
            due_at: Some(now()),
            ..Change::to(DeliveryState::Unknown, d.id, guard, now())
        };
        assert!(self.tenant.change(change).await.unwrap());
    }

    async fn absent(&self, d: &Delivery) {
        let guard = Guard {
            states: &[DeliveryState::Unknown],
            attempt_no: d.attempt_no,
            lease_owner: None,
        };
        let change = Change {
            due_at: Some(now()),
            leaves_flight: true,
            ..Change::to(DeliveryState::Queued, d.id, guard, now())
        };
        assert!(self.tenant.change(change).await.unwrap());
    }

    fn db(&self) -> UnscopedDb<'_> {
        UnscopedDb::new(&self.store.read, "a test looks at everything")
    }

    fn writer(&self) -> PlatformWriter<'_> {
        PlatformWriter {
            writer: &self.store.writer,
        }
    }

    async fn in_flight(&self) -> i64 {
        let count = "SELECT COUNT(*) AS n FROM in_flight";
        let row = self.db().one(count, vec![]);
        row.await.unwrap().unwrap().get("n").unwrap()
    }

    async fn steps(&self, id: DeliveryId) -> Vec<StepKind> {
        let story = self.tenant.story(id.event).await.unwrap().unwrap();
        story
            .steps
            .iter()
            .filter(|s| s.delivery == id)
            .map(|s| s.kind)
            .collect()
    }
}

async fn add_tenant(store: &Store, slug: &str) -> (TenantId, ConnectionId, ConnectionId) {
    let id = TenantId::new(now());
    let zoho = ConnectionId::new(now());
    let new = NewTenant {
        actor: Actor::operator(),
        tenant: Tenant {
            id,
            date_format: crate::domain::day::DateFormat::default(),
            slug: slug.to_owned(),
            name: slug.to_owned(),
            is_suspended: false,
            suspended_for: String::new(),
            country: "GB".to_owned(),
            zone: "Europe/London".parse().unwrap(),
            currency: "GBP".to_owned(),
            rule_set: 0,
            stopped: None,
            is_rehearsal: false,
            hours: None,
            created_at: now(),
        },
        owner: User {
            id: UserId::new(now()),
            email: format!("{slug}@example.com"),
            name: String::new(),
            password_hash: String::new(),
            is_operator: false,
            phone: None,
        },
        zoho,
        hook_token: slug.to_owned(),
        hook_secret_id: Uuid::now_v7(),
        hook_secret_sealed: vec![1],
    };
    store.platform().create_tenant(new).await.unwrap();
    let twilio = ConnectionId::new(now());
    let save = SaveConnection {
        connection: Connection {
            id: twilio,
            tenant: id,
            provider: twilio::PROVIDER,
            channels: Channels::from_iter([Channel::Sms]),
            account: ACCOUNT.to_owned(),
            state: ConnectionState::Ready,
            reason: String::new(),
            settings: Settings::default(),
            pauses: Pauses::default(),
            checked_at: None,
            checked: String::new(),
            login: LOGIN,
            accepted_at: None,
        },
        secrets: Vec::new(),
        removed: Vec::new(),
        hook_token: format!("{slug}-twilio"),
        senders: Vec::new(),
        over: None,
        actor: Actor::named("test"),
        now: now(),
    };
    let tenant = store.tenant(id);
    tenant.save_connection(save).await.unwrap();
    assert!(tenant.accept_login(twilio, LOGIN, now()).await.unwrap());
    (id, zoho, twilio)
}

fn receipt(id: Option<DeliveryId>, sid: &str, word: &str) -> NewReceipt {
    NewReceipt {
        provider: "Twilio".to_owned(),
        is_opt_out: false,
        hit: None,
        delivery: id,
        attempt_no: None,
        account: ACCOUNT.to_owned(),
        sid: sid.to_owned(),
        word: word.to_owned(),
        status: Status::parse(word),
        error_code: 0,
        reason: word.to_owned(),
        source: "callback",
        is_verified: true,
        detail: "{}".to_owned(),
        due_at: Some(later(900)),
        now: later(2),
    }
}

fn hint(id: DeliveryId, sid: &str, word: &str) -> NewReceipt {
    NewReceipt {
        status: None,
        is_verified: false,
        ..receipt(Some(id), sid, word)
    }
}

#[tokio::test]
async fn a_repeat_is_answered_with_the_first_event_also_within_one_batch() {
    let house = House::open().await;
    let first = house.ingest(1, now()).await;
    let (again, twin, other) = tokio::join!(
        house.ingest(1, later(1)),
        house.ingest(2, later(1)),
        house.ingest(2, later(1))
    );
    assert_eq!(
        again,
        Ingested {
            event: first.event,
            is_duplicate: true
        }
    );
    assert_eq!(twin.event, other.event);
    assert_ne!(twin.is_duplicate, other.is_duplicate);
    assert_eq!(
        house
            .store
            .platform()
            .due(now(), &mut DueCursor::default(), 100)
            .await
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_reminder_is_a_repeat_for_twelve_hours_and_on_the_same_day() {
    let house = House::open().await;
    let send = |day, hours: i64| {
        house
            .store
            .ingest(house.event(1, Some(day), later(hours * 3600)))
    };
    let is_repeat = async |day, hours| send(day, hours).await.unwrap().is_duplicate;
    assert!(!is_repeat(10, 0).await);
    assert!(is_repeat(10, 1).await);
    assert!(
        is_repeat(11, 11).await,
        "another day, but within twelve hours"
    );
    assert!(is_repeat(10, 13).await, "the same day after twelve hours");
    assert!(!is_repeat(11, 13).await);
    assert!(
        is_repeat(12, 24).await,
        "twelve hours run from the one that was kept"
    );
    assert!(!is_repeat(12, 26).await);
}

#[tokio::test]
async fn a_poisoned_command_in_a_batch_fails_alone() {
    let house = House::open().await;
    let before = house.ingest(1, now()).await;
    // The same id under other digests breaks the primary key of events.
    let poisoned = NewEvent {
        id: before.event,
        ..house.event(9, None, now())
    };
    let (good, bad, other) = tokio::join!(
        house.store.ingest(house.event(2, None, now())),
        house.store.ingest(poisoned),
        house.store.ingest(house.event(3, None, now())),
    );
    assert!(bad.is_err());
    assert!(!good.unwrap().is_duplicate && !other.unwrap().is_duplicate);
    // Nothing of the poisoned one stayed: its digest is free.
    assert!(!house.ingest(9, later(1)).await.is_duplicate);
    assert_eq!(
        house
            .store
            .platform()
            .due(now(), &mut DueCursor::default(), 100)
            .await
            .unwrap()
            .len(),
        4
    );
}

#[tokio::test]
async fn an_event_is_routed_once_and_by_the_rules_in_force() {
    let house = House::open().await;
    let event = house.ingest(1, now()).await.event;
    let stale = RouteCommit {
        rule_set: 7,
        ..house.commit(event, Vec::new())
    };
    assert_eq!(
        house.tenant.commit_route(stale).await.unwrap(),
        RouteResult::Stale
    );
    let route = || {
        house
            .tenant
            .commit_route(house.commit(event, vec![House::wish(event, "Hi")]))
    };
    let (one, two) = tokio::join!(route(), route());
    let ends = [one.unwrap(), two.unwrap()];
    assert!(ends.contains(&RouteResult::Committed) && ends.contains(&RouteResult::Gone));
    assert_eq!(house.tenant.deliveries_of(event).await.unwrap().len(), 1);
    let (foreign, ..) = add_tenant(&house.store, "other").await;
    let other = house.ingest(2, now()).await.event;
    let theirs = house
        .store
        .tenant(foreign)
        .commit_route(house.commit(other, Vec::new()))
        .await;
    assert_eq!(theirs.unwrap(), RouteResult::Gone);
}

fn document(version: i64, state: bool, event: EventId) -> DocumentCommit {
    let document = Document {
        kind: DocumentKind::Invoice,
        id: "1".to_owned(),
        number: None,
        status: Some("paid".to_owned()),
        due_date: None,
        total: None,
        balance: None,
        currency: None,
        party: None,
        modified_at: Some(now()),
        round: 0,
        clearing: None,
    };
    let claim = Transition {
        event_type: EventType::InvoicePaid,
        discriminator: String::new(),
        event,
        told: Told::AsItself,
    };
    DocumentCommit {
        kind: DocumentKind::Invoice,
        id: "1".to_owned(),
        version,
        state: state.then_some(document),
        claims: if state { vec![claim] } else { Vec::new() },
        party: None,
        people: Vec::new(),
    }
}

#[tokio::test]
async fn of_two_bodies_of_one_document_the_second_starts_over() {
    let house = House::open().await;
    let (a, b) = (
        house.ingest(1, now()).await.event,
        house.ingest(2, now()).await.event,
    );
    let route = |event| {
        let document = Some(document(0, true, event));
        house.tenant.commit_route(RouteCommit {
            document,
            ..house.commit(event, Vec::new())
        })
    };
    let (one, two) = tokio::join!(route(a), route(b));
    let ends = [one.unwrap(), two.unwrap()];
    assert!(
        ends.contains(&RouteResult::Committed) && ends.contains(&RouteResult::Stale),
        "{ends:?}"
    );
    let known = house
        .tenant
        .document(house.zoho, DocumentKind::Invoice, "1")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((known.version, known.known.unwrap().claims.len()), (1, 1));
}

#[tokio::test]
async fn a_body_that_says_nothing_of_an_unknown_document_is_routed_all_the_same() {
    let house = House::open().await;
    let event = house.ingest(1, now()).await.event;
    let document = Some(document(0, false, event));
    let commit = RouteCommit {
        document,
        ..house.commit(event, Vec::new())
    };
    assert_eq!(
        house.tenant.commit_route(commit).await.unwrap(),
        RouteResult::Committed
    );
}

#[tokio::test]
async fn only_one_of_two_workers_gets_a_delivery_and_the_loser_frees_nothing() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    let (one, two) = tokio::join!(house.claim(&d), house.claim(&d));
    let ends = [one, two];
    assert!(
        ends.contains(&ClaimResult::Claimed) && ends.contains(&ClaimResult::Refused),
        "{ends:?}"
    );
    assert_eq!(house.in_flight().await, 1, "the winner's call is under way");
    let equal = house.queued(2, "Hi").await;
    assert_eq!(
        house.claim(&equal).await,
        ClaimResult::EqualInFlight(Some(d.id))
    );
    let story = house.tenant.story(d.id.event).await.unwrap().unwrap();
    assert_eq!(story.attempts.len(), 1);
}

#[tokio::test]
async fn equal_texts_go_one_at_a_time() {
    let house = House::open().await;
    let (a, b, other) = (
        house.queued(1, "Hi").await,
        house.queued(2, "Hi").await,
        house.queued(3, "Ho").await,
    );
    assert_eq!(house.claim(&a).await, ClaimResult::Claimed);
    assert_eq!(
        house.claim(&b).await,
        ClaimResult::EqualInFlight(Some(a.id))
    );
    assert_eq!(house.claim(&other).await, ClaimResult::Claimed);
    assert!(house.accepted(a.id, 1, "SM1").await);
    assert_eq!(house.claim(&b).await, ClaimResult::Claimed);
}

#[tokio::test]
async fn a_claim_is_refused_by_whatever_stands_against_it() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    let refused = async || {
        assert_eq!(house.claim(&d).await, ClaimResult::Refused);
        assert_eq!(house.in_flight().await, 0);
        assert_eq!(house.read(d.id).await.state, DeliveryState::Queued);
    };
    house.tenant.stop(Actor::named("me"), now()).await.unwrap();
    refused().await;
    house
        .tenant
        .lift_stop(Actor::named("me"), now())
        .await
        .unwrap();
    let set = async |state, until| {
        let why = String::new();
        house
            .tenant
            .set_connection_state(house.twilio, state, why, None, now())
            .await
            .unwrap();
        if let Some(until) = until {
            house
                .tenant
                .pause_connection(house.twilio, Channels::from_iter([Channel::Sms]), until)
                .await
                .unwrap();
        }
    };
    set(ConnectionState::Broken, None).await;
    refused().await;
    set(ConnectionState::Ready, Some(later(5))).await;
    refused().await;
    // What another API of the account asks for is not in the way of this one.
    let other = Channels::from_iter([Channel::Email]);
    house
        .tenant
        .pause_connection(house.twilio, other, later(60))
        .await
        .unwrap();
    let expired = house.claim_of(&d, later(86_400));
    assert_eq!(
        house.tenant.claim(expired).await.unwrap(),
        ClaimResult::Refused
    );
    let (foreign, ..) = add_tenant(&house.store, "other").await;
    let theirs = house
        .store
        .tenant(foreign)
        .claim(house.claim_of(&d, later(6)))
        .await
        .unwrap();
    assert_eq!(theirs, ClaimResult::Refused);
    let late = house.claim_of(&d, later(6));
    assert_eq!(
        house.tenant.claim(late).await.unwrap(),
        ClaimResult::Claimed
    );
}

#[tokio::test]
async fn a_late_201_settles_what_was_lost_and_shows_a_double_if_it_was_sent_again() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.lose(&house.read(d.id).await).await;
    assert_eq!(house.in_flight().await, 1, "it may be there");
    assert!(house.accepted(d.id, 1, "SM1").await);
    let found = house.read(d.id).await;
    assert_eq!(
        (found.state, found.sid.as_str()),
        (DeliveryState::Accepted, "SM1")
    );
    assert_eq!(house.in_flight().await, 0);

    let again = house.queued(2, "Ho").await;
    house.claim(&again).await;
    house.lose(&house.read(again.id).await).await;
    house.absent(&house.read(again.id).await).await;
    let second = house.read(again.id).await;
    assert_eq!(house.claim(&second).await, ClaimResult::Claimed);
    assert!(house.accepted(again.id, 2, "SM3").await);
    assert!(
        !house.accepted(again.id, 1, "SM2").await,
        "the first answer comes last"
    );
    let end = house.read(again.id).await;
    assert_eq!(
        (end.state, end.sid.as_str()),
        (DeliveryState::Accepted, "SM3")
    );
    let steps = house.steps(again.id).await;
    assert_eq!(
        steps,
        [StepKind::Accepted, StepKind::Accepted, StepKind::Double]
    );
}

#[tokio::test]
async fn a_message_is_found_by_one_delivery_only() {
    let house = House::open().await;
    for (n, text, found) in [(1, "Hi", true), (2, "Ho", false)] {
        let d = house.queued(n, text).await;
        house.claim(&d).await;
        house.lose(&house.read(d.id).await).await;
        let guard = Guard {
            states: &[DeliveryState::Unknown],
            attempt_no: 1,
            lease_owner: None,
        };
        let change = Change {
            message: Some(KnownMessage {
                provider: "Twilio".to_owned(),
                account: ACCOUNT.to_owned(),
                sid: "SM1".to_owned(),
                channel: Channel::Sms,
                address: TO.to_owned(),
                status: Status::Accepted,
                accepted_at: now(),
            }),
            ..Change::to(DeliveryState::Accepted, d.id, guard, now())
        };
        assert_eq!(house.tenant.change(change).await.unwrap(), found);
    }
}

#[tokio::test]
async fn a_callback_may_overtake_the_answer() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let moved = house
        .tenant
        .receive(receipt(Some(d.id), "SM1", "delivered"))
        .await
        .unwrap();
    assert_eq!(moved, ReceiptResult::Moved(d.id));
    assert_eq!(house.in_flight().await, 0);
    assert!(!house.accepted(d.id, 1, "SM1").await);
    let end = house.read(d.id).await;
    assert_eq!((end.state, end.due_at), (DeliveryState::Delivered, None));
    assert_eq!(
        house.steps(d.id).await,
        [StepKind::Accepted],
        "the outcome is appended all the same"
    );
}

#[tokio::test]
async fn reports_without_our_id_wait_for_the_answer() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let early = house
        .tenant
        .receive(receipt(None, "SM1", "delivered"))
        .await
        .unwrap();
    assert_eq!(early, ReceiptResult::Unmatched);
    // A report with our id moves the state first; the other is still not forgotten.
    house
        .tenant
        .receive(receipt(Some(d.id), "SM1", "sent"))
        .await
        .unwrap();
    house.accepted(d.id, 1, "SM1").await;
    assert_eq!(house.read(d.id).await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn an_unsigned_report_moves_nothing_and_proves_nothing() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    let forged = house
        .tenant
        .receive(hint(d.id, "SM666", "delivered"))
        .await
        .unwrap();
    assert_eq!(forged, ReceiptResult::Hinted(d.id));
    assert_eq!(house.read(d.id).await.state, DeliveryState::Accepted);
    assert_eq!(
        house.steps(d.id).await,
        [StepKind::Accepted],
        "nobody was sent anything twice"
    );
    let other = house.queued(2, "Ho").await;
    let sids = ["SM666".to_owned()];
    let taken = house
        .tenant
        .taken_sids(ACCOUNT, &sids, other.id)
        .await
        .unwrap();
    assert!(taken.is_empty(), "whose message it is was not proven");
}

#[tokio::test]
async fn what_an_unsigned_report_hinted_at_still_counts_once_it_is_confirmed() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    house
        .tenant
        .receive(hint(d.id, "SM1", "delivered"))
        .await
        .unwrap();
    let poll = NewReceipt {
        source: "poll",
        ..receipt(Some(d.id), "SM1", "delivered")
    };
    assert_eq!(
        house.tenant.receive(poll).await.unwrap(),
        ReceiptResult::Moved(d.id)
    );
    assert_eq!(house.read(d.id).await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn an_opt_out_ends_as_suppressed_and_keeps_the_address() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    let stop = NewReceipt {
        error_code: 21610,
        is_opt_out: true,
        ..receipt(Some(d.id), "SM1", "failed")
    };
    house.tenant.receive(stop).await.unwrap();
    assert_eq!(house.read(d.id).await.state, DeliveryState::Suppressed);
    assert!(
        house
            .tenant
            .suppression(Channel::Sms, TO)
            .await
            .unwrap()
            .is_some()
    );
    let next = house.queued(2, "Ho").await;
    assert_eq!(house.claim(&next).await, ClaimResult::Refused);
}

#[tokio::test]
async fn what_is_held_is_released_by_its_kind_only() {
    let house = House::open().await;
    let mut ids = Vec::new();
    for (n, hold) in [(1, Hold::Stopped), (2, Hold::Broken)] {
        let d = house.queued(n, "Hi").await;
        let guard = Guard {
            states: &[DeliveryState::Queued],
            attempt_no: 0,
            lease_owner: None,
        };
        let change = Change {
            hold: Some(hold),
            due_at: Some(d.expires_at),
            ..Change::to(DeliveryState::Held, d.id, guard, now())
        };
        assert!(house.tenant.change(change).await.unwrap());
        ids.push(d.id);
    }
    let (foreign, ..) = add_tenant(&house.store, "other").await;
    let release = |tenant: TenantStore| async move {
        tenant
            .release_held(vec![Hold::Stopped], None, "Go".to_owned(), later(9))
            .await
            .unwrap()
    };
    assert!(release(house.store.tenant(foreign)).await.is_empty());
    assert_eq!(release(house.tenant.clone()).await, [ids[0]]);
    let (free, held) = (house.read(ids[0]).await, house.read(ids[1]).await);
    assert_eq!(
        (free.state, free.due_at),
        (DeliveryState::Queued, Some(later(9)))
    );
    assert_eq!(
        (held.state, held.hold),
        (DeliveryState::Held, Some(Hold::Broken))
    );
    assert_eq!(house.steps(ids[0]).await, [StepKind::Released]);
}

fn replay(house: &House, kind: ReplayKind, event: EventId, nonce: &str) -> Replay {
    Replay {
        id: ReplayId::new(now()),
        tenant: house.tenant.tenant_id(),
        kind,
        event,
        delivery: None,
        nonce: nonce.to_owned(),
        requested_by: "me".to_owned(),
        requested_at: now(),
        routed_at: None,
        confirmed: None,
    }
}

#[tokio::test]
async fn a_replay_is_made_once_per_nonce_and_not_beside_an_open_delivery() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    let event = d.id.event;
    let create = |nonce: &str| {
        let replay = replay(&house, ReplayKind::Event, event, nonce);
        house.tenant.create_replay(NewReplay {
            address: String::new(),
            replays_before: None,
            replay,
            delivery: None,
        })
    };
    assert!(matches!(create("a").await.unwrap(), ReplayResult::Blocked(id) if id == d.id));
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    let (one, two) = tokio::join!(create("a"), create("a"));
    let repeated = [one.unwrap(), two.unwrap()]
        .iter()
        .filter(|r| matches!(r, ReplayResult::Repeated(_)))
        .count();
    assert_eq!(repeated, 1);
    // Its deliveries are not made yet, but the same wish is already under way.
    assert!(
        matches!(create("b").await.unwrap(), ReplayResult::Repeated(first) if first.nonce == "a")
    );
}

#[tokio::test]
async fn a_suppressed_address_is_refused() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    let stop = NewReceipt {
        error_code: 21610,
        is_opt_out: true,
        ..receipt(Some(d.id), "SM1", "undelivered")
    };
    house.tenant.receive(stop).await.unwrap();
    let made = replay(&house, ReplayKind::Delivery, d.id.event, "a");
    let delivery = NewDelivery {
        replay: made.id,
        ..House::wish(d.id.event, "Hi")
    };
    let result = house.tenant.create_replay(NewReplay {
        address: String::new(),
        replays_before: None,
        replay: made,
        delivery: Some(delivery),
    });
    assert!(matches!(result.await.unwrap(), ReplayResult::Suppressed(_)));
}

#[tokio::test]
async fn a_witness_is_of_the_same_tenant() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    let lost = house.queued(2, "Ho").await;
    let since = now() - TimeDelta::seconds(1);
    assert!(
        house
            .tenant
            .freshness_marker((ACCOUNT, Channel::Sms), since, lost.id)
            .await
            .unwrap()
            .is_some()
    );
    // A list of texts never shows an e-mail.
    assert!(
        house
            .tenant
            .freshness_marker((ACCOUNT, Channel::Email), since, lost.id)
            .await
            .unwrap()
            .is_none()
    );
    let (foreign, ..) = add_tenant(&house.store, "other").await;
    let theirs = house.store.tenant(foreign);
    assert!(
        theirs
            .freshness_marker((ACCOUNT, Channel::Sms), since, lost.id)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn what_a_report_makes_known_is_dated_by_its_attempt_not_by_the_report() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let late = NewReceipt {
        now: later(600),
        attempt_no: Some(1),
        ..receipt(Some(d.id), "SM1", "sent")
    };
    house.tenant.receive(late).await.unwrap();
    let lost = house.queued(2, "Ho").await;
    let witness = house
        .tenant
        .freshness_marker((ACCOUNT, Channel::Sms), later(60), lost.id)
        .await
        .unwrap();
    assert_eq!(
        witness, None,
        "it was accepted before the lost attempt began"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn reports_in_any_order_and_doubled_end_in_the_highest_rank(
        words in prop::collection::vec(prop::sample::select(Status::ALL.to_vec()), 1..12),
        answer_after in 0..12_usize,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let house = House::open().await;
            let d = house.queued(1, "Hi").await;
            house.claim(&d).await;
            for (n, status) in words.iter().enumerate() {
                if n == answer_after {
                    house.accepted(d.id, 1, "SM1").await;
                }
                let report = receipt(Some(d.id), "SM1", status.as_str());
                house.tenant.receive(report).await.unwrap();
            }
            if answer_after >= words.len() {
                house.accepted(d.id, 1, "SM1").await;
            }
            let highest = words.iter().map(|s| s.rank()).max().unwrap();
            let end = house.read(d.id).await;
            let expected = Status::ALL.iter().find(|s| s.rank() == highest).unwrap().state();
            assert_eq!(end.state, expected, "{words:?}");
            assert!(end.provider_rank >= highest);
            assert_eq!(house.in_flight().await, 0);
            assert_eq!(end.due_at.is_none(), end.state.is_final(), "somebody looks at it again");
        });
    }
}

#[tokio::test]
async fn leases_of_earlier_owners_end_at_a_takeover() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let platform = house.store.platform();
    assert_eq!(
        platform
            .expire_foreign_leases("one".to_owned(), now())
            .await
            .unwrap(),
        0
    );
    assert!(
        platform
            .due(later(1), &mut DueCursor::default(), 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        platform
            .expire_foreign_leases("two".to_owned(), later(1))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        platform
            .due(later(1), &mut DueCursor::default(), 10)
            .await
            .unwrap(),
        [Due::Delivery(house.tenant.tenant_id(), d.id, later(1))]
    );
}

#[tokio::test]
async fn a_walk_over_what_is_due_sees_everything_once_and_begins_again() {
    let house = House::open().await;
    let mut queued = Vec::new();
    for number in 0..5 {
        queued.push(house.queued(number, &format!("Hi {number}")).await.id);
    }
    let mut cursor = DueCursor::default();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.extend(
            house
                .store
                .platform()
                .due(now(), &mut cursor, 2)
                .await
                .unwrap(),
        );
    }
    assert_eq!(cursor, DueCursor::default());
    let mut seen: Vec<_> = seen
        .into_iter()
        .filter_map(|due| match due {
            Due::Delivery(_, id, _) => Some(id),
            _ => None,
        })
        .collect();
    seen.sort_unstable();
    queued.sort_unstable();
    assert_eq!(seen, queued);
}

#[tokio::test]
async fn an_outcome_told_twice_is_one() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let change = Change {
        is_outcome: true,
        ..Change::to(
            DeliveryState::Failed,
            d.id,
            Guard {
                states: &[DeliveryState::Sending],
                attempt_no: 1,
                lease_owner: None,
            },
            now(),
        )
        .because(StepKind::Refused, "Refused", "{}".to_owned())
    };
    assert!(house.tenant.change(change.clone()).await.unwrap());
    assert!(!house.tenant.change(change).await.unwrap());
    let story = house.tenant.story(d.id.event).await.unwrap().unwrap();
    assert_eq!(story.steps.len(), 1);
}

#[tokio::test]
async fn a_claim_that_nobody_waits_for_is_not_made() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    {
        let claim = house.tenant.claim(house.claim_of(&d, now()));
        let mut claim = std::pin::pin!(claim);
        assert!(futures::poll!(claim.as_mut()).is_pending());
    }
    // Whatever stood before this in the line has been looked at.
    let other = house.queued(2, "Ho").await;
    assert_eq!(house.claim(&other).await, ClaimResult::Claimed);
    assert_eq!(house.read(d.id).await.state, DeliveryState::Queued);
}

#[tokio::test]
async fn a_tenants_lock_that_somebody_holds_keeps_no_outcome_waiting() {
    let house = House::open().await;
    if house.database.is_file() {
        return;
    }
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let id = house.tenant.tenant_id().uuid().into_bytes();
    let number = i32::from_be_bytes(*id.last_chunk().unwrap());
    let stranger = sea_orm::Database::connect(house.database.url())
        .await
        .unwrap();
    let held = sea_orm::TransactionTrait::begin(&stranger).await.unwrap();
    let lock = format!("SELECT pg_advisory_xact_lock({}, {number})", 0x6d6c_6301);
    sea_orm::ConnectionTrait::execute_unprepared(&held, &lock)
        .await
        .unwrap();
    let waiting: Vec<_> = (0..20)
        .map(|n| {
            let (tenant, claim) = (house.tenant.clone(), house.claim_of(&d, later(n)));
            tokio::spawn(async move { tenant.claim(claim).await })
        })
        .collect();
    let told = tokio::time::timeout(
        std::time::Duration::from_secs(5),
        house.accepted(d.id, 1, "SM1"),
    );
    assert!(told.await.expect("outcomes wait for no lock of a tenant"));
    held.commit().await.unwrap();
    for claim in waiting {
        assert_eq!(claim.await.unwrap().unwrap(), ClaimResult::Refused);
    }
}

#[tokio::test]
async fn a_writers_session_gives_up_what_it_holds_and_plans_by_keys() {
    let house = House::open().await;
    if house.database.is_file() {
        return;
    }
    for (name, value) in writer::PATIENCE.into_iter().chain(sql::BY_KEYS) {
        let shown = house
            .writer()
            .write(Lane::Edit, move |tx| {
                Box::pin(async move {
                    let row = tx.one(&format!("SHOW {name}"), vec![]).await?;
                    row.map_or(Ok(String::new()), |r| r.get::<String>(name))
                })
            })
            .await
            .unwrap();
        // Over a Unix socket there is nothing to keep alive.
        assert!(shown == value || shown == "0", "{name} = {shown}");
    }
}

/// What a session has set for itself, no change of the server's settings reaches.
#[tokio::test]
async fn a_writers_session_waits_for_the_disk_whatever_the_server_is_told() {
    for (chosen, is) in [
        ("off", None),
        ("on", Some("on")),
        ("remote_apply", Some("remote_apply")),
    ] {
        let database = TestDatabase::migrated().await;
        if database.is_file() {
            return;
        }
        let url = database.url();
        let (_, name) = url.rsplit_once('/').unwrap();
        let alter = format!("ALTER DATABASE {name} SET synchronous_commit = {chosen}");
        database.run(&alter).await;
        let opened = Store::open(&database.url()).await;
        let Some(is) = is else {
            let refused = opened.err().expect("refused at the start");
            assert!(
                refused.to_string().contains("synchronous_commit"),
                "{refused}"
            );
            continue;
        };
        let writer = opened.unwrap().writer;
        let shown = PlatformWriter { writer: &writer }
            .write(Lane::Edit, |tx| {
                Box::pin(async move {
                    let query = "SELECT setting || ' by ' || source AS is_set FROM pg_settings \
                                 WHERE name = 'synchronous_commit'";
                    let row = tx.one(query, vec![]).await?;
                    row.map_or(Ok(String::new()), |r| r.get::<String>("is_set"))
                })
            })
            .await
            .unwrap();
        assert_eq!(shown, format!("{is} by session"));
    }
}

/// `migrate` runs while older processes still serve.
#[tokio::test]
async fn a_column_added_by_a_newer_version_disturbs_nobody() {
    let house = House::open().await;
    if house.database.is_file() {
        // Only the one process that has the file changes its schema, before it serves.
        return;
    }
    let read = async || {
        let many = (0..12).map(|_| house.tenant.tenant());
        futures::future::join_all(many).await
    };
    for known in read().await {
        assert!(known.unwrap().is_some());
    }
    let newer = "ALTER TABLE tenants ADD COLUMN later text NOT NULL DEFAULT ''";
    house.db().exec(newer, vec![]).await.unwrap();
    for _ in 0..3 {
        for known in read().await {
            assert!(known.unwrap().is_some());
        }
    }
}

#[tokio::test]
async fn an_address_that_no_text_can_hold_leads_nowhere() {
    let house = House::open().await;
    let platform = house.store.platform();
    for token in ["", "\0", "a\0b"] {
        let found = platform.hook(crate::zoho::PROVIDER, token).await;
        assert!(found.unwrap().is_none(), "{token:?}");
    }
}
