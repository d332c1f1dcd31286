//! A tenant with one message in a database that says what a world says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::*;
use super::world::{
    Flight, Hours, Link, Member, Number, Paper, Pause, Suppressed, Tells, World, Zone,
};
use crate::domain::assertion::{Assertion, Says, Seen, scope_of_reminders};
use crate::domain::document::Applied;
use crate::domain::gate::{Gate, Judgement};
use crate::domain::money::Amount;
use crate::domain::provider::ProviderWords;
use crate::store::pipeline::claims::{self, Claiming};
use crate::store::pipeline::documents::pack_claims;

const FIRST: &str = "+16175550123";
const SECOND: &str = "+16175550199";

/// Whom a reminder reminds.
const CUSTOMER: &str = "982";

/// Whatever is not the tenant's.
const STRANGER: Uuid = Uuid::from_u128(77);

/// A statement and what it is told.
type Statement = (&'static str, Vec<sea_orm::Value>);

/// One tenant, and a message as its world has it.
pub(super) struct Scene<'a> {
    house: &'a House,
    pub(super) tenant: TenantStore,
    zoho: ConnectionId,
    twilio: ConnectionId,
    /// The one by which it may be replaced.
    spare: ConnectionId,
    message: DeliveryId,
    fingerprint: Vec<u8>,
    owner: String,
}

impl<'a> Scene<'a> {
    pub(super) async fn of(house: &'a House, n: u32, world: &World) -> Self {
        let (id, zoho, twilio) = add_tenant(&house.store, &format!("t{n}")).await;
        let tenant = house.store.tenant(id);
        let event = EventId::new(now());
        let [message, twin, mut namesake] =
            [(); 3].map(|()| wish(world, zoho, event, &format!("Hi {n}")));
        namesake.id.event = EventId::new(now());
        namesake.id.own = message.id.own;
        let scene = Self {
            house,
            tenant,
            zoho,
            twilio,
            spare: ConnectionId::new(now()),
            message: message.id,
            fingerprint: message.content.fingerprint(),
            owner: format!("t{n}@example.com"),
        };
        scene.insert(vec![message, twin, namesake]).await;
        scene.carry_out(scene.neighbours()).await;
        scene.become_like(world, None).await;
        scene
    }

    async fn insert(&self, wishes: Vec<NewDelivery>) {
        let tenant = self.tenant.tenant_id();
        let work = self.house.writer().edit(work!([wishes], async |tx| {
            for wish in &wishes {
                new_deliveries::insert_delivery(tx.of(tenant), wish, now()).await?;
            }
            Ok(())
        }));
        work.await.unwrap();
    }

    async fn carry_out(&self, statements: Vec<Statement>) {
        let work = self.house.writer().edit(work!([statements], async |tx| {
            for (statement, bound) in statements {
                tx.exec(statement, bound).await?;
            }
            Ok(())
        }));
        work.await.unwrap();
    }

    fn id(&self) -> Uuid {
        self.tenant.tenant_id().uuid()
    }

    /// Makes the database say what this world says.
    pub(super) async fn become_like(&self, world: &World, before: Option<&World>) {
        let mut all = vec![self.tenant_row(world), self.owner_row(world)];
        all.push(self.message_rows(world));
        all.extend(self.connection_row(world));
        all.extend(self.suppressions(world));
        all.extend(self.group_member(world));
        all.extend(self.flight(world));
        if before.is_none_or(|b| b.paper != world.paper) {
            all.push(self.paper(world.paper));
        }
        self.carry_out(all).await;
    }

    fn tenant_row(&self, world: &World) -> Statement {
        let set = "UPDATE tenants SET stopped_at = $2, status = $3, is_rehearsal = $4, hours = $5, \
                   zone = $6 WHERE id = $1";
        let stopped = world.is_stopped.then(|| sql::micros(now()));
        let status = ["active", "suspended"][usize::from(world.is_suspended)];
        let hours = match world.hours {
            Hours::Any => "",
            Hours::Day => "08:00-20:00",
            Hours::Night => "01:00-02:00",
        };
        let zone = match world.zone {
            Zone::London => "Europe/London",
            Zone::Lisbon => "Europe/Lisbon",
            Zone::Tokyo => "Asia/Tokyo",
        };
        let bound = vec![
            self.id().into(),
            stopped.into(),
            status.into(),
            world.in_rehearsal.into(),
            hours.into(),
            zone.into(),
        ];
        (set, bound)
    }

