//! How fast one sender sends: each message takes a turn as long as its provider needs for it, and who comes too
//! early is given a place in the line, which it keeps while it waits elsewhere.
//!
//! `lua/pace.lua` reckons the same for all processes, to the microsecond; a test compares them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::jitter::micros;

/// Who comes a little early or late at its place goes, or the whole line would shift with each of them.
const SLACK: i64 = 1_000_000;

/// After so long without anybody the line is void: those in it were called off.
const VOID: i64 = 10_000_000;

/// From so many senders on, those at rest are forgotten.
const MANY: usize = 1_000;

/// A message that wants its turn.
#[derive(Debug, Clone, Copy)]
pub struct TurnWish {
    /// Whose turn it takes.
    pub sender: Uuid,
    /// How long it takes.
    pub takes: Duration,
    /// Whether it comes back at the place that it was given.
    pub has_place: bool,
    /// No later turn is of use.
    pub latest: DateTime<Utc>,
}

/// When a message's turn is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Now,
    /// Come back then.
    At(DateTime<Utc>),
    /// Not before it is too late; no place was taken.
    TooLate,
}

/// Instants in microseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    /// When the last turn that was taken ends.
    free: i64,
    /// The end of the line of those who came for the first time.
    line: i64,
    /// The end of the line of those who came back and were too early still.
    again: i64,
}

impl Pace {
    fn ask(&mut self, now: i64, takes: i64, has_place: bool, latest: i64) -> Turn {
        if self.line > now && now >= self.free + VOID {
            self.line = now;
        }
        let (from, at) = if has_place {
            (self.free - SLACK, self.free.max(self.again))
        } else {
            let end = self.free.max(self.line);
            (end, end.max(self.again))
        };
        if now >= from {
            self.free = self.free.max(now) + takes;
            self.line = self.line.max(self.free);
            return Turn::Now;
        }
        if at > latest {
            return Turn::TooLate;
        }
        if has_place {
            self.again = at + takes;
        } else {
            self.line = at + takes;
        }
        DateTime::from_timestamp_micros(at).map_or(Turn::TooLate, Turn::At)
    }

    fn is_at_rest(&self, now: i64) -> bool {
        self.free.max(self.line).max(self.again) <= now
    }
}

/// The paces of one process.
#[derive(Debug, Default)]
pub(super) struct Paces(Mutex<HashMap<Uuid, Pace>>);

impl Paces {
    /// Asks for a turn that takes `share` times as long: others send as well.
    pub(super) fn ask(&self, wish: &TurnWish, now: DateTime<Utc>, share: u32) -> Turn {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.timestamp_micros();
        if paces.len() >= MANY {
            paces.retain(|_, pace| !pace.is_at_rest(now));
        }
        let pace = paces.entry(wish.sender).or_default();
        let takes = micros(wish.takes.saturating_mul(share));
        pace.ask(now, takes, wish.has_place, wish.latest.timestamp_micros())
    }
}
