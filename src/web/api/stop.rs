//! `/stop`: the switch that holds everything.

use actix_web::HttpResponse;

use super::call::Call;
use super::refusal::Refusal;
use super::wire::Stop;
use crate::app::{App, AppError};
use crate::domain::ids::TenantId;
use crate::web::extract::ability::{StopSending, View};

/// Whether sending is stopped.
#[utoipa::path(get, path = "/api/v1/stop", tag = "stop", responses((status = 200, body = Stop)))]
pub(super) async fn show(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let stop = call.run(read).await?;
    Ok(HttpResponse::Ok().json(stop))
}

/// Holds everything that would be sent from now on.
#[utoipa::path(put, path = "/api/v1/stop", tag = "stop", responses((status = 200, body = Stop)))]
pub(super) async fn set(call: Call<StopSending>) -> Result<HttpResponse, Refusal> {
    let actor = call.actor();
    let stop = call
        .run(move |app, tenant| async move {
            app.stop_sending(tenant, &actor).await?;
            read(app, tenant).await
        })
        .await?;
    Ok(HttpResponse::Ok().json(stop))
}

/// Lets sending go on, with what was held.
#[utoipa::path(delete, path = "/api/v1/stop", tag = "stop", responses((status = 200, body = Stop)))]
pub(super) async fn lift(call: Call<StopSending>) -> Result<HttpResponse, Refusal> {
    let actor = call.actor();
    let stop = call
        .run(move |app, tenant| async move {
            app.resume_sending(tenant, &actor).await?;
            read(app, tenant).await
        })
        .await?;
    Ok(HttpResponse::Ok().json(stop))
}

async fn read(app: App, tenant: TenantId) -> Result<Stop, AppError> {
    let row = app.store().tenant(tenant).tenant().await?;
    let row = row.ok_or(AppError::NotFound("tenant"))?;
    Ok(Stop::of(row.stopped))
}
