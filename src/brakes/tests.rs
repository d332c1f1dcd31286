//! The brakes as a sender meets them; time stands still unless moved.

use proptest::prelude::*;
use rand::SeedableRng;

use super::*;
use crate::domain::clock::{Clock, FixedClock};

const ONE: Uuid = Uuid::from_u128(1);

fn brakes(limits: Limits) -> (Brakes, Arc<FixedClock>) {
    let clock = Arc::new(FixedClock::at(
        DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
    ));
    (
        Brakes::new(limits, clock.clone(), StdRng::seed_from_u64(7)),
        clock,
    )
}

fn go(brakes: &Brakes) -> Permit {
    match brakes.admit(ONE) {
        Admission::Go(permit) => permit,
        Admission::Wait(wait, reason) => panic!("refused for {wait:?}: {reason}"),
    }
}

fn refused(brakes: &Brakes) -> (Duration, Reason) {
    match brakes.admit(ONE) {
        Admission::Go(_) => panic!("let go"),
        Admission::Wait(wait, reason) => (wait, reason),
    }
}

fn pass(clock: &FixedClock, wait: Duration) {
    clock.advance(span(wait) + TimeDelta::microseconds(1));
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

#[test]
fn no_more_calls_are_in_flight_than_allowed() {
    let (brakes, _) = brakes(Limits::twilio());
    let mut permits: Vec<_> = (0..20).map(|_| go(&brakes)).collect();
    assert_eq!(refused(&brakes).1, Reason::Concurrency);
    assert_eq!(brakes.status(ONE).in_flight, 20);
    permits.pop().unwrap().succeeded();
    drop(permits.pop());
    let _two = (go(&brakes), go(&brakes));
    assert_eq!(refused(&brakes).1, Reason::Concurrency);
}

#[test]
fn one_connections_brakes_do_not_hold_anothers() {
    let (brakes, _) = brakes(Limits::twilio());
    go(&brakes).throttled(None);
    assert_eq!(refused(&brakes).1, Reason::Paused);
    assert!(matches!(brakes.admit(Uuid::from_u128(2)), Admission::Go(_)));
}

#[test]
fn pauses_double_up_to_the_cap_and_a_success_begins_anew() {
    let (brakes, clock) = brakes(Limits::twilio());
    let mut expected = Duration::from_millis(100);
    for _ in 0..12 {
        let pause = go(&brakes).throttled(None);
        assert!(
            (expected / 2..=expected).contains(&pause),
            "{pause:?} of {expected:?}"
        );
        let (wait, reason) = refused(&brakes);
        assert!(wait >= pause && reason == Reason::Paused);
        pass(&clock, pause);
        expected = (expected * 2).min(seconds(30));
    }
    go(&brakes).succeeded();
    assert!(go(&brakes).throttled(None) <= Duration::from_millis(100));
}

#[test]
fn calls_that_meet_one_429_together_pause_once() {
    let (brakes, clock) = brakes(Limits::twilio());
    let permits: Vec<_> = (0..20).map(|_| go(&brakes)).collect();
    for permit in permits {
        assert!(permit.throttled(None) <= Duration::from_millis(100));
    }
    pass(&clock, Duration::from_millis(100));
    let second = go(&brakes).throttled(None);
    assert!(second >= Duration::from_millis(100) && second <= Duration::from_millis(200));
}

#[test]
fn a_retry_after_is_honoured_but_not_for_ever() {
    let (brakes, clock) = brakes(Limits::twilio());
    let permits = (go(&brakes), go(&brakes));
    assert_eq!(permits.0.throttled(Some(seconds(9))), seconds(9));
    assert_eq!(
        permits.1.throttled(Some(seconds(12))),
        seconds(12),
        "the longer one wins"
    );
    pass(&clock, seconds(12));
    assert_eq!(go(&brakes).throttled(Some(Duration::MAX)), seconds(3600));
}

#[test]
fn a_pause_from_the_database_holds() {
    let (brakes, clock) = brakes(Limits::twilio());
    brakes.pause_until(ONE, later(clock.now(), seconds(60)));
    brakes.pause_until(ONE, clock.now());
    assert_eq!(refused(&brakes), (seconds(60), Reason::Paused));
    brakes.release(ONE);
    go(&brakes).succeeded();
}

#[test]
fn failures_in_a_row_open_the_breaker_and_a_probe_closes_it() {
    let (brakes, clock) = brakes(Limits::twilio());
    for _ in 0..4 {
        go(&brakes).failed();
    }
    go(&brakes).succeeded();
    for _ in 0..5 {
        go(&brakes).failed();
    }
    let BreakerState::Open { until } = brakes.status(ONE).breaker else {
        panic!("still closed")
    };
    assert!(left(clock.now(), until) <= seconds(5));
    assert_eq!(refused(&brakes).1, Reason::Broken);
    pass(&clock, seconds(5));
    assert_eq!(brakes.status(ONE).breaker, BreakerState::HalfOpen);
    let probe = go(&brakes);
    assert_eq!(refused(&brakes).1, Reason::Broken, "one probe at a time");
    probe.succeeded();
    assert_eq!(brakes.status(ONE).breaker, BreakerState::Closed);
    go(&brakes).succeeded();
}

#[test]
fn a_failed_probe_opens_for_longer_and_a_dropped_one_makes_room() {
    let (brakes, clock) = brakes(Limits::twilio());
    let early = go(&brakes);
    for _ in 0..5 {
        go(&brakes).failed();
    }
    pass(&clock, seconds(5));
    drop(go(&brakes));
    go(&brakes).failed();
    let BreakerState::Open { until } = brakes.status(ONE).breaker else {
        panic!("not open")
    };
    assert!((seconds(5)..=seconds(10)).contains(&left(clock.now(), until)));
    early.succeeded();
    assert_eq!(
        refused(&brakes).1,
        Reason::Broken,
        "an old answer proves nothing"
    );
    pass(&clock, seconds(10));
    go(&brakes).throttled(None);
    assert_eq!(
        brakes.status(ONE).breaker,
        BreakerState::Closed,
        "it answers"
    );
}

#[test]
fn the_rate_is_kept_over_any_minute() {
    let limits = Limits {
        concurrency: 1000,
        ..Limits::zoho_books()
    };
    let (brakes, clock) = brakes(limits);
    let mut calls = Vec::new();
    for _ in 0..1200 {
        while let Admission::Go(permit) = brakes.admit(ONE) {
            permit.succeeded();
            calls.push(clock.now());
        }
        assert_eq!(refused(&brakes).1, Reason::Rate);
        clock.advance(TimeDelta::milliseconds(100));
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

#[test]
fn a_refused_backlog_comes_back_spread_out() {
    let (brakes, _) = brakes(Limits::twilio());
    let _permits: Vec<_> = (0..20).map(|_| go(&brakes)).collect();
    let mut waits: Vec<_> = (0..10_000).map(|_| refused(&brakes).0).collect();
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

#[test]
fn idle_connections_are_forgotten_and_busy_ones_are_not() {
    let (brakes, clock) = brakes(Limits::twilio());
    for n in 2..1000 {
        drop(brakes.admit(Uuid::from_u128(n)));
    }
    let busy = go(&brakes);
    brakes.pause_until(Uuid::from_u128(2), later(clock.now(), seconds(3000)));
    assert_eq!(brakes.remembered(), 999);
    pass(&clock, seconds(600));
    drop(brakes.admit(Uuid::from_u128(5000)));
    assert_eq!(brakes.remembered(), 3);
    busy.succeeded();
}

#[derive(Debug, Clone)]
enum Move {
    Ask,
    End(usize, u8),
    Pass(u16),
}

proptest! {
    /// Whatever providers do: never more in flight than allowed, no permit lost, and after a
    /// quiet day a call goes.
    #[test]
    fn permits_are_counted_whatever_happens(
        moves in prop::collection::vec(
            prop_oneof![
                3 => Just(Move::Ask),
                2 => (any::<usize>(), 0_u8..4).prop_map(|(which, how)| Move::End(which, how)),
                1 => (0_u16..20_000).prop_map(Move::Pass),
            ],
            0..300,
        ),
    ) {
        let limits = Limits { concurrency: 3, ..Limits::zoho_books() };
        let (brakes, clock) = brakes(limits);
        let mut held = Vec::new();
        for made in moves {
            match made {
                Move::Ask => match brakes.admit(ONE) {
                    Admission::Go(permit) => held.push(permit),
                    Admission::Wait(wait, _) => prop_assert!(!wait.is_zero()),
                },
                Move::End(which, how) if !held.is_empty() => {
                    let permit = held.swap_remove(which % held.len());
                    match how {
                        0 => permit.succeeded(),
                        1 => permit.failed(),
                        2 => {
                            permit.throttled(None);
                        }
                        _ => drop(permit),
                    }
                }
                Move::End(..) => {}
                Move::Pass(millis) => clock.advance(TimeDelta::milliseconds(millis.into())),
            }
            prop_assert!(held.len() <= 3);
            prop_assert_eq!(brakes.status(ONE).in_flight, held.len());
        }
        held.clear();
        clock.advance(TimeDelta::days(1));
        go(&brakes).succeeded();
        prop_assert_eq!(brakes.status(ONE).in_flight, 0);
    }
}
