//! The gate's function and the claim's statement agree, whatever stands in the database, and whatever moves
//! between the reading and the claim.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::*;
use crate::domain::assertion::{Assertion, Says, Seen};
use crate::domain::document::Applied;
use crate::domain::gate::{Gate, Judgement};
use crate::domain::money::Amount;

const OWNER: &str = "+16175550123";

/// How many are tried.
const WORLDS: u32 = 400;

/// What the document of a reminder about 100.00, due the day before yesterday, has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paper {
    Overdue,
    /// Nothing is known of it any more.
    Forgotten,
    Paid,
    Void,
    Draft,
    /// Its due date was moved.
    Moved,
    /// Paid in part, as its own body says.
    Part,
    /// Paid, as a payment's body says.
    Applied,
    /// A payment's body that is older than its own.
    AppliedBefore,
}

/// All that counts for one message, as it may stand in the database.
#[expect(clippy::struct_excessive_bools, reason = "each is a clause")]
#[derive(Debug, Clone, PartialEq, Eq)]
struct World {
    is_stopped: bool,
    is_suspended: bool,
    in_rehearsal: bool,
    /// Contacts may be written to: at any time, now, not now.
    hours: u8,
    suppresses: bool,
    /// The connection is ready, new or broken.
    connection: u8,
    /// It is not paused, was, is.
    pause: u8,
    is_expired: bool,
    is_taken: bool,
    is_retry: bool,
    paper: Paper,
    /// The message is a rehearsal, and a person has confirmed the paper as paid.
    is_rehearsal: bool,
    is_confirmed: bool,
    is_to_contact: bool,
}

impl World {
    /// Whether the message may go, in other words than the gate's.
    fn lets_go(&self) -> bool {
        let is_paper_good = match self.paper {
            Paper::Overdue | Paper::Forgotten | Paper::AppliedBefore => true,
            Paper::Paid => self.is_confirmed,
            Paper::Part => self.is_retry,
            Paper::Void | Paper::Draft | Paper::Moved | Paper::Applied => false,
        };
        let is_open = self.hours < 2 || self.is_rehearsal || !self.is_to_contact;
        is_paper_good
            && is_open
            && !self.is_stopped
            && !self.is_suspended
            && (!self.in_rehearsal || self.is_rehearsal)
            && !self.suppresses
            && self.connection == 0
            && self.pause < 2
            && !self.is_expired
    }
}

/// Mostly something that lets it go, or nearly.
fn world() -> impl Strategy<Value = World> {
    let rarely = || prop::bool::weighted(0.06);
    let paper = prop_oneof![
        12 => Just(Paper::Overdue),
        1 => Just(Paper::Forgotten),
        1 => Just(Paper::Paid),
        1 => Just(Paper::Void),
        1 => Just(Paper::Draft),
        1 => Just(Paper::Moved),
        1 => Just(Paper::Part),
        1 => Just(Paper::Applied),
        1 => Just(Paper::AppliedBefore),
    ];
    let thrice = || prop_oneof![8 => Just(0_u8), 2 => Just(1), 1 => Just(2)];
    let tenant = (rarely(), rarely(), rarely(), thrice());
    let rest = (
        rarely(),
        thrice(),
        thrice(),
        rarely(),
        rarely(),
        any::<bool>(),
    );
    let message = (
        paper,
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.3),
        any::<bool>(),
    );
    (tenant, rest, message).prop_map(|(tenant, rest, message)| World {
        is_stopped: tenant.0,
        is_suspended: tenant.1,
        in_rehearsal: tenant.2,
        hours: tenant.3,
        suppresses: rest.0,
        connection: rest.1,
        pause: rest.2,
        is_expired: rest.3,
        is_taken: rest.4,
        is_retry: rest.5,
        paper: message.0,
        is_rehearsal: message.1,
        is_confirmed: message.2,
        is_to_contact: message.3,
    })
}

/// One property of a world becomes another one's.
fn moved(from: &World, to: &World, which: u8) -> World {
    let mut world = from.clone();
    match which {
        0 => world.is_stopped = to.is_stopped,
        1 => world.is_suspended = to.is_suspended,
        2 => world.in_rehearsal = to.in_rehearsal,
        3 => world.hours = to.hours,
        4 => world.suppresses = to.suppresses,
        5 => world.connection = to.connection,
        6 => world.pause = to.pause,
        7 => world.is_expired = to.is_expired,
        8 => world.is_taken = to.is_taken,
        9 => world.paper = to.paper,
        _ => {}
    }
    world
}

/// A second world that differs much from any that lets a message go.
fn bad() -> impl Strategy<Value = World> {
    let paper = prop::sample::select(vec![
        Paper::Forgotten,
        Paper::Paid,
        Paper::Void,
        Paper::Draft,
        Paper::Moved,
        Paper::Part,
        Paper::Applied,
    ]);
    (world(), paper, 1..3_u8).prop_map(|(world, paper, connection)| World {
        is_stopped: true,
        is_suspended: true,
        in_rehearsal: true,
        hours: 2,
        suppresses: true,
        connection,
        pause: 2,
        is_expired: true,
        is_taken: true,
        paper,
        ..world
    })
}

