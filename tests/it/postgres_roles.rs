//! Ways into `PostgreSQL`: what each role needs, what stands in between, and what is said when it is shut.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ml_connector::domain::clock::{Clock as _, SystemClock};
use ml_connector::sandbox::samples::Standing;
use serde_json::Value;

use crate::harness::company::invoice;
use crate::harness::own_postgres::{OwnPostgres, free_address, is_root};
use crate::harness::process::{Service, bare};
use crate::harness::{TestApp, master_key};

/// A service that is not started yet; `None` where tests run on files.
async fn service() -> Option<(TestApp, Service)> {
    let app = TestApp::spawn_in_real_time().await;
    let service = Service::new(app.sandbox.base_url()).await;
    (!service.database.is_file()).then_some((app, service))
}

/// What a command says that must not succeed.
fn refused(url: &str, command: &str) -> String {
    let mut refused = bare(&[command]);
    refused
        .env("DATABASE_URL", url)
        .env("BIND", "127.0.0.1:0")
        .env("MASTER_KEY", master_key());
    let refused = refused.output().unwrap();
    assert!(!refused.status.success(), "{url}");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!said.contains("s3cret"), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_apart_why_it_was_not_let_in() {
    let Some((_app, service)) = service().await else {
        return;
    };
    let url = service.database.url();
    let (server, _) = url.rsplit_once('/').unwrap();
    let nobody = free_address().unwrap();
    for (url, says) in [
        (format!("{server}/nosuch"), "there is no database nosuch"),
        (format!("{url}?sslmode=require"), "does not offer TLS"),
        (
            format!("postgres://me:s3cret@{nobody}/mine"),
            "nobody listens at 127.0.0.1",
        ),
        (
            "postgres://me:s3cret@nosuch.invalid/mine".to_owned(),
            "nosuch.invalid is not known",
        ),
        (
            "postgres://me@localhost/mine?host=/nosuch".to_owned(),
            "the socket at /nosuch",
        ),
    ] {
        let said = refused(&url, "check");
        assert!(said.contains(says), "{url}: {said}");
        assert!(said.contains("what to do:"), "{said}");
    }

    let server = OwnPostgres::start().await;
    server
        .run(&["CREATE ROLE locked LOGIN PASSWORD 'right'"])
        .await;
    let rules = server.ask("current_setting('hba_file')").await;
    let before = fs::read_to_string(&rules).unwrap();
    let first = "host all locked 127.0.0.1/32 scram-sha-256\nhost all nobody 127.0.0.1/32 reject\n";
    fs::write(&rules, format!("{first}{before}")).unwrap();
    server.run(&["SELECT pg_reload_conf()"]).await;
    let (wrong, barred) = (server.url_as("locked:s3cret"), server.url_as("nobody"));
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let said = refused(&wrong, "check");
        if said.contains("refuses the password of the user locked") {
            break;
        }
        assert!(Instant::now() < end, "{said}");
    }
    let said = refused(&barred, "check");
    assert!(said.contains("does not let the user nobody in"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_needs_the_rights_in_the_docs_and_no_more() {
    let app = TestApp::spawn_in_real_time().await;
    if app.database.is_file() {
        return;
    }
    let server = OwnPostgres::start().await;
    server
        .run(&[
            "CREATE ROLE owner LOGIN",
            "CREATE ROLE app LOGIN",
            "CREATE ROLE reader LOGIN",
            "CREATE DATABASE books OWNER owner",
        ])
        .await;
    let url = |role: &str| server.url_as(role).replace("/postgres", "/books");
    let service = Service::new(app.sandbox.base_url())
        .await
        .with("MASTER_KEY", &master_key());
    let service = service.with("DATABASE_URL", &url("owner"));
    // Nobody has made a table yet, and asking makes none.
    let said = String::from_utf8_lossy(&service.run(&["check"], "").stderr).into_owned();
    assert!(said.contains("run `ml-connector migrate`"), "{said}");
    assert!(service.run(&["migrate"], "").status.success());

    let owner = sea_orm::Database::connect(url("owner")).await.unwrap();
    for grant in [
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app",
        "REVOKE INSERT, UPDATE, DELETE ON seaql_migrations, schema_steps FROM app",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    ] {
        let granted = sea_orm::ConnectionTrait::execute_unprepared(&owner, grant);
        granted.await.unwrap();
    }
    owner.close().await.unwrap();

    let mut service = service.with("DATABASE_URL", &url("app"));
    service.start();
    let acme = service.tenant("acme");
    let sent = invoice(1, Standing::Sent, SystemClock.now());
    assert!(acme.post("", sent).await.is_some());
    let all = service.run(&["check", "--json"], "");
    let database = finding(&all.stdout, "Database");
    assert_eq!(
        database["says"],
        "It answers, its schema is up to date, and it writes."
    );

    let service = service.with("DATABASE_URL", &url("reader"));
    let read = service.run(&["check", "--json"], "");
    let database = finding(&read.stdout, "Database");
    assert_eq!(database["good"], true);
    assert!(
        database["says"].as_str().unwrap().contains("only reads"),
        "{database}"
    );
    let said = String::from_utf8_lossy(&read.stdout).into_owned();
    assert!(!said.contains("permission denied"), "{said}");
    assert!(
        !service.log().contains("permission denied"),
        "{}",
        service.log()
    );
}

fn finding(json: &[u8], subject: &str) -> Value {
    let all: Vec<Value> = serde_json::from_slice(json).unwrap();
    let found = all.iter().find(|finding| finding["subject"] == subject);
    found.unwrap_or_else(|| panic!("{all:#?}")).clone()
}

/// A `PgBouncer` before a database.
struct PgBouncer {
    process: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl PgBouncer {
    fn start(database: &str, mode: &str) -> Self {
        let database = url::Url::parse(database).unwrap();
        let (port, listen) = (database.port().unwrap(), free_address().unwrap().port());
        let (user, name) = (database.username(), database.path());
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file = folder.path().join("pgbouncer.ini");
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={port} user={user}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {listen}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = {mode}\ndefault_pool_size = 30\n"
        );
        fs::write(&file, settings).unwrap();
        // It refuses to be root, and Debian keeps it out of the PATH of others.
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];
        let program = program.into_iter().find(|p| fs::exists(p).unwrap());
        let program = program.expect("run ./tests/run: it installs PgBouncer");
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        let process = command
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = process.unwrap();
        let end = Instant::now() + Duration::from_secs(5);
        while std::net::TcpStream::connect(("127.0.0.1", listen)).is_err() {
            assert!(Instant::now() < end, "PgBouncer does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            process,
            url: format!("postgres://{user}@127.0.0.1:{listen}{name}"),
            _folder: folder,
        }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_lends_transactions_is_refused_and_one_that_lends_sessions_serves() {
    let Some((_app, service)) = service().await else {
        return;
    };
    for mode in ["transaction", "statement"] {
        let pooler = PgBouncer::start(&service.database.url(), mode);
        for command in ["serve", "work", "migrate", "check"] {
            let said = refused(&pooler.url, command);
            assert!(said.contains("a pooler stands in between"), "{said}");
            assert!(said.contains("pool_mode = session"), "{said}");
        }
    }
    let pooler = PgBouncer::start(&service.database.url(), "session");
    let mut service = service.with("DATABASE_URL", &pooler.url);
    service.start();
    let acme = service.tenant("acme");
    for seed in 0..50 {
        let sent = invoice(seed, Standing::Sent, SystemClock.now());
        assert!(acme.post("", sent).await.is_some());
    }
    service.kill();
}
