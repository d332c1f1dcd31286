//! `/groups`: people whom rules write to.

use actix_web::HttpResponse;
use actix_web::http::header;

use super::call::Call;
use super::refusal::Refusal;
use super::wire::List;
use super::wire::groups::{Group, NewGroup};
use crate::domain::ids::GroupId;
use crate::web::extract::ability::{EditGroups, View};

/// Every group with its people, the oldest first.
#[utoipa::path(get, path = "/api/v1/groups", tag = "groups",
    responses((status = 200, body = List<Group>)))]
pub(super) async fn list(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let groups = call.run(|app, tenant| async move { app.groups(tenant).await });
    let groups = groups.await?.into_iter().map(Group::from).collect();
    Ok(HttpResponse::Ok().json(List::whole(groups)))
}

/// One group.
#[utoipa::path(get, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = String, Path)),
    responses((status = 200, body = Group)))]
pub(super) async fn show(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let id: GroupId = call.id("group")?;
    let group = call
        .run(move |app, tenant| async move { app.group(tenant, id).await })
        .await?;
    Ok(HttpResponse::Ok().json(Group::from(group)))
}

/// Makes a group.
#[utoipa::path(post, path = "/api/v1/groups", tag = "groups", request_body = NewGroup,
    responses((status = 201, body = Group, headers(("Location" = String)))))]
pub(super) async fn add(mut call: Call<EditGroups>) -> Result<HttpResponse, Refusal> {
    let typed: NewGroup = call.body().await?;
    let (input, actor) = (typed.into(), call.actor());
    let group = call
        .run(move |app, tenant| async move { app.add_group(tenant, &input, &actor).await })
        .await?;
    let address = format!("/api/v1/groups/{}", group.id);
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, address))
        .json(Group::from(group)))
}

/// Replaces a group's name and people. Whoever was in it keeps their id: by that, by their place in the team,
/// or by the same number and address.
#[utoipa::path(put, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = String, Path)),
    request_body = NewGroup, responses((status = 200, body = Group)))]
pub(super) async fn change(mut call: Call<EditGroups>) -> Result<HttpResponse, Refusal> {
    let id: GroupId = call.id("group")?;
    let typed: NewGroup = call.body().await?;
    let (input, actor) = (typed.into(), call.actor());
    let group = call
        .run(move |app, tenant| async move { app.change_group(tenant, id, &input, &actor).await })
        .await?;
    Ok(HttpResponse::Ok().json(Group::from(group)))
}

/// Removes a group to which no rule writes.
#[utoipa::path(delete, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = String, Path)),
    responses((status = 204)))]
pub(super) async fn delete(call: Call<EditGroups>) -> Result<HttpResponse, Refusal> {
    let id: GroupId = call.id("group")?;
    let actor = call.actor();
    call.run(move |app, tenant| async move { app.delete_group(tenant, id, &actor).await })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
