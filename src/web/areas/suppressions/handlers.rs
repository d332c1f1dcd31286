//! Suppressions, and what recipients wrote back.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::app::AppError;
use crate::app::suppressions::{Added, SuppressionFilter};
use crate::app::suppressions::{Lifting, SuppressionInput};
use crate::domain::ids::{ReplyId, SuppressionId};
use crate::domain::reply::Reply;
use crate::domain::suppression::Suppression;
use crate::domain::user::Ability;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::groups::handlers::refused;
use crate::web::areas::history::handlers::given;
use crate::web::areas::list_query::ListQuery;
use crate::web::areas::rules::form::sentence;
use crate::web::areas::suppressions::page::{
    LiftPage, RepliesPage, ReplyRow, SuppressionRow, SuppressionsPage,
};
use crate::web::areas::words;
use crate::web::chrome::Section;
use crate::web::extract::ability::{Suppress, View};
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};
use crate::web::form::FormState;
use crate::web::ui::address;

const ROWS: u64 = 50;

/// `GET /t/{tenant}/suppressions`.
pub(in crate::web) async fn list(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    page(&request, StatusCode::OK, FormState::new()).await
}

/// `POST /t/{tenant}/suppressions`.
pub(in crate::web) async fn add(posted: TenantForm<Suppress>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let input = SuppressionInput {
        channel: String::new(),
        address: form.get("address").to_owned(),
        reason: form.get("reason").to_owned(),
    };
    let (tenant, actor) = (request.tenant(), request.actor());
    let added = request
        .ask(|app| async move { app.suppress(tenant, &input, &actor).await })
        .await;
    match refused(added, &form, str::to_owned)? {
        Ok(Added::New(_)) => Ok(request.redirect_to("/suppressions", Some(Told::Suppressed))),
        Ok(Added::Already(_)) => {
            Ok(request.redirect_to("/suppressions", Some(Told::SuppressedAlready)))
        }
        Err(state) => page(&request, StatusCode::UNPROCESSABLE_ENTITY, state).await,
    }
}

async fn page(
    request: &TenantContext,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let ListQuery {
        text,
        source,
        cursor,
    } = ListQuery::of(request);
    let filter = SuppressionFilter { text, source };
    let (tenant, asked) = (request.tenant(), filter.clone());
    let found = request
        .ask(|app| async move { app.suppressions(tenant, &asked, cursor, ROWS).await })
        .await?;
    let page = SuppressionsPage {
        chrome: request.chrome(Section::Suppressions).await?,
        rows: found.map(row),
        text: filter.text,
        source: filter.source,
        form,
    };
    request.page(status, &page)
}

fn row(of: Suppression) -> SuppressionRow {
    SuppressionRow {
        id: of.id,
        at: of.created_at,
        channel: of.channel,
        address: of.address,
        name: given(of.name),
        source: of.source,
        is_of_reminders: of.is_of_reminders,
        reason: of.reason,
        by: given(of.created_by),
    }
}

/// `GET /t/{tenant}/suppressions/{suppression}/lifting/new`.
pub(in crate::web) async fn ask_lifting(
    request: TenantRequest<Suppress>,
) -> Result<HttpResponse, PageError> {
    lift_page(&request, StatusCode::OK, FormState::new()).await
}

/// `POST /t/{tenant}/suppressions/{suppression}/lifting`.
pub(in crate::web) async fn lift(posted: TenantForm<Suppress>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: SuppressionId = request.id("suppression")?;
    let (tenant, actor) = (request.tenant(), request.actor());
    let may = request.may(Ability::LiftWish);
    let get = |name: &str| form.get(name).to_owned();
    let lifting = Lifting {
        reason: get("reason"),
        who: get("who"),
        when: get("when"),
        how: get("how"),
    };
    let lifted = request
        .ask(|app| async move {
            app.lift_suppression(tenant, id, &lifting, (&actor, may))
                .await
        })
        .await;
    match lifted {
        Ok(()) => Ok(request.redirect_to("/suppressions", Some(Told::Lifted))),
        Err(PageError::App(AppError::Invalid(problems))) => {
            let mut state = form.state(&[]);
            for problem in problems {
                state.refuse(problem.field, sentence(&problem.message));
            }
            lift_page(&request, StatusCode::UNPROCESSABLE_ENTITY, state).await
        }
        Err(error) => Err(error),
    }
}

async fn lift_page(
    request: &TenantContext,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let id: SuppressionId = request.id("suppression")?;
    let tenant = request.tenant();
    let found = request
        .ask(|app| async move { app.suppression(tenant, id).await })
        .await?;
    let page = LiftPage {
        chrome: request.chrome(Section::Suppressions).await?,
        row: row(found),
        form,
    };
    request.page(status, &page)
}

/// `GET /t/{tenant}/replies`.
pub(in crate::web) async fn replies(
    request: TenantRequest<View>,
) -> Result<HttpResponse, PageError> {
    let cursor = ListQuery::of(&request).cursor;
    let tenant = request.tenant();
    let found = request
        .ask(|app| async move { app.replies(tenant, cursor, ROWS).await })
        .await?;
    let page = RepliesPage {
        chrome: request.chrome(Section::Suppressions).await?,
        rows: found.map(reply_row),
    };
    request.page(StatusCode::OK, &page)
}

/// A reply as a line, here and on Overview.
pub(in crate::web) fn reply_row(of: Reply) -> ReplyRow {
    let number = address::short(&of.address);
    ReplyRow {
        id: of.id,
        at: of.received_at,
        who: if of.name.is_empty() {
            number
        } else {
            format!("{} ({number})", words::straight(&of.name))
        },
        body: of.body,
        wish: of.wish,
        is_proven: of.is_proven,
        is_seen: of.seen_at.is_some(),
    }
}

/// `POST /t/{tenant}/replies/{reply}/seen`.
pub(in crate::web) async fn see(posted: TenantForm<Suppress>) -> Result<HttpResponse, PageError> {
    let request = posted.request;
    let id: ReplyId = request.id("reply")?;
    let tenant = request.tenant();
    request
        .ask(|app| async move { app.see_reply(tenant, id).await })
        .await?;
    Ok(request.redirect_to("/", None))
}

/// `POST /t/{tenant}/replies/{reply}/stop`.
pub(in crate::web) async fn stop_writing(
    posted: TenantForm<Suppress>,
) -> Result<HttpResponse, PageError> {
    answer(posted, true).await
}

/// `POST /t/{tenant}/replies/{reply}/go-on`.
pub(in crate::web) async fn go_on(posted: TenantForm<Suppress>) -> Result<HttpResponse, PageError> {
    answer(posted, false).await
}

async fn answer(posted: TenantForm<Suppress>, stops: bool) -> Result<HttpResponse, PageError> {
    let request = posted.request;
    let id: ReplyId = request.id("reply")?;
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(|app| async move { app.answer_reply(tenant, id, stops, &actor).await })
        .await?;
    Ok(request.redirect_to("/", None))
}