    fn owner_row(&self, world: &World) -> Statement {
        let set = "UPDATE users SET phone = $2, phone_confirmed_at = $3 WHERE email = $1";
        let confirmed = (world.own != Number::None).then(|| sql::micros(now()));
        let number = number(world.own);
        (
            set,
            vec![self.owner.clone().into(), number.into(), confirmed.into()],
        )
    }

    /// The rows of the message, of its twin, and of one that has the same name in another event.
    fn message_rows(&self, world: &World) -> Statement {
        let set = "UPDATE deliveries SET state = $2, expires_at = $3, attempt_no = $4, \
                   rehearsal_to = $5 WHERE tenant_id = $1";
        let state = ["queued", "sending"][usize::from(world.is_taken)];
        let ends = later(if world.is_expired { 0 } else { 3600 });
        let bound = vec![
            self.id().into(),
            state.into(),
            sql::micros(ends).into(),
            i64::from(world.tries).into(),
            bears(world).into(),
        ];
        (set, bound)
    }

    fn connection_row(&self, world: &World) -> Vec<Statement> {
        let both = || vec![self.twilio.uuid().into(), self.spare.uuid().into()];
        let mut all: Vec<Statement> =
            vec![("DELETE FROM connections WHERE id IN ($1, $2)", both())];
        let (id, tenant, state) = match world.link {
            Link::Missing => return all,
            Link::Ready => (self.twilio, self.id(), "ready"),
            Link::New => (self.twilio, self.id(), "new"),
            Link::Broken => (self.twilio, self.id(), "broken"),
            // Under the name of this one, since a tenant has one connection of a name.
            Link::Foreign => (self.twilio, STRANGER, "ready"),
            Link::Replaced => (self.spare, self.id(), "ready"),
        };
        let (pause, email_pause) = match world.pause {
            Pause::Never => (None, None),
            Pause::Over => (Some(sql::micros(now())), None),
            Pause::On => (Some(sql::micros(later(60))), None),
            Pause::OtherChannel => (None, Some(sql::micros(later(60)))),
        };
        let accepted = world.is_accepted.then(|| sql::micros(now()));
        let insert = "INSERT INTO connections (id, tenant_id, provider, channels, name, account, state, reason, \
                      settings, sms_paused_until, email_paused_until, checked, login, accepted_at, created_at, updated_at) \
                      VALUES ($1, $2, 'twilio', 'sms', $3, $4, $5, '', '{}', $6, $8, '', $1, $7, 0, 0)";
        let name = if tenant == STRANGER {
            self.owner.as_str()
        } else {
            ""
        };
        let bound = vec![
            id.uuid().into(),
            tenant.into(),
            name.into(),
            ACCOUNT.into(),
            state.into(),
            pause.into(),
            accepted.into(),
            email_pause.into(),
        ];
        all.push((insert, bound));
        all
    }

