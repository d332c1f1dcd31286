//! `/brand` and `/bank-details`: how e-mails look, and where they ask their readers to pay to.

use actix_web::HttpResponse;

use super::call::Call;
use super::refusal::Refusal;
use super::wire::List;
use super::wire::brand::{BankDetails, Brand, NewBrand};
use crate::domain::bank_details::by_currency;
use crate::web::extract::ability::{ChangeSettings, View};

/// How the tenant's e-mails look.
#[utoipa::path(get, path = "/api/v1/brand", tag = "brand", responses((status = 200, body = Brand)))]
pub(super) async fn show(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let brand = call.run(|app, tenant| async move { app.brand(tenant).await });
    Ok(HttpResponse::Ok().json(Brand::from(brand.await?)))
}

/// Replaces all of it but the logo.
#[utoipa::path(put, path = "/api/v1/brand", tag = "brand", request_body = NewBrand,
    responses((status = 200, body = Brand)))]
pub(super) async fn change(mut call: Call<ChangeSettings>) -> Result<HttpResponse, Refusal> {
    let typed: NewBrand = call.body().await?;
    let (input, actor) = (typed.into(), call.actor());
    let brand = call
        .run(move |app, tenant| async move {
            app.save_brand(tenant, &input, &actor).await?;
            app.brand(tenant).await
        })
        .await?;
    Ok(HttpResponse::Ok().json(Brand::from(brand)))
}

/// The bank details of each currency, and those that wait. Only an owner with a second factor changes them, on
/// the dashboard.
#[utoipa::path(get, path = "/api/v1/bank-details", tag = "brand",
    responses((status = 200, body = List<BankDetails>)))]
pub(super) async fn bank_details(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let details =
        call.run(|app, tenant| async move {
            Ok(by_currency(&app.bank_details(tenant).await?, app.now()))
        })
        .await?;
    let details = details.into_iter().map(BankDetails::from).collect();
    Ok(HttpResponse::Ok().json(List::whole(details)))
}
