//! The store on a file, from outside: what may be said twice, in any order, or by two at once.

mod at_once;
mod batches;
mod claims;
mod counts;
mod erasure;
mod gate;
mod ingest;
mod log;
mod lost_transactions;
mod message_settings;
mod receipts;
mod rehearsal;
mod replays;
mod routing;
mod same_account;
mod search;
mod sessions;
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
use crate::domain::transition::{Claim as Transition, ClaimKind};
use crate::store::engine::writer::{PlatformWriter, work};
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

    async fn ingest(&self, fingerprint: u8, at: DateTime<Utc>) -> Ingested {
        self.store
            .ingest(self.event(fingerprint, None, at))
            .await
            .unwrap()
    }

    fn event(&self, fingerprint: u8, day: Option<u8>, at: DateTime<Utc>) -> NewEvent {
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
            fingerprint: [fingerprint; 32],
            day_fingerprint: day.map(|d| [d; 32]),
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
    async fn queued(&self, fingerprint: u8, body: &str) -> Delivery {
        let event = self.ingest(fingerprint, now()).await.event;
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
            releases_send_lock: true,
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
            releases_send_lock: true,
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
        let story = self.tenant.timeline(id.event).await.unwrap().unwrap();
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
        kind: ClaimKind::AsItself,
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
            let expected: DeliveryState = (*Status::ALL.iter().find(|s| s.rank() == highest).unwrap()).into();
            assert_eq!(end.state, expected, "{words:?}");
            assert!(end.provider_rank >= highest);
            assert_eq!(house.in_flight().await, 0);
            assert_eq!(end.due_at.is_none(), end.state.is_final(), "somebody looks at it again");
        });
    }
}
