//! What became of the messages of some days. A day is the tenant's: it begins at its own midnight, which
//! need not be on a full hour of the world's clock.

use chrono::{DateTime, Days, DurationRound as _, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::AppError;
use crate::domain::delivery::DeliveryState;
use crate::domain::working_days::instant;
use crate::store::{HourTally, TenantStore};

/// How many messages left, and how many failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// The provider has them, or the recipient.
    pub sent: u64,
    pub failed: u64,
}

/// When a day begins in a zone; where clocks skip midnight, an hour later.
pub fn midnight(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    instant(day.and_time(NaiveTime::MIN), zone)
}

/// From the beginning of a day until the next one begins.
pub fn span(day: NaiveDate, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    (midnight(day, zone), midnight(day + Days::new(1), zone))
}

/// What became of the messages that were made from one instant until before another. Whole hours are read
/// off `hours`, which reach back as far; what is left at the ends is counted.
pub(super) async fn figures(
    store: &TenantStore,
    hours: &[HourTally],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Figures, AppError> {
    const HOUR: TimeDelta = TimeDelta::hours(1);
    let first = from.duration_round_up(HOUR).unwrap_or(from);
    let last = to.duration_trunc(HOUR).unwrap_or(to);
    let mut figures = Figures::default();
    for hour in hours {
        if hour.starts_at >= first && hour.starts_at < last {
            figures.sent += hour.sent;
            figures.failed += hour.failed;
        }
    }
    for (from, to) in [(from, first), (last, to)] {
        if from < to {
            count(&mut figures, &store.made_between(from, to).await?);
        }
    }
    Ok(figures)
}

fn count(figures: &mut Figures, made: &[(DeliveryState, i64)]) {
    for (state, number) in made {
        let number = u64::try_from(*number).unwrap_or(0);
        match state {
            DeliveryState::Accepted
            | DeliveryState::Sent
            | DeliveryState::Delivered
            | DeliveryState::Read => figures.sent += number,
            DeliveryState::Failed | DeliveryState::Undelivered => figures.failed += number,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_the_tenants_midnight() {
        let at = |day: &str, zone| midnight(day.parse().unwrap(), zone).to_rfc3339();
        assert_eq!(
            at("2026-06-02", Tz::Europe__Berlin),
            "2026-06-01T22:00:00+00:00"
        );
        assert_eq!(
            at("2026-06-02", Tz::Asia__Kolkata),
            "2026-06-01T18:30:00+00:00"
        );
        let skipped = at("2018-11-04", Tz::America__Sao_Paulo);
        assert_eq!(skipped, "2018-11-04T03:00:00+00:00");
    }

    #[test]
    fn days_follow_each_other_without_a_gap() {
        let mut day: NaiveDate = "2026-03-27".parse().unwrap();
        for _ in 0..5 {
            let (_, end) = span(day, Tz::Europe__Berlin);
            day = day + Days::new(1);
            assert_eq!(end, midnight(day, Tz::Europe__Berlin));
        }
    }
}
