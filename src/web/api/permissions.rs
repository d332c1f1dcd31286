//! `/permissions`: why addresses may be written to.

use actix_web::HttpResponse;

use super::call::{Call, page, typed};
use super::refusal::{Refusal, bad_query, invalid};
use super::wire::List;
use super::wire::permissions::{NewPermission, Permission, PermissionQuery};
use crate::app::permissions::PermissionInput;
use crate::web::extract::ability::{ChangeSettings, View};

/// Permissions, newest first.
#[utoipa::path(get, path = "/api/v1/permissions", tag = "permissions",
    params(PermissionQuery), responses((status = 200, body = List<Permission>)))]
pub(super) async fn list(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let query: PermissionQuery = call.query()?;
    let mut problems = Vec::new();
    let text: String = query.q.unwrap_or_default().chars().take(100).collect();
    let (cursor, limit) = page(
        query.cursor.as_deref(),
        query.limit.as_deref(),
        &mut problems,
    );
    if !problems.is_empty() {
        return Err(bad_query(problems).into());
    }
    let found = call
        .run(move |app, tenant| async move { app.permissions(tenant, &text, cursor, limit).await })
        .await?;
    Ok(HttpResponse::Ok().json(List::of(found, Permission::from)))
}

/// Writes a permission down; 200 with the one that is there when it was noted before on that basis.
#[utoipa::path(post, path = "/api/v1/permissions", tag = "permissions",
    request_body = NewPermission,
    responses((status = 201, body = Permission), (status = 200, body = Permission)))]
pub(super) async fn add(mut call: Call<ChangeSettings>) -> Result<HttpResponse, Refusal> {
    let typed: NewPermission = typed(call.object().await?).map_err(invalid)?;
    let input = PermissionInput {
        channel: typed.channel,
        address: typed.address,
        basis: typed.basis,
        source: typed.source,
    };
    let actor = call.actor();
    let (kept, is_new) = call
        .run(move |app, tenant| async move { app.add_permission(tenant, &input, &actor).await })
        .await?;
    let kept = Permission::from(kept);
    Ok(if is_new {
        HttpResponse::Created().json(kept)
    } else {
        HttpResponse::Ok().json(kept)
    })
}