    fn suppressions(&self, world: &World) -> Vec<Statement> {
        let lift = "DELETE FROM suppressions WHERE tenant_id = $1";
        let mut all: Vec<Statement> = vec![(lift, vec![self.id().into()])];
        let (channel, addresses, is_asked): (_, &[&str], _) = match world.suppressed {
            Suppressed::Nobody => return all,
            Suppressed::RecipientPerhaps => ("sms", &[TO], true),
            Suppressed::Owner => ("sms", &[FIRST], false),
            Suppressed::OwnerPerhaps => ("sms", &[FIRST], true),
            Suppressed::OtherChannel => ("post", &[TO, FIRST], false),
            Suppressed::Recipient | Suppressed::Reminders | Suppressed::OtherReminders => {
                ("sms", &[TO], false)
            }
        };
        let scope = match world.suppressed {
            Suppressed::Reminders => scope_of_reminders(self.zoho, CUSTOMER),
            Suppressed::OtherReminders => scope_of_reminders(self.zoho, "another"),
            _ => String::new(),
        };
        let insert = "INSERT INTO suppressions (id, tenant_id, channel, address, address_hash, source, \
                      scope, name, reason, created_by, created_at, decide_by) \
                      VALUES ($1, $2, $3, $4, $7, $5, $8, '', '', '', 0, $6)";
        for address in addresses {
            let source = ["stop", "asked"][usize::from(is_asked)];
            let until = is_asked.then(|| sql::micros(later(3600)));
            let bound = vec![
                Uuid::now_v7().into(),
                self.id().into(),
                channel.into(),
                (*address).into(),
                source.into(),
                until.into(),
                hasher().hash(Channel::Sms, address).into(),
                scope.clone().into(),
            ];
            all.push((insert, bound));
        }
        all
    }

    fn group_member(&self, world: &World) -> Vec<Statement> {
        let forget = "DELETE FROM group_members WHERE id = $1";
        // Named like the connection: there is one of each.
        let id = || sea_orm::Value::from(self.zoho.uuid());
        let mut all: Vec<Statement> = vec![(forget, vec![id()])];
        let (tenant, is_on) = match world.member {
            Member::Nobody | Member::Gone => return all,
            Member::On => (self.id(), true),
            Member::Off => (self.id(), false),
            Member::Foreign => (STRANGER, true),
        };
        let insert = "INSERT INTO group_members (id, tenant_id, group_id, user_id, name, phone, email, is_on) \
                      VALUES ($1, $2, $1, NULL, '', '', '', $3)";
        all.push((insert, vec![id(), tenant.into(), is_on.into()]));
        let group = "INSERT INTO groups (id, tenant_id, name, created_at) VALUES ($1, $2, '', 0) \
                     ON CONFLICT (id) DO UPDATE SET tenant_id = excluded.tenant_id";
        all.push((group, vec![id(), tenant.into()]));
        all
    }

    fn flight(&self, world: &World) -> Vec<Statement> {
        let event = self.message.event.uuid();
        let mut all: Vec<Statement> = vec![(
            "DELETE FROM in_flight WHERE event_id = $1",
            vec![event.into()],
        )];
        let own = lock_scope(self.tenant.tenant_id(), ACCOUNT, world.is_accepted);
        let other = lock_scope(self.tenant.tenant_id(), ACCOUNT, !world.is_accepted);
        let (id, text) = (self.id(), self.fingerprint.clone());
        let to = if world.is_rehearsal { bears(world) } else { TO };
        let another = Uuid::from_u128(1);
        let (scope, address, text, tenant, delivery) = match world.flight {
            Flight::Clear => return all,
            Flight::Equal => (own, to, text, id, another),
            Flight::EqualOfStranger => (own, to, text, STRANGER, another),
            Flight::Elsewhere => (other, to, text, id, another),
            Flight::ElsewhereOfStranger => (other, to, text, STRANGER, another),
            Flight::ElsewhereOwn => (other, to, text, id, self.message.own),
            Flight::ElsewhereToAnother => (other, "+447700900999", text, id, another),
            Flight::ElsewhereOtherText => (
                other,
                to,
                Content::Text(self.owner.clone()).fingerprint(),
                id,
                another,
            ),
            Flight::Beyond => ("AC2".to_owned(), to, text, id, another),
        };
        let insert = "INSERT INTO in_flight (scope, channel, address_hash, fingerprint, tenant_id, \
                      event_id, delivery_id, since) VALUES ($1, 'sms', $2, $3, $4, $5, $6, 0)";
        let bound = vec![
            scope.into(),
            hasher().hash(Channel::Sms, address).into(),
            text.into(),
            tenant.into(),
            event.into(),
            delivery.into(),
        ];
        all.push((insert, bound));
        all
    }

