//! A way to a server that takes its time, for tests of what is slow. Both the unit tests and `tests/it`
//! use this file.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// Ends with the test.
pub(crate) struct SlowRelay {
    pub(crate) port: u16,
    micros: Arc<AtomicU64>,
    task: AbortHandle,
}

impl SlowRelay {
    /// Quick at first.
    pub(crate) async fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let micros = Arc::new(AtomicU64::new(0));
        let delay = micros.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let delay = delay.clone();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await else {
                        return;
                    };
                    for end in [&client, &server] {
                        end.set_nodelay(true).unwrap();
                    }
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::spawn(pass(from_client, to_server, delay.clone()));
                    tokio::spawn(pass(from_server, to_client, delay));
                });
            }
        });
        Self {
            port,
            micros,
            task: task.abort_handle(),
        }
    }

    /// From now on whatever goes one way takes so long.
    pub(crate) fn delay(&self, each_way: Duration) {
        let micros = each_way.as_micros().try_into().unwrap();
        self.micros.store(micros, Ordering::SeqCst);
    }
}

impl Drop for SlowRelay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Late, but not one piece after the other.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Arc<AtomicU64>) {
    let (pieces, mut late) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((at, piece)) = late.recv().await {
            sleep_until(at).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        let at = Instant::now() + Duration::from_micros(delay.load(Ordering::SeqCst));
        if length == 0 || pieces.send((at, buffer[..length].to_vec())).is_err() {
            return;
        }
    }
}
