//! Several processes on one Redis.

use futures::FutureExt as _;

use super::super::*;
use super::bench::{BackEnd, Bench, ONE, go, refused, seconds};

fn bench(limits: Limits) -> Option<Bench> {
    Bench::new(BackEnd::Redis, limits)
}

#[tokio::test]
async fn processes_share_what_is_in_flight() {
    let Some(one) = bench(Limits::careful()) else {
        return;
    };
    let other = one.other_process();
    let mut permits = Vec::new();
    for _ in 0..10 {
        permits.push(one.go().await);
        permits.push(go(&other).await);
    }
    assert_eq!(one.refused().await.1, Reason::Concurrency);
    assert_eq!(refused(&other).await.1, Reason::Concurrency);
    assert_eq!(other.status(ONE).await.in_flight, 20);
    permits.swap_remove(0).succeeded().await;
    go(&other).await.succeeded().await;
}

#[tokio::test]
async fn processes_share_pauses_and_releases() {
    let Some(one) = bench(Limits::careful()) else {
        return;
    };
    let other = one.other_process();
    let early = go(&other).await;
    one.go().await.throttled(Some(seconds(60))).await;
    assert_eq!(refused(&other).await.1, Reason::Paused);
    let left = early.throttled(None).await;
    assert_eq!(left, seconds(60), "one burst of 429 is one pause");
    other.release(ONE).await;
    one.go().await.succeeded().await;
}

#[tokio::test]
async fn processes_share_the_breaker_and_its_probe() {
    let Some(one) = bench(Limits::careful()) else {
        return;
    };
    let other = one.other_process();
    for _ in 0..2 {
        one.go().await.failed().await;
        go(&other).await.failed().await;
    }
    assert_eq!(other.status(ONE).await.breaker, BreakerState::Closed);
    one.go().await.failed().await;
    assert_eq!(refused(&other).await.1, Reason::Broken);
    one.pass(seconds(5));
    let probe = go(&other).await;
    assert_eq!(one.refused().await.1, Reason::Broken, "one probe for all");
    probe.succeeded().await;
    one.go().await.succeeded().await;
}

#[tokio::test]
async fn processes_share_the_rate() {
    let limits = Limits {
        concurrency: 1000,
        ..Limits::zoho_books()
    };
    let Some(one) = bench(limits) else {
        return;
    };
    let other = one.other_process();
    for _ in 0..5 {
        one.go().await.succeeded().await;
        go(&other).await.succeeded().await;
    }
    assert_eq!(one.refused().await.1, Reason::Rate);
    assert_eq!(refused(&other).await.1, Reason::Rate);
    one.pass(Duration::from_mins(1) / 90);
    go(&other).await.succeeded().await;
    assert_eq!(one.refused().await.1, Reason::Rate);
}

#[tokio::test]
async fn those_refused_by_several_processes_stand_in_one_line() {
    let Some(one) = bench(Limits::careful()) else {
        return;
    };
    let other = one.other_process();
    let _permits = one.go_all(20).await;
    let mut waits = Vec::new();
    for _ in 0..100 {
        waits.push(one.refused().await.0);
        waits.push(refused(&other).await.0);
    }
    assert!(waits.is_sorted());
    waits.dedup();
    assert_eq!(waits.len(), 200, "no two come back at once");
}

#[tokio::test]
async fn what_a_killed_process_had_in_flight_is_given_up() {
    let Some(one) = bench(Limits::careful()) else {
        return;
    };
    let killed = one.other_process();
    for _ in 0..20 {
        std::mem::forget(go(&killed).await);
    }
    one.pass(seconds(44));
    assert_eq!(one.refused().await.1, Reason::Concurrency);
    one.pass(seconds(1));
    assert_eq!(one.brakes.status(ONE).await.in_flight, 0);
    let _permits = one.go_all(20).await;
}

#[tokio::test]
async fn a_killed_process_loses_its_probe() {
    let Some(one) = bench(Limits::careful()) else {
        return;
    };
    let killed = one.other_process();
    for _ in 0..5 {
        one.go().await.failed().await;
    }
    one.pass(seconds(5));
    std::mem::forget(go(&killed).await);
    assert_eq!(one.refused().await.1, Reason::Broken);
    one.pass(seconds(45));
    one.go().await.succeeded().await;
    assert_eq!(one.brakes.status(ONE).await.breaker, BreakerState::Closed);
}

#[tokio::test]
async fn who_goes_away_while_asking_leaves_no_permit() {
    let Some(one) = bench(Limits::careful()) else {
        return;
    };
    one.go().await.succeeded().await;
    for _ in 0..20 {
        assert!(one.brakes.admit(ONE).now_or_never().is_none());
    }
    one.in_flight(0).await;
    assert!(one.go().await.succeeded().now_or_never().is_none());
    one.in_flight(0).await;
}

#[tokio::test]
async fn each_step_is_one_command_and_nothing_else_is_asked() {
    let Some(mut one) = Bench::on_own_server(Limits::zoho_books()) else {
        return;
    };
    one.go().await.succeeded().await;
    let server = one.server();
    server.ask::<()>(&["CONFIG", "RESETSTAT"]).await;
    for _ in 0..5 {
        one.go().await.failed().await;
    }
    for _ in 0..5 {
        one.refused().await;
    }
    one.pass(seconds(86_400));
    let stats: String = one.server().ask(&["INFO", "commandstats"]).await;
    let calls = |command: &str| {
        let line = stats
            .lines()
            .find(|line| line.starts_with(&format!("cmdstat_{command}:")))?;
        let calls = line.split("calls=").nth(1)?.split(',').next()?;
        calls.parse::<u32>().ok()
    };
    assert_eq!(calls("evalsha"), Some(5 + 5 + 5), "{stats}");
    for other in ["eval", "ping", "unwatch", "set", "script"] {
        assert_eq!(calls(other), None, "{stats}");
    }
}

#[tokio::test]
async fn every_key_expires() {
    let Some(mut one) = Bench::on_own_server(Limits::zoho_books()) else {
        return;
    };
    for _ in 0..5 {
        one.go().await.failed().await;
    }
    one.pass(seconds(10));
    let _probe = one.go().await;
    one.refused().await;
    let server = one.server();
    let keys: Vec<String> = server.ask(&["KEYS", "*"]).await;
    let brake = |key: &String| key.contains(":tests:");
    assert_eq!(keys.iter().filter(|key| brake(key)).count(), 3, "{keys:?}");
    for key in keys {
        let left: i64 = server.ask(&["PTTL", &key]).await;
        assert!(left > 0 && left <= 1000 * (600 + 45 + 10), "{key}: {left}");
    }
}
