//! When Redis is left, and when it is gone back to: a count of trials, without a clock or a connection.

use std::time::Duration;

use tokio::time::Instant;

use crate::queue::Degraded;

/// How many kinds of steps are asked of Redis.
pub(super) const STEPS: usize = 4;

/// A trial that takes longer is slow. A look into the database every second wakes a worker after half a
/// second on average; a job's way through Redis is two steps and a call.
const SLOW: Duration = Duration::from_millis(200);

/// To go back it must be so much quicker, or it would be left again at once.
const QUICK: Duration = Duration::from_millis(100);

/// So many trials in a row must say the same.
const FAILURES: u32 = 2;
const SLOWNESS: u32 = 3;
const GOOD: u32 = 3;

/// Over so many good trials one kind of step must have failed whenever it was asked.
const COMPLAINTS: u32 = 3;

/// What the trials do not see they do not see mended either: so long it is left alone then.
const UNSEEN: Duration = Duration::from_mins(1);

/// How one trial ended.
#[derive(Debug, Clone)]
pub(super) enum Trial {
    /// In time.
    Good,
    /// Well, but too late.
    Slow(Degraded),
    /// Not at all.
    Failed(Degraded),
    /// Nobody can tell.
    Vague,
}

/// What to go by from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// After so long.
    Redis(Duration),
    /// None where the trials are good, and only what is asked of it fails.
    Database(Option<Degraded>),
}

#[derive(Debug, Default)]
pub(super) struct Judge {
    /// Since when the database is gone by.
    alone_since: Option<Instant>,
    not_before: Option<Instant>,
    failed: u32,
    slow: u32,
    good: u32,
    complaints: [u32; STEPS],
}

impl Judge {
    /// Hears of a trial, and of how each kind of step fared since the last: whether it worked, if it was
    /// asked. A verdict is told when it changes, and again with each failure while the database is gone by.
    pub(super) fn hear(
        &mut self,
        trial: Trial,
        fared: [Option<bool>; STEPS],
        now: Instant,
    ) -> Option<Verdict> {
        match trial {
            Trial::Vague => None,
            Trial::Good => {
                (self.failed, self.slow) = (0, 0);
                self.good += 1;
                if self.alone_since.is_some() {
                    return self.return_after_enough(now);
                }
                self.hear_complaints(fared, now)
            }
            Trial::Slow(degraded) => {
                (self.failed, self.good) = (0, 0);
                self.slow += 1;
                self.leave_after(self.slow >= SLOWNESS, degraded, now)
            }
            Trial::Failed(degraded) => {
                self.good = 0;
                self.failed += 1;
                self.complaints = [0; STEPS];
                self.leave_after(self.failed >= FAILURES, degraded, now)
            }
        }
    }

    /// Whether the next trial should come soon.
    pub(super) const fn is_in_doubt(&self) -> bool {
        self.alone_since.is_none() && (self.failed > 0 || self.slow > 0)
    }

    /// Whether a trial took too long, as things stand.
    pub(super) fn is_slow(&self, took: Duration) -> bool {
        let limit = if self.alone_since.is_some() {
            QUICK
        } else {
            SLOW
        };
        took > limit
    }

    fn leave_after(
        &mut self,
        is_enough: bool,
        degraded: Degraded,
        now: Instant,
    ) -> Option<Verdict> {
        if self.alone_since.is_none() && !is_enough {
            return None;
        }
        self.alone_since.get_or_insert(now);
        Some(Verdict::Database(Some(degraded)))
    }

    fn return_after_enough(&mut self, now: Instant) -> Option<Verdict> {
        if self.good < GOOD || self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        let lasted = self.alone_since.map_or(Duration::ZERO, |since| now - since);
        *self = Self::default();
        Some(Verdict::Redis(lasted))
    }

    fn hear_complaints(&mut self, fared: [Option<bool>; STEPS], now: Instant) -> Option<Verdict> {
        for (complaints, fared) in self.complaints.iter_mut().zip(fared) {
            match fared {
                Some(true) => *complaints = 0,
                Some(false) => *complaints += 1,
                None => {}
            }
        }
        if self.complaints.iter().all(|count| *count < COMPLAINTS) {
            return None;
        }
        self.complaints = [0; STEPS];
        self.good = 0;
        self.alone_since = Some(now);
        self.not_before = Some(now + UNSEEN);
        Some(Verdict::Database(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: [Option<bool>; STEPS] = [None; STEPS];

    fn ill() -> Degraded {
        Degraded::silent("Redis", Duration::from_secs(1))
    }

    fn hear(judge: &mut Judge, trials: impl IntoIterator<Item = Trial>) -> Vec<Option<Verdict>> {
        // At the moment at which it left, so that it was away for no time.
        let now = judge.alone_since.unwrap_or_else(Instant::now);
        let heard = trials.into_iter().map(|t| judge.hear(t, QUIET, now));
        heard.collect()
    }

    fn database() -> Verdict {
        Verdict::Database(Some(ill()))
    }

    fn redis() -> Verdict {
        Verdict::Redis(Duration::ZERO)
    }

    #[test]
    fn two_failures_leave_redis_and_three_good_trials_go_back() {
        let judge = &mut Judge::default();
        let failed = || Trial::Failed(ill());
        assert_eq!(
            hear(judge, [failed(), Trial::Good, failed()]),
            [None, None, None]
        );
        assert!(judge.is_in_doubt());
        assert_eq!(hear(judge, [failed()]), [Some(database())]);
        assert!(!judge.is_in_doubt());
        assert_eq!(
            hear(
                judge,
                [Trial::Good, Trial::Good, failed(), Trial::Good, Trial::Good]
            ),
            [None, None, Some(database()), None, None]
        );
        assert_eq!(
            hear(judge, [Trial::Good, Trial::Good]),
            [Some(redis()), None]
        );
    }

    #[test]
    fn three_slow_trials_leave_it_and_only_quick_ones_go_back() {
        let judge = &mut Judge::default();
        let between = Duration::from_millis(150);
        assert!(!judge.is_slow(between));
        let slow = || Trial::Slow(ill());
        assert_eq!(
            hear(judge, [slow(), slow(), Trial::Vague]),
            [None, None, None]
        );
        assert_eq!(hear(judge, [slow()]), [Some(database())]);
        assert!(judge.is_slow(between), "or it would be left again at once");
        assert_eq!(
            hear(judge, [Trial::Good, Trial::Vague, Trial::Good, Trial::Good]),
            [None, None, None, Some(redis())]
        );
    }

    #[test]
    fn what_fails_whenever_it_is_asked_leaves_it_for_a_minute() {
        let judge = &mut Judge::default();
        let mut now = Instant::now();
        let fails = [None, Some(true), None, Some(false)];
        let works = [None, None, None, Some(true)];
        let mut hear = |judge: &mut Judge, fared| {
            now += Duration::from_secs(1);
            judge.hear(Trial::Good, fared, now)
        };
        for fared in [fails, fails, works, fails, QUIET, fails] {
            assert_eq!(hear(judge, fared), None);
        }
        assert_eq!(hear(judge, fails), Some(Verdict::Database(None)));
        let lasted = (1..100).find(|_| hear(judge, QUIET).is_some());
        assert_eq!(lasted, Some(60));
    }
}
