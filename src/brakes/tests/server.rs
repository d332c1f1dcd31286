//! A Redis to test with: the one in `TEST_REDIS_URL`, or one of the test's own on a socket file.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use deadpool_redis::redis::{FromRedisValue, cmd};
use secrecy::SecretString;
use tempfile::TempDir;
use uuid::Uuid;

use crate::config::environment;
use crate::redis::Redis;

/// A server that ends with the test.
pub(super) struct Server {
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Starts one; `None` where Redis is not installed.
    pub(super) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let Some(child) = launch(&folder) else {
            println!("redis-server is not installed: not tested with Redis");
            return None;
        };
        Some(Self { child, folder })
    }

    fn url(&self) -> SecretString {
        SecretString::from(format!("redis+unix://{}", socket(&self.folder).display()))
    }

    /// Ends it at once; nothing is kept.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::fs::remove_file(socket(&self.folder)).unwrap();
    }

    /// Starts it again, empty.
    pub(super) fn restart(&mut self) {
        self.child = launch(&self.folder).unwrap();
    }

    /// Lets it hang, as a frozen machine does.
    pub(super) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(super) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Asks it something, on a connection of its own.
    pub(super) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let redis = Redis::open(&self.url(), "test").unwrap();
        let mut connection = redis.dedicated().await.unwrap();
        let mut command = cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        command.query_async(&mut connection).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been ended by the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Redis for tests that leave the rest of the server alone.
pub(super) struct Place {
    url: SecretString,
    /// Ends with the place.
    server: Option<Server>,
}

impl Place {
    /// The one in the environment, or a server of its own; `None` where there is neither.
    pub(super) fn find() -> Option<Self> {
        match environment("TEST_REDIS_URL") {
            Some(url) => Some(Self {
                url: SecretString::from(url),
                server: None,
            }),
            None => Server::start().map(Self::from),
        }
    }

    /// A way to it, in a name space that nobody else uses.
    pub(super) fn open(&self) -> Redis {
        let namespace = format!("test-{}", Uuid::new_v4().as_simple());
        Redis::open(&self.url, &namespace).unwrap()
    }

    pub(super) fn server(&mut self) -> &mut Server {
        self.server.as_mut().unwrap()
    }
}

impl From<Server> for Place {
    fn from(server: Server) -> Self {
        Self {
            url: server.url(),
            server: Some(server),
        }
    }
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("redis")
}

fn launch(folder: &TempDir) -> Option<Child> {
    let mut child = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no"])
        .arg("--unixsocket")
        .arg(socket(folder))
        .arg("--dir")
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    for _ in 0..1000 {
        if UnixStream::connect(socket(folder)).is_ok() {
            return Some(child);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    panic!("redis-server does not start");
}
