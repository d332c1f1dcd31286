//! Overview and the stop switch.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use super::checklist;
use super::connections::twilio_health;
use super::error::PageError;
use super::event_view::ended;
use super::flash::Told;
use super::suppressions::reply_row;
use crate::app::history::Overview;
use crate::domain::clock;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::user::Ability;
use crate::store::HourTally;
use crate::web::chrome::Section;
use crate::web::extract::tenant::{Seat, SeatForm};
use crate::web::pages::connections::Health;
use crate::web::pages::overview::{ConnectionLine, Counts, NeedLine, OverviewPage, OverviewView};
use crate::web::pages::words;
use crate::web::ui::address;
use crate::web::ui::bars::Hour;
use crate::web::ui::time::Moment;
use crate::web::ui::tone::Tone;

/// `GET /t/{tenant}`.
pub(super) async fn canonical(seat: Seat) -> HttpResponse {
    seat.lead("/", None)
}

/// `GET /t/{tenant}/`.
pub(super) async fn show(seat: Seat, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let tenant = seat.tenant();
    let found = seat
        .ask(|app| async move { app.overview(tenant).await })
        .await?;
    let chrome = seat.chrome(Section::Overview).await?;
    let mut view = view(&found, chrome.moment());
    if let Some(hour) = found.first_hour {
        view.checklist = checklist::steps(hour, chrome.role);
        view.is_folded = checklist::is_folded(&request);
    }
    seat.page(StatusCode::OK, &OverviewPage { chrome, view })
}

/// `POST /t/{tenant}/stop-switch`.
pub(super) async fn switch(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::StopSending)?;
    let (tenant, actor) = (seat.tenant(), seat.actor());
    match form.get("stopped") {
        "1" => {
            seat.ask(|app| async move { app.stop_sending(tenant, &actor).await })
                .await?;
            Ok(seat.lead("/", Some(Told::Stopped)))
        }
        "0" => {
            seat.ask(|app| async move { app.resume_sending(tenant, &actor).await })
                .await?;
            Ok(seat.lead("/", Some(Told::Resumed)))
        }
        _ => Err(PageError::Unreadable),
    }
}

fn view(found: &Overview, moment: Moment) -> OverviewView {
    let today = midnight(moment.now, moment.zone);
    let (week, before) = (today - TimeDelta::days(6), today - TimeDelta::days(13));
    let hours = &found.hours;
    let end = moment.now + TimeDelta::hours(1);
    OverviewView {
        today: counts(hours, today, end),
        week: counts(hours, week, end),
        week_before: counts(hours, before, week),
        waiting: found.waiting,
        hours: bars(hours, moment.now),
        last_webhook: found.last_event_at,
        connections: connections(found, moment),
        rejected: found.rejected,
        needs_you: needs(&found.needing_person),
        replies: found.replies.iter().cloned().map(reply_row).collect(),
        checklist: Vec::new(),
        is_folded: false,
        queue_trouble: found.queue_trouble.clone(),
        clock_off: found.clock_off.map(clock::standing),
    }
}

/// When the day began in the tenant's zone; where clocks skip midnight, the hour after it.
fn midnight(now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let day = now.with_timezone(&zone).date_naive();
    (0..3)
        .filter_map(|hour| NaiveTime::from_hms_opt(hour, 0, 0))
        .find_map(|time| zone.from_local_datetime(&day.and_time(time)).earliest())
        .map_or(now - TimeDelta::days(1), |at| at.with_timezone(&Utc))
}

/// Whole hours count to the span in which they begin.
fn counts(hours: &[HourTally], from: DateTime<Utc>, to: DateTime<Utc>) -> Counts {
    let mut counts = Counts::default();
    for hour in hours {
        if hour.starts_at >= from && hour.starts_at < to {
            counts.sent += hour.sent;
            counts.failed += hour.failed;
        }
    }
    counts
}

