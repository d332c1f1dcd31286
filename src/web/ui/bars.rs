//! A day in 24 bars: inline SVG without a grid, and the same numbers as a table.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::web::ui::time::Moment;

/// What left in one hour, and what failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    pub starts_at: DateTime<Utc>,
    pub sent: u64,
    pub failed: u64,
}

const HEIGHT: u64 = 96;
const STEP: u64 = 20;

/// The bars, oldest first, with their axis and table.
pub fn bars(hours: &[Hour], moment: Moment) -> Markup {
    let most = hours
        .iter()
        .map(|h| h.sent + h.failed)
        .max()
        .unwrap_or(0)
        .max(1);
    let width = STEP * hours.len().max(1) as u64;
    html! {
        svg class="bars" viewBox={ "0 0 " (width) " " (HEIGHT) } role="img"
            aria-label=(summary(hours)) {
            @for (at, hour) in (0u64..).zip(hours) {
                (bar(at * STEP, *hour, most, moment))
            }
        }
        div class="bars-axis" aria-hidden="true" {
            @for hour in hours.iter().step_by(6) { span { (moment.hour(hour.starts_at)) } }
            span { "now" }
        }
        details class="as-table" {
            summary { "As table" }
            table {
                thead { tr {
                    th scope="col" { "Hour" } th scope="col" class="num" { "Sent" }
                    th scope="col" class="num" { "Failed" }
                } }
                tbody {
                    @for hour in hours.iter().rev() {
                        tr {
                            td { (moment.hour(hour.starts_at)) }
                            td class="num" { (hour.sent) }
                            td class="num" { (hour.failed) }
                        }
                    }
                }
            }
        }
    }
}

fn bar(x: u64, hour: Hour, most: u64, moment: Moment) -> Markup {
    let tall = |count: u64| {
        if count == 0 {
            0
        } else {
            (count * (HEIGHT - 2) / most).max(3)
        }
    };
    let failed = tall(hour.failed);
    let sent = tall(hour.sent).min(HEIGHT - failed);
    html! {
        g {
            title { (moment.hour(hour.starts_at)) ": " (hour.sent) " sent, " (hour.failed) " failed" }
            @if hour.sent + hour.failed == 0 {
                rect class="none" x=(x + 3) y=(HEIGHT - 2) width="14" height="2" rx="1" {}
            }
            @if sent > 0 {
                rect class="sent" x=(x + 3) y=(HEIGHT - sent) width="14" height=(sent) rx="2" {}
            }
            @if failed > 0 {
                rect class="failed" x=(x + 3) y=(HEIGHT - sent - failed) width="14"
                    height=(failed) rx="2" {}
            }
        }
    }
}

fn summary(hours: &[Hour]) -> String {
    let sent: u64 = hours.iter().map(|h| h.sent).sum();
    let failed: u64 = hours.iter().map(|h| h.failed).sum();
    format!(
        "{sent} sent and {failed} failed in the last {} hours",
        hours.len()
    )
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    #[test]
    fn a_quiet_day_still_draws_24_marks() {
        let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let hours = [Hour {
            starts_at: now,
            sent: 0,
            failed: 0,
        }; 24];
        let html = bars(&hours, Moment { zone: Tz::UTC, now }).into_string();
        assert_eq!(html.matches(r#"class="none""#).count(), 24);
        assert!(html.contains("0 sent and 0 failed in the last 24 hours"));
    }
}
