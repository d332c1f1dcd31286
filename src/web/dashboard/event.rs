//! The page of one event, and what a person can do about its messages.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use uuid::Uuid;

use super::error::PageError;
use super::event_view::{self, delivery_view};
use super::flash::Told;
use crate::app::AppError;
use crate::app::resolve::Resolution;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::ids::{DeliveryId, EventId};
use crate::domain::user::Ability;
use crate::store::Story;
use crate::web::chrome::Section;
use crate::web::extract::tenant::{Seat, SeatForm};
use crate::web::pages::event::{EventPage, Question, SendAgainPage};

/// `GET /t/{tenant}/events/{event}`.
pub(super) async fn show(seat: Seat) -> Result<HttpResponse, PageError> {
    let event = seat.id("event")?;
    page(&seat, event, StatusCode::OK).await
}

/// `POST /t/{tenant}/events/{event}/replays`.
pub(super) async fn replay(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::Replay)?;
    let event: EventId = seat.id("event")?;
    let nonce = form.nonce()?.to_owned();
    let (tenant, actor) = (seat.tenant(), seat.actor());
    let replayed = seat
        .ask(|app| async move { app.replay_event(tenant, event, &nonce, &actor).await })
        .await;
    match replayed {
        Ok(done) => {
            let told = if done.is_pending {
                Told::ReplayPending
            } else {
                Told::EventReplayed
            };
            Ok(seat.lead(&format!("/events/{event}"), Some(told)))
        }
        // The page says which message is still open, and what to do with it.
        Err(PageError::App(AppError::Open(_))) => page(&seat, event, StatusCode::CONFLICT).await,
        Err(error) => Err(error),
    }
}

async fn page(seat: &Seat, event: EventId, status: StatusCode) -> Result<HttpResponse, PageError> {
    let tenant = seat.tenant();
    let (story, body) = seat
        .ask(|app| async move { app.story(tenant, event).await })
        .await?;
    let chrome = seat.chrome(Section::History).await?;
    let view = event_view::of(&story, body.as_ref(), chrome.moment());
    let page = EventPage {
        chrome,
        view,
        nonce: nonce(),
    };
    seat.page(status, &page)
}

/// A wish's name; every page that is loaded asks for another.
fn nonce() -> String {
    Uuid::new_v4().simple().to_string()
}

/// `GET /t/{tenant}/deliveries/{delivery}/replays/new`.
pub(super) async fn ask(seat: Seat) -> Result<HttpResponse, PageError> {
    seat.require(Ability::Replay)?;
    let id: DeliveryId = seat.id("delivery")?;
    let (story, delivery) = find(&seat, id).await?;
    let question = question(&seat, &story, &delivery).await?;
    let status = match question {
        Question::Open(_) | Question::Suppressed(_) => StatusCode::CONFLICT,
        _ => StatusCode::OK,
    };
    send_again(&seat, &story, &delivery, question, status).await
}

/// `POST /t/{tenant}/deliveries/{delivery}/replays`.
pub(super) async fn replay_delivery(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::Replay)?;
    let id: DeliveryId = seat.id("delivery")?;
    if form.get("confirmed") != "1" {
        return Ok(seat.lead(&format!("/deliveries/{id}/replays/new"), None));
    }
    let nonce = form.nonce()?.to_owned();
    let (tenant, actor) = (seat.tenant(), seat.actor());
    let replayed = seat
        .ask(|app| async move { app.replay_delivery(tenant, id, &nonce, &actor).await })
        .await;
    let refused = match replayed {
        Ok(done) => {
            let to = format!("/events/{}", done.event);
            let told = if done.waits {
                Told::MessageWaits
            } else {
                Told::MessageReplayed
            };
            return Ok(seat.lead(&to, Some(told)));
        }
        Err(PageError::App(error @ (AppError::Open(_) | AppError::Suppressed(_)))) => error,
        Err(error) => return Err(error),
    };
    let (story, delivery) = find(&seat, id).await?;
    let question = match refused {
        AppError::Open(open) => {
            let open = story.deliveries.iter().find(|d| d.id == open);
            Question::Open(open.map_or(DeliveryState::Queued, |d| d.state))
        }
        AppError::Suppressed(why) => Question::Suppressed(why),
        error => return Err(error.into()),
    };
    send_again(&seat, &story, &delivery, question, StatusCode::CONFLICT).await
}

