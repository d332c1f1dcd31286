//! The only place where the parts are joined: configuration, adapters, app, server, workers.
//!
//! Building is apart from running, and the port may be 0, so that tests and the demo start the same
//! thing that an operator starts.

mod server;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::advised::Advised;
use crate::app::{App, Parts, requeue};
use crate::brakes::Brakes;
use crate::config::Config;
use crate::config::database::DatabaseUrl;
use crate::config::web::PublicUrl;
use crate::crypto::key_ring::KeyRing;
use crate::crypto::master_key::{KeyOrigin, KeySource, MasterKeyId};
use crate::crypto::password::Passwords;
use crate::crypto::token::{self, SetupCode};
use crate::crypto::vault::{Vault, WrappedKey};
use crate::domain::clock::SharedClock;
use crate::domain::ids::new_v7;
use crate::lifecycle::Lifecycle;
use crate::mail::Mailer;
use crate::queue::{
    FailoverQueue, JobQueue, MemoryQueue, Nowhere, RedisQueue, Runner, RunnerConfig, unforeseen,
};
use crate::redis::Redis;
use crate::store::engine::lock::{DatabaseLock, LockError};
use crate::store::{NewerSchema, POOLER_ADVICE, Store, StoreError, StoredDataKey};
use crate::telemetry::Metrics;
use crate::transport::Transports;
use crate::twilio::Twilio;
use crate::zoho::oauth::ZohoOAuth;
use crate::zoho::tokens::AccessTokens;
use crate::{http, web, worker};

use server::Door;
pub use server::inherited_socket;

/// The app, before anything runs.
pub struct Built {
    pub app: App,
    pub key_origin: KeyOrigin,
}

/// Running workers.
pub struct Working {
    pub app: App,
    pub life: Lifecycle,
    pub key_origin: KeyOrigin,
    /// Does the jobs; tests run what is due by hand.
    pub runner: Arc<Runner>,
}

/// A running service.
pub struct Running {
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    pub life: Lifecycle,
    pub key_origin: KeyOrigin,
    /// Does the jobs; tests run what is due by hand.
    pub runner: Arc<Runner>,
    /// Opens the set-up page of an empty instance.
    pub setup_code: Option<String>,
    /// Held as long as the service runs: a second one on the same file is refused. The last field,
    /// so that it is dropped after the rest.
    lock: Option<DatabaseLock>,
}

impl Running {
    /// For a process that runs one service: whatever still has the file open when this is dropped
    /// keeps its locks, since the lock's descriptor stays open to the end of the process.
    pub fn hold_lock_until_exit(&mut self) {
        if let Some(lock) = self.lock.take() {
            lock.hold_until_exit();
        }
    }

    /// From now on the jobs that were done by hand are done here.
    pub fn start_jobs(&self, config: &Config) {
        start_jobs(config, &self.app, &self.runner, &self.life, Jobs::Here);
    }
}

/// Who does the jobs of a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Jobs {
    /// Workers in this process.
    #[default]
    Here,
    /// Processes that run `work`.
    Elsewhere,
    /// Tests, and the demo while it tells its past: by hand, in this process.
    ByHand,
}

/// How long a command in a shell waits for its turn beside a busy service.
const SHELL_PATIENCE: Duration = Duration::from_mins(1);

/// Parts of the queue in Redis; more are of use only on a cluster.
const SHARDS: u16 = 1;

/// How a service is started.
#[derive(Default)]
pub struct Options {
    pub jobs: Jobs,
    pub metrics: Option<Metrics>,
    /// A database that is open already; otherwise the configured one is opened.
    pub store: Option<Store>,
    /// A socket that somebody else holds open; otherwise one is bound as configured.
    pub inherited: Option<TcpListener>,
}

/// Joins everything but the server: for commands that use the app and end. A machine's `clock` gives
/// way to the database's where there is a server.
pub async fn build(
    config: &Config,
    public_url: PublicUrl,
    clock: SharedClock,
    jobs: Jobs,
) -> anyhow::Result<Built> {
    let mut store = open_store(config).await?;
    if jobs == Jobs::Elsewhere {
        store = store.patient(SHELL_PATIENCE);
    }
    build_on(store, config, public_url, clock, jobs).await
}

