//! Limits of carriers that messages of one sender ran into, reported with the failure of each message.
//!
//! The surprise: a limit for the day gives nobody a rest. It is one carrier's, whose numbers cannot be distinguished from
//! others, so it is only counted and shown; a rate is the sender's own, so the sender rests.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::ids::ConnectionId;
use super::report::HitLimit;
use super::rule;

/// The first rest after a rate was too high, and the longest: each is twice the one before.
const FIRST_REST: TimeDelta = TimeDelta::minutes(1);
const LONGEST_REST: TimeDelta = TimeDelta::minutes(10);

/// A rate that was kept for so long after a rest is forgotten.
const FORGOTTEN: TimeDelta = TimeDelta::minutes(10);

/// A message that ran into a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitHit {
    pub connection: ConnectionId,
    /// What it was sent from, as deliveries bear it.
    pub sender: String,
    /// The provider's error code.
    pub code: i64,
    pub limit: HitLimit,
}

/// Whose messages a limit stops.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Concerns {
    /// All of the sender: they wait meanwhile.
    Sender,
    /// Those to one carrier's numbers.
    Carrier,
    /// All of the account, which is paused.
    Account,
}

impl Concerns {
    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    const fn of(limit: HitLimit) -> Self {
        match limit {
            HitLimit::SenderRate => Self::Sender,
            HitLimit::CarrierDay(_) => Self::Carrier,
            HitLimit::AccountDay => Self::Account,
        }
    }
}

/// A limit that messages of a sender run into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderRest {
    pub sender: String,
    pub code: i64,
    pub concerns: Concerns,
    /// When the first of its messages ran into it.
    pub since: DateTime<Utc>,
    /// When it is lifted, as far as is known.
    pub until: DateTime<Utc>,
    /// How many of its messages did.
    pub hits: i64,
    /// How many rests in a row there were.
    pub rests: i64,
}

impl SenderRest {
    /// How it stands after one more message, `before` it so.
    pub fn after(before: Option<Self>, hit: &LimitHit, now: DateTime<Utc>) -> Self {
        let still = match hit.limit {
            HitLimit::SenderRate => FORGOTTEN,
            HitLimit::CarrierDay(_) | HitLimit::AccountDay => TimeDelta::zero(),
        };
        let known = before.filter(|b| now < b.until + still);
        let (since, hits, rests) = known
            .as_ref()
            .map_or((now, 0, 0), |b| (b.since, b.hits, b.rests));
        let known = known.filter(|b| now < b.until);
        let is_over = known.is_none();
        let until = known.map_or_else(|| end(hit.limit, rests, now), |b| b.until);
        Self {
            sender: hit.sender.clone(),
            code: hit.code,
            concerns: Concerns::of(hit.limit),
            since,
            until,
            hits: hits + 1,
            rests: rests + i64::from(is_over),
        }
    }

    /// Its sender, as people write it.
    pub fn sender_words(&self) -> String {
        let sender = serde_json::from_str::<rule::Sender>(&self.sender);
        sender.map_or_else(
            |_| "the account's own sender".to_owned(),
            |s| s.as_str().to_owned(),
        )
    }

    /// Whether its sender's messages wait.
    pub fn holds(&self, sender: &str, now: DateTime<Utc>) -> bool {
        self.concerns == Concerns::Sender && now < self.until && self.sender == sender
    }
}

/// When a limit is lifted, after so many rests.
fn end(limit: HitLimit, rests: i64, now: DateTime<Utc>) -> DateTime<Utc> {
    match limit {
        HitLimit::SenderRate => {
            let doubled = FIRST_REST * (1 << rests.clamp(0, 4));
            now + doubled.min(LONGEST_REST)
        }
        HitLimit::CarrierDay(zone) => next_midnight(now, zone),
        HitLimit::AccountDay => next_midnight(now, Tz::UTC),
    }
}

fn next_midnight(now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let tomorrow = now.with_timezone(&zone).date_naive() + TimeDelta::days(1);
    let midnight = tomorrow.and_time(chrono::NaiveTime::MIN);
    let first = midnight.and_local_timezone(zone).earliest();
    first.map_or(now + TimeDelta::days(1), |at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn hit(limit: HitLimit) -> LimitHit {
        LimitHit {
            connection: ConnectionId::from_uuid(Uuid::nil()),
            sender: "+1".to_owned(),
            code: 30022,
            limit,
        }
    }

    #[test]
    fn rests_double_up_to_ten_minutes_and_begin_anew_after_as_long_a_peace() {
        let mut now: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
        let rate = hit(HitLimit::SenderRate);
        let mut rest = None;
        for minutes in [1, 2, 4, 8, 10, 10] {
            let next = SenderRest::after(rest, &rate, now);
            assert_eq!(next.until - now, TimeDelta::minutes(minutes));
            // What was on its way when the rest began lengthens nothing.
            let same = SenderRest::after(Some(next.clone()), &rate, now + TimeDelta::seconds(5));
            assert_eq!((same.until, same.hits), (next.until, next.hits + 1));
            assert!(
                next.holds("+1", now) && !next.holds("+2", now) && !next.holds("+1", next.until)
            );
            now = next.until + TimeDelta::minutes(9);
            rest = Some(next);
        }
        let anew = SenderRest::after(rest, &rate, now + TimeDelta::minutes(1));
        assert_eq!(anew.hits, 1);
        assert_eq!(anew.until - anew.since, FIRST_REST);
    }

    #[test]
    fn a_day_ends_at_midnight_of_its_zone_and_holds_nobody() {
        let now: DateTime<Utc> = "2026-11-23T22:02:00Z".parse().unwrap();
        let day = hit(HitLimit::CarrierDay(Tz::America__Los_Angeles));
        let first = SenderRest::after(None, &day, now);
        assert_eq!(first.until.to_rfc3339(), "2026-11-24T08:00:00+00:00");
        assert!(!first.holds("+1", now));
        let next = SenderRest::after(Some(first), &day, now + TimeDelta::hours(3));
        assert_eq!((next.hits, next.since), (2, now));
        let tomorrow = SenderRest::after(Some(next), &day, now + TimeDelta::hours(10));
        assert_eq!(tomorrow.hits, 1);
    }
}
