//! Stands for the load balancer: one address, behind it the web processes in turn.
//!
//! It must not hide anything. Only a connection that nobody took is tried elsewhere, before a byte
//! was sent; what breaks later breaks for the caller too. When nobody listens it says so, with 502.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// What is answered when no web process listens.
const NOBODY: &[u8] = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    task: AbortHandle,
}

impl Relay {
    pub(crate) async fn start(behind: Vec<SocketAddr>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let behind: Arc<[SocketAddr]> = behind.into();
        let turn = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (behind, first) = (behind.clone(), turn.fetch_add(1, Ordering::Relaxed));
                tokio::spawn(async move { relay(client, &behind, first).await });
            }
        });
        Ok(Self {
            address,
            task: task.abort_handle(),
        })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(mut client: TcpStream, behind: &[SocketAddr], first: usize) {
    for step in 0..behind.len() {
        let address = behind[(first + step) % behind.len()];
        let Ok(mut server) = TcpStream::connect(address).await else {
            continue;
        };
        // Small requests must not wait for each other's acknowledgements.
        drop(client.set_nodelay(true));
        drop(server.set_nodelay(true));
        // Either side may break off: that is what is tested.
        drop(copy_bidirectional(&mut client, &mut server).await);
        return;
    }
    drop(refuse(client).await);
}

/// Answers, and reads what is still coming: a connection closed over unread bytes is reset, and the
/// answer with it.
async fn refuse(mut client: TcpStream) -> std::io::Result<()> {
    let mut unread = vec![0; 64 * 1024];
    if client.read(&mut unread).await? == 0 {
        return Ok(());
    }
    client.write_all(NOBODY).await?;
    client.shutdown().await?;
    let rest = async {
        while client.read(&mut unread).await? > 0 {}
        std::io::Result::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(1), rest)
        .await
        .unwrap_or(Ok(()))
}
