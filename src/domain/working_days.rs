//! Days on which offices work: Monday to Friday in a zone.

use chrono::{
    DateTime, Datelike as _, Days, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Utc, Weekday,
};
use chrono_tz::Tz;

/// The same time of day that many working days later. A weekend counts as the Monday after it begins.
pub fn after(from: DateTime<Utc>, days: u32, zone: Tz) -> DateTime<Utc> {
    let mut local = from.with_timezone(&zone).naive_local();
    if is_weekend(local) {
        local = next_day(local).date().and_time(NaiveTime::MIN);
    }
    for _ in 0..days {
        local = next_day(local);
    }
    instant(local, zone)
}

/// The instant of a local time; in the gap of a spring night, an hour later.
pub fn instant(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let at = zone.from_local_datetime(&local).earliest();
    let at = at.or_else(|| {
        zone.from_local_datetime(&(local + TimeDelta::hours(1)))
            .earliest()
    });
    at.map_or_else(|| local.and_utc(), |at| at.with_timezone(&Utc))
}

fn next_day(mut local: NaiveDateTime) -> NaiveDateTime {
    loop {
        local = local + Days::new(1);
        if !is_weekend(local) {
            return local;
        }
    }
}

fn is_weekend(local: NaiveDateTime) -> bool {
    matches!(local.weekday(), Weekday::Sat | Weekday::Sun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekends_do_not_count() {
        let berlin = Tz::Europe__Berlin;
        let at = |text: &str| -> DateTime<Utc> {
            let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
            instant(local, berlin)
        };
        for (from, to) in [
            ("2026-11-23 10:00", "2026-11-25 10:00"),
            ("2026-11-26 10:00", "2026-11-30 10:00"),
            ("2026-11-27 18:00", "2026-12-01 18:00"),
            ("2026-11-28 12:00", "2026-12-02 00:00"),
            ("2026-11-29 23:59", "2026-12-02 00:00"),
        ] {
            assert_eq!(after(at(from), 2, berlin), at(to), "{from}");
        }
    }

    #[test]
    fn a_time_that_a_spring_night_leaves_out_is_an_hour_later() {
        let berlin = Tz::Europe__Berlin;
        let friday: DateTime<Utc> = "2026-03-26T01:30:00Z".parse().unwrap();
        assert_eq!(
            after(friday, 2, berlin).to_rfc3339(),
            "2026-03-30T00:30:00+00:00"
        );
        let lost = NaiveDateTime::parse_from_str("2026-03-29 02:30", "%Y-%m-%d %H:%M").unwrap();
        assert_eq!(
            instant(lost, berlin).to_rfc3339(),
            "2026-03-29T01:30:00+00:00"
        );
    }
}
