//! A PostgreSQL of our own, with `fsync` on: what it acknowledged must be there after a crash.

use std::ffi::OsString;
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

/// A folder for the data that only those see who are started in a certain way.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    /// The words before a program that start it so.
    pub(crate) enter: Vec<OsString>,
    pub(crate) data: PathBuf,
    /// The same folder, as it is seen from here.
    pub(crate) from_here: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Postgres {
    tools: PathBuf,
    user: Option<String>,
    data: Elsewhere,
    home: PathBuf,
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
        let data = folder.join("postgres").join("data");
        let here = Elsewhere {
            enter: Vec::new(),
            from_here: data.clone(),
            data,
        };
        Self::start_in(tools, user, folder, env, here).await
    }

    /// The same with its data elsewhere; its log and its socket are in the folder.
    pub(crate) async fn start_in(
        tools: &Path,
        user: Option<&str>,
        folder: &Path,
        env: &[(String, String)],
        data: Elsewhere,
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
            data,
            log: home.join("log"),
            home,
            address: free_address()?,
            env: env.to_vec(),
        };
        let data = postgres.data.data.display().to_string();
        postgres
            .run(
                "initdb",
                &["-D", &data, "-A", "trust", "-U", "chaos", "-E", "UTF8"],
            )
            .await?;
        postgres.begin().await?;
        Ok(postgres)
    }

    async fn begin(&self) -> anyhow::Result<()> {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c max_connections=200",
            self.address.port(),
            self.home.display()
        );
        self.pg_ctl(&["-o", &options, "start"]).await
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://chaos@{}/postgres", self.address)
    }

    /// Over its Unix socket, which is the way for a server on the same machine.
    pub(crate) fn socket_url(&self) -> String {
        let home = self.home.display();
        let port = self.address.port();
        format!("postgres://chaos@localhost:{port}/postgres?host={home}")
    }

    /// The process that all others of it come from.
    pub(crate) fn id(&self) -> Option<u32> {
        let file = self.data.from_here.join("postmaster.pid");
        let told = std::fs::read_to_string(file).ok()?;
        told.lines().next()?.parse().ok()
    }

    pub(crate) async fn restart(&self, how: Shutdown) -> anyhow::Result<()> {
        // Without `-o` it starts with the options of before.
        self.pg_ctl(&["-m", how.word(), "restart"]).await
    }

    /// Starts it if it has ended by itself, as a supervisor would.
    pub(crate) async fn ensure_it_runs(&self) -> anyhow::Result<()> {
        let runs = self.id().is_some_and(|id| parent_of(id).is_some());
        if runs { Ok(()) } else { self.begin().await }
    }

    /// Changes a setting of the whole server, also for the sessions of before.
    pub(crate) async fn set(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let change = format!("ALTER SYSTEM SET {name} = '{value}'");
        self.psql(&[&change, "SELECT pg_reload_conf()"]).await
    }

    /// All sessions are cut, and those that begin from now on only read.
    pub(crate) async fn stand_by(&self) -> anyhow::Result<()> {
        let (only_read, cut) = (
            "ALTER DATABASE postgres SET default_transaction_read_only = on",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = 'postgres' AND pid <> pg_backend_pid()",
        );
        self.psql(&[only_read, cut]).await
    }

    /// Those that begin from now on write; the others still only read.
    pub(crate) async fn promote(&self) -> anyhow::Result<()> {
        let (me, all) = (
            "SET default_transaction_read_only = off",
            "ALTER DATABASE postgres RESET default_transaction_read_only",
        );
        self.psql(&[me, all]).await
    }

    async fn psql(&self, statements: &[&str]) -> anyhow::Result<()> {
        let port = self.address.port().to_string();
        let place = [
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "chaos",
            "-d",
            "postgres",
        ];
        let mut args = vec!["-X", "-q", "-v", "ON_ERROR_STOP=1"];
        args.extend(place);
        for statement in statements {
            args.extend(["-c", statement]);
        }
        self.run("psql", &args).await
    }

    /// SIGSTOP: it stands still with all its sessions. Nobody new can come: the first of its
    /// processes stops first.
    pub(crate) async fn freeze(&self) -> anyhow::Result<()> {
        let id = self.id().context("PostgreSQL does not run")?;
        signal("STOP", &[id]).await?;
        signal("STOP", &sessions(id)?).await
    }

    /// SIGCONT: it goes on as if no time had passed.
    pub(crate) async fn thaw(&self) -> anyhow::Result<()> {
        let id = self.id().context("PostgreSQL does not run")?;
        signal("CONT", &sessions(id)?).await?;
        signal("CONT", &[id]).await
    }

    async fn pg_ctl(&self, args: &[&str]) -> anyhow::Result<()> {
        let (data, log) = (
            self.data.data.display().to_string(),
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
        let mut words = self.data.enter.clone();
        if let Some(user) = &self.user {
            words.extend(["runuser", "-u", user, "--"].map(Into::into));
        }
        words.push(tool.into());
        let mut command = std::process::Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }
}

/// The processes that come from it: its sessions, and those that work in the background.
fn sessions(id: u32) -> anyhow::Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if parent_of(child) == Some(id) {
            children.push(child);
        }
    }
    Ok(children)
}

/// The parent of a process that runs.
fn parent_of(id: u32) -> Option<u32> {
    let told = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Behind the name, which may contain anything: the state, and then the parent.
    let (_, rest) = told.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    let state = words.next()?;
    (state != "Z").then(|| words.next()?.parse().ok()).flatten()
}

/// Sends a signal; who has gone meanwhile needs none.
async fn signal(name: &str, ids: &[u32]) -> anyhow::Result<()> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let line = format!("kill -{name} {} 2>/dev/null; true", ids.join(" "));
    let status = Command::new("sh").args(["-c", &line]).status().await?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

impl Drop for Postgres {
    /// It is no child of ours: it must be told, by the id in its own folder.
    fn drop(&mut self) {
        // Who stands still hears nothing.
        if let Some(id) = self.id() {
            let mut ids = sessions(id).unwrap_or_default();
            ids.push(id);
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let mut goes_on = std::process::Command::new("sh");
            let line = format!("kill -CONT {} 2>/dev/null", ids.join(" "));
            drop(goes_on.args(["-c", &line]).status());
        }
        let data = self.data.data.display().to_string();
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