/// One tenant, and a message as its world has it.
struct Scene<'a> {
    house: &'a House,
    tenant: TenantStore,
    zoho: ConnectionId,
    twilio: ConnectionId,
    message: DeliveryId,
}

impl<'a> Scene<'a> {
    async fn of(house: &'a House, n: u32, world: &World) -> Self {
        let (id, zoho, twilio) = add_tenant(&house.store, &format!("t{n}")).await;
        let event = EventId::new(now());
        let seen = Seen {
            status: Some("overdue".to_owned()),
            balance: Some(Amount(1_000_000)),
            due_date: Some(due(-2)),
        };
        let paid = Seen::of(&state(Paper::Paid).0);
        let wish = NewDelivery {
            is_to_contact: world.is_to_contact,
            is_rehearsal: world.is_rehearsal,
            rehearsal_to: if world.is_rehearsal { OWNER } else { "" }.to_owned(),
            asserts: Some(Assertion {
                source: zoho,
                kind: DocumentKind::Invoice,
                document: "1".to_owned(),
                says: Says {
                    event_type: EventType::InvoiceOverdue,
                    seen,
                    confirmed: world.is_confirmed.then_some(paid),
                },
            }),
            ..House::wish(event, &format!("Hi {n}"))
        };
        let message = wish.id;
        let tenant = id.uuid();
        let work = house.store.writer.write(Lane::Edit, Turn::Free, move |tx| {
            let wish = wish.clone();
            Box::pin(
                async move { super::super::route::insert_delivery(tx, tenant, &wish, now()).await },
            )
        });
        work.await.unwrap();
        let own = "UPDATE users SET phone = $2, phone_confirmed_at = $3 WHERE email = $1";
        let bound = vec![
            format!("t{n}@example.com").into(),
            OWNER.into(),
            sql::micros(now()).into(),
        ];
        house.exec(own.to_owned(), bound).await;
        if world.is_retry {
            let tried = "UPDATE deliveries SET attempt_no = 1 WHERE tenant_id = $1";
            house.exec(tried.to_owned(), vec![tenant.into()]).await;
        }
        let scene = Self {
            tenant: house.store.tenant(id),
            house,
            zoho,
            twilio,
            message,
        };
        scene.become_like(world, None).await;
        scene
    }

    /// Makes the database say what this world says.
    async fn become_like(&self, world: &World, before: Option<&World>) {
        let tenant = self.tenant.tenant_id().uuid();
        let hours = ["", "08:00-20:00", "01:00-02:00"][usize::from(world.hours)];
        let status = if world.is_suspended {
            "suspended"
        } else {
            "active"
        };
        let stopped = world.is_stopped.then(|| sql::micros(now()));
        let set = "UPDATE tenants SET stopped_at = $2, status = $3, is_rehearsal = $4, hours = $5 \
                   WHERE id = $1";
        let bound = vec![
            tenant.into(),
            stopped.into(),
            status.into(),
            world.in_rehearsal.into(),
            hours.into(),
        ];
        self.house.exec(set.to_owned(), bound).await;
        let state = ["ready", "new", "broken"][usize::from(world.connection)];
        let pause = [None, Some(-60), Some(60)][usize::from(world.pause)];
        let pause = pause.map(|seconds| sql::micros(later(seconds)));
        let set = "UPDATE connections SET state = $2, paused_until = $3 WHERE id = $1";
        let bound = vec![self.twilio.uuid().into(), state.into(), pause.into()];
        self.house.exec(set.to_owned(), bound).await;
        let state = if world.is_taken { "sending" } else { "queued" };
        let ends = later(if world.is_expired { -1 } else { 3600 });
        let set = "UPDATE deliveries SET state = $2, expires_at = $3 WHERE tenant_id = $1";
        let bound = vec![tenant.into(), state.into(), sql::micros(ends).into()];
        self.house.exec(set.to_owned(), bound).await;
        if before.is_none_or(|b| b.paper != world.paper) {
            self.write_paper(world.paper).await;
        }
        let lift = "DELETE FROM suppressions WHERE tenant_id = $1";
        self.house.exec(lift.to_owned(), vec![tenant.into()]).await;
        if world.suppresses {
            self.house
                .exec(
                    "INSERT INTO suppressions (id, tenant_id, channel, address, address_key, source, name, \
                     reason, created_by, created_at) \
                     VALUES ($1, $1, 'sms', $2, $2, 'stop', '', 'STOP', '', 0)"
                        .to_owned(),
                    vec![tenant.into(), TO.into()],
                )
                .await;
        }
    }

