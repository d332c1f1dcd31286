//! Stopping the real binary under load: whoever got a connection gets an answer.
//!
//! These tests wait in real time: sockets and processes know no other.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::crash::sandbox;
use crate::harness::posts::{Counts, Posts};
use crate::harness::process::{Service, free_port, refusal_of};

/// Clients with a connection for each post, and clients that keep theirs.
const FRESH: usize = 48;
const KEEPING: usize = 16;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[expect(clippy::print_stdout, reason = "figures for whoever runs it alone")]
fn assert_unbroken((counts, words): &(Counts, Vec<String>), run: &str) {
    println!("{run}: {counts:?} {words:?}");
    assert_eq!(
        (counts.broken, counts.answered),
        (0, 0),
        "{run}: {words:#?}"
    );
}

async fn a_while() {
    tokio::time::sleep(Duration::from_millis(1500)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_answers_whoever_got_a_connection() {
    let sandbox = sandbox().await;
    let mut service = Service::new(sandbox.base_url()).await;
    service.start();
    let acme = service.tenant("acme");
    let port = service.port;
    let posts = Posts::start(&acme, Arc::new(move || at(port)), FRESH, KEEPING);
    a_while().await;
    service.terminate();
    let ended = service.ended().await;
    a_while().await;
    let end = posts.end().await;
    assert_unbroken(&end, "stopped");
    assert!(ended.success(), "{}", service.log());
    // Refused, not silently ignored, once nobody listens.
    assert!(end.0.taken > 200 && end.0.refused > 0, "{:?}", end.0);
    // Each 200 is an event, and nothing else is.
    let kept = service.database.count("events").await;
    assert_eq!(usize::try_from(kept).unwrap(), end.0.taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_inherited_socket_a_restart_breaks_and_refuses_nothing() {
    let sandbox = sandbox().await;
    let mut service = Service::new(sandbox.base_url()).await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // BIND says something else, and does not count.
    assert_ne!(address.port(), service.port);
    service.port = address.port();
    service.start_on(&socket);
    let acme = service.tenant("acme");
    let posts = Posts::start(&acme, Arc::new(move || address), FRESH, KEEPING);
    a_while().await;
    service.terminate();
    assert!(service.ended().await.success(), "{}", service.log());
    let before = posts.counts();
    service.start_on(&socket);
    a_while().await;
    let end = posts.end().await;
    assert_unbroken(&end, "restarted");
    assert_eq!(end.0.refused, 0);
    assert!(
        before.taken > 200 && end.0.taken > before.taken,
        "{before:?}"
    );
    let kept = service.database.count("events").await;
    assert_eq!(usize::try_from(kept).unwrap(), end.0.taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_refuses_before_the_listener_goes_and_answers_close_their_connections() {
    let sandbox = sandbox().await;
    let service = Service::new(sandbox.base_url()).await;
    let mut service = service.with("STOP_DELAY", "2");
    service.start();
    let acme = service.tenant("acme");
    let http = service.http.clone();
    let ready = format!("http://127.0.0.1:{}/readyz", service.port);
    let asked = async || http.get(&ready).send().await;
    let kept = asked().await.unwrap();
    assert_eq!(kept.status(), StatusCode::OK);
    assert!(!kept.headers().contains_key("connection"));
    assert_eq!(kept.text().await.unwrap(), "ready\n");

    service.terminate();
    let told = Instant::now();
    let mut refusals = 0;
    while told.elapsed() < Duration::from_millis(1500) {
        let answer = asked().await.unwrap();
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            refusals += 1;
            assert_eq!(answer.headers()["connection"], "close");
            assert_eq!(answer.text().await.unwrap(), "stopping\n");
            // Who comes all the same is served.
            let body = format!(r#"{{"number":{refusals}}}"#);
            assert!(acme.post("", body.into_bytes()).await.is_some());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(refusals > 3, "{refusals}");
    assert!(service.ended().await.success());
    assert!(told.elapsed() >= Duration::from_secs(2));
    assert!(asked().await.unwrap_err().is_connect());
}

/// Two processes, and before them something that asks `/readyz` five times a second.
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_that_follows_readyz_a_rolling_restart_breaks_and_refuses_nothing() {
    let sandbox = sandbox().await;
    let service = Service::new(sandbox.base_url()).await;
    if !service.database.is_file() {
        let mut service = service.with("STOP_DELAY", "1");
        service.start();
        let acme = service.tenant("acme");
        let (first, second) = (at(service.port), at(free_port()));
        let _beside = service.start_beside(second.port());
        let first_is_ready = Arc::new(AtomicBool::new(true));
        let follows = tokio::spawn(follow(first, first_is_ready.clone()));
        let turn = AtomicBool::new(false);
        let route = move || {
            let is_firsts_turn = turn.fetch_not(Ordering::Relaxed);
            if is_firsts_turn && first_is_ready.load(Ordering::Relaxed) {
                first
            } else {
                second
            }
        };
        let posts = Posts::start(&acme, Arc::new(route), FRESH, KEEPING);
        for _ in 0..2 {
            a_while().await;
            service.terminate();
            assert!(service.ended().await.success(), "{}", service.log());
            service.start();
        }
        a_while().await;
        let end = posts.end().await;
        follows.abort();
        assert_unbroken(&end, "rolled");
        assert_eq!(end.0.refused, 0);
        assert!(end.0.taken > 200);
    }
}

async fn follow(address: SocketAddr, is_ready: Arc<AtomicBool>) {
    let http = ml_connector::http::client().unwrap();
    loop {
        let asked = http.get(format!("http://{address}/readyz")).send().await;
        let answers = asked.is_ok_and(|answer| answer.status() == StatusCode::OK);
        is_ready.store(answers, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_waits_for_nobody() {
    let sandbox = sandbox().await;
    let service = Service::new(sandbox.base_url()).await;
    let mut service = service.with("STOP_DELAY", "60");
    service.start();
    service.terminate();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told = Instant::now();
    service.terminate();
    assert!(service.ended().await.success());
    assert!(
        told.elapsed() < Duration::from_secs(10),
        "{}",
        service.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_listening_socket_is_refused_in_words() {
    let sandbox = sandbox().await;
    let service = Service::new(sandbox.base_url()).await;
    for (count, words) in [("1", "cannot be used"), ("2", "2 sockets were handed over")] {
        let mut command = service.command(&["serve"]);
        command.env("LISTEN_FDS", count);
        let said = refusal_of(command);
        assert!(
            said.contains(words) && said.contains("ListenStream="),
            "{said}"
        );
    }
}
