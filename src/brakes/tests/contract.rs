//! The brakes as a sender meets them, in the process and in Redis.

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::super::*;
use super::bench::{BackEnd, Bench, ONE, seconds};
use super::server::Place;
use crate::domain::clock::Clock;

/// Runs each of the tests below on both back ends.
macro_rules! on_both {
    ($($name:ident: $limits:expr,)*) => {
        mod in_process {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                super::$name(Bench::new(BackEnd::InProcess, $limits).unwrap()).await;
            })*
        }
        mod in_redis {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                if let Some(bench) = Bench::new(BackEnd::Redis, $limits) {
                    super::$name(bench).await;
                }
            })*
        }
    };
}

on_both! {
    no_more_calls_are_in_flight_than_allowed: Limits::careful(),
    one_connections_brakes_do_not_hold_anothers: Limits::careful(),
    pauses_double_up_to_the_cap_and_a_success_begins_anew: Limits::careful(),
    calls_that_meet_one_429_together_pause_once: Limits::careful(),
    a_retry_after_is_honoured_but_not_for_ever: Limits::careful(),
    a_pause_from_the_database_holds: Limits::careful(),
    failures_in_a_row_open_the_breaker_and_a_probe_closes_it: Limits::careful(),
    a_failed_probe_opens_for_longer_and_a_dropped_one_makes_room: Limits::careful(),
    the_rate_is_kept_over_any_minute: Limits { concurrency: 1000, ..Limits::zoho_books() },
    a_refused_backlog_comes_back_spread_out: Limits::careful(),
    an_idle_connection_is_forgotten: Limits::careful(),
}

async fn no_more_calls_are_in_flight_than_allowed(bench: Bench) {
    let mut permits = bench.go_all(20).await;
    assert_eq!(bench.refused().await.1, Reason::Concurrency);
    assert_eq!(bench.brakes.status(ONE).await.in_flight, 20);
    permits.pop().unwrap().succeeded().await;
    drop(permits.pop());
    bench.in_flight(18).await;
    let _two = (bench.go().await, bench.go().await);
    assert_eq!(bench.refused().await.1, Reason::Concurrency);
}

async fn one_connections_brakes_do_not_hold_anothers(bench: Bench) {
    bench.go().await.throttled(None).await;
    assert_eq!(bench.refused().await.1, Reason::Paused);
    let other = bench.brakes.admit(Uuid::from_u128(2)).await;
    assert!(matches!(other, Admission::Go(_)));
}

async fn pauses_double_up_to_the_cap_and_a_success_begins_anew(bench: Bench) {
    let mut expected = Duration::from_millis(100);
    for _ in 0..12 {
        let pause = bench.go().await.throttled(None).await;
        assert!(
            (expected / 2..=expected).contains(&pause),
            "{pause:?} of {expected:?}"
        );
        let (wait, reason) = bench.refused().await;
        assert!(wait >= pause && reason == Reason::Paused);
        bench.pass(pause);
        expected = (expected * 2).min(seconds(30));
    }
    bench.go().await.succeeded().await;
    assert!(bench.go().await.throttled(None).await <= Duration::from_millis(100));
}

async fn calls_that_meet_one_429_together_pause_once(bench: Bench) {
    let permits = bench.go_all(20).await;
    for permit in permits {
        assert!(permit.throttled(None).await <= Duration::from_millis(100));
    }
    bench.pass(Duration::from_millis(100));
    let second = bench.go().await.throttled(None).await;
    assert!(second >= Duration::from_millis(100) && second <= Duration::from_millis(200));
}

async fn a_retry_after_is_honoured_but_not_for_ever(bench: Bench) {
    let permits = (bench.go().await, bench.go().await);
    assert_eq!(permits.0.throttled(Some(seconds(9))).await, seconds(9));
    assert_eq!(
        permits.1.throttled(Some(seconds(12))).await,
        seconds(12),
        "the longer one wins"
    );
    bench.pass(seconds(12));
    assert_eq!(
        bench.go().await.throttled(Some(Duration::MAX)).await,
        seconds(3600)
    );
}

