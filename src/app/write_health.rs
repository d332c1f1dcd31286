//! Whether writes come back. Without traffic nothing else would show it: a connection that answers reads
//! may belong to a database whose disk is full, whose lock is held, or which became read-only.
//!
//! ```text
//!             beat comes back                    beat fails, or none came back for long
//! not tried ─────────────────► well ◄──────────► failing (since when, and why)
//! ```
//!
//! The log tells each change of the two once. A beat is a small row, which a server whose disk is full may
//! still take: so a webhook that could not be stored counts for a few seconds as well.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::operator::BEAT_EVERY;
use super::{App, AppError};
use crate::store::{StoreError, WriteFault};

/// A beat that takes longer has failed.
const BEAT_WITHIN: Duration = Duration::from_secs(7);

/// Without a beat for so long, the one under way hangs.
const LATE_AFTER: Duration = BEAT_EVERY
    .saturating_mul(2)
    .saturating_add(Duration::from_secs(1));

/// For how long a webhook that was not stored says something, unless another was.
const REFUSED_LATELY: Duration = Duration::from_secs(5);

/// Why writes do not come back, and for how long that has been so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    pub fault: WriteFault,
    pub span: Duration,
}

/// What the last beats of this process found.
#[derive(Debug, Default)]
pub(super) struct WriteHealth {
    state: Mutex<State>,
    /// Webhooks that could not be stored, since the last that could.
    intake: Mutex<Option<Refused>>,
    /// Whether there are any: asked for each webhook.
    refuses: AtomicBool,
    /// Whether somebody beats again and again, so that silence says something.
    is_watched: AtomicBool,
}

#[derive(Debug, Clone, Copy)]
struct Refused {
    since: Instant,
    last: Instant,
    fault: WriteFault,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    NotTried,
    Well {
        at: Instant,
    },
    Failing {
        since: Instant,
        fault: WriteFault,
    },
}

impl WriteHealth {
    fn note(&self, beat: &Result<(), StoreError>) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (beat, *state) {
            (Ok(()), State::Failing { since, .. }) => {
                let seconds = now.duration_since(since).as_secs();
                tracing::info!("Writes come back again, after {seconds} s");
            }
            (Err(error), State::NotTried | State::Well { .. }) => {
                let source = std::error::Error::source(error).map(ToString::to_string);
                tracing::error!(%error, source, "Writes do not come back: {}", fault_of(error));
            }
            _ => {}
        }
        *state = match (beat, *state) {
            (Ok(()), _) => State::Well { at: now },
            (Err(error), State::Failing { since, .. }) => State::Failing {
                since,
                fault: fault_of(error),
            },
            (Err(error), _) => State::Failing {
                since: now,
                fault: fault_of(error),
            },
        };
    }

    fn note_intake(&self, refused: Option<WriteFault>) {
        if refused.is_none() && !self.refuses.load(Ordering::Relaxed) {
            return;
        }
        let now = Instant::now();
        let mut intake = self.intake.lock().unwrap_or_else(PoisonError::into_inner);
        match (refused, *intake) {
            (Some(fault), None) => {
                tracing::error!("Webhooks cannot be stored: {fault}");
            }
            (None, Some(Refused { since, .. })) => {
                let seconds = now.duration_since(since).as_secs();
                tracing::info!("Webhooks are stored again, after {seconds} s");
            }
            _ => {}
        }
        *intake = refused.map(|fault| Refused {
            since: intake.map_or(now, |before| before.since),
            last: now,
            fault,
        });
        self.refuses.store(intake.is_some(), Ordering::Relaxed);
    }

    fn failing(&self) -> Option<Failing> {
        let intake = *self.intake.lock().unwrap_or_else(PoisonError::into_inner);
        self.failing_beats().or_else(|| {
            let refused = intake.filter(|refused| refused.last.elapsed() < REFUSED_LATELY)?;
            Some(Failing {
                fault: refused.fault,
                span: refused.since.elapsed(),
            })
        })
    }

    fn failing_beats(&self) -> Option<Failing> {
        let state = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state {
            State::NotTried => None,
            State::Well { at } => (at.elapsed() > LATE_AFTER).then(|| Failing {
                fault: WriteFault::Silent,
                span: at.elapsed(),
            }),
            State::Failing { since, fault } => Some(Failing {
                fault,
                span: since.elapsed(),
            }),
        }
    }
}

fn fault_of(error: &StoreError) -> WriteFault {
    error.fault().unwrap_or(WriteFault::Other)
}

impl App {
    /// From now on somebody beats again and again, `does` being the command that this process runs.
    pub fn watch_writes(&self) {
        self.caches
            .write_health
            .is_watched
            .store(true, Ordering::SeqCst);
    }

    /// Shows that this process is alive by a row that goes through the writer, and finds out whether what
    /// was written is there for others.
    pub async fn beat(&self, does: &str) -> Result<(), AppError> {
        let beaten = tokio::time::timeout(BEAT_WITHIN, self.write_beat(does)).await;
        let beaten = beaten.unwrap_or(Err(StoreError::Late));
        self.caches.write_health.note(&beaten);
        Ok(beaten?)
    }

    /// Whether a webhook was stored, and if not, whether the database is at fault.
    pub(super) fn note_intake<T>(&self, kept: &Result<T, StoreError>) {
        let refused = kept.as_ref().err().and_then(StoreError::fault);
        if refused.is_some() || kept.is_ok() {
            self.caches.write_health.note_intake(refused);
        }
    }

    /// Why writes do not come back, if they do not; where nobody watches, one is tried now.
    pub async fn failing_writes(&self) -> Option<Failing> {
        let health = &self.caches.write_health;
        if !health.is_watched.load(Ordering::SeqCst) {
            // What it finds is noted.
            drop(self.beat("serve").await);
        }
        health.failing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_writer_is_told_with_its_reason_until_a_beat_comes_back() {
        let health = WriteHealth::default();
        assert_eq!(health.failing(), None);
        health.note(&Ok(()));
        assert_eq!(health.failing(), None);
        health.note(&Err(StoreError::Refused(WriteFault::DiskFull)));
        health.note(&Err(StoreError::Late));
        assert_eq!(health.failing().unwrap().fault, WriteFault::Silent);
        health.note(&Ok(()));
        assert_eq!(health.failing(), None);
    }

    #[test]
    fn webhooks_that_cannot_be_stored_are_told_although_beats_come_back() {
        let health = WriteHealth::default();
        health.note(&Ok(()));
        health.note_intake(Some(WriteFault::DiskFull));
        health.note(&Ok(()));
        assert_eq!(health.failing().unwrap().fault, WriteFault::DiskFull);
        health.note_intake(None);
        assert_eq!(health.failing(), None);
    }

    #[test]
    fn a_beat_that_does_not_come_back_is_noticed_without_waiting_for_it() {
        let health = WriteHealth::default();
        let long_ago = Instant::now().checked_sub(LATE_AFTER * 2).unwrap();
        *health.state.lock().unwrap() = State::Well { at: long_ago };
        assert_eq!(health.failing().unwrap().fault, WriteFault::Silent);
    }
}
