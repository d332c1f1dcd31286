//! Deleting a company: its name typed, the password asked again.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::app::accounts::throttle::Gate;
use crate::web::areas::entrance;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::security::page::DeletionPage;
use crate::web::chrome::Section;
use crate::web::extract::ability::DeleteTenant;
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest, redirect};
use crate::web::form::FormState;

/// `GET /t/{tenant}/deletion/new`.
pub(in crate::web) async fn ask(
    request: TenantRequest<DeleteTenant>,
) -> Result<HttpResponse, PageError> {
    page(&request, StatusCode::OK, FormState::new()).await
}

/// `POST /t/{tenant}/deletion`.
pub(in crate::web) async fn delete(
    posted: TenantForm<DeleteTenant>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let app = request.who.app.clone();
    let account = request.who.session.user.id.to_string();
    entrance::handlers::admit(&app, request.http(), Gate::Own, &account).await?;
    let password = entrance::handlers::secret(&form, "password");
    let (tenant, actor, name) = (
        request.tenant(),
        request.actor(),
        form.get("name").to_owned(),
    );
    let session = request.who.session.clone();
    let deleted = request
        .ask(|app| async move {
            app.delete_tenant(tenant, &name, &session.user, password, &actor)
                .await
        })
        .await;
    match deleted {
        Ok(()) => Ok(redirect("/", Some(Told::Deleted.cookie(app.public_url())))),
        Err(PageError::App(error)) => {
            let mut state = form.state(&["password"]);
            entrance::handlers::refuse(error, &mut state)?;
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, state).await
        }
        Err(error) => Err(error),
    }
}

async fn page(
    request: &TenantContext,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let holdings = request
        .ask(|app| async move { app.holdings(tenant).await })
        .await?;
    let page = DeletionPage {
        chrome: request.chrome(Section::Settings).await?,
        holdings,
        form,
    };
    request.page(status, &page)
}
