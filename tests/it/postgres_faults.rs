//! What a `PostgreSQL` server can do to us while we serve: whoever posts hears within ten seconds, nothing
//! is acknowledged that could be lost, and work goes on within ten seconds of the fault's end.
//!
//! These tests wait in real time: a session that is frozen cannot be told another time.

use std::time::{Duration, Instant};

use futures::future::join_all;
use ml_connector::domain::clock::{Clock as _, SystemClock};
use ml_connector::sandbox::samples::Standing;
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use sea_orm::{ConnectionTrait as _, Database, TransactionTrait as _};

use crate::harness::TestApp;
use crate::harness::company::invoice;
use crate::harness::own_postgres::OwnPostgres;
use crate::harness::process::{Service, Tenant};

const PROMISED: Duration = Duration::from_secs(10);

fn body(seed: u64) -> Vec<u8> {
    invoice(seed, Standing::Sent, SystemClock.now())
}

/// A service on the shared server; `None` where tests run on files.
async fn service() -> Option<(TestApp, Service)> {
    let app = TestApp::spawn_in_real_time().await;
    let service = Service::new(app.sandbox.base_url()).await;
    (!service.database.is_file()).then_some((app, service))
}

/// A service on a server of its own, with one tenant; `None` where tests run on files.
async fn alone() -> Option<(OwnPostgres, Service, Tenant)> {
    let app = TestApp::spawn_in_real_time().await;
    if app.database.is_file() {
        return None;
    }
    let server = OwnPostgres::start().await;
    let mut service = server.service(&app).await;
    service.start();
    let acme = service.tenant("acme");
    assert!(acme.post("", body(0)).await.is_some());
    Some((server, service, acme))
}

/// Posts many while nothing can be kept: each is told so in time, and when to try again.
async fn all_are_refused_in_time(acme: &Tenant, seeds: std::ops::Range<u64>) {
    let posts = seeds.map(async |seed| {
        // Some come while the first ones are already tried.
        tokio::time::sleep(Duration::from_millis(30 * (seed % 40))).await;
        let began = Instant::now();
        let answer = acme.try_post("", body(seed)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key(RETRY_AFTER));
        began.elapsed()
    });
    let longest = join_all(posts).await.into_iter().max().unwrap();
    assert!(longest < PROMISED, "{longest:?}");
}

/// Posts until one is taken.
async fn is_taken_in_time(acme: &Tenant, seed: u64) {
    let began = Instant::now();
    while acme.post("", body(seed)).await.is_none() {
        assert!(began.elapsed() < PROMISED, "{:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits for a line in the log.
async fn says(service: &Service, words: &str) {
    let end = Instant::now() + PROMISED;
    while !service.log().contains(words) {
        assert!(Instant::now() < end, "{words}: {}", service.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_began_read_only_are_not_used_once_the_database_is_writable() {
    let Some((_app, mut service)) = service().await else {
        return;
    };
    service.start();
    let acme = service.tenant("acme");
    assert!(acme.post("", body(1)).await.is_some());
    let url = service.database.url();
    let (_, name) = url.rsplit_once('/').unwrap();
    let database = &service.database;
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    database.run(&read_only).await;
    // Every session that begins now stays read-only for as long as it lasts.
    let end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.run(end_all).await;
    all_are_refused_in_time(&acme, 100..160).await;
    let back = format!(
        "BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT"
    );
    database.run(&back).await;
    is_taken_in_time(&acme, 200).await;
    for seed in 201..260 {
        assert!(acme.post("", body(seed)).await.is_some(), "{seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_somebody_locks_keeps_nobody_waiting() {
    let Some((_app, mut service)) = service().await else {
        return;
    };
    service.start();
    let acme = service.tenant("acme");
    assert!(acme.post("", body(1)).await.is_some());
    let stranger = Database::connect(service.database.url()).await.unwrap();
    let held = stranger.begin().await.unwrap();
    let lock = "LOCK TABLE events IN ACCESS EXCLUSIVE MODE";
    held.execute_unprepared(lock).await.unwrap();
    all_are_refused_in_time(&acme, 100..200).await;
    held.rollback().await.unwrap();
    is_taken_in_time(&acme, 300).await;
    assert!(!service.log().contains("trying each alone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_keeps_nobody_waiting() {
    let Some((server, service, acme)) = alone().await else {
        return;
    };
    let frozen = server.freeze();
    all_are_refused_in_time(&acme, 100..200).await;
    drop(frozen);
    is_taken_in_time(&acme, 300).await;
    assert!(!service.log().contains("trying each alone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_to_forget_is_refused_until_it_does_not() {
    let Some((server, service, acme)) = alone().await else {
        return;
    };
    // What our own sessions set for themselves is no danger, but it is told.
    server.set("synchronous_commit", Some("off")).await;
    says(&service, "synchronous_commit = off").await;
    assert!(acme.post("", body(1)).await.is_some());
    server.set("synchronous_commit", None).await;
    says(&service, "No longer so: PostgreSQL has synchronous_commit").await;

    server.set("fsync", Some("off")).await;
    says(&service, "Nothing is written: PostgreSQL has fsync = off").await;
    all_are_refused_in_time(&acme, 100..110).await;
    server.set("fsync", None).await;
    is_taken_in_time(&acme, 2).await;
    let told = service.log().matches("Nothing is written").count();
    assert_eq!(told, 1, "once, not at each look");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_is_waited_for_in_vain_is_named_and_takes_no_sessions_with_it() {
    let Some((server, service, acme)) = alone().await else {
        return;
    };
    server
        .set("synchronous_standby_names", Some("nobody"))
        .await;
    all_are_refused_in_time(&acme, 100..140).await;
    says(&service, "waits for a synchronous standby").await;
    let began = Instant::now();
    all_are_refused_in_time(&acme, 140..180).await;
    assert!(began.elapsed() < Duration::from_secs(5), "known by now");
    let sessions = server.ask("SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    let sessions: u32 = sessions.await.parse().unwrap();
    assert!(sessions <= 14, "{sessions} sessions wait");
    server.set("synchronous_standby_names", None).await;
    is_taken_in_time(&acme, 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_in_a_crash_is_refused_at_the_start() {
    let app = TestApp::spawn_in_real_time().await;
    if app.database.is_file() {
        return;
    }
    let server = OwnPostgres::start().await;
    let service = server.service(&app).await;
    server.set("fsync", Some("off")).await;
    for command in [&["serve"][..], &["work"], &["migrate"], &["check"]] {
        let refused = service.run(command, "");
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("fsync = off"), "{said}");
        assert!(said.contains("ALTER SYSTEM SET fsync = on"), "{said}");
    }
}