    /// Each writing raises the version of the document, as routing does.
    async fn write_paper(&self, paper: Paper) {
        let key = || vec![self.zoho.uuid().into()];
        if paper == Paper::Forgotten {
            let forget = "DELETE FROM documents WHERE connection_id = $1";
            return self.house.exec(forget.to_owned(), key()).await;
        }
        let (document, applied) = state(paper);
        let text = serde_json::to_string(&document).unwrap();
        let write = "INSERT INTO documents (connection_id, kind, document_id, tenant_id, version, state, \
                     applied, last_event_id, first_received_at, updated_at) \
                     VALUES ($1, 'invoice', '1', $2, 1, $3, $4, $1, 0, 0) \
                     ON CONFLICT (connection_id, kind, document_id) DO UPDATE SET \
                     version = documents.version + 1, state = excluded.state, \
                     applied = excluded.applied";
        let mut bound = key();
        bound.extend([
            self.tenant.tenant_id().uuid().into(),
            text.into(),
            applied.into(),
        ]);
        self.house.exec(write.to_owned(), bound).await;
    }

    /// Judges by what the database says now; with what the claim needs.
    async fn judge(&self) -> (Judgement, Claim) {
        let d = self.tenant.delivery(self.message).await.unwrap().unwrap();
        let tenant = self.tenant.tenant().await.unwrap().unwrap();
        let connection = self
            .tenant
            .connection(Provider::Twilio)
            .await
            .unwrap()
            .unwrap();
        let suppression = self.tenant.suppression_of(&d).await.unwrap();
        let own_number = self.tenant.rehearsal_number().await.unwrap();
        let row = self.tenant.document(self.zoho, DocumentKind::Invoice, "1");
        let row = row.await.unwrap();
        let document = row.as_ref().and_then(KnownDocument::current);
        let gate = Gate {
            delivery: &d,
            tenant: &tenant,
            suppression: suppression.as_ref(),
            document: document.as_ref(),
            connection: Some(&connection),
            has_sender: true,
            own_number: own_number.as_ref(),
            now: now(),
        };
        let claim = Claim {
            document_version: row.map_or(0, |r| r.version),
            hours: tenant.hours,
            zone: tenant.zone,
            attempt: Attempt {
                connection: self.twilio,
                ..self.house.claim_of(&d, now()).attempt
            },
            ..self.house.claim_of(&d, now())
        };
        (gate.judge(), claim)
    }
}

fn due(days: i64) -> chrono::NaiveDate {
    (now() + TimeDelta::days(days)).date_naive()
}

/// The document's state and what payments left of it, as stored.
fn state(paper: Paper) -> (Document, String) {
    let (status, balance) = match paper {
        Paper::Paid => ("paid", 0),
        Paper::Void => ("void", 1_000_000),
        Paper::Draft => ("draft", 1_000_000),
        Paper::Part => ("overdue", 400_000),
        _ => ("overdue", 1_000_000),
    };
    let document = Document {
        kind: DocumentKind::Invoice,
        id: "1".to_owned(),
        number: Some("INV-1".to_owned()),
        status: Some(status.to_owned()),
        due_date: Some(due(if paper == Paper::Moved { -1 } else { -2 })),
        total: Some(Amount(1_000_000)),
        balance: Some(Amount(balance)),
        currency: Some("GBP".to_owned()),
        party: None,
        modified_at: Some(now()),
        round: 0,
        clearing: None,
    };
    let seconds = match paper {
        Paper::Applied => 1,
        Paper::AppliedBefore => -1,
        _ => return (document, String::new()),
    };
    let applied = [Applied {
        payment: "9".to_owned(),
        balance: Amount(0),
        at: later(seconds),
    }];
    (document, serde_json::to_string(&applied).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_and_the_claim_agree() {
    let house = House::open().await;
    let mut runner = proptest::test_runner::TestRunner::default();
    let worlds = (world(), bad(), 0..14_u8);
    let (mut went, mut refused) = (0, [0; 10]);
    for n in 0..WORLDS {
        let (world, other, which) = worlds.new_tree(&mut runner).unwrap().current();
        let scene = Scene::of(&house, n, &world).await;
        let (judgement, claim) = scene.judge().await;
        let context = format!("{world:?} {judgement:?}");
        assert_eq!(judgement == Judgement::Go, world.lets_go(), "{context}");
        if judgement != Judgement::Go {
            continue;
        }
        let after = moved(&world, &other, which);
        scene.become_like(&after, Some(&world)).await;
        let (again, _) = scene.judge().await;
        let has_moved = (world.paper, world.hours) != (after.paper, after.hours);
        let may = again == Judgement::Go && !has_moved && !after.is_taken;
        let result = scene.tenant.claim(claim).await.unwrap();
        let context = format!("{context} then {after:?} {again:?}: {result:?}");
        assert_eq!(result == ClaimResult::Claimed, may, "{context}");
        if may {
            went += 1;
        } else if let Some(count) = refused.get_mut(usize::from(which)) {
            *count += 1;
        }
    }
    // Each clause was the only one that stood against a claim, or nothing was shown.
    assert!(
        went > 10 && refused.iter().all(|n| *n > 0),
        "{went} {refused:?}"
    );
}
