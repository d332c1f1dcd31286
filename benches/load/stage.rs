//! All that a run needs, made afresh: a folder, a database, the stand-in for Twilio, the service, and
//! its tenants. Everything ends with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ml_connector::domain::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::args::{Args, Backend, Storage};
use crate::processes::{Launch, Process};
use crate::sandbox::Sandbox;
use crate::servers::free_address;
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;
use crate::slow_disk;
use crate::tenants::{self, Place, Tenant};
use crate::{companies, grow};

const BINARY: &str = env!("CARGO_BIN_EXE_ml-connector");
const MASTER_KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const STARTS_WITHIN: Duration = Duration::from_mins(1);

/// Companies that are made as people make them.
const BY_HAND: usize = 100;

/// Who serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// The binary, with its workers.
    Whole,
    /// This program, without workers (`server.rs`).
    Door(Storage),
}

/// That the instructions of the service are counted, and where to.
pub(crate) struct Counting {
    pub(crate) counts: PathBuf,
}

impl Counting {
    /// The same program, under `valgrind`; counting begins when it is told so.
    fn of(&self, launch: &Launch) -> Launch {
        let file = format!("--callgrind-out-file={}", self.counts.display());
        let counting = ["--quiet", "--tool=callgrind", "--instr-atstart=no", &file];
        let Launch { program, args, env } = launch.clone();
        Launch::new("valgrind")
            .args(counting)
            .args([program])
            .args(args)
            .env(&env)
    }
}

pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    /// The database's, for whoever grows it.
    database: String,
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
    pub(crate) processes: Vec<Process>,
    pub(crate) postgres: Option<Postgres>,
    pub(crate) redis: Option<Redis>,
    /// From its start until it listens.
    pub(crate) started_in: Duration,
    /// Last, so that it goes after everybody in it.
    pub(crate) folder: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn set(args: &Args, service: Service) -> anyhow::Result<Self> {
        Self::set_counting(args, service, None).await
    }

    pub(crate) async fn set_counting(
        args: &Args,
        service: Service,
        counting: Option<&Counting>,
    ) -> anyhow::Result<Self> {
        let folder = folder()?;
        let logs = folder.path().join("logs");
        std::fs::create_dir(&logs)?;
        let http = ml_connector::http::client()?;
        let sandbox = Sandbox::start(Path::new(BINARY), &http, &logs, args.latency_ms).await?;
        let slow = slow_disk::env(folder.path(), args.slow_disk_ms)?;
        let (database, postgres) = database(args, folder.path(), &slow).await?;
        let redis = match (args.on, service) {
            (Backend::Postgres, Service::Whole) => {
                Some(Redis::start(&args.redis_server, folder.path(), &logs).await?)
            }
            _ => None,
        };
        let address = free_address()?;
        let mut env: Vec<(String, String)> = [
            ("DATABASE_URL", database.clone()),
            ("MASTER_KEY", MASTER_KEY.to_owned()),
            ("BIND", address.to_string()),
            ("PUBLIC_URL", format!("http://{address}")),
            ("ZOHO_SANDBOX_URL", sandbox.url()),
            ("TWILIO_SANDBOX_URL", sandbox.url()),
            ("RUST_LOG", "warn".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        if let Some(redis) = &redis {
            env.push(("REDIS_URL".to_owned(), redis.url()));
        }
        let admin = Launch::new(BINARY).env(&env);
        let migrated = admin.clone().args(["migrate"]).command().output().await?;
        if !migrated.status.success() {
            bail!("migrate: {}", String::from_utf8_lossy(&migrated.stderr));
        }
        let slowed = if args.on == Backend::Sqlite {
            admin.clone().env(&slow)
        } else {
            admin.clone()
        };
        let mut processes = Vec::new();
        for (name, launch) in launches(args, service, &slowed)? {
            let launch = counting.map_or_else(|| launch.clone(), |counting| counting.of(&launch));
            let mut process = Process::new(name, launch, &logs);
            process.start()?;
            processes.push(process);
        }
        let began = Instant::now();
        let mut stage = Self {
            address,
            database,
            tenants: Vec::new(),
            sandbox,
            http,
            processes,
            postgres,
            redis,
            started_in: Duration::ZERO,
            folder,
        };
        stage.wait_until_ready(began).await?;
        let base = format!("http://{address}");
        let place = Place {
            admin: &admin,
            sandbox: &stage.sandbox,
            http: &stage.http,
            base: &base,
        };
        let by_hand = args.tenants.min(BY_HAND);
        stage.tenants = tenants::make(by_hand, &rules(args.rules), place).await?;
        if args.tenants > by_hand {
            let (more, like) = (args.tenants - by_hand, stage.tenants[0].clone());
            let more = companies::make(more, args, &admin, &stage.sandbox, &like).await?;
            stage.tenants.extend(more);
        }
        Ok(stage)
    }

    /// Makes the history so long, while the service rests.
    pub(crate) async fn grow(&mut self, events: usize) -> anyhow::Result<()> {
        // What is under way comes to its end.
        tokio::time::sleep(Duration::from_secs(2)).await;
        for process in &mut self.processes {
            process.terminate(Duration::from_secs(30)).await?;
        }
        grow::grow(&self.database, events, SystemClock.now().timestamp_millis()).await?;
        let began = Instant::now();
        for process in &mut self.processes {
            process.start()?;
        }
        self.wait_until_ready(began).await
    }

    async fn wait_until_ready(&mut self, began: Instant) -> anyhow::Result<()> {
        let url = format!("http://{}/readyz", self.address);
        loop {
            let asked = self.http.get(&url).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                self.started_in = began.elapsed();
                return Ok(());
            }
            if began.elapsed() > STARTS_WITHIN {
                let words: Vec<_> = self.processes.iter().map(Process::last_words).collect();
                bail!("the service is not ready:\n{}", words.join("\n"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The processes of the service itself.
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.processes.iter().filter_map(Process::id).collect()
    }

    /// Those of the servers beside it.
    pub(crate) fn server_ids(&self) -> Vec<u32> {
        let postgres = self.postgres.as_ref().and_then(Postgres::id);
        let redis = self.redis.as_ref().and_then(|r| r.process.id());
        postgres.into_iter().chain(redis).collect()
    }

    /// How large the database is, in bytes, with what is not yet folded into it.
    pub(crate) fn disk(&self) -> u64 {
        let size = |path: &Path| walk(path).unwrap_or_default();
        let (data, postgres) = (
            self.folder.path().join("data"),
            self.folder.path().join("postgres/data/base"),
        );
        size(&data) + size(&postgres)
    }

    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        for process in &mut self.processes {
            process.terminate(Duration::from_secs(30)).await?;
        }
        let panics: Vec<_> = self.processes.iter().flat_map(Process::panics).collect();
        if !panics.is_empty() {
            bail!("{}", panics.join("\n"));
        }
        self.sandbox.process.kill().await
    }
}

fn folder() -> anyhow::Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::Builder::new()
        .prefix("ml-connector-load.")
        .tempdir()?;
    // PostgreSQL may run as another user.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

async fn database(
    args: &Args,
    folder: &Path,
    slow: &[(String, String)],
) -> anyhow::Result<(String, Option<Postgres>)> {
    match args.on {
        Backend::Sqlite => {
            std::fs::create_dir(folder.join("data"))?;
            let file = folder.join("data").join("load.db");
            Ok((format!("sqlite://{}", file.display()), None))
        }
        Backend::Postgres => {
            let tools = args.postgres_bin.as_ref();
            let tools = tools.context("--postgres-bin is missing")?;
            let user = args.postgres_user.as_deref();
            let server = Postgres::start_with(tools, user, folder, slow).await?;
            Ok((server.socket_url(), Some(server)))
        }
    }
}

fn launches(
    args: &Args,
    service: Service,
    binary: &Launch,
) -> anyhow::Result<Vec<(&'static str, Launch)>> {
    Ok(match (service, args.on) {
        (Service::Whole, Backend::Sqlite) => vec![("serve", binary.clone().args(["serve"]))],
        (Service::Whole, Backend::Postgres) => vec![
            ("web", binary.clone().args(["serve", "--no-worker"])),
            ("work", binary.clone().args(["work"])),
        ],
        (Service::Door(storage), _) => {
            let itself = Launch {
                program: std::env::current_exe()?,
                ..binary.clone()
            };
            vec![("door", itself.args(["server", "--storage", storage.word()]))]
        }
    })
}

/// One rule that matches every invoice sent, after so many that do not.
pub(crate) fn rules(others: usize) -> Vec<Value> {
    let rule = |name: String, conditions: Value, text: &str| {
        json!({
            "name": name, "event_type": "invoice.sent", "channel": "sms",
            "conditions": conditions, "recipient": { "kind": "contact" },
            "template": { "body": text },
        })
    };
    let never = |number: usize| {
        let conditions = json!({ "all": [
            { "field": "total", "op": "gte", "value": "999999999" },
            { "field": "customer_name", "op": "contains", "value": format!("nobody {number}") },
        ] });
        rule(
            format!("never {number}"),
            conditions,
            "{{ invoice_number }}",
        )
    };
    let always = rule(
        "sent".to_owned(),
        json!({ "all": [] }),
        "Invoice {{ invoice_number }} over {{ total }} is on its way",
    );
    (0..others).map(never).chain([always]).collect()
}

fn walk(path: &Path) -> std::io::Result<u64> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_dir() {
        return Ok(meta.len());
    }
    let entries = std::fs::read_dir(path)?.flatten();
    Ok(entries.map(|e| walk(&e.path()).unwrap_or_default()).sum())
}
