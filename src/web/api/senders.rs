//! `/senders`: what messages come from.

use actix_web::HttpResponse;
use actix_web::http::header;

use super::call::Call;
use super::refusal::Refusal;
use super::wire::List;
use super::wire::senders::{NewSender, Sender};
use crate::domain::ids::SenderId;
use crate::web::extract::ability::{Connect, View};

/// Every sender, the oldest first.
#[utoipa::path(get, path = "/api/v1/senders", tag = "senders",
    responses((status = 200, body = List<Sender>)))]
pub(super) async fn list(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let senders = call.run(|app, tenant| async move { app.sender_profiles(tenant).await });
    let senders = senders.await?.into_iter().map(Sender::from).collect();
    Ok(HttpResponse::Ok().json(List::whole(senders)))
}

/// One sender.
#[utoipa::path(get, path = "/api/v1/senders/{id}", tag = "senders", params(("id" = String, Path)),
    responses((status = 200, body = Sender)))]
pub(super) async fn show(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let id: SenderId = call.id("sender")?;
    let sender = call
        .run(move |app, tenant| async move { app.sender_profile(tenant, id).await })
        .await?;
    Ok(HttpResponse::Ok().json(Sender::from(sender)))
}

/// Adds a sender; the first of its transport is the default.
#[utoipa::path(post, path = "/api/v1/senders", tag = "senders", request_body = NewSender,
    responses((status = 201, body = Sender, headers(("Location" = String)))))]
pub(super) async fn add(mut call: Call<Connect>) -> Result<HttpResponse, Refusal> {
    let typed: NewSender = call.body().await?;
    let (input, actor) = (typed.into(), call.actor());
    let sender = call
        .run(move |app, tenant| async move { app.add_sender(tenant, &input, &actor).await })
        .await?;
    let address = format!("/api/v1/senders/{}", sender.id);
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, address))
        .json(Sender::from(sender)))
}

/// Replaces all of a sender but its transport. A default stays one until another sender is.
#[utoipa::path(put, path = "/api/v1/senders/{id}", tag = "senders", params(("id" = String, Path)),
    request_body = NewSender, responses((status = 200, body = Sender)))]
pub(super) async fn change(mut call: Call<Connect>) -> Result<HttpResponse, Refusal> {
    let id: SenderId = call.id("sender")?;
    let typed: NewSender = call.body().await?;
    let (input, actor) = (typed.into(), call.actor());
    let sender = call
        .run(move |app, tenant| async move { app.change_sender(tenant, id, &input, &actor).await })
        .await?;
    Ok(HttpResponse::Ok().json(Sender::from(sender)))
}

/// Removes a sender that no rule names.
#[utoipa::path(delete, path = "/api/v1/senders/{id}", tag = "senders", params(("id" = String, Path)),
    responses((status = 204)))]
pub(super) async fn delete(call: Call<Connect>) -> Result<HttpResponse, Refusal> {
    let id: SenderId = call.id("sender")?;
    let actor = call.actor();
    call.run(move |app, tenant| async move { app.delete_sender(tenant, id, &actor).await })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
