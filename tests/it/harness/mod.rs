//! A service of its own for each test: a fresh database, its own sandbox, port 0, a clock to move.

pub(crate) mod axe;
pub(crate) mod browser;
pub(crate) mod company;
#[path = "../../../src/testing/database.rs"]
pub(crate) mod database;
pub(crate) mod demo;
pub(crate) mod journal;
pub(crate) mod log;
pub(crate) mod memory_group;
pub(crate) mod own_postgres;
pub(crate) mod page;
pub(crate) mod person;
pub(crate) mod posts;
pub(crate) mod process;
pub(crate) mod redis;
#[path = "../../../src/testing/slow_relay.rs"]
pub(crate) mod slow_relay;
pub(crate) mod smtp;
pub(crate) mod visitor;

use std::sync::Arc;

use base64::Engine as _;
use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use futures::future::join_all;
use ml_connector::app::App;
use ml_connector::config::{Config, environment};
use ml_connector::domain::clock::{FixedClock, SharedClock, SystemClock};
use ml_connector::http;
use ml_connector::sandbox::{Sandbox, SandboxConfig, SandboxHandle};
use ml_connector::startup::{self, Jobs, Options, Running};

pub(crate) use company::Company;
use database::TestDatabase;
use journal::Journal;
use smtp::{Letter, SmtpServer};

/// A running service that does its jobs only when told.
pub(crate) struct TestApp {
    pub(crate) running: Running,
    pub(crate) sandbox: Arc<SandboxHandle>,
    /// What Twilio was asked, which is checked at the end of every test.
    pub(crate) journal: Arc<Journal>,
    /// Takes the service's own mail.
    pub(crate) smtp: Arc<SmtpServer>,
    pub(crate) http: reqwest::Client,
    clock: Option<Arc<FixedClock>>,
    pub(crate) database: Arc<TestDatabase>,
}

impl TestApp {
    /// A Monday morning in November 2026.
    pub(crate) async fn spawn() -> Self {
        Self::spawn_with(&[]).await
    }

    /// The same with some variables of the environment set otherwise.
    pub(crate) async fn spawn_with(variables: &[(&str, &str)]) -> Self {
        let database = TestDatabase::migrated().await;
        let [one] = Self::several(database, Some(monday()), variables).await;
        one
    }

    /// The same on the machine's clock, for tests about real time.
    pub(crate) async fn spawn_in_real_time() -> Self {
        let [one] = Self::several(TestDatabase::migrated().await, None, &[]).await;
        one
    }

    /// Two of them, begun at the same moment on a database that has only its schema. None where
    /// tests run on files, which one process has to itself.
    pub(crate) async fn pair() -> Option<[Self; 2]> {
        Self::pair_with(&[]).await
    }