async fn build_on(
    store: Store,
    config: &Config,
    public_url: PublicUrl,
    clock: SharedClock,
    jobs: Jobs,
) -> anyhow::Result<Built> {
    refuse_other_schema(&store).await?;
    let clock = store
        .clock(clock)
        .await
        .context("the database does not say what time it is")?;
    let (vault, key_origin) = open_vault(config, &store, clock.now()).await?;
    let store = store.with_hasher(vault.address_hasher()?);
    let redis = open_redis(config, &store).await?;
    let mailer = Mailer::new(&config.mail, shows_letters(config, &public_url))
        .context("mail cannot be set up")?;
    let client = http::client().context("the HTTP client cannot be built")?;
    let queue: Arc<dyn JobQueue> = match (&redis, jobs) {
        (Some(redis), _) => Arc::new(queue_on(redis, &store, &clock, jobs)),
        (None, Jobs::Elsewhere) => Arc::new(Nowhere),
        (None, Jobs::Here | Jobs::ByHand) => Arc::new(MemoryQueue::new(clock.clone())),
    };
    let twilio = Twilio::new(client.clone(), config.twilio.sandbox.as_ref());
    let transports = Transports::new(vec![Arc::new(twilio)], |limits, transport| match &redis {
        Some(redis) => Brakes::shared(
            limits,
            clock.clone(),
            unforeseen(),
            redis.clone(),
            transport,
        ),
        None => Brakes::new(limits, clock.clone(), unforeseen()),
    });
    let app = App::new(Parts {
        queue,
        vault,
        passwords: Passwords::default(),
        transports,
        dns: crate::dns::Dns::system(),
        mailer,
        zoho_tokens: AccessTokens::new(ZohoOAuth::new(client), clock.clone()),
        zoho_sandbox: config.zoho.sandbox.clone(),
        signup: config.web.signup,
        public_url,
        is_sandboxed: config.is_sandboxed(),
        lease_owner: lease_owner(),
        runtime: Handle::current(),
        store,
        clock,
    });
    Ok(Built { app, key_origin })
}

/// The queue on Redis, and in this process while Redis is worse than the database.
fn queue_on(redis: &Redis, store: &Store, clock: &SharedClock, jobs: Jobs) -> FailoverQueue {
    let queue = Arc::new(RedisQueue::new(redis.clone(), clock.clone(), SHARDS));
    let platform = store.platform();
    FailoverQueue::start(
        queue,
        clock.clone(),
        jobs != Jobs::Elsewhere,
        Arc::new(move || {
            let platform = platform.clone();
            Box::pin(async move {
                // A database that is away is no quicker.
                if platform.ping().await.is_err() {
                    std::future::pending::<()>().await;
                }
            })
        }),
    )
}

/// Letters may be shown in the log only where nobody but this machine reaches the service. `work`
/// serves no address, so it must be told that the others' is on this machine.
fn shows_letters(config: &Config, public_url: &PublicUrl) -> bool {
    let told = config.web.public_url.is_some();
    let served_here = config.database.url.file().is_some();
    public_url.is_loopback() && (told || (served_here && config.web.bind.ip().is_loopback()))
}

/// Brings the schema up to date; an existing `SQLite` file is copied first, and a `PostgreSQL` server
/// gets the months of the history that come next.
pub async fn migrate(config: &Config, clock: SharedClock) -> anyhow::Result<()> {
    let file = config.database.url.file();
    let existed = file.is_some_and(|f| f.metadata().is_ok_and(|m| m.len() > 0));
    let store = open_store(config).await?;
    let now = store
        .clock(clock)
        .await
        .context("the database does not say what time it is")?
        .now();
    let schema = store.schema().await;
    let schema = schema.context("the schema cannot be read")?;
    if let Some(newer) = &schema.newer {
        beside_newer(newer)?;
    } else if schema.pending > 0 {
        let copied = file.filter(|_| existed);
        migrate_now(&store, copied, schema.pending, now).await?;
    }
    let made = store
        .make_partitions(now)
        .await
        .context("the months of the history cannot be made")?;
    if made > 0 {
        tracing::info!("Made {made} partitions for this month and the next ones");
    }
    Ok(())
}

/// Refuses a database that this program does not fit, in words.
async fn refuse_other_schema(store: &Store) -> anyhow::Result<()> {
    let schema = store.schema().await;
    let schema = schema.context("the schema cannot be read")?;
    if let Some(newer) = &schema.newer {
        return beside_newer(newer);
    }
    if schema.pending > 0 {
        let (what, advice) = (
            "the database is not up to date",
            "run `ml-connector migrate`",
        );
        return Err(Advised::new(what, advice).into());
    }
    Ok(())
}

