//! `/connections`.

use actix_web::HttpResponse;

use super::call::Call;
use super::refusal::Refusal;
use super::wire::connections::{ConnectTwilio, TwilioConnection, ZohoConnection};
use crate::app::AppError;
use crate::transport::Typed;
use crate::web::extract::ability::{Connect, View};
use crate::web::providers::{TWILIO, ZOHO};

/// The tenant's Twilio account, without secrets.
#[utoipa::path(get, path = "/api/v1/connections/twilio", tag = "connections",
    responses((status = 200, body = TwilioConnection)))]
pub(super) async fn twilio(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let told = call
        .run(|app, tenant| async move {
            let connection = app.connection(tenant, TWILIO).await?;
            let connection = connection.ok_or(AppError::NotFound("connection"))?;
            let limits = app.account_limits(tenant, &connection).await?;
            Ok(TwilioConnection::of(connection, limits))
        })
        .await?;
    Ok(HttpResponse::Ok().json(told))
}

/// Connects Twilio, or changes the connection; what waited for it is released.
#[utoipa::path(put, path = "/api/v1/connections/twilio", tag = "connections",
    request_body = ConnectTwilio, responses((status = 200, body = TwilioConnection)))]
pub(super) async fn connect_twilio(mut call: Call<Connect>) -> Result<HttpResponse, Refusal> {
    let typed: ConnectTwilio = call.body().await?;
    let actor = call.actor();
    let save_anyway = typed.save_anyway;
    let typed = Typed::from(typed);
    let told = call
        .run(move |app, tenant| async move {
            let typed = (&typed, save_anyway);
            let connection = app.connect(tenant, TWILIO, typed, &actor);
            let connection = connection.await?;
            let limits = app.account_limits(tenant, &connection).await?;
            Ok(TwilioConnection::of(connection, limits))
        })
        .await?;
    Ok(HttpResponse::Ok().json(told))
}

/// Where Zoho's webhooks go.
#[utoipa::path(get, path = "/api/v1/connections/zoho", tag = "connections",
    responses((status = 200, body = ZohoConnection)))]
pub(super) async fn zoho(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let told = call
        .run(|app, tenant| async move {
            let connection = app.connection(tenant, ZOHO).await?;
            let connection = connection.ok_or(AppError::NotFound("connection"))?;
            let hook = app.hook_details(tenant).await?;
            Ok(ZohoConnection::of(connection.state, hook))
        })
        .await?;
    Ok(HttpResponse::Ok().json(told))
}
