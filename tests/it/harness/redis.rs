//! A Redis of a test's own, to be killed and set otherwise.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use deadpool_redis::redis::{FromRedisValue, cmd};
use ml_connector::redis::Redis;
use secrecy::SecretString;

/// Ends with this process, however that ends.
pub(crate) struct RedisServer {
    pub(crate) port: u16,
    guard: Option<Child>,
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = Self { port, guard: None };
        server.begin().await;
        server
    }

    /// Starts it, empty.
    pub(crate) async fn begin(&mut self) {
        // The shell waits for the end of its input, which is ours to close.
        let guarded = r#"redis-server "$@" & server=$!; read -r _; kill -9 $server; wait $server"#;
        let child = Command::new("sh")
            .args(["-c", guarded, "sh", "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--port", &self.port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.guard = Some(child.unwrap());
        for _ in 0..1000 {
            if self.redis().ping().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server does not start");
    }

    /// Kills it; what it held is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            guard.wait().unwrap();
        }
    }

    fn redis(&self) -> Redis {
        let url = format!("redis://127.0.0.1:{}", self.port);
        Redis::open(&SecretString::from(url), "test").unwrap()
    }

    /// Asks it something of which it knows itself.
    pub(crate) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.redis().dedicated().await.unwrap();
        let mut question = cmd(words[0]);
        question.arg(&words[1..]);
        question.query_async(&mut connection).await.unwrap()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
