//! The pace of a sender: never faster than it, first come first served, and alike in the process and in Redis.

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::super::*;
use super::bench::{Bench, ONE, seconds};
use super::server::Place;
use crate::domain::clock::Clock;

fn wish(bench: &Bench, takes: u64, has_place: bool) -> TurnWish {
    TurnWish {
        sender: ONE,
        takes: seconds(takes),
        has_place,
        latest: bench.clock.now() + TimeDelta::hours(1),
    }
}

#[tokio::test]
async fn those_who_wait_come_in_their_order_and_newcomers_behind_them() {
    let bench = Bench::on(None, Limits::careful());
    let start = bench.clock.now();
    let mut places = Vec::new();
    for _ in 0..5 {
        places.push(bench.brakes.turn(wish(&bench, 1, false)).await);
    }
    assert_eq!(places[0], Turn::Now);
    let at = |n: i64| Turn::At(start + TimeDelta::seconds(n));
    assert_eq!(places[1..], [at(1), at(2), at(3), at(4)]);
    for n in 1..5 {
        bench.pass(seconds(1));
        let newcomer = bench.brakes.turn(wish(&bench, 1, false)).await;
        assert_ne!(newcomer, Turn::Now, "{n}");
        assert_eq!(
            bench.brakes.turn(wish(&bench, 1, true)).await,
            Turn::Now,
            "{n}"
        );
    }
}

#[tokio::test]
async fn what_is_too_late_takes_no_place_and_a_line_of_nobody_is_void() {
    let bench = Bench::on(None, Limits::careful());
    for _ in 0..100 {
        let _ = bench.brakes.turn(wish(&bench, 60, false)).await;
    }
    let late = bench.brakes.turn(wish(&bench, 1, false)).await;
    assert_eq!(late, Turn::TooLate);
    bench.pass(seconds(70));
    assert_eq!(bench.brakes.turn(wish(&bench, 1, false)).await, Turn::Now);
}

#[derive(Debug, Clone, Copy)]
struct Step {
    passes: u64,
    takes: u64,
    has_place: bool,
    within: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        0_u64..3_000_000,
        1_u64..4_000_000,
        any::<bool>(),
        0_i64..60_000_000,
    );
    let step = step.prop_map(|(passes, takes, has_place, within)| Step {
        passes,
        takes,
        has_place,
        within,
    });
    prop::collection::vec(step, 0..120)
}

async fn ask(bench: &Bench, step: Step) -> Turn {
    bench.pass(Duration::from_micros(step.passes));
    let wish = TurnWish {
        sender: ONE,
        takes: Duration::from_micros(step.takes),
        has_place: step.has_place,
        latest: bench.clock.now() + TimeDelta::microseconds(step.within),
    };
    bench.brakes.turn(wish).await
}

#[test]
fn no_sender_is_faster_than_its_pace_whoever_claims_a_place() {
    let runtime = Runtime::new().unwrap();
    proptest!(|(steps in steps())| {
        let bench = Bench::on(None, Limits::careful());
        let mut gone: Vec<(DateTime<Utc>, u64)> = Vec::new();
        runtime.block_on(async {
            for step in steps {
                if ask(&bench, step).await == Turn::Now {
                    gone.push((bench.clock.now(), step.takes));
                }
            }
        });
        for (first, (begun, _)) in gone.iter().enumerate() {
            let mut took = 0;
            for (at, takes) in &gone[first..] {
                // One second of slack, and what is under way.
                let room = (*at - *begun).num_microseconds().unwrap() + 1_000_000;
                prop_assert!(i64::try_from(took).unwrap() <= room, "{:?}", gone);
                took += takes;
            }
        }
    });
}

#[test]
fn both_back_ends_give_the_same_turns() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let Some(place) = Place::find() else {
        return;
    };
    proptest!(ProptestConfig::with_cases(64), |(steps in steps())| {
        let here = Bench::on(None, Limits::careful());
        let redis = Bench::on(Some(place.open()), Limits::careful());
        runtime.block_on(async {
            for step in steps {
                let turns = (ask(&here, step).await, ask(&redis, step).await);
                prop_assert_eq!(turns.0, turns.1);
            }
            Ok(())
        })?;
    });
}
