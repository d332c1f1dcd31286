//! `/events`, and replaying them.

use actix_web::HttpResponse;
use uuid::Uuid;

use super::call::{Call, page, word};
use super::refusal::{Refusal, bad_query};
use super::wire::history::{Dealt, Event, EventQuery, EventStory};
use super::wire::replay::{Confirm, Unconfirmed};
use super::wire::{self, List};
use crate::app::AppError;
use crate::app::history::EventFilter;
use crate::app::pipeline::replay::{ReplayWish, Replayed};
use crate::domain::event::EventState;
use crate::domain::ids::EventId;
use crate::web::extract::ability::{Replay, View};

/// Events, newest first.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventQuery),
    responses((status = 200, body = List<Event>)))]
pub(super) async fn list(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let query: EventQuery = call.query()?;
    let mut problems = Vec::new();
    let state = query.state.as_deref();
    let event_type = query.event_type.as_deref();
    let filter = EventFilter {
        state: word("state", state, EventState::parse, &mut problems),
        event_type: word("event_type", event_type, |t| t.parse().ok(), &mut problems),
        document_id: query.document,
        party_id: query.customer,
    };
    let (cursor, limit) = page(
        query.cursor.as_deref(),
        query.limit.as_deref(),
        &mut problems,
    );
    if !problems.is_empty() {
        return Err(bad_query(problems).into());
    }
    let events = call
        .run(move |app, tenant| async move {
            let store = app.store().tenant(tenant);
            Ok(store.events(&filter, cursor, limit).await?)
        })
        .await?;
    Ok(HttpResponse::Ok().json(List::of(events, Event::from)))
}

/// One event with its decisions and deliveries.
#[utoipa::path(get, path = "/api/v1/events/{id}", tag = "events", params(("id" = String, Path)),
    responses((status = 200, body = EventStory)))]
pub(super) async fn show(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let id: EventId = call.id("event")?;
    let story = call
        .run(move |app, tenant| async move {
            let story = app.store().tenant(tenant).timeline(id).await?;
            story.ok_or(AppError::NotFound("event"))
        })
        .await?;
    Ok(HttpResponse::Ok().json(EventStory::from(story)))
}

/// Decides the event again with today's rules, once the facts are confirmed.
#[utoipa::path(post, path = "/api/v1/events/{id}/replays", tag = "events",
    params(("id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat has no effect")),
    request_body(content = Confirm, description = "Without it the facts are answered"),
    responses((status = 201, body = wire::Replay), (status = 202, body = wire::Replay),
        (status = 409, body = Unconfirmed)))]
pub(super) async fn replay(mut call: Call<Replay>) -> Result<HttpResponse, Refusal> {
    let id: EventId = call.id("event")?;
    let wish = wish(&mut call).await?;
    let actor = call.actor();
    let replayed = call
        .run(move |app, tenant| async move { app.replay_event(tenant, id, &wish, &actor).await })
        .await?;
    Ok(answer(replayed))
}

/// Notes that nothing is left to do about what failed of the event, or about what was not understood.
#[utoipa::path(post, path = "/api/v1/events/{id}/dealt", tag = "events",
    params(("id" = String, Path)), responses((status = 200, body = Dealt)))]
pub(super) async fn deal(call: Call<Replay>) -> Result<HttpResponse, Refusal> {
    let id: EventId = call.id("event")?;
    let actor = call.actor();
    let count = call
        .run(move |app, tenant| async move {
            let known = app.store().tenant(tenant).event(id).await?;
            known.ok_or(AppError::NotFound("event"))?;
            app.deal(tenant, vec![id], &actor).await
        })
        .await?;
    Ok(HttpResponse::Ok().json(Dealt { count }))
}

/// What is confirmed, under the caller's own name for this wish; without one every request is a wish of its
/// own.
pub(super) async fn wish(call: &mut Call<Replay>) -> Result<ReplayWish, Refusal> {
    let given = call.header("Idempotency-Key")?;
    let typed: Confirm = call.optional_body().await?;
    Ok(ReplayWish {
        nonce: given.unwrap_or_else(|| Uuid::new_v4().to_string()),
        confirm: typed.confirm.unwrap_or_default(),
        chosen: typed.recipients,
    })
}

/// 201, or 202 while the event is still being decided.
pub(super) fn answer(replayed: Replayed) -> HttpResponse {
    let mut answer = if replayed.is_pending {
        HttpResponse::Accepted()
    } else {
        HttpResponse::Created()
    };
    answer.json(wire::Replay {
        id: replayed.replay,
        event: replayed.event,
        deliveries: replayed.deliveries,
    })
}
