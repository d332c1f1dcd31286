//! Posting as fast as answers come, over kept connections: as little work as possible, since it shares
//! the cores with what it measures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answers {
    /// How long each took, in order of length.
    pub(crate) times: Vec<Duration>,
    /// Those that were not 200.
    pub(crate) refused: usize,
    pub(crate) elapsed: Duration,
}

impl Answers {
    pub(crate) fn a_second(&self) -> f64 {
        let count = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        f64::from(count) / self.elapsed.as_secs_f64()
    }
}

/// Posts all requests over `connections`, each connection the next one that is left.
pub(crate) async fn post(
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    connections: usize,
) -> anyhow::Result<Answers> {
    let posting = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(post_here(address, Arc::new(requests), connections))
    };
    // One thread of its own: the runtime of the harness has others to serve.
    tokio::task::spawn_blocking(posting).await?
}

async fn post_here(
    address: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    connections: usize,
) -> anyhow::Result<Answers> {
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let posting = (0..connections).map(|_| {
        let (requests, next) = (requests.clone(), next.clone());
        tokio::spawn(async move { one_connection(address, &requests, &next).await })
    });
    let mut answers = Answers {
        times: Vec::with_capacity(requests.len()),
        refused: 0,
        elapsed: Duration::ZERO,
    };
    for done in futures::future::join_all(posting).await {
        let (times, refused) = done??;
        answers.times.extend(times);
        answers.refused += refused;
    }
    answers.elapsed = began.elapsed();
    answers.times.sort_unstable();
    Ok(answers)
}

async fn one_connection(
    address: SocketAddr,
    requests: &[Vec<u8>],
    next: &AtomicUsize,
) -> anyhow::Result<(Vec<Duration>, usize)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut times, mut refused) = (Vec::new(), 0);
    let mut read = vec![0; 16 * 1024];
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let began = Instant::now();
        stream.write_all(request).await?;
        if !answer(&mut stream, &mut read).await? {
            refused += 1;
        }
        times.push(began.elapsed());
    }
    Ok((times, refused))
}

/// Reads one whole answer; whether it is a 200.
async fn answer(stream: &mut TcpStream, read: &mut [u8]) -> anyhow::Result<bool> {
    let mut filled = 0;
    loop {
        let count = stream.read(&mut read[filled..]).await?;
        if count == 0 {
            bail!("the connection ended within an answer");
        }
        filled += count;
        let Some(head) = read[..filled].windows(4).position(|w| w == b"\r\n\r\n") else {
            continue;
        };
        let words = std::str::from_utf8(&read[..head])?;
        let length = words
            .lines()
            .find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then_some(value)
            })
            .context("an answer without a length")?;
        if filled >= head + 4 + length.trim().parse::<usize>()? {
            return Ok(words.starts_with("HTTP/1.1 200"));
        }
    }
}
