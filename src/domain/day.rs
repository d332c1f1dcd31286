//! Days as other programs write them.
//!
//! Zoho's default payload sends `2026-11-29`; a body that somebody put together by hand sends what
//! the organisation's date format makes of it. Only what can mean one day is read.

use chrono::NaiveDate;

/// How a company's books write dates that can be read in two ways.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum DateFormat {
    /// Nobody has said so: such a date is not read.
    #[default]
    #[strum(serialize = "")]
    Unknown,
    /// 05/11/2026 is 5 November.
    DayFirst,
    /// 05/11/2026 is 11 May.
    MonthFirst,
}

impl DateFormat {
    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    /// The day of a text that could mean two.
    pub fn choose(self, text: &str) -> Option<NaiveDate> {
        let (day_first, month_first) = doubtful(text)?;
        match self {
            Self::Unknown => None,
            Self::DayFirst => Some(day_first),
            Self::MonthFirst => Some(month_first),
        }
    }
}

/// Reads a day, whether a time follows or not. `29/11/2026` can only be November; `05/11/2026` may
/// be May, so it is no day.
pub fn read(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    if let Some(day) = text.get(..10).and_then(iso) {
        return Some(day);
    }
    // A time may follow: `29/11/2026 14:02`.
    by_numbers(text.split([' ', 'T', ',']).next()?).or_else(|| by_name(text))
}

/// The two days that a text could mean, the day first and the month first.
pub fn doubtful(text: &str) -> Option<(NaiveDate, NaiveDate)> {
    let (first, second, year) = numbers(text.trim().split([' ', 'T', ',']).next()?)?;
    let day_first = NaiveDate::from_ymd_opt(year, second, first)?;
    let month_first = NaiveDate::from_ymd_opt(year, first, second)?;
    (day_first != month_first).then_some((day_first, month_first))
}

fn iso(ten: &str) -> Option<NaiveDate> {
    let is_date = ten.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if !is_date {
        return None;
    }
    NaiveDate::from_ymd_opt(
        ten[..4].parse().ok()?,
        ten[5..7].parse().ok()?,
        ten[8..].parse().ok()?,
    )
}

fn by_numbers(text: &str) -> Option<NaiveDate> {
    let parts: Vec<&str> = text.split(['/', '.']).collect();
    if let [year, month, day] = parts[..]
        && year.len() == 4
    {
        return iso(&format!("{year}-{month:0>2}-{day:0>2}"));
    }
    if doubtful(text).is_some() {
        return None;
    }
    let (first, second, year) = numbers(text)?;
    NaiveDate::from_ymd_opt(year, second, first)
        .or_else(|| NaiveDate::from_ymd_opt(year, first, second))
}

/// Two numbers of one or two digits and a year of four.
fn numbers(text: &str) -> Option<(u32, u32, i32)> {
    let sign = text.chars().find(|c| !c.is_ascii_digit())?;
    if !matches!(sign, '/' | '.' | '-') {
        return None;
    }
    let parts: Vec<&str> = text.split(sign).collect();
    let [first, second, year] = parts[..] else {
        return None;
    };
    let is_number =
        |text: &str, most: usize| text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(first, 2) || !is_number(second, 2) || year.len() != 4 || !is_number(year, 4) {
        return None;
    }
    Some((
        first.parse().ok()?,
        second.parse().ok()?,
        year.parse().ok()?,
    ))
}

/// `29 Nov 2026`, `29-Nov-2026`, `Nov 29, 2026`.
fn by_name(text: &str) -> Option<NaiveDate> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    if text.len() > 40 {
        return None;
    }
    let mut parts = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty());
    let (first, second, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = |name: &str| {
        let name = name.to_lowercase();
        let at = MONTHS
            .iter()
            .position(|m| *m == name || (name.len() == 3 && m.starts_with(&name)))?;
        u32::try_from(at + 1).ok()
    };
    let (day, month) = match (month(first), month(second)) {
        (Some(month), None) => (second, month),
        (None, Some(month)) => (first, month),
        _ => return None,
    };
    (year.len() == 4 && day.len() <= 2)
        .then(|| NaiveDate::from_ymd_opt(year.parse().ok()?, month, day.parse().ok()?))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Option<String> {
        read(text).map(|day| day.to_string())
    }

    #[test]
    fn what_can_mean_one_day_is_read() {
        for text in [
            "2026-11-29",
            "2026-11-29T00:00:00.000Z",
            "29/11/2026",
            "11/29/2026",
            "29.11.2026",
            "29-11-2026",
            "29/11/2026 14:02",
            "2026/11/29",
            "29 Nov 2026",
            "29-Nov-2026",
            "Nov 29, 2026",
            "November 29, 2026 2:02 PM",
        ] {
            assert_eq!(day(text).as_deref(), Some("2026-11-29"), "{text}");
        }
        assert_eq!(day("05/05/2026").as_deref(), Some("2026-05-05"));
    }

    #[test]
    fn what_can_mean_two_days_or_none_is_not() {
        for text in [
            "05/11/2026",
            "5.11.2026",
            "05-11-2026",
            "31/31/2026",
            "29/11/26",
            "soon",
            "",
            "1/2",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
        let (first, second) = doubtful("05/11/2026 09:00").unwrap();
        assert_eq!(
            (first.to_string(), second.to_string()),
            ("2026-11-05".into(), "2026-05-11".into())
        );
        assert_eq!(doubtful("29/11/2026"), None);
    }
}
