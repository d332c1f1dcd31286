//! Machines whose clocks are wrong, on one PostgreSQL: all go by its clock, and the page says who is off.
//!
//! Time passes for all of them at once: for the machines, for Twilio's stand-in, and for the server,
//! whose `clock_timestamp` is replaced in the test's database.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use ml_connector::domain::clock::{Clock, SharedClock, SystemClock};
use ml_connector::domain::ids::DeliveryId;
use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::{CallbackPlan, CallbackRule, Fault, FaultKind, FaultOrder};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, TransactionTrait as _};
use secrecy::SecretString;

use crate::harness::TestApp;
use crate::harness::company::{Company, PASSWORD, invoice};
use crate::harness::database::TestDatabase;
use crate::harness::log::Log;
use crate::harness::visitor::Visitor;

const MOVABLE: &str = "
CREATE TABLE passed (seconds bigint NOT NULL);
INSERT INTO passed VALUES (0);
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT pg_catalog.clock_timestamp() + make_interval(secs => (SELECT seconds FROM public.passed))';
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());
END $$;
";

/// A clock that is set wrong and runs right.
#[derive(Debug)]
struct Machine {
    ahead: TimeDelta,
    passed: Arc<AtomicI64>,
}

impl Machine {
    fn passed(&self) -> i64 {
        self.passed.load(Ordering::SeqCst)
    }
}

impl Clock for Machine {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + self.ahead + TimeDelta::seconds(self.passed())
    }

    fn steady(&self) -> Option<Instant> {
        Some(Instant::now() + Duration::from_secs(self.passed().unsigned_abs()))
    }
}

/// Three machines: one 20 s ahead, one an hour behind, one an hour ahead.
struct World {
    machines: [TestApp; 3],
    passed: Arc<AtomicI64>,
    server: DatabaseConnection,
}

impl World {
    /// None where tests run on files, which one machine has to itself.
    #[expect(
        clippy::print_stdout,
        reason = "whoever reads the run sees what it left out"
    )]
    async fn open() -> Option<Self> {
        let database = TestDatabase::migrated().await;
        if database.is_file() {
            println!("only on PostgreSQL: TEST_DATABASE is not postgres");
            return None;
        }
        database.run(MOVABLE).await;
        let server = Database::connect(database.url()).await.unwrap();
        let passed = Arc::new(AtomicI64::new(0));
        let clock = |ahead| -> SharedClock {
            Arc::new(Machine {
                ahead: TimeDelta::seconds(ahead),
                passed: passed.clone(),
            })
        };
        let clocks = [clock(20), clock(-3600), clock(3600)];
        let machines = TestApp::machines(database, clock(0), clocks).await;
        // Nothing is reported: who wants to know must look.
        let rule = CallbackRule {
            to: None,
            to_ends_with: None,
            plan: CallbackPlan::of(&[]),
        };
        machines[0].sandbox.twilio().plan(rule).unwrap();
        Some(Self {
            machines,
            passed,
            server,
        })
    }

    /// Time passes, for all at once: who asks the server meanwhile waits.
    async fn pass(&self, seconds: i64) {
        let tx = self.server.begin().await.unwrap();
        let lock = "LOCK TABLE passed IN ACCESS EXCLUSIVE MODE";
        tx.execute_unprepared(lock).await.unwrap();
        let more = format!("UPDATE passed SET seconds = seconds + {seconds}");
        tx.execute_unprepared(&more).await.unwrap();
        self.passed.fetch_add(seconds, Ordering::SeqCst);
        tx.commit().await.unwrap();
    }

    /// Only the server's clock is set.
    async fn set_server(&self, seconds: i64) {
        let more = format!("UPDATE passed SET seconds = seconds + {seconds}");
        self.server.execute_unprepared(&more).await.unwrap();
    }
}

