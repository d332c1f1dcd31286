//! Going live, going back, and the owner's own number.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::app::AppError;
use crate::app::rehearsal::Rehearsed;
use crate::domain::delivery::Message;
use crate::domain::hours::Hours;
use crate::domain::phone::Phone;
use crate::domain::user::Ability;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::history::handlers::given;
use crate::web::areas::rehearsal::page::{BackPage, GoLivePage, OwnNumberPage, RehearsalLine};
use crate::web::areas::rules::form::sentence;
use crate::web::chrome::Section;
use crate::web::extract::ability::{ConfirmNumber, GoLive, View};
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};
use crate::web::form::FormState;

/// `GET /t/{tenant}/go-live`.
pub(in crate::web) async fn ask_live(
    request: TenantRequest<View>,
) -> Result<HttpResponse, PageError> {
    if !request.member.tenant.is_rehearsal {
        return Ok(request.redirect_to("/settings", Some(Told::LiveAlready)));
    }
    live_page(&request, StatusCode::OK, FormState::new()).await
}

async fn live_page(
    request: &TenantContext,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let found: Rehearsed = request
        .ask(|app| async move { app.rehearsed(tenant).await })
        .await?;
    let readers: BTreeSet<&str> = found
        .messages
        .iter()
        .map(|m| m.delivery.address.as_str())
        .collect();
    let page = GoLivePage {
        chrome: request.chrome(Section::Overview).await?,
        readers: readers.iter().filter(|address| !address.is_empty()).count(),
        messages: found.messages.iter().map(line).collect(),
        is_cut: found.is_cut,
        waiting: found.waiting.len(),
        hours: request.member.tenant.hours.map(Hours::label),
        may: request.member.role.may(Ability::GoLive),
        form,
    };
    request.page(status, &page)
}

fn line(message: &Message) -> RehearsalLine {
    let (of, content) = (&message.delivery, &message.content);
    let meant = of.content_meant(content);
    RehearsalLine {
        event: of.id.event,
        at: of.created_at,
        channel: of.channel,
        recipient: given(of.recipient.clone()),
        address: of.address.clone(),
        content: meant.unwrap_or_else(|| content.clone()),
        state: of.state,
    }
}

/// `POST /t/{tenant}/go-live`.
pub(in crate::web) async fn go_live(posted: TenantForm<GoLive>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    if form.get("attested").is_empty() {
        let mut state = form.state(&[]);
        state.refuse("attested", "Confirm that you may write to them.");
        return live_page(&request, StatusCode::UNPROCESSABLE_ENTITY, state).await;
    }
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(|app| async move { app.go_live(tenant, &actor).await })
        .await?;
    Ok(request.redirect_to("/", Some(Told::Live)))
}

/// `GET /t/{tenant}/rehearsal`.
pub(in crate::web) async fn ask_back(
    request: TenantRequest<GoLive>,
) -> Result<HttpResponse, PageError> {
    if request.member.tenant.is_rehearsal {
        return Ok(request.redirect_to("/go-live", None));
    }
    let tenant = request.tenant();
    let number = request
        .ask(|app| async move { app.rehearsal_number(tenant).await })
        .await?;
    let page = BackPage {
        chrome: request.chrome(Section::Settings).await?,
        number: number.map(|n| n.masked()),
    };
    request.page(StatusCode::OK, &page)
}

/// `POST /t/{tenant}/rehearsal`.
pub(in crate::web) async fn back(posted: TenantForm<GoLive>) -> Result<HttpResponse, PageError> {
    let request = posted.request;
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(|app| async move { app.rehearse(tenant, &actor).await })
        .await?;
    Ok(request.redirect_to("/", Some(Told::Rehearsing)))
}

/// `GET /t/{tenant}/own-number`.
pub(in crate::web) async fn own_number(
    request: TenantRequest<ConfirmNumber>,
) -> Result<HttpResponse, PageError> {
    number_page(&request, StatusCode::OK, FormState::new()).await
}

/// `POST /t/{tenant}/own-number`: sends a code.
pub(in crate::web) async fn send_code(
    posted: TenantForm<ConfirmNumber>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let (tenant, user) = (request.tenant(), request.who.session.user.clone());
    let typed = form.get("phone").to_owned();
    let sent = request
        .ask(|app| async move { app.send_number_code(tenant, &user, &typed).await })
        .await;
    answer(&request, sent, form.state(&[]), Told::CodeSent).await
}

/// `POST /t/{tenant}/own-number/confirmation`.
pub(in crate::web) async fn confirm_number(
    posted: TenantForm<ConfirmNumber>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let (tenant, user) = (request.tenant(), request.who.session.user.clone());
    let (typed, actor) = (form.get("code").to_owned(), request.actor());
    let confirmed = request
        .ask(|app| async move { app.confirm_number(tenant, &user, &typed, &actor).await })
        .await;
    answer(
        &request,
        confirmed,
        form.state(&["code"]),
        Told::NumberConfirmed,
    )
    .await
}

async fn answer(
    request: &TenantContext,
    done: Result<Phone, PageError>,
    mut form: FormState,
    told: Told,
) -> Result<HttpResponse, PageError> {
    let status = match done {
        Ok(_) => return Ok(request.redirect_to("/own-number", Some(told))),
        Err(PageError::App(AppError::Invalid(problems))) => {
            for problem in problems {
                form.refuse(problem.field, sentence(&problem.message));
            }
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Err(PageError::App(AppError::Conflict(why))) => {
            form.refuse_all(sentence(&why));
            StatusCode::CONFLICT
        }
        Err(error) => return Err(error),
    };
    number_page(request, status, form).await
}

async fn number_page(
    request: &TenantContext,
    status: StatusCode,
    mut form: FormState,
) -> Result<HttpResponse, PageError> {
    let (tenant, user) = (request.tenant(), request.who.session.user.clone());
    let found = request
        .ask(|app| async move { app.own_number(tenant, &user).await })
        .await?;
    // A code that counts no longer has no field any more to stand at.
    if found.pending.is_none()
        && let Some(why) = form.error("code").map(str::to_owned)
    {
        form.refuse_all(why);
    }
    let others = found
        .rehearsals_to
        .filter(|n| Some(n) != found.confirmed.as_ref());
    let page = OwnNumberPage {
        chrome: request.chrome(Section::Settings).await?,
        form,
        confirmed: found.confirmed.map(|n| n.grouped()),
        pending: found.pending.map(|n| n.grouped()),
        sandbox_code: found.sandbox_code,
        obstacle: found.obstacle,
        others: others.map(|n| n.masked()),
    };
    request.page(status, &page)
}
