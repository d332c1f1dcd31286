//! The hours of a day in which contacts may be written to.
//!
//! The clock on the wall decides: where a change of summer time leaves the opening out, the day opens
//! with the first minute after the gap; where an hour comes twice, it counts both times.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;

/// From one time of day to another, in the tenant's zone; it may go over midnight. The end is not part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: NaiveTime,
    to: NaiveTime,
}

/// Why a text is no hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write two different times such as 08:00-20:00")]
pub struct NoHours;

impl Hours {
    /// Hours between two different times of day.
    pub fn new(from: NaiveTime, to: NaiveTime) -> Result<Self, NoHours> {
        if from == to {
            return Err(NoHours);
        }
        Ok(Self { from, to })
    }

    /// When writing may begin.
    pub const fn from(self) -> NaiveTime {
        self.from
    }

    /// When writing must have ended.
    pub const fn to(self) -> NaiveTime {
        self.to
    }

    /// As read: `08:00 to 20:00`.
    pub fn label(self) -> String {
        format!(
            "{} to {}",
            self.from.format("%H:%M"),
            self.to.format("%H:%M")
        )
    }

    /// Whether contacts may be written to at this time of day.
    pub fn contains(self, time: NaiveTime) -> bool {
        if self.from < self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        }
    }

    /// When contacts may be written to again; `None` when they may be now.
    pub fn next_opening(self, now: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        if self.contains(clock(now, zone)) {
            return None;
        }
        let hour = TimeDelta::hours(1);
        let mut at = now;
        for _ in 0..HOURS_AHEAD {
            let next = at + hour;
            if offset(at, zone) == offset(next, zone) {
                let ahead = self.from - clock(at, zone);
                let wait = if ahead < TimeDelta::zero() {
                    ahead + DAY
                } else {
                    ahead
                };
                if wait <= hour {
                    return Some(at + wait);
                }
            } else if let Some(opening) = self.first_open_minute(at, next, zone) {
                return Some(opening);
            }
            at = next;
        }
        Some(at)
    }

    /// The first minute of an hour in which the clocks are changed; they change on whole minutes.
    fn first_open_minute(
        self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
        zone: Tz,
    ) -> Option<DateTime<Utc>> {
        let mut minute = after - TimeDelta::nanoseconds(i64::from(after.nanosecond()))
            + TimeDelta::seconds(60 - i64::from(after.second()));
        while minute <= until {
            if self.contains(clock(minute, zone)) {
                return Some(minute);
            }
            minute += TimeDelta::minutes(1);
        }
        None
    }
}

/// What a delivery says that waits: `Waits until 08:00 in Europe/London`.
pub fn waits_until(opening: DateTime<Utc>, zone: Tz) -> String {
    let clock = opening.with_timezone(&zone).format("%H:%M");
    format!("Waits until {clock} in {}", zone.name())
}

const DAY: TimeDelta = TimeDelta::days(1);

/// A zone may leave out a whole day (Samoa, 2011), but not two.
const HOURS_AHEAD: usize = 72;

fn clock(at: DateTime<Utc>, zone: Tz) -> NaiveTime {
    at.with_timezone(&zone).time()
}

fn offset(at: DateTime<Utc>, zone: Tz) -> i32 {
    use chrono::Offset as _;
    at.with_timezone(&zone).offset().fix().local_minus_utc()
}

/// 08:00 to 20:00: what a tenant begins with.
impl Default for Hours {
    fn default() -> Self {
        let hour = |h| NaiveTime::from_hms_opt(h, 0, 0).unwrap_or_default();
        Self {
            from: hour(8),
            to: hour(20),
        }
    }
}

/// The stable text, as stored: `08:00-20:00`.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}",
            self.from.format("%H:%M"),
            self.to.format("%H:%M")
        )
    }
}

impl FromStr for Hours {
    type Err = NoHours;

