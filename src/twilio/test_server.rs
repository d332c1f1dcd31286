//! A tiny HTTP server for this room's tests: one scripted reply per connection.
//!
//! The surprise: it can hang up before and after it has read the request, which no HTTP framework
//! lets a test do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::credentials::User;
use super::{Account, AccountSid, ApiKeySid, CallTime, Region, Twilio};

/// What the server does with a connection.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Reads the request, then writes this.
    Write(String),
    /// Hangs up at once.
    DropBefore,
    /// Reads the request, then hangs up.
    DropAfter,
    /// Reads the request, then keeps silent.
    Silence,
    /// Reads the request, writes this, then keeps silent.
    Stall(String),
    /// Reads the request, writes this, reads a second request on the connection, then hangs up.
    WriteThenDrop(String),
}

impl Reply {
    pub(super) fn json(status: u16, body: &str) -> Self {
        Self::with(status, "content-type: application/json\r\n", body)
    }

    pub(super) fn with(status: u16, headers: &str, body: &str) -> Self {
        Self::Write(format!(
            "HTTP/1.1 {status} X\r\n{headers}date: Thu, 24 Aug 2023 05:01:45 GMT\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }
}

pub(super) struct TestServer {
    base: Url,
    requests: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TestServer {
    pub(super) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let task = tokio::spawn(async move {
            let mut open = Vec::new();
            for reply in replies {
                let (mut stream, _) = listener.accept().await.unwrap();
                if matches!(reply, Reply::DropBefore) {
                    continue;
                }
                let request = read_request(&mut stream).await;
                seen.lock().unwrap().push(request);
                match reply {
                    Reply::Write(text) => stream.write_all(text.as_bytes()).await.unwrap(),
                    Reply::Stall(text) => {
                        stream.write_all(text.as_bytes()).await.unwrap();
                        open.push(stream);
                    }
                    Reply::WriteThenDrop(text) => {
                        stream.write_all(text.as_bytes()).await.unwrap();
                        let second = read_request(&mut stream).await;
                        seen.lock().unwrap().push(second);
                    }
                    Reply::Silence => open.push(stream),
                    Reply::DropBefore | Reply::DropAfter => {}
                }
            }
            // A request too many must not hang in the backlog: it shows as a dropped connection.
            drop(listener);
            std::future::pending::<()>().await;
        });
        Self {
            base,
            requests,
            task,
        }
    }

    pub(super) fn twilio(&self) -> Twilio {
        Twilio::new(crate::http::client().unwrap(), Some(&self.base))
    }

    /// The requests as received, head and body.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let wanted = head
                .lines()
                .find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if length == 0 || body.len() >= wanted {
                return text;
            }
        }
    }
}

pub(super) fn account() -> Account {
    Account {
        account_sid: AccountSid::parse(&format!("AC{}", "0a".repeat(16))).unwrap(),
        user: User::AuthToken,
        secret: SecretString::from("token12345"),
        region: Region::Us1,
    }
}

pub(super) fn key_account() -> Account {
    let key = ApiKeySid::parse(&format!("SK{}", "0b".repeat(16))).unwrap();
    Account {
        user: User::ApiKey(key),
        ..account()
    }
}

/// A generous time-out, for calls that do end.
pub(super) fn soon() -> CallTime {
    CallTime::of(Duration::from_secs(20))
}

/// A message of a list, as JSON.
pub(super) fn listed(number: u32, created: &str) -> String {
    format!(
        r#"{{"sid":"SM{number:032x}","to":"+447700900123","from":null,"body":"b{number}",
            "direction":"outbound-api","status":"partially_delivered","error_code":30006,
            "num_segments":"0","date_created":"{created}","date_sent":null}}"#
    )
}
