//! Overview and the stop switch.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};

use super::checklist;
use crate::app::history::HourTally;
use crate::app::history::Overview;
use crate::domain::clock;
use crate::domain::delivery::{Channel, Delivery, DeliveryState};
use crate::domain::event::Event;
use crate::domain::ids::EventId;
use crate::domain::provider::ProviderWords;
use crate::web::areas::connections::handlers::transport_health;
use crate::web::areas::connections::page::Health;
use crate::web::areas::error::PageError;
use crate::web::areas::event::view::ended;
use crate::web::areas::flash::Told;
use crate::web::areas::overview::page::{
    ConnectionLine, Need, NeedLine, OverviewPage, OverviewView,
};
use crate::web::areas::suppressions::handlers::reply_row;
use crate::web::areas::words;
use crate::web::chrome::{Chrome, Section};
use crate::web::extract::ability::{StopSending, View};
use crate::web::extract::tenant::{TenantForm, TenantRequest};
use crate::web::ui::address;
use crate::web::ui::bars::Hour;
use crate::web::ui::figure::counted;
use crate::web::ui::tone::Tone;

/// `GET /t/{tenant}`.
pub(in crate::web) async fn canonical(request: TenantRequest<View>) -> HttpResponse {
    request.redirect_to("/", None)
}

/// `GET /t/{tenant}/`.
pub(in crate::web) async fn show(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let found = request
        .ask(|app| async move { app.overview(tenant).await })
        .await?;
    let chrome = request.chrome(Section::Overview).await?;
    let mut view = view(&found, &chrome);
    if let Some(hour) = found.first_hour {
        view.checklist = checklist::steps(hour, chrome.role, chrome.providers.of(Channel::Sms));
        view.is_folded = checklist::is_folded(request.http());
    }
    request.page(StatusCode::OK, &OverviewPage { chrome, view })
}

/// `POST /t/{tenant}/stop-switch`.
pub(in crate::web) async fn switch(
    posted: TenantForm<StopSending>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let (tenant, actor) = (request.tenant(), request.actor());
    match form.get("stopped") {
        "1" => {
            request
                .ask(|app| async move { app.stop_sending(tenant, &actor).await })
                .await?;
            Ok(request.redirect_to("/", Some(Told::Stopped)))
        }
        "0" => {
            request
                .ask(|app| async move { app.resume_sending(tenant, &actor).await })
                .await?;
            Ok(request.redirect_to("/", Some(Told::Resumed)))
        }
        _ => Err(PageError::Unreadable),
    }
}

fn view(found: &Overview, chrome: &Chrome) -> OverviewView {
    let moment = chrome.moment();
    OverviewView {
        today: found.today,
        day: moment.now.with_timezone(&moment.zone).date_naive(),
        week: found.week,
        week_before: found.week_before,
        waiting: found.waiting,
        hours: bars(&found.hours, moment.now),
        last_webhook: found.last_event_at,
        connections: connections(found, chrome),
        rejected: found.rejected,
        needs_you: needs(found),
        replies: found.replies.iter().cloned().map(reply_row).collect(),
        checklist: Vec::new(),
        is_folded: false,
        queue_trouble: found.queue_trouble.clone(),
        clock_off: found.clock_off.map(clock::standing),
    }
}

fn bars(hours: &[HourTally], now: DateTime<Utc>) -> Vec<Hour> {
    let this_hour = now.timestamp().div_euclid(3600) * 3600;
    (0..24)
        .filter_map(|back| DateTime::from_timestamp(this_hour - (23 - back) * 3600, 0))
        .map(|starts_at| {
            let of = hours.iter().find(|hour| hour.starts_at == starts_at);
            Hour {
                starts_at,
                sent: of.map_or(0, |hour| hour.sent),
                failed: of.map_or(0, |hour| hour.failed),
            }
        })
        .collect()
}

fn connections(found: &Overview, chrome: &Chrome) -> Vec<ConnectionLine> {
    let moment = chrome.moment();
    let mut lines = Vec::new();
    let heard = found.last_event_at;
    if heard.is_some() || found.sender.is_some() {
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
    if let Some(connection) = &found.sender {
        let provider = chrome.providers.named(connection.provider.as_str());
        let name = provider.unwrap_or(&ProviderWords::NOBODY).name;
        let health = transport_health(
            connection,
            name,
            (found.has_sent, found.low.as_ref()),
            moment,
        );
        let (tone, word, sentence) = match health {
            Health::Missing | Health::Unfinished | Health::Untried => (
                Tone::Queued,
                "Not tried yet",
                "The first message or a check will tell.".to_owned(),
            ),
            Health::Working => (Tone::Ok, "Working", "It takes messages.".to_owned()),
            Health::Paused(why) => (Tone::Held, "Paused", why),
            Health::Low(why) => (Tone::Needs, "Balance low", why),
            Health::Broken(why) => (Tone::Failed, "Broken", why),
        };
        lines.push(ConnectionLine {
            name: name.to_owned(),
            tone,
            word: word.to_owned(),
            sentence,
        });
    }
    lines
}

/// The oldest first; what is held or has failed for one reason shares a line, and so does all that was not
/// understood.
fn needs(found: &Overview) -> Vec<NeedLine> {
    let mut groups: Vec<Vec<&Delivery>> = Vec::new();
    for delivery in found.needing_person.iter().rev() {
        let same = groups.iter_mut().find(|group| {
            group.first().is_some_and(|first| {
                delivery.state != DeliveryState::Unknown
                    && first.state == delivery.state
                    && first.reason == delivery.reason
            })
        });
        match same {
            Some(group) => group.push(delivery),
            None => groups.push(vec![delivery]),
        }
    }
    let mut lines: Vec<NeedLine> = groups.iter().filter_map(|group| need(group)).collect();
    lines.extend(not_understood(&found.unrecognised));
    lines.sort_by_key(|line| line.at);
    lines.truncate(10);
    lines
}

fn need(group: &[&Delivery]) -> Option<NeedLine> {
    let first = group.first()?;
    let who = if group.len() == 1 {
        let name = (!first.recipient.is_empty()).then_some(first.recipient.as_str());
        words::message_to(first.channel, name, &address::short(&first.address))
    } else {
        format!("{} messages", group.len())
    };
    let mut events: Vec<EventId> = group.iter().map(|d| d.id.event).collect();
    events.dedup();
    Some(NeedLine {
        event: first.id.event,
        what: Need::Message(first.channel, first.state),
        sentence: format!("{who}: {}", ended(&first.reason)),
        at: first.created_at,
        closes: if first.is_undealt() {
            events
        } else {
            Vec::new()
        },
    })
}

fn not_understood(newest_first: &[Event]) -> Option<NeedLine> {
    let oldest = newest_first.last()?;
    let requests = counted(newest_first.len() as u64, "request", "requests");
    Some(NeedLine {
        event: oldest.id,
        what: Need::NotUnderstood,
        sentence: format!(
            "{requests} of Zoho Books could not be understood, so nobody was told. The page says why."
        ),
        at: oldest.received_at,
        closes: newest_first.iter().map(|event| event.id).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
