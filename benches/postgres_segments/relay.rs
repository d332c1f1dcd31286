//! A relay inside the process: sqlx talks to a Unix socket, and the way to the server is a TCP
//! connection with `TCP_NODELAY`, which sqlx does not set itself.

use std::io;
use std::path::Path;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;
use url::Url;

/// Listens until it is dropped.
pub(crate) struct Relay {
    /// The address that sqlx connects to.
    pub(crate) url: String,
    task: JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts a relay to the server of a TCP address.
pub(crate) fn start(tcp: &str) -> anyhow::Result<Relay> {
    let mut url = Url::parse(tcp)?;
    let host = url.host_str().context("the address has no host")?;
    let server = (host.to_owned(), url.port().unwrap_or(5432));
    // A folder of mode 0700: nobody else can connect.
    let folder = tempfile::tempdir()?;
    let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432"))?;
    point_to(&mut url, folder.path())?;
    let task = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(carry(client, server.clone()));
        }
    });
    Ok(Relay {
        url: url.into(),
        task,
        _folder: folder,
    })
}

fn point_to(url: &mut Url, folder: &Path) -> anyhow::Result<()> {
    let folder = folder.to_str().context("the folder's name is no text")?;
    url.set_host(Some("localhost"))?;
    url.set_port(Some(5432))
        .ok()
        .context("the address takes no port")?;
    url.query_pairs_mut().append_pair("host", folder);
    Ok(())
}

async fn carry(mut client: UnixStream, (host, port): (String, u16)) -> io::Result<()> {
    let mut server = TcpStream::connect((host.as_str(), port)).await?;
    server.set_nodelay(true)?;
    // Larger than the default of 8 KiB, so that a statement crosses in few turns.
    tokio::io::copy_bidirectional_with_sizes(&mut client, &mut server, 64 << 10, 64 << 10).await?;
    Ok(())
}
