//! A Redis (or Valkey) that keeps nothing: whoever kills it starts it empty.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::free_address;
use crate::processes::{Launch, Process};

const STARTS_WITHIN: Duration = Duration::from_secs(10);
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Redis {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Redis {
    pub(crate) async fn start(program: &Path, folder: &Path, logs: &Path) -> anyhow::Result<Self> {
        let address = free_address()?;
        let port = address.port().to_string();
        let folder = folder.join("redis");
        std::fs::create_dir(&folder)?;
        let launch = Launch::new(program)
            .args(["--bind", "127.0.0.1", "--port", &port])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .args([folder]);
        let mut redis = Self {
            process: Process::new("redis", launch, logs),
            address,
        };
        redis.start_again().await?;
        Ok(redis)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Starts it and waits until it answers.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<()> {
        self.process.start()?;
        let end = Instant::now() + STARTS_WITHIN;
        while self.ask("PING").await.is_err() {
            if Instant::now() > end {
                bail!("Redis does not answer:\n{}", self.process.last_words());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Forgets everything, at once.
    pub(crate) async fn flush_all(&self) -> anyhow::Result<()> {
        self.ask("FLUSHALL").await
    }

    /// Over its limit, with nothing that it may drop: reads are answered, writes refused.
    pub(crate) async fn fill(&self) -> anyhow::Result<()> {
        self.ask("CONFIG SET maxmemory-policy noeviction").await?;
        self.ask("CONFIG SET maxmemory 1").await
    }

    pub(crate) async fn free(&self) -> anyhow::Result<()> {
        self.ask("CONFIG SET maxmemory 0").await
    }

    /// The replica of a server that is not there: reads are answered, writes refused.
    pub(crate) async fn demote(&self) -> anyhow::Result<()> {
        let nobody = free_address()?.port();
        self.ask(&format!("REPLICAOF 127.0.0.1 {nobody}")).await
    }

    pub(crate) async fn promote(&self) -> anyhow::Result<()> {
        self.ask("REPLICAOF NO ONE").await
    }

    /// Sends a command that is answered by one line of good news.
    async fn ask(&self, command: &str) -> anyhow::Result<()> {
        let asked = async {
            let mut stream = TcpStream::connect(self.address).await?;
            stream
                .write_all(format!("{command}\r\n").as_bytes())
                .await?;
            let mut answer = [0; 64];
            let length = stream.read(&mut answer).await?;
            if answer[..length].first() != Some(&b'+') {
                let answer = String::from_utf8_lossy(&answer[..length]);
                bail!("{command}: {answer}");
            }
            Ok(())
        };
        tokio::time::timeout(ANSWERS_WITHIN, asked).await?
    }
}