    /// The same with some variables of the environment set otherwise.
    #[expect(
        clippy::print_stdout,
        reason = "whoever reads the run sees what it left out"
    )]
    pub(crate) async fn pair_with(variables: &[(&str, &str)]) -> Option<[Self; 2]> {
        let database = TestDatabase::migrated().await;
        if database.is_file() {
            println!("only on PostgreSQL: TEST_DATABASE is not postgres");
            return None;
        }
        Some(Self::several(database, Some(monday()), variables).await)
    }

    /// As many as are wanted on a database that is there.
    pub(crate) async fn on<const N: usize>(
        database: TestDatabase,
        variables: &[(&str, &str)],
    ) -> [Self; N] {
        Self::several(database, Some(monday()), variables).await
    }

    /// Machines with a clock each, on one database; the sandbox has another.
    pub(crate) async fn machines<const N: usize>(
        database: TestDatabase,
        clock_of_sandbox: SharedClock,
        clocks: [SharedClock; N],
    ) -> [Self; N] {
        Self::each(database, None, clock_of_sandbox, clocks, &[]).await
    }

    async fn several<const N: usize>(
        database: TestDatabase,
        fixed: Option<Arc<FixedClock>>,
        variables: &[(&str, &str)],
    ) -> [Self; N] {
        let clock: SharedClock = match &fixed {
            Some(clock) => clock.clone(),
            None => Arc::new(SystemClock),
        };
        let clocks = std::array::from_fn(|_| clock.clone());
        Self::each(database, fixed, clock, clocks, variables).await
    }

    async fn each<const N: usize>(
        database: TestDatabase,
        fixed: Option<Arc<FixedClock>>,
        clock_of_sandbox: SharedClock,
        clocks: [SharedClock; N],
        variables: &[(&str, &str)],
    ) -> [Self; N] {
        let http = http::client().unwrap();
        let sandbox = SandboxConfig::new(clock_of_sandbox, http.clone());
        let sandbox = Arc::new(Sandbox::start(sandbox).await.unwrap());
        let journal = Arc::new(Journal {
            twilio: sandbox.twilio().clone(),
        });
        let smtp = Arc::new(SmtpServer::start().await);
        let config = config(&database, sandbox.base_url(), &smtp.url(), variables);
        let database = Arc::new(database);
        let begun = join_all(clocks.into_iter().map(async |clock| {
            let options = Options {
                jobs: Jobs::ByHand,
                ..Options::default()
            };
            let running = startup::serve(&config, clock, options);
            Self {
                running: running.await.unwrap(),
                sandbox: sandbox.clone(),
                journal: journal.clone(),
                smtp: smtp.clone(),
                http: http.clone(),
                clock: fixed.clone(),
                database: database.clone(),
            }
        }));
        begun.await.try_into().ok().expect("as many as were begun")
    }

    /// How many rows of a table there are, `such` as have to be.
    pub(crate) async fn rows(&self, such: &str) -> i64 {
        self.database.count(such).await
    }

    pub(crate) fn app(&self) -> &App {
        &self.running.app
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.running.app.clock().now()
    }

    /// Moves the clock; nothing else happens.
    pub(crate) fn advance(&self, by: TimeDelta) {
        self.clock
            .as_ref()
            .expect("a clock that can be moved")
            .advance(by);
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address)
    }

    /// Does every job that is due, waits for the sandbox's reports, and again until all is quiet.
    pub(crate) async fn run_due_jobs(&self) {
        for _ in 0..50 {
            self.app().requeue().await.unwrap();
            let done = self.running.runner.run_due().await.unwrap();
            self.sandbox.twilio().idle().await;
            if done == 0 {
                return;
            }
        }
        panic!("the jobs never end");
    }

    /// Does what is due; every letter that was handed over so far, in order.
    pub(crate) async fn mails(&self) -> Vec<Letter> {
        self.run_due_jobs().await;
        self.smtp.letters()
    }

    /// A company connected to the sandbox.
    pub(crate) async fn company(&self, name: &str) -> Company<'_> {
        Company::new(self, name).await
    }
}

/// When tests begin.
pub(crate) fn monday() -> Arc<FixedClock> {
    let morning = Utc.with_ymd_and_hms(2026, 11, 23, 10, 0, 0).unwrap();
    Arc::new(FixedClock::at(morning))
}

/// Nothing of the environment: a database, a free port, the sandbox, a mail server.
fn config(
    database: &TestDatabase,
    sandbox: &str,
    smtp: &str,
    variables: &[(&str, &str)],
) -> Config {
    let key = master_key();
    let set = |name: &str| variables.iter().find(|(n, _)| *n == name);
    Config::from_lookup(&|name| match name {
        _ if set(name).is_some() => set(name).map(|(_, value)| (*value).to_owned()),
        "SIGNUP" => Some("open".to_owned()),
        "DATABASE_URL" => Some(database.url()),
        "MASTER_KEY" if !database.is_file() => Some(key.clone()),
        "REDIS_URL" => redis_url(),
        "SMTP_URL" => Some(smtp.to_owned()),
        "MAIL_FROM" => Some("sms@example.com".to_owned()),
        "BIND" => Some("127.0.0.1:0".to_owned()),
        "ZOHO_SANDBOX_URL" | "TWILIO_SANDBOX_URL" => Some(sandbox.to_owned()),
        _ => None,
    })
    .unwrap()
}

/// The queue of a service under test, as `TEST_QUEUE` says; each database has a name space of its own.
pub(crate) fn redis_url() -> Option<String> {
    match environment("TEST_QUEUE").as_deref() {
        None | Some("memory") => None,
        Some("redis") => Some(environment("TEST_REDIS_URL").expect("run ./tests/run")),
        Some(other) => panic!("TEST_QUEUE is {other}, neither memory nor redis"),
    }
}

/// A key of this run, for databases beside which none can lie.
pub(crate) fn master_key() -> String {
    base64::engine::general_purpose::STANDARD.encode(rand::random::<[u8; 32]>())
}
