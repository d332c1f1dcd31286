//! `/deliveries`: messages, sending one again, and a person's word on one.

use actix_web::HttpResponse;

use super::call::{Call, page, word};
use super::events::{answer, wish};
use super::refusal::{Refusal, bad_query};
use super::wire::history::{Delivery, DeliveryQuery, DeliveryStory, Resolve};
use super::wire::replay::{Confirm, Unconfirmed};
use super::wire::{self, List};
use crate::app::history::DeliveryFilter;
use crate::app::resolve::Resolution;
use crate::app::{App, AppError};
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::{DeliveryId, TenantId};
use crate::web::extract::ability::{Replay, View};

/// Deliveries, newest first.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "deliveries", params(DeliveryQuery),
    responses((status = 200, body = List<Delivery>)))]
pub(super) async fn list(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let query: DeliveryQuery = call.query()?;
    let mut problems = Vec::new();
    let state = query.state.as_deref();
    let filter = DeliveryFilter {
        state: word("state", state, DeliveryState::parse, &mut problems),
    };
    let (cursor, limit) = page(
        query.cursor.as_deref(),
        query.limit.as_deref(),
        &mut problems,
    );
    if !problems.is_empty() {
        return Err(bad_query(problems).into());
    }
    let deliveries = call
        .run(move |app, tenant| async move {
            let store = app.store().tenant(tenant);
            Ok(store.deliveries(&filter, cursor, limit).await?)
        })
        .await?;
    Ok(HttpResponse::Ok().json(List::of(deliveries, Delivery::from)))
}

/// One delivery with its attempts, receipts and steps.
#[utoipa::path(get, path = "/api/v1/deliveries/{id}", tag = "deliveries",
    params(("id" = String, Path)), responses((status = 200, body = DeliveryStory)))]
pub(super) async fn show(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let id: DeliveryId = call.id("delivery")?;
    let told = call.run(move |app, tenant| read(app, tenant, id)).await?;
    Ok(HttpResponse::Ok().json(told))
}

/// Sends the stored text to the stored address again, once the facts are confirmed.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/replays", tag = "deliveries",
    params(("id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat has no effect")),
    request_body(content = Confirm, description = "Without it the facts are answered"),
    responses((status = 201, body = wire::Replay), (status = 409, body = Unconfirmed)))]
pub(super) async fn replay(mut call: Call<Replay>) -> Result<HttpResponse, Refusal> {
    let id: DeliveryId = call.id("delivery")?;
    let wish = wish(&mut call).await?;
    let actor = call.actor();
    let replayed = call
        .run(move |app, tenant| async move { app.replay_delivery(tenant, id, &wish, &actor).await })
        .await?;
    Ok(answer(replayed))
}

/// Settles a delivery that nobody but a person can settle, or cancels one that waits.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/resolution", tag = "deliveries",
    params(("id" = String, Path)), request_body = Resolve,
    responses((status = 200, body = DeliveryStory)))]
pub(super) async fn resolve(mut call: Call<Replay>) -> Result<HttpResponse, Refusal> {
    let id: DeliveryId = call.id("delivery")?;
    let typed: Resolve = call.body().await?;
    let actor = call.actor();
    let told = call
        .run(move |app, tenant| async move {
            let resolution = typed.resolution.as_deref().and_then(Resolution::parse);
            let resolution = resolution.ok_or_else(|| {
                AppError::field("resolution", "say arrived, send_again or cancel")
            })?;
            app.resolve(tenant, id, resolution, &actor).await?;
            read(app, tenant, id).await
        })
        .await?;
    Ok(HttpResponse::Ok().json(told))
}

async fn read(app: App, tenant: TenantId, id: DeliveryId) -> Result<DeliveryStory, AppError> {
    let store = app.store().tenant(tenant);
    let delivery = store.delivery(id).await?;
    let delivery = delivery.ok_or(AppError::NotFound("delivery"))?;
    let event = store.timeline(id.event).await?;
    let event = event.ok_or(AppError::NotFound("event"))?;
    Ok(DeliveryStory::of(delivery, &event))
}
