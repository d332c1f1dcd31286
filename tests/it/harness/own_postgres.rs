//! A `PostgreSQL` server of a test's own, for what would break the one that all tests share.

#[expect(dead_code, reason = "tests/chaos uses all of it")]
#[path = "../../chaos/servers/postgres.rs"]
mod server;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::Command;

use ml_connector::config::environment;
use sea_orm::{ConnectionTrait as _, Database, Statement};
use tempfile::TempDir;

use super::process::Service;
use super::{TestApp, master_key};

/// Gone when dropped.
pub(crate) struct OwnPostgres {
    server: server::Postgres,
    _folder: TempDir,
}

impl OwnPostgres {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server may be another user's.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let user = is_root().then_some("postgres");
        let server = server::Postgres::start(&tools(), user, folder.path()).await;
        Self {
            server: server.unwrap(),
            _folder: folder,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// The same as another role.
    pub(crate) fn url_as(&self, role: &str) -> String {
        self.url().replace("//chaos@", &format!("//{role}@"))
    }

    /// Runs statements, each on its own.
    pub(crate) async fn run(&self, statements: &[&str]) {
        let db = Database::connect(self.url()).await.unwrap();
        for statement in statements {
            db.execute_unprepared(statement).await.unwrap();
        }
        db.close().await.unwrap();
    }

    /// The first column of the first row, as text.
    pub(crate) async fn ask(&self, query: &str) -> String {
        let db = Database::connect(self.url()).await.unwrap();
        let query = format!("SELECT ({query})::text AS answer");
        let statement = Statement::from_string(db.get_database_backend(), query);
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        db.close().await.unwrap();
        row.try_get("", "answer").unwrap()
    }

    /// Changes a setting while it runs; `None` takes the change back.
    pub(crate) async fn set(&self, name: &str, value: Option<&str>) {
        let alter = match value {
            Some(value) => format!("ALTER SYSTEM SET {name} = {value}"),
            None => format!("ALTER SYSTEM RESET {name}"),
        };
        self.run(&[&alter, "SELECT pg_reload_conf()"]).await;
    }

    /// Stops all of its processes in their tracks until the answer is dropped.
    pub(crate) fn freeze(&self) -> Frozen {
        let first = self.server.id().expect("it runs");
        let mut all = vec![first];
        all.extend(children(first));
        signal("-STOP", &all);
        Frozen(all)
    }

    /// A service on it, with the schema.
    pub(crate) async fn service(&self, app: &TestApp) -> Service {
        let service = Service::new(app.sandbox.base_url()).await;
        let service = service
            .with("DATABASE_URL", &self.url())
            .with("MASTER_KEY", &master_key());
        let done = service.run(&["migrate"], "");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{said}");
        service
    }
}

/// Processes that stand still.
pub(crate) struct Frozen(Vec<u32>);

impl Drop for Frozen {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// An address that nobody listens on: the system's choice, given back at once.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The folder of the server's programs, which Debian keeps out of `PATH`.
fn tools() -> PathBuf {
    let path = environment("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path);
    let mut debians: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    debians.sort();
    let mut all = in_path.chain(debians.into_iter().rev());
    all.find(|folder| folder.join("initdb").is_file())
        .expect("run ./tests/run: it installs PostgreSQL")
}

fn children(parent: u32) -> Vec<u32> {
    let parent = format!("PPid:\t{parent}");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        status.lines().any(|line| line == parent)
    })
    .collect()
}

fn signal(which: &str, processes: &[u32]) {
    let mut kill = Command::new("kill");
    kill.arg(which).args(processes.iter().map(u32::to_string));
    kill.status().unwrap();
}
