//! Redis gone, hanging, empty, and back.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tracing_subscriber::fmt::MakeWriter;
use url::Url;

use super::super::*;
use super::bench::{Bench, ONE, goes_or, refused, seconds};
use crate::config::environment;
use crate::testing::slow_relay::SlowRelay;

/// A call waits a quarter of a second; the machine may be busy.
const BOUND: Duration = Duration::from_millis(600);

fn bench() -> Option<Bench> {
    Bench::on_own_server(Limits::careful())
}

async fn is_alone(bench: &Bench) -> bool {
    bench.brakes.status(ONE).await.is_alone
}

#[tokio::test]
async fn without_redis_a_process_keeps_to_its_share_and_comes_back() {
    let Some(mut bench) = bench() else {
        return;
    };
    let before = bench.go_all(3).await;
    bench.server().kill();
    let began = Instant::now();
    let mut alone = bench.go_all(2).await;
    assert_eq!(bench.refused().await.1, Reason::Concurrency);
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    assert!(is_alone(&bench).await);
    for permit in before {
        permit.succeeded().await;
    }
    alone.extend(bench.go_all(3).await);
    assert_eq!(bench.refused().await.1, Reason::Concurrency);

    bench.server().restart();
    assert_eq!(
        bench.refused().await.1,
        Reason::Concurrency,
        "not asked yet"
    );
    bench.pass(seconds(1));
    let shared = bench.go_all(20).await;
    let status = bench.brakes.status(ONE).await;
    assert_eq!((status.in_flight, status.is_alone), (20, false));
    for permit in alone {
        permit.succeeded().await;
    }
    assert_eq!(bench.refused().await.1, Reason::Concurrency);
    drop(shared);
    bench.in_flight(0).await;
}

#[tokio::test]
async fn a_pause_and_a_breaker_outlive_redis_in_the_process() {
    let Some(mut bench) = bench() else {
        return;
    };
    let other = bench.other_process();
    bench.go().await.throttled(Some(seconds(60))).await;
    assert_eq!(refused(&other).await.1, Reason::Paused);
    bench.server().kill();
    assert_eq!(bench.refused().await.1, Reason::Paused);
    assert_eq!(refused(&other).await.1, Reason::Paused, "it was told");
    bench.pass(seconds(60));
    for _ in 0..5 {
        bench.go().await.failed().await;
    }
    assert_eq!(bench.refused().await.1, Reason::Broken);
}

#[tokio::test]
async fn what_redis_did_not_hear_it_is_told_later() {
    let Some(mut bench) = bench() else {
        return;
    };
    let other = bench.other_process();
    let permit = bench.go().await;
    let frozen = bench.go_all(2).await;
    bench.server().freeze();
    assert_eq!(permit.throttled(Some(seconds(60))).await, seconds(60));
    drop(frozen);
    bench.server().thaw();
    bench.pass(seconds(1));
    drop(goes_or(&bench.brakes).await);
    bench.in_flight(0).await;
    assert_eq!(refused(&other).await.1, Reason::Paused);
    bench.server().kill();
    bench.brakes.release(ONE).await;
    bench.server().restart();
    bench.pass(seconds(1));
    bench.go().await.succeeded().await;
}

#[tokio::test]
async fn a_hanging_redis_slows_one_call_a_second() {
    let Some(mut bench) = bench() else {
        return;
    };
    bench.go().await.succeeded().await;
    bench.server().freeze();
    for _ in 0..2 {
        let began = Instant::now();
        bench.go().await.succeeded().await;
        assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
        let began = Instant::now();
        for _ in 0..200 {
            bench.go().await.succeeded().await;
        }
        assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
        bench.pass(seconds(1));
    }
    bench.server().thaw();
    bench.pass(seconds(1));
    let _permits = bench.go_all(20).await;
    assert!(!is_alone(&bench).await);
}

#[tokio::test]
async fn an_emptied_redis_does_no_harm() {
    let Some(mut bench) = bench() else {
        return;
    };
    bench.go().await.throttled(None).await;
    bench.pass(seconds(1));
    let mut permits = bench.go_all(20).await;
    bench.server().ask::<()>(&["FLUSHALL"]).await;
    permits.extend(bench.go_all(20).await);
    assert_eq!(bench.refused().await.1, Reason::Concurrency);
    let late = permits.split_off(20);
    let early = permits.pop().unwrap();
    for permit in permits {
        permit.succeeded().await;
    }
    assert_eq!(bench.brakes.status(ONE).await.in_flight, 20);
    let pause = early.throttled(None).await;
    assert!(!pause.is_zero(), "a call from before is believed");
    bench.server().ask::<()>(&["FLUSHALL"]).await;
    for permit in late {
        permit.failed().await;
    }
    assert_eq!(bench.brakes.status(ONE).await.in_flight, 0);
    assert_eq!(bench.refused().await.1, Reason::Broken);
}

#[tokio::test]
async fn a_redis_that_takes_nothing_is_as_good_as_gone() {
    let Some(mut bench) = bench() else {
        return;
    };
    bench.go().await.succeeded().await;
    // A copy of a server that is gone answers, but writes nothing.
    bench
        .server()
        .ask::<()>(&["REPLICAOF", "127.0.0.1", "1"])
        .await;
    let _permits = bench.go_all(5).await;
    assert_eq!(bench.refused().await.1, Reason::Concurrency);
    bench.pass(seconds(1));
    assert_eq!(bench.refused().await.1, Reason::Concurrency);
    assert!(is_alone(&bench).await);
}

#[tokio::test]
async fn the_log_tells_each_change_once() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let Some(mut bench) = bench() else {
        return;
    };
    for _ in 0..2 {
        bench.go().await.succeeded().await;
        bench.server().kill();
        for _ in 0..5 {
            bench.go().await.succeeded().await;
            bench.pass(seconds(1));
        }
        bench.server().restart();
        bench.pass(seconds(1));
    }
    bench.go().await.succeeded().await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    for pair in lines.chunks(2) {
        assert!(pair[0].contains("cannot ask Redis"), "{text}");
        assert!(pair[1].contains("shared through Redis again"), "{text}");
    }
}

#[tokio::test]
async fn a_slow_redis_is_as_good_as_gone_and_the_log_tells_it_once() {
    let url = environment("TEST_REDIS_URL").and_then(|url| Url::parse(&url).ok());
    let Some(port) = url.and_then(|url| url.port()) else {
        println!("TEST_REDIS_URL names no server: not tested with a slow one");
        return;
    };
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let relay = SlowRelay::to(port).await;
    let url = format!("redis://127.0.0.1:{}", relay.port);
    let namespace = Uuid::new_v4().simple().to_string();
    let redis = Redis::open(&url.into(), &namespace).unwrap();
    let bench = Bench::on(Some(redis), Limits::careful());
    bench.go().await.succeeded().await;
    assert!(!is_alone(&bench).await);
    // Connecting takes less than the second that it may, and each answer more than a call waits.
    relay.delay(Duration::from_millis(150));
    for _ in 0..3 {
        bench.go().await.succeeded().await;
        tokio::time::sleep(Duration::from_millis(800)).await;
        bench.pass(seconds(1));
    }
    relay.delay(Duration::ZERO);
    bench.pass(seconds(1));
    bench.go().await.succeeded().await;
    assert!(!is_alone(&bench).await);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("brakes"))
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
}

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