/// A later version has brought the database up to date. Beside steps that only add, this one goes on.
fn beside_newer(newer: &NewerSchema) -> anyhow::Result<()> {
    let (ours, step) = (env!("CARGO_PKG_VERSION"), &newer.step);
    let theirs = if newer.program.is_empty() {
        "a later version of ml-connector".to_owned()
    } else {
        format!("ml-connector {}", newer.program)
    };
    if newer.is_compatible {
        tracing::warn!(
            "The database was brought up to date by {theirs} (step {step}). This is {ours}, which goes on \
             beside it; replace it soon"
        );
        return Ok(());
    }
    let what = format!(
        "the database was brought up to date by {theirs} (step {step}), and this is {ours}, which does not \
         know it"
    );
    let advice = if newer.program.is_empty() {
        "start the version that ran `migrate` last, or a later one".to_owned()
    } else {
        format!("start ml-connector {} or a later version", newer.program)
    };
    Err(Advised::new(what, advice).into())
}

async fn migrate_now(
    store: &Store,
    copied: Option<&Path>,
    pending: usize,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if let Some(file) = copied {
        let copy = format!("{}.before-{}", file.display(), now.format("%Y%m%dT%H%M%SZ"));
        store
            .copy_to(Path::new(&copy))
            .await
            .context("a copy of the database cannot be kept")?;
        tracing::info!("Kept a copy of the database in {copy}");
    }
    store
        .migrate()
        .await
        .context("the schema cannot be brought up to date")?;
    tracing::info!("The schema is up to date ({pending} steps)");
    Ok(())
}

/// Starts the web server, and workers unless they are elsewhere.
pub async fn serve(
    config: &Config,
    clock: SharedClock,
    options: Options,
) -> anyhow::Result<Running> {
    if options.jobs == Jobs::Elsewhere {
        refuse_on_a_file(config, "serve --no-worker")?;
    }
    let lock = match config.database.url.file() {
        Some(file) => Some(take_lock(file, clock.now())?),
        None => None,
    };
    if lock.is_some() {
        migrate(config, clock.clone()).await?;
    }
    let door = Door::open(config, options.inherited)?;
    let address = door.address;
    // What is judged by the address, such as whether letters may be shown, goes by the real one.
    let mut config = config.clone();
    config.web.bind = address;
    let config = &config;
    let public_url = config
        .web
        .public_url
        .clone()
        .unwrap_or_else(|| PublicUrl::of_bound(address));
    let store = match options.store {
        Some(store) => store,
        None => open_store(config).await?,
    };
    let built = build_on(store, config, public_url, clock, options.jobs).await?;
    let Built { app, key_origin } = built;
    if lock.is_some() {
        let taken = app.take_over().await?;
        if taken > 0 {
            tracing::info!("Took over {taken} messages that an earlier process left in hand");
        }
    }
    let life = Lifecycle::new();
    let runner = runner(config, &app);
    start_jobs(config, &app, &runner, &life, options.jobs);
    if let Some(metrics) = options.metrics.clone() {
        drop(life.spawn("metrics", keep_metrics(metrics, life.clone())));
    }
    let new_instance = web::areas::NewInstance::for_empty(&app).await?;
    let setup_code = new_instance.code.as_ref().map(SetupCode::to_text);
    server::start(config, &app, door, options.metrics, new_instance, &life)?;
    Ok(Running {
        app,
        address,
        life,
        key_origin,
        runner,
        setup_code,
        lock,
    })
}

/// Starts workers without a web server.
pub async fn work(config: &Config, clock: SharedClock) -> anyhow::Result<Working> {
    refuse_on_a_file(config, "work")?;
    let public_url = config
        .web
        .public_url
        .clone()
        .unwrap_or_else(|| PublicUrl::of_bound(config.web.bind));
    let built = build(config, public_url, clock, Jobs::Here).await?;
    let Built { app, key_origin } = built;
    let life = Lifecycle::new();
    let runner = runner(config, &app);
    start_workers(config, &app, &runner, &life);
    drop(life.spawn("keys", worker::keep_keys(app.clone(), life.clone())));
    let beats = worker::beat_for_ever(app.clone(), life.clone(), "work");
    drop(life.spawn("beat", beats));
    Ok(Working {
        app,
        life,
        key_origin,
        runner,
    })
}

