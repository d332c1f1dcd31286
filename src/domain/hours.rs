//! The hours of a day in which contacts may be written to.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveTime;

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
}

/// 08:00 to 20:00: what a tenant has that signed up.
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
    use super::*;

    #[test]
    fn the_stored_text_is_read_again() {
        let hours = Hours::default();
        assert_eq!(hours.to_string(), "08:00-20:00");
        assert_eq!("08:00-20:00".parse(), Ok(hours));
        for wrong in ["", "8", "08:00-08:00", "25:00-26:00", "08:00"] {
            assert_eq!(wrong.parse::<Hours>(), Err(NoHours), "{wrong}");
        }
    }
}