async fn a_pause_from_the_database_holds(bench: Bench) {
    bench
        .brakes
        .pause_until(ONE, later(bench.clock.now(), seconds(60)))
        .await;
    bench.brakes.pause_until(ONE, bench.clock.now()).await;
    assert_eq!(bench.refused().await, (seconds(60), Reason::Paused));
    bench.brakes.release(ONE).await;
    bench.go().await.succeeded().await;
}

async fn failures_in_a_row_open_the_breaker_and_a_probe_closes_it(bench: Bench) {
    for _ in 0..4 {
        bench.go().await.failed().await;
    }
    bench.go().await.succeeded().await;
    for _ in 0..5 {
        bench.go().await.failed().await;
    }
    let BreakerState::Open { until } = bench.brakes.status(ONE).await.breaker else {
        panic!("still closed")
    };
    assert!(left(bench.clock.now(), until) <= seconds(5));
    assert_eq!(bench.refused().await.1, Reason::Broken);
    bench.pass(seconds(5));
    assert_eq!(
        bench.brakes.status(ONE).await.breaker,
        BreakerState::HalfOpen
    );
    let probe = bench.go().await;
    assert_eq!(
        bench.refused().await.1,
        Reason::Broken,
        "one probe at a time"
    );
    probe.succeeded().await;
    assert_eq!(bench.brakes.status(ONE).await.breaker, BreakerState::Closed);
    bench.go().await.succeeded().await;
}

async fn a_failed_probe_opens_for_longer_and_a_dropped_one_makes_room(bench: Bench) {
    let early = bench.go().await;
    for _ in 0..5 {
        bench.go().await.failed().await;
    }
    bench.pass(seconds(5));
    drop(bench.go().await);
    bench.in_flight(1).await;
    bench.go().await.failed().await;
    let BreakerState::Open { until } = bench.brakes.status(ONE).await.breaker else {
        panic!("not open")
    };
    assert!((seconds(5)..=seconds(10)).contains(&left(bench.clock.now(), until)));
    early.succeeded().await;
    assert_eq!(
        bench.refused().await.1,
        Reason::Broken,
        "an old answer proves nothing"
    );
    bench.pass(seconds(10));
    bench.go().await.throttled(None).await;
    assert_eq!(
        bench.brakes.status(ONE).await.breaker,
        BreakerState::Closed,
        "it answers"
    );
}

async fn the_rate_is_kept_over_any_minute(bench: Bench) {
    let mut calls = Vec::new();
    for _ in 0..1200 {
        while let Admission::Go(permit) = bench.brakes.admit(ONE).await {
            permit.succeeded().await;
            calls.push(bench.clock.now());
        }
        assert_eq!(bench.refused().await.1, Reason::Rate);
        bench.clock.advance(TimeDelta::milliseconds(100));
    }
    let busiest = calls
        .iter()
        .map(|from| {
            calls
                .iter()
                .filter(|at| *at >= from && **at < *from + span(seconds(60)))
                .count()
        })
        .max();
    assert_eq!(calls.len(), 10 + 179, "a burst, then three in two seconds");
    assert!(busiest.is_some_and(|busiest| busiest <= 100), "{busiest:?}");
}

async fn a_refused_backlog_comes_back_spread_out(bench: Bench) {
    let _permits = bench.go_all(20).await;
    let mut waits = Vec::new();
    for _ in 0..10_000 {
        waits.push(bench.refused().await.0);
    }
    assert!(waits.iter().all(|wait| *wait <= LONGEST_WAIT));
    waits.sort();
    let in_one_second = |at: u64| {
        waits
            .iter()
            .filter(|wait| (seconds(at)..seconds(at + 1)).contains(*wait))
            .count()
    };
    let busiest = (0..31).map(in_one_second).max().unwrap();
    assert!(busiest < 500, "{busiest} knock within one second");
}