fn runner(config: &Config, app: &App) -> Arc<Runner> {
    Arc::new(Runner::new(
        app.queue().clone(),
        worker::handlers(app),
        app.clock().clone(),
        RunnerConfig {
            concurrency: config.worker.jobs_at_once,
            ..RunnerConfig::default()
        },
        unforeseen(),
    ))
}

/// What goes on in a process beside its web server.
fn start_jobs(config: &Config, app: &App, runner: &Arc<Runner>, life: &Lifecycle, jobs: Jobs) {
    let does = match jobs {
        Jobs::ByHand => return,
        Jobs::Here => "serve",
        Jobs::Elsewhere => "serve --no-worker",
    };
    if jobs == Jobs::Here {
        start_workers(config, app, runner, life);
    }
    drop(life.spawn("keys", worker::keep_keys(app.clone(), life.clone())));
    let beats = worker::beat_for_ever(app.clone(), life.clone(), does);
    drop(life.spawn("beat", beats));
}

fn start_workers(config: &Config, app: &App, runner: &Arc<Runner>, life: &Lifecycle) {
    let (app, here) = (app.clone(), life.clone());
    let hears_pushes = config.queue.redis_url.is_some() || config.database.url.file().is_some();
    let every = if hears_pushes {
        requeue::EVERY
    } else {
        requeue::EVERY_ALONE
    };
    drop(life.spawn(
        "requeue",
        worker::requeue_for_ever(app.clone(), here.clone(), every),
    ));
    drop(life.spawn("sweep", worker::sweep_for_ever(app.clone(), here.clone())));
    drop(life.spawn(
        "accounts",
        worker::ask_accounts_for_ever(app.clone(), here.clone()),
    ));
    drop(life.spawn(
        "deletions",
        worker::sweep_deleted_for_ever(app.clone(), here.clone()),
    ));
    drop(life.spawn("months", worker::keep_months(app, here)));
    drop(life.spawn("runner", runner.clone().run(life.clone())));
}

/// Takes the file for this process, before anything else in it opens the file.
fn take_lock(file: &Path, now: DateTime<Utc>) -> anyhow::Result<DatabaseLock> {
    DatabaseLock::take(file, now).map_err(|error| {
        let advice = match &error {
            LockError::Held { .. } => {
                "stop that process first, or name another file in DATABASE_URL"
            }
            LockError::Network { .. } | LockError::NoLocks { .. } => {
                "put the file on a disk of this machine, or set DATABASE_URL to a PostgreSQL server"
            }
            LockError::Io { .. } => {
                "see that this user may read and write the file and its folder, or name another \
                 file in DATABASE_URL"
            }
        };
        Advised::new(error.to_string(), advice)
            .because(error)
            .into()
    })
}

/// One process has a `SQLite` file: its web server and its workers are one.
fn refuse_on_a_file(config: &Config, command: &str) -> anyhow::Result<()> {
    let Some(file) = config.database.url.file() else {
        return Ok(());
    };
    let mut what =
        format!("`{command}` cannot run on a SQLite file, which one process has to itself");
    if let Some(holder) = DatabaseLock::holder(file) {
        what = format!("{what}: {} is in use by {holder}", file.display());
    }
    let advice =
        "run `serve`, which has workers of its own, or set DATABASE_URL to a PostgreSQL server";
    Err(Advised::new(what, advice).into())
}

async fn keep_metrics(metrics: Metrics, life: Lifecycle) {
    loop {
        tokio::select! {
            () = life.soft().cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(5)) => metrics.run_upkeep(),
        }
    }
}

/// Prepares the way to Redis, if there is one; it need not answer yet. Installations that share a
/// server are kept apart by what is theirs alone: where the database is, its first data key, and what
/// the operator calls it.
async fn open_redis(config: &Config, store: &Store) -> anyhow::Result<Option<Redis>> {
    let Some(url) = &config.queue.redis_url else {
        return Ok(None);
    };
    let platform = store.platform();
    let keys = platform.data_keys().await;
    let keys = keys.context("the data keys cannot be read")?;
    let first = keys.first().map_or(Uuid::nil(), |key| key.id);
    let place = match config.database.url.file() {
        Some(file) => place_of(file),
        None => platform
            .place()
            .await
            .context("which database this is cannot be read")?,
    };
    let called = config.queue.redis_namespace.as_deref().unwrap_or_default();
    let redis = Redis::open(url, &installation(first, &place, called));
    let redis = redis.context("REDIS_URL cannot be used")?;
    Ok(Some(redis))
}

