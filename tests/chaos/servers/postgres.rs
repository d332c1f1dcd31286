//! A PostgreSQL of our own, with `fsync` on: what it acknowledged must be there after a crash.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use super::free_address;

/// How it is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shutdown {
    /// Cuts the sessions, and writes everything down.
    Fast,
    /// As in a crash: it recovers at the next start.
    Immediate,
}

impl Shutdown {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Immediate => "immediate",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Postgres {
    tools: PathBuf,
    user: Option<String>,
    data: PathBuf,
    log: PathBuf,
    address: SocketAddr,
    env: Vec<(String, String)>,
}

impl Postgres {
    /// Makes a cluster and starts it. As root it runs as `user`, since PostgreSQL refuses root.
    pub(crate) async fn start(
        tools: &Path,
        user: Option<&str>,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        Self::start_with(tools, user, folder, &[]).await
    }

    /// The same, with more in its environment.
    pub(crate) async fn start_with(
        tools: &Path,
        user: Option<&str>,
        folder: &Path,
        env: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let home = folder.join("postgres");
        std::fs::create_dir(&home)?;
        if let Some(user) = user {
            let status = Command::new("chown").arg(user).arg(&home).status().await?;
            if !status.success() {
                bail!("{} cannot be given to {user}", home.display());
            }
        }
        let postgres = Self {
            tools: tools.to_owned(),
            user: user.map(str::to_owned),
            data: home.join("data"),
            log: home.join("log"),
            address: free_address()?,
            env: env.to_vec(),
        };
        let data = postgres.data.display().to_string();
        postgres
            .run(
                "initdb",
                &["-D", &data, "-A", "trust", "-U", "chaos", "-E", "UTF8"],
            )
            .await?;
        let port = postgres.address.port();
        let options = format!(
            "-p {port} -k {} -c listen_addresses=127.0.0.1 -c max_connections=200",
            home.display()
        );
        postgres.pg_ctl(&["-o", &options, "start"]).await?;
        Ok(postgres)
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://chaos@{}/postgres", self.address)
    }

    /// Over its Unix socket, which is the way for a server on the same machine.
    pub(crate) fn socket_url(&self) -> String {
        let home = self.data.parent().unwrap_or(&self.data).display();
        let port = self.address.port();
        format!("postgres://chaos@localhost:{port}/postgres?host={home}")
    }

    /// The process that all others of it come from.
    pub(crate) fn id(&self) -> Option<u32> {
        let told = std::fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        told.lines().next()?.parse().ok()
    }

    pub(crate) async fn restart(&self, how: Shutdown) -> anyhow::Result<()> {
        // Without `-o` it starts with the options of before.
        self.pg_ctl(&["-m", how.word(), "restart"]).await
    }

    async fn pg_ctl(&self, args: &[&str]) -> anyhow::Result<()> {
        let (data, log) = (
            self.data.display().to_string(),
            self.log.display().to_string(),
        );
        let mut all = vec!["-D", &data, "-w", "-l", &log];
        all.extend(args);
        self.run("pg_ctl", &all).await
    }

    async fn run(&self, tool: &str, args: &[&str]) -> anyhow::Result<()> {
        let command = self.command(tool, args);
        let mut command = Command::from(command);
        let output = command.output().await;
        let output = output.with_context(|| format!("{tool} cannot be run"))?;
        if !output.status.success() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let told = String::from_utf8_lossy(&output.stderr);
            bail!("{tool} {}: {told}\n{log}", args.join(" "));
        }
        Ok(())
    }

    fn command(&self, tool: &str, args: &[&str]) -> std::process::Command {
        let tool = self.tools.join(tool);
        let mut command = match &self.user {
            Some(user) => {
                let mut command = std::process::Command::new("runuser");
                command.args(["-u", user, "--"]).arg(tool);
                command
            }
            None => std::process::Command::new(tool),
        };
        command
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    /// It is no child of ours: it must be told, by the id in its own folder.
    fn drop(&mut self) {
        let data = self.data.display().to_string();
        let args = ["-D", &data, "-w", "-m", "immediate", "stop"];
        let mut command = self.command("pg_ctl", &args);
        let stopped = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if let Err(error) = stopped {
            crate::say(&format!(
                "PostgreSQL in {data} could not be stopped: {error}"
            ));
        }
    }
}