    fn from_str(text: &str) -> Result<Self, NoHours> {
        let (from, to) = text.split_once('-').ok_or(NoHours)?;
        let time = |t: &str| NaiveTime::parse_from_str(t.trim(), "%H:%M").map_err(|_| NoHours);
        Self::new(time(from)?, time(to)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(text: &str) -> Hours {
        text.parse().unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_stored_text_is_read_again() {
        let hours = Hours::default();
        assert_eq!(hours.to_string(), "08:00-20:00");
        assert_eq!("08:00-20:00".parse(), Ok(hours));
        for wrong in ["", "8", "08:00-08:00", "25:00-26:00", "08:00"] {
            assert_eq!(wrong.parse::<Hours>(), Err(NoHours), "{wrong}");
        }
    }

    #[test]
    fn the_day_opens_and_closes_in_the_zone() {
        let (day, zone) = (Hours::default(), chrono_tz::America::New_York);
        let opening = |t| day.next_opening(at(t), zone);
        assert_eq!(opening("2026-11-23T13:00:00Z"), None);
        assert_eq!(opening("2026-11-24T00:59:59Z"), None);
        let next = Some(at("2026-11-24T13:00:00Z"));
        assert_eq!(opening("2026-11-24T01:00:00Z"), next);
        assert_eq!(opening("2026-11-24T12:59:59.999Z"), next);
    }

    #[test]
    fn hours_may_go_over_midnight() {
        let (night, zone) = (hours("22:00-02:00"), chrono_tz::UTC);
        assert_eq!(night.next_opening(at("2026-11-23T23:30:00Z"), zone), None);
        assert_eq!(night.next_opening(at("2026-11-24T01:59:00Z"), zone), None);
        assert_eq!(
            night.next_opening(at("2026-11-24T02:00:00Z"), zone),
            Some(at("2026-11-24T22:00:00Z"))
        );
    }

    /// In London 01:00 to 02:00 was left out on 29 March 2026, and came twice on 25 October.
    #[test]
    fn summer_time_leaves_an_opening_out_or_brings_it_twice() {
        let zone = chrono_tz::Europe::London;
        let early = hours("01:30-12:00");
        assert_eq!(
            early.next_opening(at("2026-03-29T00:10:00Z"), zone),
            Some(at("2026-03-29T01:00:00Z"))
        );
        let opening = |t| early.next_opening(at(t), zone);
        let first = Some(at("2026-10-25T00:30:00Z"));
        assert_eq!(opening("2026-10-25T00:10:00Z"), first);
        assert_eq!(opening("2026-10-25T00:45:00Z"), None);
        assert_eq!(
            opening("2026-10-25T01:10:00Z"),
            Some(at("2026-10-25T01:30:00Z"))
        );
        // Closed at half past one, and open once more when the clocks go back before it.
        assert_eq!(
            hours("08:00-01:30").next_opening(at("2026-10-25T00:45:00Z"), zone),
            Some(at("2026-10-25T01:00:00Z"))
        );
    }

    const ZONES: [Tz; 10] = [
        chrono_tz::UTC,
        chrono_tz::Europe::London,
        chrono_tz::Europe::Berlin,
        chrono_tz::America::New_York,
        chrono_tz::America::St_Johns,
        chrono_tz::Australia::Lord_Howe,
        chrono_tz::Pacific::Apia,
        chrono_tz::Pacific::Chatham,
        chrono_tz::Antarctica::Troll,
        chrono_tz::Africa::Casablanca,
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// The opening is open, nothing before it is, and the wait is never longer than a day with
        /// the longest change of clocks.
        #[test]
        fn the_next_opening_is_the_first(
            zone in proptest::sample::select(&ZONES[..]),
            minute in 15_800_000_i64..35_000_000,
            second in 0_i64..60,
            from in 0_u32..1440,
            length in 1_u32..1440,
        ) {
            let time = |m: u32| NaiveTime::from_hms_opt(m / 60 % 24, m % 60, 0).unwrap();
            let hours = Hours::new(time(from), time(from + length)).unwrap();
            let now = DateTime::from_timestamp(minute * 60 + second, 0).unwrap();
            let Some(opening) = hours.next_opening(now, zone) else {
                prop_assert!(hours.contains(clock(now, zone)));
                return Ok(());
            };
            prop_assert!(hours.contains(clock(opening, zone)), "{opening} is not open");
            prop_assert!(opening > now && opening - now <= TimeDelta::hours(50));
            let mut before = now;
            while before < opening {
                prop_assert!(!hours.contains(clock(before, zone)), "{before} is open already");
                before += TimeDelta::minutes(1);
            }
        }

        /// Around the changes of clocks, where mistakes live: three days around each of London's.
        #[test]
        fn changes_of_clocks_are_borne(
            change in proptest::sample::select(&["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"][..]),
            minutes in -600_i64..600,
            from in 0_u32..240,
            length in 1_u32..1440,
        ) {
            let time = |m: u32| NaiveTime::from_hms_opt(m / 60 % 24, m % 60, 0).unwrap();
            let hours = Hours::new(time(from), time(from + length)).unwrap();
            let zone = chrono_tz::Europe::London;
            let now = at(change) + TimeDelta::minutes(minutes);
            if let Some(opening) = hours.next_opening(now, zone) {
                let mut before = now;
                while before < opening {
                    prop_assert!(!hours.contains(clock(before, zone)));
                    before += TimeDelta::minutes(1);
                }
                prop_assert!(hours.contains(clock(opening, zone)));
            }
        }
    }
}