/// `POST /t/{tenant}/deliveries/{delivery}/arrival`.
pub(super) async fn arrival(posted: SeatForm) -> Result<HttpResponse, PageError> {
    resolve(posted.seat, Resolution::Arrived, Told::Arrived).await
}

/// `POST /t/{tenant}/deliveries/{delivery}/resending`: an unknown message goes out once more.
pub(super) async fn resending(posted: SeatForm) -> Result<HttpResponse, PageError> {
    resolve(posted.seat, Resolution::SendAgain, Told::SentAgain).await
}

/// `POST /t/{tenant}/deliveries/{delivery}/cancellation`.
pub(super) async fn cancellation(posted: SeatForm) -> Result<HttpResponse, PageError> {
    resolve(posted.seat, Resolution::Cancel, Told::CalledOff).await
}

async fn resolve(seat: Seat, word: Resolution, told: Told) -> Result<HttpResponse, PageError> {
    seat.require(Ability::Replay)?;
    let id: DeliveryId = seat.id("delivery")?;
    let (tenant, actor) = (seat.tenant(), seat.actor());
    seat.ask(|app| async move { app.resolve(tenant, id, word, &actor).await })
        .await?;
    Ok(seat.lead(&format!("/events/{}", id.event), Some(told)))
}

async fn find(seat: &Seat, id: DeliveryId) -> Result<(Story, Delivery), PageError> {
    let tenant = seat.tenant();
    let (story, _) = seat
        .ask(|app| async move { app.story(tenant, id.event).await })
        .await?;
    let delivery = story.deliveries.iter().find(|d| d.id == id).cloned();
    let delivery = delivery.ok_or(PageError::NotFound)?;
    Ok((story, delivery))
}

/// What must be answered before the message goes out once more.
async fn question(seat: &Seat, story: &Story, of: &Delivery) -> Result<Question, PageError> {
    if of.state == DeliveryState::Unknown {
        return Ok(Question::Unknown);
    }
    let open = story
        .deliveries
        .iter()
        .find(|d| d.state.blocks_replay() && d.address == of.address);
    if let Some(open) = open {
        return Ok(Question::Open(open.state));
    }
    let delivery = of.clone();
    let suppressed = seat.ask(|app| async move { app.suppressed(&delivery).await });
    if let Some(why) = suppressed.await? {
        return Ok(Question::Suppressed(why));
    }
    Ok(match of.state {
        DeliveryState::Accepted | DeliveryState::Sent => Question::TwilioHasIt,
        DeliveryState::Delivered | DeliveryState::Read => Question::Received {
            who: if of.recipient.is_empty() {
                of.address.clone()
            } else {
                of.recipient.clone()
            },
            at: of.updated_at,
        },
        _ => Question::Plain,
    })
}

async fn send_again(
    seat: &Seat,
    story: &Story,
    delivery: &Delivery,
    question: Question,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    let chrome = seat.chrome(Section::History).await?;
    let page = SendAgainPage {
        event: delivery.id.event,
        delivery: delivery_view(story, delivery, chrome.moment()),
        notes: notes(seat, delivery),
        question,
        nonce: nonce(),
        chrome,
    };
    seat.page(status, &page)
}

/// What is different this time.
fn notes(seat: &Seat, of: &Delivery) -> Vec<String> {
    let (tenant, now) = (&seat.member.tenant, seat.who.app.now());
    let mut notes = Vec::new();
    if tenant.is_rehearsal {
        notes.push("You are in rehearsal: it goes to the owner, not to this number.".to_owned());
    } else {
        if of.is_rehearsal {
            let note = "It was a rehearsal. You are live now, so it goes to this number, without the \
                        mark before the text.";
            notes.push(note.to_owned());
        }
        if let Some(opening) = tenant.opening_for(of.is_to_contact, now) {
            let clock = opening.with_timezone(&tenant.zone).format("%H:%M");
            notes.push(format!(
                "Contacts are not written to at this time of day: it waits until {clock} in {}.",
                tenant.zone.name()
            ));
        }
    }
    notes
}