/// What the keys of an installation begin with: 32 digits.
fn installation(first_key: Uuid, place: &str, called: &str) -> String {
    let mut hash = Sha256::new();
    for part in [&first_key.simple().to_string(), place, called] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..16])
}

/// A file as no copy of it is: made at another moment, or elsewhere.
fn place_of(file: &Path) -> String {
    let path = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let made = file.metadata().and_then(|about| about.created()).ok();
    let made = made.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    format!("{} {}", path.display(), made.unwrap_or_default().as_nanos())
}

/// Finds the master key and unwraps the data keys; on an empty database both are made.
async fn open_vault(
    config: &Config,
    store: &Store,
    now: DateTime<Utc>,
) -> anyhow::Result<(Vault, KeyOrigin)> {
    let platform = store.platform();
    let source = KeySource::choose(&config.secrets.master_key, config.database.url.key_file());
    let (rows, (masters, origin)) = match settle_keys(store, &source).await {
        // A change of the master key may have ended between the two looks.
        Err(_) => settle_keys(store, &source).await?,
        Ok(settled) => settled,
    };
    let vault = Vault::new(masters, &rows)?.from_source(source);
    if rows.is_empty() {
        let key = vault.new_data_key(new_v7(now))?;
        let row = StoredDataKey {
            id: key.id,
            master_key_id: key.master_key_id.as_str().to_owned(),
            wrapped: key.wrapped.clone(),
        };
        platform
            .create_first_data_key(row, now)
            .await
            .context("a data key cannot be kept")?;
        for row in platform.data_keys().await? {
            vault.admit(&wrapped(row))?;
        }
    }
    Ok((vault, origin))
}

/// The data keys, and the master keys that fit them.
async fn settle_keys(
    store: &Store,
    source: &KeySource,
) -> anyhow::Result<(Vec<WrappedKey>, (KeyRing, KeyOrigin))> {
    let rows = store.platform().data_keys().await;
    let rows = rows.context("the data keys cannot be read")?;
    let rows: Vec<_> = rows.into_iter().map(wrapped).collect();
    let wrapped_by: Vec<_> = rows.iter().map(|r| r.master_key_id.clone()).collect();
    Ok((rows, source.settle(&wrapped_by)?))
}

fn wrapped(row: StoredDataKey) -> WrappedKey {
    WrappedKey {
        id: row.id,
        master_key_id: MasterKeyId::from_stored(row.master_key_id),
        wrapped: row.wrapped,
    }
}

async fn open_store(config: &Config) -> anyhow::Result<Store> {
    let error = match Store::open(&database_address(&config.database.url)).await {
        Ok(store) => return Ok(store),
        Err(error) => error,
    };
    let (what, advice) = match &error {
        StoreError::Untrusted(trouble) => (trouble.to_string(), trouble.advice()),
        StoreError::SharedSessions => (error.to_string(), POOLER_ADVICE),
        StoreError::Unreachable(why) => (why.to_string(), why.advice),
        _ => return Err(error).context("the database cannot be opened"),
    };
    Err(Advised::new(what, advice).because(error).into())
}

fn database_address(url: &DatabaseUrl) -> String {
    match url {
        DatabaseUrl::Sqlite(file) => format!("sqlite://{}", file.display()),
        DatabaseUrl::Postgres(address) => address.expose_secret().to_owned(),
    }
}

/// Names this process in leases: unlike that of any process before it.
fn lease_owner() -> String {
    format!("{}-{}", std::process::id(), &token::hook()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_file_is_another_place() {
        let folder = tempfile::tempdir().unwrap();
        let (file, kept) = (folder.path().join("a.db"), folder.path().join("b.db"));
        std::fs::write(&file, "rows").unwrap();
        let place = place_of(&file);
        assert_eq!(place_of(&file), place);
        std::fs::copy(&file, &kept).unwrap();
        assert_ne!(place_of(&kept), place);
    }

    #[test]
    fn each_part_tells_installations_apart() {
        let of = installation;
        let (key, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let names = [
            of(key, "7 16384 public", ""),
            of(other, "7 16384 public", ""),
            of(key, "7 16385 public", ""),
            of(key, "7 16384 public", "staging"),
            of(key, "7 16384", "public"),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
        assert_eq!(names[0], of(key, "7 16384 public", ""));
        assert_eq!(names[0].len(), 32);
    }
}