/// What the line holds, and a step.
const LONGEST_WAIT: Duration = Duration::from_secs(31);

async fn an_idle_connection_is_forgotten(bench: Bench) {
    for _ in 0..4 {
        bench.go().await.failed().await;
    }
    bench.pass(seconds(600));
    bench.go().await.failed().await;
    assert_eq!(
        bench.brakes.status(ONE).await.breaker,
        BreakerState::Closed,
        "four failures of long ago do not count"
    );
}

#[tokio::test]
async fn idle_connections_take_no_room_and_busy_ones_do() {
    let bench = Bench::new(BackEnd::InProcess, Limits::careful()).unwrap();
    for n in 2..1000 {
        drop(bench.brakes.admit(Uuid::from_u128(n)).await);
    }
    let busy = bench.go().await;
    let until = later(bench.clock.now(), seconds(3000));
    bench.brakes.pause_until(Uuid::from_u128(2), until).await;
    assert_eq!(bench.brakes.remembered(), 999);
    bench.pass(seconds(600));
    drop(bench.brakes.admit(Uuid::from_u128(5000)).await);
    assert_eq!(bench.brakes.remembered(), 3);
    busy.succeeded().await;
}

#[derive(Debug, Clone)]
enum Move {
    Ask,
    End(usize, u8),
    Pass(u16),
}

fn moves(most: usize) -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(
        prop_oneof![
            3 => Just(Move::Ask),
            2 => (any::<usize>(), 0_u8..4).prop_map(|(which, how)| Move::End(which, how)),
            1 => (0_u16..20_000).prop_map(Move::Pass),
        ],
        0..most,
    )
}

/// Whatever providers do: never more in flight than allowed, no permit lost, and after a quiet day
/// a call goes.
async fn permits_are_counted(bench: &Bench, moves: Vec<Move>) -> Result<(), TestCaseError> {
    let mut held = Vec::new();
    for made in moves {
        match made {
            Move::Ask => match bench.brakes.admit(ONE).await {
                Admission::Go(permit) => held.push(permit),
                Admission::Wait(wait, _) => prop_assert!(!wait.is_zero()),
            },
            Move::End(which, how) if !held.is_empty() => {
                let permit = held.swap_remove(which % held.len());
                match how {
                    0 => permit.succeeded().await,
                    1 => permit.failed().await,
                    2 => {
                        permit.throttled(None).await;
                    }
                    _ => {
                        drop(permit);
                        bench.in_flight(held.len()).await;
                    }
                }
            }
            Move::End(..) => {}
            Move::Pass(millis) => bench.clock.advance(TimeDelta::milliseconds(millis.into())),
        }
        prop_assert!(held.len() <= 3);
        prop_assert_eq!(bench.brakes.status(ONE).await.in_flight, held.len());
    }
    held.clear();
    bench.in_flight(0).await;
    bench.clock.advance(TimeDelta::days(1));
    bench.go().await.succeeded().await;
    prop_assert_eq!(bench.brakes.status(ONE).await.in_flight, 0);
    Ok(())
}

fn few_at_a_time() -> Limits {
    Limits {
        concurrency: 3,
        // Held for hours here.
        permit_life: Duration::from_hours(10_000),
        ..Limits::zoho_books()
    }
}

#[test]
fn permits_are_counted_whatever_happens_in_the_process() {
    let runtime = Runtime::new().unwrap();
    proptest!(|(moves in moves(300))| {
        let bench = Bench::new(BackEnd::InProcess, few_at_a_time()).unwrap();
        runtime.block_on(permits_are_counted(&bench, moves))?;
    });
}

#[test]
fn permits_are_counted_whatever_happens_in_redis() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let Some(place) = Place::find() else {
        return;
    };
    proptest!(ProptestConfig::with_cases(32), |(moves in moves(200))| {
        let bench = Bench::on(Some(place.open()), few_at_a_time());
        runtime.block_on(permits_are_counted(&bench, moves))?;
    });
}
