//! The real binary beside a Redis that is gone, refuses writes or is slow: messages go on. And
//! installations that share one.
//!
//! These tests wait in real time, as the processes do.

use std::ops::Range;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream;
use ml_connector::sandbox::SandboxHandle;
use ml_connector::sandbox::samples::Standing;
use serde_json::json;

use crate::crash::{invoice, register, rule, sandbox, texts};
use crate::harness::company::{self, NUMBER};
use crate::harness::database::TestDatabase;
use crate::harness::process::{Service, Tenant};
use crate::harness::redis::RedisServer;
use crate::harness::slow_relay::SlowRelay;
use crate::harness::{TestApp, master_key, redis_url};

/// What is promised, both ways.
const SOON: Duration = Duration::from_secs(10);

/// A service with workers and a company that sends.
struct Running {
    sandbox: SandboxHandle,
    service: Service,
    acme: Tenant,
    account: String,
}

impl Running {
    /// On the Redis at a port.
    async fn beside(port: u16) -> Self {
        let sandbox = sandbox().await;
        let service = Service::new(sandbox.base_url()).await;
        let mut service = service.with("REDIS_URL", &format!("redis://127.0.0.1:{port}"));
        service.start();
        let acme = service.tenant("acme");
        let (account, token) = register(&sandbox);
        acme.connect(&account, &token, NUMBER).await;
        rule(&acme, "{{ invoice_number }}", json!({ "kind": "contact" })).await;
        Self {
            sandbox,
            service,
            acme,
            account,
        }
    }

    /// Hears of invoices, and sends a message about each in time; how long that took.
    async fn sends(&self, seeds: Range<u64>, within: Duration) -> Duration {
        let (wanted, began) = (usize::try_from(seeds.end).unwrap(), Instant::now());
        let posts = stream::iter(seeds).for_each_concurrent(16, |seed| async move {
            assert!(self.acme.post("", invoice(seed)).await.is_some());
        });
        posts.await;
        while texts(&self.sandbox, &self.account).len() < wanted {
            let sent = texts(&self.sandbox, &self.account).len();
            let log = self.service.log();
            assert!(began.elapsed() < within, "{sent} of {wanted}: {log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        began.elapsed()
    }

    async fn readyz(&self) -> String {
        let url = format!("http://127.0.0.1:{}/readyz", self.service.port);
        let answer = self.service.http.get(url).send().await.unwrap();
        assert!(answer.status().is_success());
        answer.text().await.unwrap()
    }

    async fn is_ready_when(&self, says: &str) {
        let began = Instant::now();
        loop {
            let said = self.readyz().await;
            if said.contains(says) {
                return;
            }
            assert!(began.elapsed() < SOON, "{said}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Messages go on while Redis is worse than the database.
    #[expect(
        clippy::print_stdout,
        reason = "whoever reads the run sees how long it took"
    )]
    async fn goes_on(&self, says: &str) {
        let took = self.sends(5..25, SOON).await;
        println!("{says}: 20 messages after {took:?}");
        self.is_ready_when(says).await;
        let said = self.readyz().await;
        assert!(said.starts_with("ready, but Redis"), "{said}");
        assert!(said.contains("look into the database themselves"), "{said}");
        let took = self.sends(25..45, SOON).await;
        println!("{says}: 20 more after {took:?}");
    }

    /// And when it is mended.
    async fn comes_back(&self) {
        self.is_ready_when("ready\n").await;
        self.sends(45..55, SOON).await;
        let counts = texts(&self.sandbox, &self.account);
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
        let log = self.service.log();
        let lines = |words: &str| log.lines().filter(|line| line.contains(words)).count();
        assert_eq!(lines("look into the database themselves"), 1, "{log}");
        assert_eq!(lines("Redis works again"), 1, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_killed_messages_go_on_and_after_it_is_back() {
    let mut redis = RedisServer::start().await;
    let running = Running::beside(redis.port).await;
    running.sends(0..5, SOON).await;
    redis.kill();
    running.goes_on("does not answer").await;
    redis.begin().await;
    running.comes_back().await;
    let keys: Vec<String> = redis.ask(&["KEYS", "mlc:*"]).await;
    assert!(!keys.is_empty(), "it is in use again");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_has_no_memory_left_messages_go_on() {
    let redis = RedisServer::start().await;
    let running = Running::beside(redis.port).await;
    running.sends(0..5, SOON).await;
    redis.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    running.goes_on("refuses writes: OOM").await;
    let checked = running.service.run(&["check"], "");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("Redis refuses writes: OOM"), "{said}");
    assert!(!checked.status.success());
    redis.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    running.comes_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_a_copy_of_another_messages_go_on() {
    let redis = RedisServer::start().await;
    let running = Running::beside(redis.port).await;
    running.sends(0..5, SOON).await;
    redis.ask::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
    running.goes_on("refuses writes: READONLY").await;
    redis.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    running.comes_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_slow_messages_go_on_by_the_database() {
    let redis = RedisServer::start().await;
    let relay = SlowRelay::to(redis.port).await;
    let running = Running::beside(relay.port).await;
    running.sends(0..5, SOON).await;
    relay.delay(Duration::from_millis(200));
    running.goes_on("Redis is slow").await;
    relay.delay(Duration::ZERO);
    running.comes_back().await;
}

/// Messages a second, for whoever changes something here.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn how_fast_it_is_beside_a_redis_that_is_well_gone_or_slow() {
    let mut redis = RedisServer::start().await;
    let relay = SlowRelay::to(redis.port).await;
    let running = Running::beside(relay.port).await;
    let (count, patience) = (400_u32, Duration::from_mins(2));
    let mut seeds = 0..u64::from(count);
    let mut measure = async |what: &str| {
        let took = running.sends(seeds.clone(), patience).await;
        seeds = seeds.end..seeds.end + u64::from(count);
        println!(
            "{what}: {:.0} messages/s",
            f64::from(count) / took.as_secs_f64()
        );
    };
    measure("warming up").await;
    measure("Redis is well").await;
    relay.delay(Duration::from_millis(200));
    measure("Redis becomes slow").await;
    measure("Redis is slow").await;
    relay.delay(Duration::ZERO);
    running.is_ready_when("ready\n").await;
    measure("Redis is well again").await;
    redis.kill();
    measure("Redis is killed").await;
    measure("Redis is gone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_database_takes_no_job_of_the_original() {
    let database = TestDatabase::migrated().await;
    if database.is_file() || redis_url().is_none() {
        println!("only on PostgreSQL with Redis");
        return;
    }
    let master_key = master_key();
    let key = [("MASTER_KEY", master_key.as_str())];
    let [one, other] = TestApp::on(database, &key).await;
    let acme = one.company("Acme").await;
    acme.rule("invoice.sent", "Hello").await;
    let copy = one.database.copy().await;
    let [staging] = TestApp::on(copy, &key).await;
    assert_eq!(staging.rows("tenants").await, 1);
    one.run_due_jobs().await;

    let body = company::invoice(1, Standing::Sent, one.now());
    acme.told("", &body).await;
    let ran = async |app: &TestApp| app.running.runner.run_due().await.unwrap();
    assert_eq!(ran(&staging).await, 0, "it is not its own");
    assert!(
        ran(&other).await > 0,
        "processes of one installation share it"
    );
    other.run_due_jobs().await;
    assert_eq!(acme.messages().len(), 1);
}
