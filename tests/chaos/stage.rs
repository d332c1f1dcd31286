//! Everything that runs: the servers, the sandbox, the service's processes, the relay before them.

mod breaking;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::args::Args;
use crate::line::Line;
use crate::processes::{Launch, Process};
use crate::promises::Calls;
use crate::relay::Relay;
use crate::sandbox::Sandbox;
use crate::scenarios::Staging;
use crate::servers::free_address;
use crate::servers::postgres::{Elsewhere, Postgres};
use crate::servers::redis::Redis;
use crate::slow_line::SlowLine;
use crate::small_disk::SmallDisk;
use crate::tenants::Place;
use crate::writer_lock::WriterLock;

/// The program under test.
const BINARY: &str = env!("CARGO_BIN_EXE_ml-connector");

/// How long a process may take to serve.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// How long a process may take to end after SIGTERM: supervisors kill after 30 s.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// 32 bytes, as any installation with several processes has to share.
const MASTER_KEY: &str = "Y2hhb3MgY2hhb3MgY2hhb3MgY2hhb3MgY2hhb3MgMTI=";

/// A web process or a worker, and where its web answers, if it has one.
#[derive(Debug)]
struct Member {
    process: Process,
    web: Option<SocketAddr>,
    /// Its way to Twilio's stand-in.
    line: Line,
}

impl Member {
    async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await?;
        self.line.killed();
        Ok(())
    }

    async fn freeze(&mut self) -> anyhow::Result<()> {
        self.process.freeze().await?;
        self.line.frozen();
        Ok(())
    }

    async fn thaw(&mut self) -> anyhow::Result<()> {
        self.process.thaw().await?;
        self.line.thawed();
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) struct Stage {
    // In this order they are let go: the service first, then what it needs.
    web: Vec<Member>,
    work: Vec<Member>,
    relay: Relay,
    pub(crate) sandbox: Sandbox,
    slow_redis: Option<SlowLine>,
    redis: Option<Redis>,
    postgres: Option<Postgres>,
    writer_lock: Option<WriterLock>,
    disk: Option<SmallDisk>,
    pub(crate) http: reqwest::Client,
    staging: Staging,
    faketime: Option<PathBuf>,
    env: Vec<(String, String)>,
    seed: u64,
    /// What must not happen, whatever breaks: processes that end by themselves, panics.
    pub(crate) troubles: Vec<String>,
}

impl Stage {
    /// Starts everything and waits until it serves.
    pub(crate) async fn start(
        args: &Args,
        staging: Staging,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let logs = folder.join("logs");
        std::fs::create_dir(&logs)?;
        let http = ml_connector::http::client()?;
        let sandbox = Sandbox::start(Path::new(BINARY), &http, &logs, args.latency_ms).await?;
        let data = folder.join("data");
        let disk = match staging {
            Staging::SmallDisk => Some(SmallDisk::mount(&data, disk_size(args))?),
            _ => None,
        };
        let (mut postgres, mut redis, mut slow_redis) = (None, None, None);
        let database = if args.servers.embedded {
            std::fs::create_dir_all(&data)?;
            format!("sqlite://{}", data.join("chaos.db").display())
        } else {
            let tools = args
                .servers
                .postgres_bin
                .clone()
                .context("--postgres-bin is missing")?;
            let user = args.servers.postgres_user.as_deref();
            let server = match &disk {
                None => Postgres::start(&tools, user, folder).await?,
                Some(disk) => on_disk(disk, &tools, user, folder).await?,
            };
            let url = server.url();
            postgres = Some(server);
            url
        };
        if args.has_redis() {
            let server = Redis::start(&args.servers.redis_server, folder, &logs).await?;
            if staging == Staging::SlowRedis {
                slow_redis = Some(SlowLine::start(server.address).await?);
            }
            redis = Some(server);
        }
        let redis_url = match &slow_redis {
            Some(line) => Some(format!("redis://{}", line.address)),
            None => redis.as_ref().map(Redis::url),
        };
        let webs = if args.servers.embedded { 1 } else { args.web };
        let addresses = (0..webs).map(|_| free_address());
        let addresses: Vec<SocketAddr> = addresses.collect::<Result<_, _>>()?;
        let relay = Relay::start(addresses.clone()).await?;
        let mut env = vec![
            ("DATABASE_URL", database),
            ("MASTER_KEY", MASTER_KEY.to_owned()),
            ("PUBLIC_URL", format!("http://{}", relay.address)),
            ("ZOHO_SANDBOX_URL", sandbox.url()),
            ("TWILIO_SANDBOX_URL", sandbox.url()),
            ("RUST_LOG", "info".to_owned()),
        ];
        env.extend(redis_url.map(|url| ("REDIS_URL", url)));
        let mut stage = Self {
            web: Vec::new(),
            work: Vec::new(),
            relay,
            sandbox,
            slow_redis,
            redis,
            postgres,
            writer_lock: None,
            disk,
            http,
            staging,
            faketime: args.servers.faketime.clone(),
            env: env
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            seed: args.seed,
            troubles: Vec::new(),
        };
        stage.migrate().await?;
        stage.populate(args, addresses, &logs).await?;
        Ok(stage)
    }

