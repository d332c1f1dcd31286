//! The page of one event, and what a person can do about its messages.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::app::resolve::Resolution;
use crate::domain::ids::{DeliveryId, EventId};
use crate::domain::user::Ability;
use crate::web::areas::email_document::{self, Look};
use crate::web::areas::error::PageError;
use crate::web::areas::event::page::EventPage;
use crate::web::areas::event::view;
use crate::web::areas::flash::Told;
use crate::web::chrome::Section;
use crate::web::extract::tenant::{Seat, SeatForm};

/// `GET /t/{tenant}/events/{event}`.
pub(in crate::web) async fn show(seat: Seat) -> Result<HttpResponse, PageError> {
    let event: EventId = seat.id("event")?;
    let tenant = seat.tenant();
    let (story, body) = seat
        .ask(|app| async move { app.story(tenant, event).await })
        .await?;
    let chrome = seat.chrome(Section::History).await?;
    let view = view::of(&story, body.as_ref(), &chrome);
    let page = EventPage {
        chrome,
        view,
        has_pictures: seat.asked("pictures") == "1",
    };
    seat.page(StatusCode::OK, &page)
}

/// `GET /t/{tenant}/deliveries/{delivery}/email?look=&pictures=`: its HTML, for a frame.
pub(in crate::web) async fn email(seat: Seat) -> Result<HttpResponse, PageError> {
    let id: DeliveryId = seat.id("delivery")?;
    let tenant = seat.tenant();
    let content = seat
        .ask(|app| async move { app.content_of(tenant, id).await })
        .await?;
    email_document::of_content(&content, Look::of(&seat), seat.who.app.public_url())
}

/// `POST /t/{tenant}/deliveries/{delivery}/arrival`.
pub(in crate::web) async fn arrival(posted: SeatForm) -> Result<HttpResponse, PageError> {
    resolve(posted.seat, Resolution::Arrived, Told::Arrived).await
}

/// `POST /t/{tenant}/deliveries/{delivery}/resending`: an unknown message goes out once more.
pub(in crate::web) async fn resending(posted: SeatForm) -> Result<HttpResponse, PageError> {
    resolve(posted.seat, Resolution::SendAgain, Told::SentAgain).await
}

/// `POST /t/{tenant}/deliveries/{delivery}/cancellation`.
pub(in crate::web) async fn cancellation(posted: SeatForm) -> Result<HttpResponse, PageError> {
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