    /// Each writing raises the version of the document, as routing does.
    fn paper(&self, paper: Paper) -> Statement {
        let key = self.zoho.uuid().into();
        if paper == Paper::Forgotten {
            let forget = "DELETE FROM documents WHERE connection_id = $1 AND kind = 'invoice' \
                          AND document_id = '1'";
            return (forget, vec![key]);
        }
        let write = "INSERT INTO documents (connection_id, kind, document_id, tenant_id, version, state, \
                     claims, applied, last_event_id, first_received_at, updated_at) \
                     VALUES ($1, 'invoice', '1', $2, 1, $3, $5, $4, $1, 0, 0) \
                     ON CONFLICT (connection_id, kind, document_id) DO UPDATE SET \
                     version = documents.version + 1, state = excluded.state, \
                     applied = excluded.applied, tenant_id = excluded.tenant_id";
        let tenant = if paper == Paper::Foreign {
            STRANGER
        } else {
            self.id()
        };
        let state = match paper {
            Paper::Named => String::new(),
            _ => serde_json::to_string(&document(paper)).unwrap(),
        };
        let (applied, claims) = (applied(paper).into(), pack_claims(&[]).value());
        let bound = vec![key, tenant.into(), state.into(), applied, claims];
        (write, bound)
    }

    /// The tenant's documents that have nearly the same name.
    fn neighbours(&self) -> Vec<Statement> {
        let insert = "INSERT INTO documents (connection_id, kind, document_id, tenant_id, version, state, \
                      claims, applied, last_event_id, first_received_at, updated_at) \
                      VALUES ($1, $3, $4, $2, 7, $5, $6, '', $1, 0, 0)";
        let state = serde_json::to_string(&document(Paper::Overdue)).unwrap();
        let names = [
            (self.zoho, "bill", "1"),
            (self.zoho, "invoice", "0"),
            (self.zoho, "invoice", "2"),
            (self.spare, "invoice", "1"),
        ];
        let row = |(books, kind, id): (ConnectionId, &str, &str)| {
            let (books, tenant) = (books.uuid().into(), self.id().into());
            let (state, claims) = (state.clone().into(), pack_claims(&[]).value());
            let bound = vec![books, tenant, kind.into(), id.into(), state, claims];
            (insert, bound)
        };
        names.map(row).into()
    }

    /// Judges by what the database says now; with what the claim needs.
    pub(super) async fn judge(&self, world: &World) -> (Judgement, Claim) {
        let d = self.tenant.delivery(self.message).await.unwrap().unwrap();
        let tenant = self.tenant.tenant().await.unwrap().unwrap();
        let connection = self.tenant.connection(twilio::PROVIDER).await.unwrap();
        let suppression = self.tenant.suppression_of(&d).await.unwrap();
        let unwanted = if d.member.is_nil() {
            None
        } else {
            self.tenant.off_member(d.member).await.unwrap()
        };
        let own = self
            .tenant
            .rehearsal_addresses()
            .await
            .unwrap()
            .of(d.channel);
        let (document, version) = self.known().await;
        let gate = Gate {
            resting: None,
            provider: &ProviderWords::NOBODY,
            delivery: &d,
            unwanted: unwanted.as_deref(),
            tenant: &tenant,
            suppression: suppression.as_ref(),
            document: document.as_ref().filter(|_| d.asserts.is_some()),
            connection: connection.as_ref(),
            has_sender: world.has_sender,
            own_address: own.as_ref(),
            now: now(),
        };
        let claim = self.house.claim_of(&d, now());
        let claim = Claim {
            document_version: if d.asserts.is_some() { version } else { 0 },
            hours: tenant.hours,
            zone: tenant.zone,
            is_accepted: connection.as_ref().is_none_or(Connection::is_accepted),
            attempt: Attempt {
                connection: connection.as_ref().map_or(self.twilio, |c| c.id),
                ..claim.attempt
            },
            ..claim
        };
        (gate.judge(), claim)
    }

