//! A way to a server that can be made slow: each byte arrives so much later, and none is held up by
//! another.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

#[derive(Debug)]
pub(crate) struct SlowLine {
    pub(crate) address: SocketAddr,
    delay_ms: Arc<AtomicU64>,
    task: AbortHandle,
}

impl SlowLine {
    pub(crate) async fn start(to: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let delay_ms = Arc::new(AtomicU64::new(0));
        let delay = delay_ms.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let delay = delay.clone();
                tokio::spawn(async move {
                    let server = TcpStream::connect(to).await?;
                    client.set_nodelay(true)?;
                    server.set_nodelay(true)?;
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    // Only what is asked waits: a round trip is slow once.
                    let at_once = AtomicU64::new(0);
                    tokio::select! {
                        ended = slowly(from_client, to_server, &delay) => ended,
                        ended = slowly(from_server, to_client, &at_once) => ended,
                    }
                });
            }
        });
        Ok(Self {
            address,
            delay_ms,
            task: task.abort_handle(),
        })
    }

    /// From now on each round trip takes so much longer.
    pub(crate) fn delay(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.delay_ms.store(delay, Ordering::Relaxed);
    }
}

impl Drop for SlowLine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn slowly(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay_ms: &AtomicU64,
) -> std::io::Result<()> {
    let (send, mut receive) = mpsc::channel::<(Instant, Vec<u8>)>(256);
    let reading = async move {
        let mut chunk = vec![0; 16 * 1024];
        loop {
            let length = from.read(&mut chunk).await?;
            if length == 0 {
                return std::io::Result::Ok(());
            }
            let delay = Duration::from_millis(delay_ms.load(Ordering::Relaxed));
            let part = (Instant::now() + delay, chunk[..length].to_vec());
            if send.send(part).await.is_err() {
                return Ok(());
            }
        }
    };
    let writing = async move {
        while let Some((at, part)) = receive.recv().await {
            tokio::time::sleep_until(at.into()).await;
            to.write_all(&part).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing).map(drop)
}
