//! The page of one event, and what a person can do about its messages.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::app::resolve::Resolution;
use crate::domain::ids::{DeliveryId, EventId};
use crate::web::areas::email_document::{self, Appearance};
use crate::web::areas::error::PageError;
use crate::web::areas::event::page::EventPage;
use crate::web::areas::event::view;
use crate::web::areas::flash::Told;
use crate::web::chrome::Section;
use crate::web::extract::ability::{Replay, View};
use crate::web::extract::tenant::{TenantForm, TenantRequest};

/// `GET /t/{tenant}/events/{event}`.
pub(in crate::web) async fn show(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    let event: EventId = request.id("event")?;
    let tenant = request.tenant();
    let (story, body) = request
        .ask(|app| async move { app.story(tenant, event).await })
        .await?;
    let chrome = request.chrome(Section::History).await?;
    let view = view::of(&story, body.as_ref(), &chrome);
    let page = EventPage {
        chrome,
        view,
        has_pictures: request.asked("pictures") == "1",
    };
    request.page(StatusCode::OK, &page)
}

/// `GET /t/{tenant}/deliveries/{delivery}/email?look=&pictures=`: its HTML, for a frame.
pub(in crate::web) async fn email(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    let id: DeliveryId = request.id("delivery")?;
    let tenant = request.tenant();
    let content = request
        .ask(|app| async move { app.content_of(tenant, id).await })
        .await?;
    email_document::of_content(
        &content,
        Appearance::of(&request),
        request.who.app.public_url(),
    )
}

/// `POST /t/{tenant}/deliveries/{delivery}/arrival`.
pub(in crate::web) async fn arrival(posted: TenantForm<Replay>) -> Result<HttpResponse, PageError> {
    resolve(posted.request, Resolution::Arrived, Told::Arrived).await
}

/// `POST /t/{tenant}/deliveries/{delivery}/resending`: an unknown message goes out once more.
pub(in crate::web) async fn resending(
    posted: TenantForm<Replay>,
) -> Result<HttpResponse, PageError> {
    resolve(posted.request, Resolution::SendAgain, Told::SentAgain).await
}

/// `POST /t/{tenant}/deliveries/{delivery}/cancellation`.
pub(in crate::web) async fn cancellation(
    posted: TenantForm<Replay>,
) -> Result<HttpResponse, PageError> {
    resolve(posted.request, Resolution::Cancel, Told::CalledOff).await
}

async fn resolve(
    request: TenantRequest<Replay>,
    word: Resolution,
    told: Told,
) -> Result<HttpResponse, PageError> {
    let id: DeliveryId = request.id("delivery")?;
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(|app| async move { app.resolve(tenant, id, word, &actor).await })
        .await?;
    Ok(request.redirect_to(&format!("/events/{}", id.event), Some(told)))
}