    /// Whether the message would be claimed by the commit that makes it, were it made now.
    pub(super) async fn leaves_at_once(&self, world: &World, claim: Claim) -> bool {
        let new = NewDelivery {
            id: self.message,
            ..wish(world, self.zoho, self.message.event, "")
        };
        let (own, leaves) = (self.tenant.clone(), Arc::new(AtomicBool::new(false)));
        let seen = leaves.clone();
        let tried = self
            .house
            .writer()
            .edit(work!([own, claim, new, seen], async |tx| {
                let claiming = Claiming::new(&own, claim)?;
                let batch = tx.of(own.tenant_id()).batch();
                let claimed = claims::claim_new(batch, &[(&claiming, &new)]).await?;
                seen.store(!claimed.is_empty(), Ordering::SeqCst);
                // Takes all of it back.
                Err::<(), _>(StoreError::Closed)
            }));
        tried.await.unwrap_err();
        leaves.load(Ordering::SeqCst)
    }

    /// The document and its version: none of what only payments have named.
    async fn known(&self) -> (Option<Document>, i64) {
        let row = self.tenant.document(self.zoho, DocumentKind::Invoice, "1");
        let row = row.await.unwrap();
        let document = row.as_ref().and_then(KnownDocument::current);
        let version = row.filter(|_| document.is_some()).map_or(0, |r| r.version);
        (document, version)
    }

    /// Another tenant, against which nothing stands, asks for the message.
    pub(super) async fn claim_by_stranger(&self) -> ClaimResult {
        let d = self.tenant.delivery(self.message).await.unwrap().unwrap();
        self.house.claim(&d).await
    }

    /// How many messages of the tenant are on their way.
    pub(super) async fn sending(&self) -> i64 {
        let query =
            "SELECT COUNT(*) AS n FROM deliveries WHERE tenant_id = $1 AND state = 'sending'";
        let row = self.tenant.db().one(query, vec![]).await;
        row.unwrap().unwrap().get("n").unwrap()
    }
}

fn wish(world: &World, zoho: ConnectionId, event: EventId, body: &str) -> NewDelivery {
    let says = |event_type| Says {
        event_type,
        reminds: event_type.is_reminder().then(|| CUSTOMER.to_owned()),
        seen: Seen::of(&document(Paper::Overdue)),
        confirmed: world.is_confirmed.then(|| Seen::of(&document(Paper::Paid))),
    };
    let told = match world.tells {
        Tells::Overdue => Some(EventType::InvoiceOverdue),
        Tells::Created => Some(EventType::InvoiceCreated),
        Tells::Nothing => None,
    };
    NewDelivery {
        is_to_contact: world.is_to_contact,
        member: match world.member {
            Member::Nobody => MemberId::nil(),
            _ => MemberId::from_uuid(zoho.uuid()),
        },
        is_rehearsal: world.is_rehearsal,
        asserts: told.map(|event_type| Assertion {
            source: zoho,
            kind: DocumentKind::Invoice,
            document: "1".to_owned(),
            says: says(event_type),
        }),
        ..House::wish(event, body)
    }
}

fn number(which: Number) -> &'static str {
    match which {
        Number::None => "",
        Number::First => FIRST,
        Number::Second => SECOND,
    }
}

/// The number that the message bears for a rehearsal.
fn bears(world: &World) -> &'static str {
    if world.is_rehearsal {
        number(world.bears)
    } else {
        ""
    }
}

fn due(days: i64) -> chrono::NaiveDate {
    (now() + TimeDelta::days(days)).date_naive()
}

/// The document as its own body has it.
fn document(paper: Paper) -> Document {
    let (status, balance) = match paper {
        Paper::Paid => ("paid", 0),
        Paper::Void => ("void", 1_000_000),
        Paper::Draft => ("draft", 1_000_000),
        Paper::Part => ("overdue", 400_000),
        _ => ("overdue", 1_000_000),
    };
    Document {
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
    }
}

/// What payments left of it, as stored.
fn applied(paper: Paper) -> String {
    let seconds = match paper {
        Paper::Applied | Paper::Named => 1,
        Paper::AppliedBefore => -1,
        _ => return String::new(),
    };
    let applied = [Applied {
        payment: "9".to_owned(),
        balance: Amount(0),
        at: later(seconds),
    }];
    serde_json::to_string(&applied).unwrap()
}
