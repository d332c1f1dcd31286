//! Given the same chances and times, both back ends say the same, to the microsecond.

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::super::*;
use super::bench::{Bench, ONE};
use super::server::Place;
use crate::domain::clock::Clock;

#[derive(Debug, Clone)]
enum Move {
    Ask,
    Succeed(usize),
    Fail(usize),
    Throttle(usize, Option<u64>),
    Drop(usize),
    Pass(u64),
    PauseFor(i64),
    Release,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let micros = prop_oneof![
        8 => 0_u64..2_000_000,
        3 => 0_u64..40_000_000,
        1 => 0_u64..1_500_000_000,
    ];
    prop::collection::vec(
        prop_oneof![
            20 => Just(Move::Ask),
            5 => any::<usize>().prop_map(Move::Succeed),
            6 => any::<usize>().prop_map(Move::Fail),
            2 => (any::<usize>(), prop::option::of(0_u64..5_000_000_000))
                .prop_map(|(which, asked)| Move::Throttle(which, asked)),
            2 => any::<usize>().prop_map(Move::Drop),
            10 => micros.prop_map(Move::Pass),
            1 => (-1_000_000_i64..100_000_000).prop_map(Move::PauseFor),
            1 => Just(Move::Release),
        ],
        0..150,
    )
}

fn limits() -> impl Strategy<Value = Limits> {
    let rate = (1_u32..200, 1_u64..120, 1_u32..8).prop_map(|(calls, per, burst)| Rate {
        calls,
        per: Duration::from_secs(per),
        burst,
    });
    (
        1_usize..6,
        prop::option::of(rate),
        1_u32..5,
        1_usize..3,
        1_u64..900_000_000,
    )
        .prop_map(|(concurrency, rate, failures, probes, forget)| Limits {
            concurrency,
            rate,
            breaker: BreakerLimits {
                failures,
                probes,
                ..Limits::careful().breaker
            },
            forget_after: Duration::from_micros(forget),
            // In the process no permit is ever lost.
            permit_life: Duration::from_hours(10_000),
            ..Limits::careful()
        })
}

/// The same on both sides, one after the other.
struct Pair {
    here: Bench,
    redis: Bench,
    held: Vec<(Permit, Permit)>,
}

impl Pair {
    async fn ask(&mut self) -> Result<(), TestCaseError> {
        let here = self.here.brakes.admit(ONE).await;
        let redis = self.redis.brakes.admit(ONE).await;
        match (here, redis) {
            (Admission::Go(here), Admission::Go(redis)) => self.held.push((here, redis)),
            (Admission::Wait(wait, reason), Admission::Wait(wait_redis, reason_redis)) => {
                prop_assert_eq!((wait, reason), (wait_redis, reason_redis));
            }
            (here, redis) => prop_assert!(false, "{:?} here, {:?} in Redis", here, redis),
        }
        Ok(())
    }

    fn take(&mut self, which: usize) -> Option<(Permit, Permit)> {
        let held = self.held.len();
        (held > 0).then(|| self.held.swap_remove(which % held))
    }

    async fn make(&mut self, made: Move) -> Result<(), TestCaseError> {
        match made {
            Move::Ask => self.ask().await?,
            Move::Succeed(which) => {
                if let Some((here, redis)) = self.take(which) {
                    here.succeeded().await;
                    redis.succeeded().await;
                }
            }
            Move::Fail(which) => {
                if let Some((here, redis)) = self.take(which) {
                    here.failed().await;
                    redis.failed().await;
                }
            }
            Move::Throttle(which, asked) => {
                if let Some((here, redis)) = self.take(which) {
                    let asked = asked.map(Duration::from_micros);
                    let pause = here.throttled(asked).await;
                    prop_assert_eq!(pause, redis.throttled(asked).await);
                }
            }
            Move::Drop(which) => {
                if self.take(which).is_some() {
                    self.redis.in_flight(self.held.len()).await;
                }
            }
            Move::Pass(micros) => {
                for bench in [&self.here, &self.redis] {
                    bench.pass(Duration::from_micros(micros));
                }
            }
            Move::PauseFor(micros) => {
                for bench in [&self.here, &self.redis] {
                    let until = bench.clock.now() + TimeDelta::microseconds(micros);
                    bench.brakes.pause_until(ONE, until).await;
                }
            }
            Move::Release => {
                self.here.brakes.release(ONE).await;
                self.redis.brakes.release(ONE).await;
            }
        }
        let here = self.here.brakes.status(ONE).await;
        prop_assert_eq!(here, self.redis.brakes.status(ONE).await);
        Ok(())
    }
}

#[test]
fn both_back_ends_say_the_same() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let Some(place) = Place::find() else {
        return;
    };
    proptest!(ProptestConfig::with_cases(64), |(limits in limits(), moves in moves())| {
        let mut pair = Pair {
            here: Bench::on(None, limits),
            redis: Bench::on(Some(place.open()), limits),
            held: Vec::new(),
        };
        runtime.block_on(async {
            for made in moves {
                pair.make(made).await?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    });
}
