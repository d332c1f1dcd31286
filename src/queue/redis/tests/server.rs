//! Servers to test with: the one that `tests/run` starts, or one of our own.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::{FromRedisValue, cmd};
use secrecy::SecretString;
use uuid::Uuid;

use crate::config::environment;
use crate::domain::clock::{SharedClock, SystemClock};
use crate::queue::contract::{self, Subject};
use crate::queue::{
    Ack, Degraded, Job, JobQueue, Lease, LeaseToken, Outcome, Push, QueueError, RedisQueue,
    TenantDepth,
};
use crate::redis::Redis;

/// No step takes so long on a server that is well.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A server of our own, which ends with this process, however that ends.
pub(super) struct Server {
    port: u16,
    guard: Option<Child>,
}

impl Server {
    /// None where the program is missing; the test then has nothing to say.
    pub(super) async fn start() -> Option<Self> {
        let version = Command::new("redis-server").arg("--version").output();
        if version.is_err() {
            println!("No redis-server here, so nothing was tested.");
            return None;
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = Self { port, guard: None };
        server.begin().await;
        Some(server)
    }

    /// Starts it, empty.
    pub(super) async fn begin(&mut self) {
        // The shell waits for the end of its input, which is ours to close.
        let guarded = r#"redis-server "$@" & server=$!; read -r _; kill -9 $server; wait $server"#;
        let port = self.port.to_string();
        let child = Command::new("sh")
            .args(["-c", guarded, "sh", "--port", &port, "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.guard = Some(child.unwrap());
        let redis = self.redis("test");
        until(async || redis.ping().await.is_ok()).await;
    }

    /// Kills it; what it held is gone.
    pub(super) fn kill(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            guard.wait().unwrap();
        }
    }

    pub(super) fn redis(&self, namespace: &str) -> Redis {
        at_port(self.port, namespace)
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// A queue of a process of its own, on the real time.
    pub(super) fn queue(&self) -> Arc<RedisQueue> {
        let clock: SharedClock = Arc::new(SystemClock);
        Arc::new(RedisQueue::new(self.redis("test"), clock, 1))
    }

    /// Asks it something of which it knows itself.
    pub(super) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        ask(&self.redis("test"), words).await
    }

    /// One line of `INFO`.
    pub(super) async fn number(&self, name: &str) -> u64 {
        let info: String = self.ask(&["INFO"]).await;
        let line = info.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found == name).then_some(value)
        });
        line.unwrap().trim().parse().unwrap()
    }

    pub(super) async fn pid(&self) -> u64 {
        self.number("process_id").await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(super) fn at_port(port: u16, namespace: &str) -> Redis {
    let url = format!("redis://127.0.0.1:{port}");
    Redis::open(&SecretString::from(url), namespace).unwrap()
}

/// Sends a signal to a process that we have started.
pub(super) fn send(signal: &str, pid: &str) {
    let sent = Command::new("kill").args([signal, pid]).status().unwrap();
    assert!(sent.success());
}

pub(super) async fn ask<T: FromRedisValue>(redis: &Redis, words: &[&str]) -> T {
    let mut connection = redis.dedicated().await.unwrap();
    let mut question = cmd(words[0]);
    question.arg(&words[1..]);
    question.query_async(&mut connection).await.unwrap()
}

/// A name space of its own on whatever server there is.
pub(super) async fn space() -> Option<(Redis, Option<Server>)> {
    let namespace = Uuid::new_v4().simple().to_string();
    if let Some(url) = environment("TEST_REDIS_URL") {
        let redis = Redis::open(&SecretString::from(url), &namespace).unwrap();
        return Some((redis, None));
    }
    let server = Server::start().await?;
    Some((server.redis(&namespace), Some(server)))
}

pub(super) async fn subject() -> Option<Subject> {
    let (redis, server) = space().await?;
    let clock = contract::clock();
    let queue = RedisQueue::new(redis, clock.clone(), 1);
    let queue = Arc::new(Hosted {
        queue,
        _server: server,
    });
    Some(Subject { queue, clock })
}

/// A queue and the server that it needs.
struct Hosted {
    queue: RedisQueue,
    _server: Option<Server>,
}

impl std::fmt::Debug for Hosted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.queue.fmt(f)
    }
}

#[async_trait]
impl JobQueue for Hosted {
    fn name(&self) -> &'static str {
        "Redis"
    }

    async fn push(&self, batch: Vec<Push>) -> Result<(), QueueError> {
        self.queue.push(batch).await
    }

    async fn reserve(&self, max: usize, lease: Duration) -> Result<Vec<Lease>, QueueError> {
        self.queue.reserve(max, lease).await
    }

    async fn ack(&self, batch: Vec<Ack>) -> Result<usize, QueueError> {
        self.queue.ack(batch).await
    }

    async fn wait_ready(&self) -> Result<(), QueueError> {
        self.queue.wait_ready().await
    }

    async fn depths(&self) -> Result<Vec<TenantDepth>, QueueError> {
        self.queue.depths().await
    }

    async fn health(&self) -> Result<(), Degraded> {
        self.queue.health().await
    }
}

/// Looks again until it is so.
pub(super) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let look = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look)
        .await
        .expect("it never came to be so");
}

/// Pushes for an instant `after` from now.
pub(super) fn push_of(queue: &RedisQueue, job: Job, after: Duration) -> Vec<Push> {
    let due = crate::queue::later(queue.server.clock.now(), after);
    vec![Push { job, due }]
}

pub(super) fn done(token: LeaseToken) -> Ack {
    Ack {
        token,
        outcome: Outcome::Done,
    }
}
