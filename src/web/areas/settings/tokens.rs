//! API tokens: made, shown once, revoked.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use secrecy::ExposeSecret as _;

use crate::app::tokens::TokenInput;
use crate::domain::ids::ApiTokenId;
use crate::domain::user::Role;
use crate::web::areas::entrance;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::security::page::{TokenLine, TokensPage};
use crate::web::chrome::Section;
use crate::web::extract::ability::ManageTokens;
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};
use crate::web::form::FormState;

/// `GET /t/{tenant}/tokens`.
pub(in crate::web) async fn show(
    request: TenantRequest<ManageTokens>,
) -> Result<HttpResponse, PageError> {
    page(&request, StatusCode::OK, empty(), None).await
}

/// `POST /t/{tenant}/tokens`: the answer itself shows the new token, once.
pub(in crate::web) async fn make(
    posted: TenantForm<ManageTokens>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let input = TokenInput {
        name: form.get("name").to_owned(),
        role: Role::parse(form.get("role")),
        days: form.get("days").parse().ok(),
    };
    let (tenant, own, actor, name) = (
        request.tenant(),
        request.member.role,
        request.actor(),
        input.name.clone(),
    );
    let made = request
        .ask(|app| async move { app.make_token(tenant, &input, own, &actor).await })
        .await;
    match made {
        Ok(token) => {
            let made = Some((name, token.expose_secret().to_owned()));
            page(&request, StatusCode::OK, empty(), made).await
        }
        Err(PageError::App(error)) => {
            let mut state = form.state(&[]);
            entrance::handlers::refuse(error, &mut state)?;
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, state, None).await
        }
        Err(error) => Err(error),
    }
}

/// `POST /t/{tenant}/tokens/{token}/revocation`.
pub(in crate::web) async fn revoke(
    posted: TenantForm<ManageTokens>,
) -> Result<HttpResponse, PageError> {
    let request = posted.request;
    let id: ApiTokenId = request.id("token")?;
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(|app| async move { app.revoke_token(tenant, id, &actor).await })
        .await?;
    Ok(request.redirect_to("/tokens", Some(Told::TokenRevoked)))
}

fn empty() -> FormState {
    FormState::new().with("role", "viewer").with("days", "90")
}

async fn page(
    request: &TenantContext,
    status: StatusCode,
    form: FormState,
    made: Option<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let tokens = request
        .ask(|app| async move { app.tokens(tenant).await })
        .await?;
    let now = request.who.app.now();
    let tokens = tokens.into_iter().map(|t| TokenLine {
        is_over: t.expires_at.is_some_and(|at| at <= now),
        id: t.id,
        name: t.name,
        role: t.role,
        reach: t.reach,
        is_of_operator: t.is_of_operator,
        created_by: t.created_by,
        created_at: t.created_at,
        used_at: t.used_at,
        expires_at: t.expires_at,
    });
    let page = TokensPage {
        chrome: request.chrome(Section::Settings).await?,
        tokens: tokens.collect(),
        made,
        form,
    };
    request.page(status, &page)
}
