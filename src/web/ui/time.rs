//! Instants as people read them: "10:42" today, "12 May" before, all of it in UTC in the title.

use std::borrow::Borrow;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};

/// The tenant's zone and the instant of the request.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub zone: Tz,
    pub now: DateTime<Utc>,
}

impl Moment {
    /// "10:42" today, "12 May" this year, "12 May 2025" before.
    pub fn short(self, at: DateTime<Utc>) -> String {
        let (there, here) = (
            at.with_timezone(&self.zone),
            self.now.with_timezone(&self.zone),
        );
        if there.date_naive() == here.date_naive() {
            there.format("%H:%M").to_string()
        } else {
            self.day(at)
        }
    }

    /// "12 May" this year, "12 May 2025" before.
    pub fn day(self, at: DateTime<Utc>) -> String {
        let (there, here) = (
            at.with_timezone(&self.zone),
            self.now.with_timezone(&self.zone),
        );
        let format = if there.year() == here.year() {
            "%-d %b"
        } else {
            "%-d %b %Y"
        };
        there.format(format).to_string()
    }

    /// "today at 10:42:07 CEST", "12 May at 10:42:07 CEST".
    pub fn long(self, at: DateTime<Utc>) -> String {
        let (there, here) = (
            at.with_timezone(&self.zone),
            self.now.with_timezone(&self.zone),
        );
        let clock = there.format("%H:%M:%S %Z");
        if there.date_naive() == here.date_naive() {
            format!("today at {clock}")
        } else {
            format!("{} at {clock}", self.day(at))
        }
    }

    /// The full hour an instant lies in: "10:00".
    pub fn hour(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%H:00").to_string()
    }

    /// "just now", "4 minutes ago", "3 hours ago", else the day.
    pub fn ago(self, at: DateTime<Utc>) -> String {
        let minutes = (self.now - at).num_minutes();
        match minutes {
            i64::MIN..1 => "just now".to_owned(),
            1 => "1 minute ago".to_owned(),
            2..60 => format!("{minutes} minutes ago"),
            60..120 => "1 hour ago".to_owned(),
            120..1440 => format!("{} hours ago", minutes / 60),
            _ => format!("on {}", self.day(at)),
        }
    }
}

/// [`Moment::short`] as a `time` element.
pub fn short(moment: Moment, at: impl Borrow<DateTime<Utc>>) -> Markup {
    let at = *at.borrow();
    element(at, &moment.short(at))
}

/// [`Moment::long`] as a `time` element.
pub fn long(moment: Moment, at: impl Borrow<DateTime<Utc>>) -> Markup {
    let at = *at.borrow();
    element(at, &moment.long(at))
}

/// [`Moment::ago`] as a `time` element.
pub fn ago(moment: Moment, at: impl Borrow<DateTime<Utc>>) -> Markup {
    let at = *at.borrow();
    element(at, &moment.ago(at))
}

/// A span after the first step: "+1.2 s", "+4 min 20 s", "+2 h 05", "+3 d".
pub fn offset(span: TimeDelta) -> String {
    let millis = span.num_milliseconds().max(0);
    let seconds = millis / 1000;
    match seconds {
        0..60 => format!("+{}.{} s", seconds, millis % 1000 / 100),
        60..3600 => format!("+{} min {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("+{} h {:02}", seconds / 3600, seconds % 3600 / 60),
        _ => format!("+{} d", seconds / 86_400),
    }
}

fn element(at: DateTime<Utc>, words: &str) -> Markup {
    html! {
        time class="nowrap" datetime=(at.format("%Y-%m-%dT%H:%M:%SZ"))
            title=(at.format("%Y-%m-%d %H:%M:%S%.3f UTC")) { (words) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn today_is_the_tenants_day() {
        let moment = Moment {
            zone: Tz::Europe__Berlin,
            now: at("2026-05-12T22:30:00Z"),
        };
        assert_eq!(moment.short(at("2026-05-12T22:10:00Z")), "00:10");
        assert_eq!(moment.short(at("2026-05-12T21:10:00Z")), "12 May");
        assert_eq!(moment.short(at("2025-12-31T22:59:00Z")), "31 Dec 2025");
    }

    #[test]
    fn offsets_grow_coarser() {
        assert_eq!(offset(TimeDelta::milliseconds(-5)), "+0.0 s");
        assert_eq!(offset(TimeDelta::milliseconds(1_249)), "+1.2 s");
        assert_eq!(offset(TimeDelta::seconds(260)), "+4 min 20 s");
        assert_eq!(offset(TimeDelta::seconds(7_500)), "+2 h 05");
        assert_eq!(offset(TimeDelta::days(3)), "+3 d");
    }
}