impl Company<'_> {
    /// An event that is decided; its message waits to be sent.
    async fn waiting(&self, seed: u64) -> DeliveryId {
        let body = invoice(seed, Standing::Sent, self.app.now());
        let event = self.told("", &body).await.parse().unwrap();
        self.queued(event).await[0]
    }

    /// Begins to send a message; its process dies once Twilio has been asked.
    async fn dies_sending(&self, id: DeliveryId, kind: FaultKind) {
        let twilio = self.app.sandbox.twilio();
        twilio.next(FaultOrder::once(Fault::new(kind))).unwrap();
        let asked = twilio.requests().len();
        let (app, tenant) = (self.app.app().clone(), self.id);
        let sending = tokio::spawn(async move { app.advance(tenant, id).await.map(drop) });
        while twilio.requests().len() == asked {
            assert!(!sending.is_finished(), "it was not sent");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sending.abort();
        assert!(sending.await.unwrap_err().is_cancelled());
    }

    async fn state(&self, id: DeliveryId) -> (String, i64) {
        let store = self.app.app().store().tenant(self.id);
        let delivery = store.delivery(id).await.unwrap().unwrap();
        (delivery.state.as_str().to_owned(), delivery.attempt_no)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_in_mid_call_by_whatever_clock_each_message_goes_out_once() {
    let Some(world) = World::open().await else {
        return;
    };
    let here = world.machines[0].company("Acme").await;
    here.rule("invoice.sent", "Invoice {{ invoice_id }}").await;
    let there = world.machines.each_ref().map(|app| here.at(app));
    let mut left = Vec::new();
    for (n, kind) in (0..).zip([FaultKind::TimeoutAfter, FaultKind::TimeoutBefore].repeat(3)) {
        let dies = &there[n % 3];
        let id = dies.waiting(n as u64).await;
        dies.dies_sending(id, kind).await;
        left.push((id, kind));
    }
    // Whoever is alive leaves the others their leases.
    for company in &there {
        company.app.run_due_jobs().await;
    }
    for (id, _) in &left {
        assert_eq!(here.state(*id).await, ("sending".to_owned(), 1));
    }
    world.pass(5).await;
    for (n, company) in there.iter().enumerate() {
        let witness = company.waiting(100 + n as u64).await;
        company.app.app().advance(here.id, witness).await.unwrap();
        assert_eq!(company.state(witness).await, ("accepted".to_owned(), 1));
    }
    for seconds in [26, 16, 16, 16, 3] {
        world.pass(seconds).await;
        for company in there.iter().rev() {
            company.app.run_due_jobs().await;
        }
    }
    for (id, kind) in left {
        let attempts = if kind == FaultKind::TimeoutAfter {
            1
        } else {
            2
        };
        assert_eq!(here.state(id).await.1, attempts, "{id} {kind:?}");
    }
    assert_eq!(here.messages().len(), 9, "none is lost");
    here.no_doubles();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_is_set_ends_no_lease_and_begins_none_by_the_old_time() {
    let Some(world) = World::open().await else {
        return;
    };
    let here = world.machines[0].company("Acme").await;
    here.rule("invoice.sent", "Invoice {{ invoice_id }}").await;
    let (first, second) = (here.waiting(1).await, here.waiting(2).await);
    here.dies_sending(first, FaultKind::TimeoutAfter).await;
    world.set_server(3600).await;
    // Nobody has noticed yet, so nobody may begin.
    here.app.app().advance(here.id, second).await.unwrap();
    assert_eq!(here.state(second).await, ("queued".to_owned(), 0));
    let other = here.at(&world.machines[1]);
    let before = other.app.now();
    while other.app.now() - before < TimeDelta::minutes(50) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    other.app.app().advance(here.id, first).await.unwrap();
    assert_eq!(here.state(first).await, ("sending".to_owned(), 1));
    other.app.app().advance(here.id, second).await.unwrap();
    assert_eq!(here.state(second).await, ("accepted".to_owned(), 1));
    world.pass(31).await;
    other.app.app().advance(here.id, first).await.unwrap();
    other.app.app().advance(here.id, first).await.unwrap();
    assert_eq!(here.state(first).await, ("accepted".to_owned(), 1));
    assert_eq!(here.messages().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_clock_is_off_says_so_and_works() {
    let log = Log::listen();
    let Some(world) = World::open().await else {
        return;
    };
    let here = world.machines[0].company("Acme").await;
    let ready = async |app: &TestApp| {
        let answer = app.http.get(app.url("/readyz")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    };
    let standings = ["20 s ahead of", "3600 s behind", "3600 s ahead of"];
    for (app, standing) in world.machines.iter().zip(standings) {
        let off = (app.now() - SystemClock.now()).abs();
        assert!(off < TimeDelta::seconds(1), "{off}");
        let says = ready(app).await;
        assert!(says.starts_with("ready"), "{says}");
        let machine = format!("this machine's clock is {standing} the database's");
        assert!(says.contains(&machine), "{says}");
        let report = app.app().report().await;
        let clock = report.iter().find(|f| f.subject == "Clock of this machine");
        let clock = clock.unwrap();
        assert!(!clock.is_good && clock.says.contains(standing), "{clock:?}");
        app.app().beat("work").await.unwrap();
    }
    let said = log.text();
    for standing in standings {
        let line = format!("This machine's clock is {standing} the database's");
        assert_eq!(said.matches(&line).count(), 1, "{said}");
    }
    let owner = Visitor::signed_in(&world.machines[1], &here.email, PASSWORD).await;
    let overview = owner.get(&format!("/t/{}/", here.slug)).await.text();
    assert!(
        overview.contains("A clock of this service is wrong."),
        "{overview}"
    );
    let password = SecretString::from(PASSWORD);
    let operators = world.machines[2].app();
    operators
        .create_operator("op@example.com", password)
        .await
        .unwrap();
    let operator = Visitor::signed_in(&world.machines[2], "op@example.com", PASSWORD).await;
    let workers = operator.get("/operator/workers").await.text();
    for standing in standings {
        let line = format!("Its clock is {standing} the database's");
        assert!(workers.contains(&line), "{workers}");
    }
}
