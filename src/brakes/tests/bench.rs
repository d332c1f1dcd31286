//! What every test stands on: brakes, and a clock that stands still unless moved.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use rand::SeedableRng;
use rand::rngs::StdRng;
use uuid::Uuid;

use super::super::{Admission, Brakes, Limits, Permit, Reason, span};
use super::server::{Place, Server};
use crate::domain::clock::FixedClock;
use crate::domain::transport::TransportName;
use crate::redis::Redis;

pub(super) const ONE: Uuid = Uuid::from_u128(1);

#[derive(Debug, Clone, Copy)]
pub(super) enum BackEnd {
    InProcess,
    Redis,
}

pub(super) struct Bench {
    pub(super) brakes: Brakes,
    pub(super) clock: Arc<FixedClock>,
    limits: Limits,
    redis: Option<Redis>,
    place: Option<Place>,
}

impl Bench {
    /// `None` where there is no Redis to test with.
    pub(super) fn new(back_end: BackEnd, limits: Limits) -> Option<Self> {
        match back_end {
            BackEnd::InProcess => Some(Self::on(None, limits)),
            BackEnd::Redis => Place::find().map(|place| Self::at(place, limits)),
        }
    }

    /// On a server that the test may do as it likes with.
    pub(super) fn on_own_server(limits: Limits) -> Option<Self> {
        Some(Self::at(Place::from(Server::start()?), limits))
    }

    fn at(place: Place, limits: Limits) -> Self {
        let bench = Self::on(Some(place.open()), limits);
        Self {
            place: Some(place),
            ..bench
        }
    }

    pub(super) fn on(redis: Option<Redis>, limits: Limits) -> Self {
        let start = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let clock = Arc::new(FixedClock::at(start));
        let brakes = brakes(limits, &clock, redis.clone(), 7);
        Self {
            brakes,
            clock,
            limits,
            redis,
            place: None,
        }
    }

    /// The brakes of another process.
    pub(super) fn other_process(&self) -> Brakes {
        brakes(self.limits, &self.clock, self.redis.clone(), 8)
    }

    pub(super) fn server(&mut self) -> &mut Server {
        self.place.as_mut().unwrap().server()
    }

    pub(super) async fn go(&self) -> Permit {
        go(&self.brakes).await
    }

    pub(super) async fn go_all(&self, number: usize) -> Vec<Permit> {
        let mut permits = Vec::new();
        for _ in 0..number {
            permits.push(self.go().await);
        }
        permits
    }

    pub(super) async fn refused(&self) -> (Duration, Reason) {
        refused(&self.brakes).await
    }

    pub(super) fn pass(&self, wait: Duration) {
        self.clock.advance(span(wait) + TimeDelta::microseconds(1));
    }

    /// Waits until as many calls are in flight: dropped permits are given back by a task.
    pub(super) async fn in_flight(&self, number: usize) {
        for _ in 0..10_000 {
            if self.brakes.status(ONE).await.in_flight == number {
                return;
            }
            tokio::task::yield_now().await;
        }
        let status = self.brakes.status(ONE).await;
        panic!("{status:?}, but {number} should be in flight");
    }
}

fn brakes(limits: Limits, clock: &Arc<FixedClock>, redis: Option<Redis>, seed: u64) -> Brakes {
    let rng = StdRng::seed_from_u64(seed);
    match redis {
        None => Brakes::new(limits, clock.clone(), rng),
        Some(redis) => Brakes::shared(
            limits,
            clock.clone(),
            rng,
            redis,
            TransportName::named("tests"),
        ),
    }
}

pub(super) async fn go(brakes: &Brakes) -> Permit {
    match brakes.admit(ONE).await {
        Admission::Go(permit) => permit,
        Admission::Wait(wait, reason) => panic!("refused for {wait:?}: {reason}"),
    }
}

pub(super) async fn refused(brakes: &Brakes) -> (Duration, Reason) {
    match brakes.admit(ONE).await {
        Admission::Go(_) => panic!("let go"),
        Admission::Wait(wait, reason) => (wait, reason),
    }
}

pub(super) async fn goes_or(brakes: &Brakes) -> Result<Permit, Reason> {
    match brakes.admit(ONE).await {
        Admission::Go(permit) => Ok(permit),
        Admission::Wait(_, reason) => Err(reason),
    }
}

pub(super) fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}
