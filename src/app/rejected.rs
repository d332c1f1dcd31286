//! Requests that were refused: a few of them are written down, the others counted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::App;
use crate::domain::ids::RejectedId;
use crate::store::{HookTarget, RejectedRequest};

/// A request that was refused.
pub(super) struct Refused {
    pub(super) path: String,
    pub(super) client: IpAddr,
    pub(super) reason: String,
    pub(super) compared: serde_json::Value,
    /// Its signature was missing or wrong.
    pub(super) is_forged: bool,
}

impl App {
    /// Keeps a line about a request that was refused for what it holds.
    pub async fn reject(
        &self,
        target: HookTarget,
        path: String,
        client: IpAddr,
        reason: String,
        compared: serde_json::Value,
    ) {
        let refused = Refused {
            path,
            client,
            reason,
            compared,
            is_forged: false,
        };
        self.note_refused(target, refused).await;
    }

    /// Of each reason at most one line a second per hook is written, and one more for the fifth within it;
    /// of all reasons together four. Those in between are counted, so that nobody fills the disk or keeps
    /// the writer busy. Owners are told when a burst of forged requests begins.
    pub(super) async fn note_refused(&self, target: HookTarget, refused: Refused) {
        metrics::counter!("hook_requests_rejected_total").increment(1);
        let now = self.now();
        let key = (target.connection.uuid(), refused.reason.clone());
        let Some(like_it) = self.caches.rejected.admit(key, now) else {
            return;
        };
        let line = RejectedRequest {
            id: RejectedId::new(now),
            tenant: target.tenant,
            connection: target.connection,
            path: refused.path,
            address: refused.client.to_string(),
            reason: refused.reason,
            compared: refused.compared.to_string(),
            is_forged: refused.is_forged,
            like_it,
            at: now,
        };
        match self.tenant(target.tenant).reject(line).await {
            Ok(false) => {}
            Ok(true) => self.tell_trouble(target.tenant).await,
            Err(error) => {
                tracing::warn!(%error, "A rejected request could not be written down");
            }
        }
    }
}

/// Counts rejected requests between two that are written down.
#[derive(Default)]
pub(super) struct RejectedLimiter(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    alike: HashMap<RejectedKey, Skipped>,
    /// Since when, and how many lines were written of one hook since.
    of_hook: HashMap<Uuid, (DateTime<Utc>, u32)>,
}

type RejectedKey = (Uuid, String);

/// How many lines of one hook are written in a second, whatever their reasons: who varies what is wrong
/// with a request must not keep the writer busier than who repeats it.
const LINES_A_SECOND: u32 = 4;

/// So many counts are kept before those of the last minute only are.
const MOST_COUNTS: usize = 10_000;

struct Skipped {
    /// When a line was last written.
    since: DateTime<Utc>,
    number: i64,
    /// Whether a second line was written already: so many at once may be a burst.
    is_told: bool,
}

/// The fifth request within a second is written down, with the three before it.
const TOLD_AT: i64 = 4;

impl RejectedLimiter {
    /// How many like it were skipped since the last one, or `None` to skip this one too.
    fn admit(&self, key: RejectedKey, now: DateTime<Utc>) -> Option<i64> {
        let seen = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.alike.len() > MOST_COUNTS {
            seen.alike
                .retain(|_, s| now - s.since < TimeDelta::minutes(1));
        }
        if seen.of_hook.len() > MOST_COUNTS {
            seen.of_hook
                .retain(|_, (since, _)| now - *since < TimeDelta::minutes(1));
        }
        let of_hook = seen
            .of_hook
            .entry(key.0)
            .or_insert((DateTime::UNIX_EPOCH, 0));
        if now - of_hook.0 >= TimeDelta::seconds(1) {
            *of_hook = (now, 0);
        }
        let skipped = seen.alike.entry(key).or_insert(Skipped {
            since: DateTime::UNIX_EPOCH,
            number: 0,
            is_told: false,
        });
        let is_news = now - skipped.since >= TimeDelta::seconds(1);
        let is_burst = !skipped.is_told && skipped.number + 1 >= TOLD_AT;
        if of_hook.1 >= LINES_A_SECOND || !(is_news || is_burst) {
            skipped.number += 1;
            return None;
        }
        of_hook.1 += 1;
        if is_news {
            skipped.since = now;
        }
        skipped.is_told = !is_news;
        Some(std::mem::take(&mut skipped.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_requests_are_varied_few_lines_are_written_of_one_hook() {
        let limiter = RejectedLimiter::default();
        let (hook, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let mut written = 0;
        let mut skipped = 0;
        for millis in 0..10_000 {
            let now = start + TimeDelta::milliseconds(millis);
            for reason in ["a", "b", "c", "d", "e", "f", "g"] {
                if let Some(number) = limiter.admit((hook, reason.to_owned()), now) {
                    written += 1;
                    skipped += number;
                }
            }
        }
        assert!((10..=44).contains(&written), "{written}");
        assert!(skipped > 1000, "the others are counted: {skipped}");
        let now = start + TimeDelta::milliseconds(9_999);
        assert_eq!(limiter.admit((other, "a".to_owned()), now), Some(0));
    }
}
