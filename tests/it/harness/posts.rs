//! Posts without end, on bare sockets: what became of each, told apart as no client library does.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ml_connector::zoho::webhook;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::process::Tenant;

/// Beyond this an answer counts as missing.
const PATIENCE: Duration = Duration::from_secs(20);

/// How posts ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// 200.
    pub(crate) taken: usize,
    /// Any other answer.
    pub(crate) answered: usize,
    /// Nobody listened.
    pub(crate) refused: usize,
    /// A connection that was there, and no answer.
    pub(crate) broken: usize,
}

/// Where to post to: a proxy may change its mind.
pub(crate) type Route = Arc<dyn Fn() -> SocketAddr + Send + Sync>;

/// Clients that post until they are told to end.
pub(crate) struct Posts {
    clients: JoinSet<()>,
    shared: Arc<Shared>,
}

struct Shared {
    tenant: Tenant,
    route: Route,
    path: String,
    next: AtomicUsize,
    is_over: AtomicBool,
    counts: Mutex<Counts>,
    /// Why the first broken ones were.
    words: Mutex<Vec<String>>,
}

impl Posts {
    /// So many clients that open a connection for each post, and so many that keep theirs while
    /// the server does.
    pub(crate) fn start(tenant: &Tenant, route: Route, fresh: usize, keeping: usize) -> Self {
        let url = reqwest::Url::parse(&tenant.hook_url).unwrap();
        let shared = Arc::new(Shared {
            tenant: tenant.clone(),
            route,
            path: url.path().to_owned(),
            next: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            counts: Mutex::default(),
            words: Mutex::default(),
        });
        let mut clients = JoinSet::new();
        for client in 0..fresh + keeping {
            clients.spawn(shared.clone().post_on_and_on(client < keeping));
        }
        Self { clients, shared }
    }

    /// So far.
    pub(crate) fn counts(&self) -> Counts {
        *self.shared.counts.lock().unwrap()
    }

    /// Waits for the last answers.
    pub(crate) async fn end(mut self) -> (Counts, Vec<String>) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        let words = self.shared.words.lock().unwrap().clone();
        (self.counts(), words)
    }
}

impl Shared {
    async fn post_on_and_on(self: Arc<Self>, keeps: bool) {
        let mut kept = None;
        while !self.is_over.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let old = kept.take();
            let was_kept = old.is_some();
            let stream = match old {
                Some(stream) => stream,
                None => match TcpStream::connect((self.route)()).await {
                    Ok(stream) => stream,
                    Err(error) => {
                        self.not_connected(&error);
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let answer = tokio::time::timeout(PATIENCE, self.post(stream, number, keeps));
            let answer = answer
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            match answer {
                Ok((status, stream)) => {
                    let mut counts = self.counts.lock().unwrap();
                    if status == 200 {
                        counts.taken += 1;
                    } else {
                        counts.answered += 1;
                    }
                    kept = stream.filter(|_| keeps);
                }
                Err(error) => {
                    self.counts.lock().unwrap().broken += 1;
                    let mut words = self.words.lock().unwrap();
                    if words.len() < 10 {
                        words.push(format!("on a kept connection: {was_kept}; {error:?}"));
                    }
                }
            }
        }
    }

    fn not_connected(&self, error: &io::Error) {
        let mut counts = self.counts.lock().unwrap();
        if error.kind() == io::ErrorKind::ConnectionRefused {
            counts.refused += 1;
        } else {
            counts.broken += 1;
            self.words
                .lock()
                .unwrap()
                .push(format!("connecting: {error:?}"));
        }
    }

    /// One post: the status, and the connection if the server keeps it.
    async fn post(
        &self,
        mut stream: TcpStream,
        number: usize,
        keeps: bool,
    ) -> io::Result<(u16, Option<TcpStream>)> {
        let body = format!(r#"{{"number":{number}}}"#);
        let kind = "application/json";
        let secret = &self.tenant.hook_secret;
        let signature = webhook::sign(secret, "", Some(kind), body.as_bytes());
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: test\r\ncontent-type: {kind}\r\n{}: {signature}\r\n\
             content-length: {}\r\nconnection: {}\r\n\r\n{body}",
            self.path,
            webhook::SIGNATURE_HEADER,
            body.len(),
            if keeps { "keep-alive" } else { "close" },
        );
        stream.set_nodelay(true)?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        let head = loop {
            if let Some(at) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
        let header = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        let length: usize = header("content-length").unwrap_or("0").parse().unwrap();
        while answer.len() < head + 4 + length {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        let closes = header("connection") == Some("close");
        Ok((status, (!closes).then_some(stream)))
    }
}
