//! When to try again: exponential back-off with jitter.
//!
//! A `Retry-After` is the least, not an appointment: jobs that were all told "30" still come back
//! spread out, or they would knock together once more.

use std::time::Duration;

use rand::{Rng, RngExt};

/// How chance spreads the waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    /// Anything from nothing to the whole step: spreads best.
    Full,
    /// At least half of the step: never at once.
    Equal,
}

/// The waits between tries. They grow up to `cap` and never give up: the row in the database waits
/// too, and only the handler knows when trying is pointless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The step after the first failure; each later one doubles it.
    pub first: Duration,
    /// The longest step of our own.
    pub cap: Duration,
    /// How the step is spread.
    pub jitter: Jitter,
    /// The longest `Retry-After` that is believed.
    pub longest_retry_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            cap: Duration::from_mins(10),
            jitter: Jitter::Equal,
            longest_retry_after: Duration::from_hours(1),
        }
    }
}

impl RetryPolicy {
    /// How long to wait after the failed try number `attempt`, counted from 1; never zero.
    pub fn wait(
        &self,
        attempt: u32,
        retry_after: Option<Duration>,
        rng: &mut impl Rng,
    ) -> Duration {
        let step = self.step(attempt);
        let wait = match self.jitter {
            Jitter::Full => rng.random_range(Duration::ZERO..=step),
            Jitter::Equal => step / 2 + rng.random_range(Duration::ZERO..=step / 2),
        };
        let wait = match retry_after.map(|asked| asked.min(self.longest_retry_after)) {
            Some(asked) if asked > wait => asked + rng.random_range(Duration::ZERO..=self.first),
            _ => wait,
        };
        wait.max(Duration::from_millis(1))
    }

    fn step(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn steps_double_up_to_the_cap() {
        let policy = RetryPolicy::default();
        let steps: Vec<_> = (1..=12).map(|n| policy.step(n).as_secs()).collect();
        assert_eq!(steps, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        assert_eq!(policy.step(u32::MAX).as_secs(), 600);
    }

    #[test]
    fn a_retry_after_is_kept_and_spread() {
        let policy = RetryPolicy::default();
        let mut rng = StdRng::seed_from_u64(7);
        let asked = Duration::from_secs(30);
        let waits: Vec<_> = (0..50)
            .map(|_| policy.wait(1, Some(asked), &mut rng))
            .collect();
        assert!(
            waits
                .iter()
                .all(|wait| (asked..=asked + policy.first).contains(wait))
        );
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }

    #[test]
    fn an_absurd_retry_after_is_not_believed() {
        let mut rng = StdRng::seed_from_u64(7);
        let policy = RetryPolicy::default();
        let wait = policy.wait(1, Some(Duration::MAX), &mut rng);
        assert!(wait <= policy.longest_retry_after + policy.first);
    }

    #[test]
    fn the_same_seed_waits_the_same() {
        let policy = RetryPolicy::default();
        let waits = || {
            let mut rng = StdRng::seed_from_u64(7);
            (1..20)
                .map(|n| policy.wait(n, None, &mut rng))
                .collect::<Vec<_>>()
        };
        assert_eq!(waits(), waits());
    }

    proptest! {
        #[test]
        fn every_wait_keeps_its_bounds(attempt in 0_u32.., seed: u64, full: bool) {
            let jitter = if full { Jitter::Full } else { Jitter::Equal };
            let policy = RetryPolicy { jitter, ..RetryPolicy::default() };
            let wait = policy.wait(attempt, None, &mut StdRng::seed_from_u64(seed));
            let step = policy.step(attempt);
            prop_assert!(wait <= step && wait > Duration::ZERO);
            prop_assert!(full || wait >= step / 2);
        }
    }
}