fn bars(hours: &[HourTally], now: DateTime<Utc>) -> Vec<Hour> {
    let this_hour = now.timestamp().div_euclid(3600) * 3600;
    (0..24)
        .filter_map(|back| DateTime::from_timestamp(this_hour - (23 - back) * 3600, 0))
        .map(|starts_at| {
            let of = counts(hours, starts_at, starts_at + TimeDelta::hours(1));
            Hour {
                starts_at,
                sent: of.sent,
                failed: of.failed,
            }
        })
        .collect()
}

fn connections(found: &Overview, moment: Moment) -> Vec<ConnectionLine> {
    let mut lines = Vec::new();
    let heard = found.last_event_at;
    if heard.is_some() || found.twilio.is_some() {
        lines.push(match heard {
            Some(at) => ConnectionLine {
                name: "Zoho Books".to_owned(),
                tone: Tone::Ok,
                word: "Heard from".to_owned(),
                sentence: format!("Last webhook {}.", moment.ago(at)),
            },
            None => ConnectionLine {
                name: "Zoho Books".to_owned(),
                tone: Tone::Queued,
                word: "Not heard from yet".to_owned(),
                sentence: "Paste the web address into a webhook of Zoho Books.".to_owned(),
            },
        });
    }
    if let Some(twilio) = &found.twilio {
        let (tone, word, sentence) = match twilio_health(twilio, found.has_sent, moment) {
            Health::Missing | Health::Unfinished | Health::Untried => (
                Tone::Queued,
                "Not tried yet",
                "The first message or a check will tell.".to_owned(),
            ),
            Health::Working => (Tone::Ok, "Working", "It takes messages.".to_owned()),
            Health::Paused(why) => (Tone::Held, "Paused", why),
            Health::Broken(why) => (Tone::Failed, "Broken", why),
        };
        lines.push(ConnectionLine {
            name: "Twilio".to_owned(),
            tone,
            word: word.to_owned(),
            sentence,
        });
    }
    lines
}

/// The oldest first; what is held for one reason shares a line.
fn needs(newest_first: &[Delivery]) -> Vec<NeedLine> {
    let mut groups: Vec<(&Delivery, usize)> = Vec::new();
    for delivery in newest_first.iter().rev() {
        let same = groups.iter_mut().find(|(first, _)| {
            delivery.state == DeliveryState::Held
                && first.state == DeliveryState::Held
                && first.reason == delivery.reason
        });
        match same {
            Some((_, count)) => *count += 1,
            None => groups.push((delivery, 1)),
        }
    }
    let line = |(first, count): (&Delivery, usize)| {
        let who = if count == 1 {
            let name = (!first.recipient.is_empty()).then_some(first.recipient.as_str());
            words::message_to(first.channel, name, &address::short(&first.address))
        } else {
            format!("{count} messages")
        };
        NeedLine {
            event: first.id.event,
            state: first.state,
            sentence: format!("{who}: {}", ended(&first.reason)),
            at: first.created_at,
        }
    };
    groups.into_iter().take(10).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_the_tenants_midnight() {
        let now = "2026-06-01T22:30:00Z".parse().unwrap();
        let at = midnight(now, Tz::Europe__Berlin);
        assert_eq!(at.to_rfc3339(), "2026-06-01T22:00:00+00:00");
    }

    #[test]
    fn a_day_without_midnight_begins_an_hour_later() {
        let now = "2018-11-04T12:00:00Z".parse().unwrap();
        let at = midnight(now, Tz::America__Sao_Paulo);
        assert_eq!(at.to_rfc3339(), "2018-11-04T03:00:00+00:00");
    }

    #[test]
    fn the_bars_end_with_the_present_hour() {
        let now: DateTime<Utc> = "2026-06-01T22:30:00Z".parse().unwrap();
        let hour = |text: &str, sent, failed| HourTally {
            starts_at: text.parse().unwrap(),
            sent,
            failed,
        };
        let hours = [
            hour("2026-05-31T22:00:00Z", 9, 0),
            hour("2026-06-01T22:00:00Z", 2, 1),
        ];
        let bars = bars(&hours, now);
        assert_eq!(bars.len(), 24);
        assert_eq!((bars[23].sent, bars[23].failed), (2, 1));
        assert_eq!(bars.iter().map(|b| b.sent).sum::<u64>(), 2);
    }
}