    /// The address of the service.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.relay.address)
    }

    /// Where each web process listens.
    pub(crate) fn webs(&self) -> Vec<SocketAddr> {
        self.web.iter().filter_map(|member| member.web).collect()
    }

    /// The binary with the service's environment.
    pub(crate) fn binary(&self) -> Launch {
        Launch::new(BINARY).env(&self.env).through(self.enter())
    }

    /// The words that start a program where it sees the data.
    fn enter(&self) -> Vec<OsString> {
        match &self.disk {
            Some(disk) if self.postgres.is_none() => disk.enter(),
            _ => Vec::new(),
        }
    }

    /// Where tenants are made.
    pub(crate) fn place<'a>(&'a self, admin: &'a Launch, base: &'a str) -> Place<'a> {
        Place {
            admin,
            sandbox: &self.sandbox,
            http: &self.http,
            base,
        }
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        let output = self.binary().args(["migrate"]).command().output().await?;
        if !output.status.success() {
            bail!("migrate: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    async fn populate(
        &mut self,
        args: &Args,
        addresses: Vec<SocketAddr>,
        logs: &Path,
    ) -> anyhow::Result<()> {
        for (number, address) in addresses.into_iter().enumerate() {
            let words: &[&str] = if args.servers.embedded {
                &["serve"]
            } else {
                &["serve", "--no-worker"]
            };
            let name = format!("web-{number}");
            let mut member = self.member(&name, words, address, logs, None).await?;
            member.web = Some(address);
            self.web.push(member);
        }
        let clocks = match self.staging {
            Staging::Clocks(seconds) => seconds,
            _ => &[],
        };
        let workers = if args.servers.embedded {
            0
        } else {
            args.work.max(clocks.len())
        };
        for number in 0..workers {
            let off_by = clocks.get(number).copied().filter(|seconds| *seconds != 0);
            let (name, address) = (format!("work-{number}"), free_address()?);
            let member = self.member(&name, &["work"], address, logs, off_by).await?;
            self.work.push(member);
        }
        for member in self.web.iter_mut().chain(&mut self.work) {
            member.process.start()?;
        }
        for member in self.web.iter_mut().chain(&mut self.work) {
            ready(member, &self.http).await?;
        }
        Ok(())
    }

    /// A process that does not run yet, with its clock off by so many seconds.
    async fn member(
        &self,
        name: &str,
        words: &[&str],
        bind: SocketAddr,
        logs: &Path,
        off_by: Option<i64>,
    ) -> anyhow::Result<Member> {
        let line = Line::start(self.sandbox.address).await?;
        let mut env = vec![
            ("BIND".to_owned(), bind.to_string()),
            ("ZOHO_SANDBOX_URL".to_owned(), line.url()),
            ("TWILIO_SANDBOX_URL".to_owned(), line.url()),
        ];
        if let Some(seconds) = off_by {
            let library = self.faketime.as_ref().context("--faketime is missing")?;
            env.extend([
                ("LD_PRELOAD".to_owned(), library.display().to_string()),
                ("FAKETIME".to_owned(), format!("{seconds:+}s")),
                // Spans of time are as long as ever: only the date is wrong.
                ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
                ("DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
            ]);
        }
        let launch = self.binary().args(words).env(&env);
        Ok(Member {
            process: Process::new(name, launch, logs),
            web: None,
            line,
        })
    }

    /// What all lines to Twilio's stand-in have seen.
    pub(crate) fn calls(&self) -> Calls {
        let mut calls = Calls::default();
        for member in self.web.iter().chain(&self.work) {
            member.line.tell(&member.process.name, &mut calls);
        }
        calls
    }

    /// Ends the service as a person would, and looks into the logs.
    pub(crate) async fn end(&mut self) {
        self.note_ends();
        let members = self.web.iter_mut().chain(&mut self.work);
        let endings = members.map(|member| member.process.terminate(ENDS_WITHIN));
        for ending in futures::future::join_all(endings).await {
            if let Err(error) = ending {
                self.troubles.push(error.to_string());
            }
        }
        for member in self.web.iter().chain(&self.work) {
            self.troubles.extend(member.process.panics());
        }
        self.troubles.extend(self.sandbox.process.panics());
    }

    /// A process that ends without having been asked to is a trouble of its own.
    fn note_ends(&mut self) {
        for member in self.web.iter_mut().chain(&mut self.work) {
            if let Some(status) = member.process.ended() {
                let (name, words) = (&member.process.name, member.process.last_words());
                self.troubles
                    .push(format!("{name} ended by itself with {status}:\n{words}"));
            }
        }
    }
}

/// So large that the data of a whole run leave room, in MB: only the ballast fills it.
fn disk_size(args: &Args) -> u64 {
    let events = u64::try_from(args.events).unwrap_or(u64::MAX);
    if args.servers.embedded {
        96 + events / 25
    } else {
        320 + events / 12
    }
}

async fn on_disk(
    disk: &SmallDisk,
    tools: &Path,
    user: Option<&str>,
    folder: &Path,
) -> anyhow::Result<Postgres> {
    if let Some(user) = user {
        disk.give_to(user)?;
    }
    let data = disk.path().join("postgres");
    let place = Elsewhere {
        enter: disk.enter_as_user(),
        from_here: disk.outer_path(&data),
        data,
    };
    Postgres::start_in(tools, user, folder, &[], place).await
}

/// Waits until a process serves or, without a web, says that it works.
async fn ready(member: &mut Member, http: &reqwest::Client) -> anyhow::Result<()> {
    let end = Instant::now() + STARTS_WITHIN;
    loop {
        let is_ready = match member.web {
            Some(address) => {
                let asked = http.get(format!("http://{address}/readyz")).send().await;
                asked.is_ok_and(|answer| answer.status().is_success())
            }
            None => member.process.has_said("ml-connector works"),
        };
        if is_ready {
            return Ok(());
        }
        let ended = member.process.ended();
        if ended.is_some() || Instant::now() > end {
            let (name, words) = (&member.process.name, member.process.last_words());
            bail!("{name} is not ready:\n{words}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Where a run keeps its data and logs; removed in the end unless something went wrong.
#[derive(Debug)]
pub(crate) struct Folder(Option<tempfile::TempDir>);

impl Folder {
    pub(crate) fn new() -> anyhow::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::Builder::new()
            .prefix("ml-connector-chaos.")
            .tempdir()?;
        // PostgreSQL may run as another user.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        Ok(Self(Some(folder)))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0
            .as_ref()
            .map(|f| f.path().to_owned())
            .unwrap_or_default()
    }

    /// Leaves it where it is.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.0
            .take()
            .map(tempfile::TempDir::keep)
            .unwrap_or_default()
    }
}
