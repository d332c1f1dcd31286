//! Stands between one process and Twilio's stand-in, and remembers each call: which message it was
//! about, and whether the answer reached the process.
//!
//! Only so can be told which answers were lost, without asking the service. It passes bytes on as
//! they are; a connection bears one call after the other, as HTTP/1.1 without pipelining does.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::promises::{Calls, Key};

/// An answer that came so shortly before its process was stopped may not have been written down.
const WRITTEN_DOWN_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    calls: Shared,
    /// When the process was killed or stood still, from and until.
    stops: Vec<(Instant, Instant, &'static str)>,
    task: AbortHandle,
}

type Shared = Arc<Mutex<Vec<Call>>>;

/// One wish for a message.
#[derive(Debug)]
struct Call {
    key: Key,
    asked: Instant,
    answered: Option<(Instant, u16)>,
}

impl Line {
    pub(crate) async fn start(to: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let calls = Shared::default();
        let shared = calls.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = shared.clone();
                tokio::spawn(async move { drop(pass_on(client, to, &shared).await) });
            }
        });
        Ok(Self {
            address,
            calls,
            stops: Vec::new(),
            task: task.abort_handle(),
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process was killed just now.
    pub(crate) fn killed(&mut self) {
        let now = Instant::now();
        self.stops.push((now, now, "its process was killed"));
    }

    /// Its process stands still from now on.
    pub(crate) fn frozen(&mut self) {
        let (now, still) = (Instant::now(), "its process stood still");
        self.stops.push((now, now + Duration::from_hours(1), still));
    }

    /// Its process goes on.
    pub(crate) fn thawed(&mut self) {
        if let Some((_, until, _)) = self.stops.last_mut() {
            *until = Instant::now();
        }
    }

    /// Adds what was seen on this line.
    pub(crate) fn tell(&self, name: &str, told: &mut Calls) {
        for call in lock(&self.calls).iter() {
            *told.seen.entry(call.key.clone()).or_default() += 1;
            if let Some(how) = self.lost(call) {
                let lost = told.lost.entry(call.key.clone()).or_default();
                lost.push(format!("{name}: {how}"));
            }
        }
    }

    /// How the answer of a call was lost, if it was.
    fn lost(&self, call: &Call) -> Option<String> {
        let known = call.answered.map(|(at, _)| at + WRITTEN_DOWN_WITHIN);
        let stopped = self.stops.iter().find(|(from, until, _)| {
            call.asked <= *until && known.is_none_or(|known| known >= *from)
        });
        match (call.answered, stopped) {
            (None, Some((.., how))) => Some(format!("{how} before the answer came")),
            (None, None) => Some("the connection ended before the answer came".to_owned()),
            (Some((_, status)), _) if status >= 500 => Some(format!("the answer was {status}")),
            (Some(_), Some((.., how))) => Some(format!("{how} as the answer came")),
            (Some(_), None) => None,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What waits for an answer on a connection: a call for a message by its number, or any other.
type Awaited = Option<Option<usize>>;

async fn pass_on(mut client: TcpStream, to: SocketAddr, calls: &Shared) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut server: Option<TcpStream> = None;
    let mut awaited: Awaited = None;
    let mut unread = Vec::new();
    let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        tokio::select! {
            length = client.read(&mut up) => {
                let length = length?;
                if length == 0 {
                    return Ok(());
                }
                unread.extend_from_slice(&up[..length]);
                while let Some((key, used)) = request(&unread) {
                    unread.drain(..used);
                    awaited = Some(key.map(|key| begin(calls, key)));
                }
                still_open(&mut server, to).await?.write_all(&up[..length]).await?;
            }
            length = read(server.as_mut(), &mut down) => {
                // Who closes an idle connection has lost no answer: the next call opens another.
                let Ok(length @ 1..) = length else {
                    server = None;
                    if awaited.is_some() || !unread.is_empty() {
                        return Ok(());
                    }
                    continue;
                };
                client.write_all(&down[..length]).await?;
                if let Some(Some(number)) = awaited.take()
                    && let Some(call) = lock(calls).get_mut(number)
                {
                    call.answered = Some((Instant::now(), status(&down[..length])));
                }
            }
        }
    }
}

/// The connection of before, or a new one when it was closed meanwhile.
async fn still_open(
    server: &mut Option<TcpStream>,
    to: SocketAddr,
) -> std::io::Result<&mut TcpStream> {
    let is_open = server.as_ref().is_some_and(|server| {
        let told = server.try_read(&mut [0; 1]);
        told.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    });
    if !is_open {
        let new = TcpStream::connect(to).await?;
        new.set_nodelay(true)?;
        *server = Some(new);
    }
    server
        .as_mut()
        .ok_or_else(|| std::io::ErrorKind::NotConnected.into())
}

/// Reads where there is anything to read from.
async fn read(server: Option<&mut TcpStream>, into: &mut [u8]) -> std::io::Result<usize> {
    match server {
        Some(server) => server.read(into).await,
        None => std::future::pending().await,
    }
}

fn begin(calls: &Shared, key: Key) -> usize {
    let mut calls = lock(calls);
    calls.push(Call {
        key,
        asked: Instant::now(),
        answered: None,
    });
    calls.len() - 1
}

/// The first whole request in these bytes and its length; its message, where it wishes for one.
fn request(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let head_length = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_length]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case("content-length");
        is_it.then(|| value.trim().parse().ok()).flatten()
    });
    let end = head_length + length.unwrap_or(0_usize);
    let body = bytes.get(head_length..end)?;
    let mut words = head.split_whitespace();
    let (method, path) = (words.next()?, words.next()?);
    let text = || {
        let account = path.strip_prefix("/2010-04-01/Accounts/")?;
        let account = account.strip_suffix("/Messages.json")?;
        let mut form: HashMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
        Some((account.to_owned(), form.remove("To")?, form.remove("Body")?))
    };
    let email = || {
        let json: Value = serde_json::from_slice(body).ok()?;
        let part = |pointer: &str| json.pointer(pointer)?.as_str().map(str::to_owned);
        let (to, subject) = (part("/to/0/address")?, part("/content/subject")?);
        Some((signed_in(&head)?, to, subject))
    };
    let key = match (method, path) {
        ("POST", "/v1/Emails") => email(),
        ("POST", _) => text(),
        _ => None,
    };
    Some((key, end))
}

/// The account that a request signs in with: an e-mail's address does not name it.
fn signed_in(head: &str) -> Option<String> {
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case("authorization");
        is_it.then(|| value.trim().strip_prefix("Basic ")).flatten()
    });
    let pair = String::from_utf8(STANDARD.decode(value?).ok()?).ok()?;
    pair.split_once(':').map(|(user, _)| user.to_owned())
}

/// The status of an answer that begins so; 0 for anything else.
fn status(answer: &[u8]) -> u16 {
    let line = String::from_utf8_lossy(&answer[..answer.len().min(32)]).into_owned();
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    status.unwrap_or_default()
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
