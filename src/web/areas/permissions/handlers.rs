//! Permissions: why people may be written to, by hand and as CSV.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use bytes::Bytes;
use futures::stream;

use crate::app::permissions::{PermissionInput, csv_header, csv_rows};
use crate::app::{App, AppError};
use crate::domain::ids::TenantId;
use crate::domain::page::Cursor;
use crate::domain::permission::Permission;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::groups::handlers::refused;
use crate::web::areas::history::handlers::given;
use crate::web::areas::list_query::ListQuery;
use crate::web::areas::permissions::page::{PermissionRow, PermissionsPage};
use crate::web::areas::rules::form::sentence;
use crate::web::chrome::Section;
use crate::web::extract::ability::{ChangeSettings, View};
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};
use crate::web::form::FormState;
use crate::web::on_main;

const ROWS: u64 = 50;

/// Rows that are read at a time for a CSV.
const ROWS_OF_CSV: u64 = 1000;

/// `GET /t/{tenant}/permissions`.
pub(in crate::web) async fn list(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    page(&request, StatusCode::OK, FormState::new(), Vec::new()).await
}

/// `POST /t/{tenant}/permissions`.
pub(in crate::web) async fn add(
    posted: TenantForm<ChangeSettings>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let input = PermissionInput {
        channel: String::new(),
        address: form.get("address").to_owned(),
        basis: form.get("basis").to_owned(),
        source: form.get("source").to_owned(),
    };
    let (tenant, actor) = (request.tenant(), request.actor());
    let added = request.ask(|app| async move { app.add_permission(tenant, &input, &actor).await });
    match refused(added.await, &form, str::to_owned)? {
        Ok((_, true)) => Ok(request.redirect_to("/permissions", Some(Told::PermissionAdded))),
        Ok((_, false)) => Ok(request.redirect_to("/permissions", Some(Told::PermissionKnown))),
        Err(state) => {
            page(
                &request,
                StatusCode::UNPROCESSABLE_ENTITY,
                state,
                Vec::new(),
            )
            .await
        }
    }
}

/// `POST /t/{tenant}/permissions/import`.
pub(in crate::web) async fn import(
    posted: TenantForm<ChangeSettings>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let (tenant, actor, text) = (request.tenant(), request.actor(), form.text("csv"));
    let taken =
        request.ask(|app| async move { app.import_permissions(tenant, &text, &actor).await });
    match taken.await {
        Ok(_) => Ok(request.redirect_to("/permissions", Some(Told::PermissionsImported))),
        Err(PageError::App(AppError::Invalid(problems))) => {
            let lines = problems.iter().map(|p| sentence(&p.message)).collect();
            let mut state = form.state(&[]);
            state.refuse("csv", "Nothing was taken in; see what is wrong below.");
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, state, lines).await
        }
        Err(error) => Err(error),
    }
}

/// `POST /t/{tenant}/permissions/export`: all of them as CSV, read page by page while they are sent.
pub(in crate::web) async fn export(
    posted: TenantForm<ChangeSettings>,
) -> Result<HttpResponse, PageError> {
    let request = posted.request;
    let first = Part {
        app: App::clone(&request.who.app),
        tenant: request.tenant(),
        next: Some(Cursor::Newest),
    };
    let rows = stream::try_unfold(first, Part::read);
    let header = Bytes::from(csv_header());
    let header = stream::once(async move { Ok::<_, PageError>(header) });
    let name = "attachment; filename=\"permissions.csv\"";
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, name))
        .streaming(Box::pin(futures::StreamExt::chain(header, rows))))
}

/// Where a CSV has come to.
struct Part {
    app: App,
    tenant: TenantId,
    next: Option<Cursor>,
}

impl Part {
    async fn read(self) -> Result<Option<(Bytes, Self)>, PageError> {
        let Some(cursor) = self.next else {
            return Ok(None);
        };
        let tenant = self.tenant;
        let page = on_main(&self.app, move |app| async move {
            app.permissions(tenant, "", cursor, ROWS_OF_CSV).await
        });
        let page = page.await?;
        let rows = Bytes::from(csv_rows(&page.rows));
        let next = page.older;
        Ok(Some((rows, Self { next, ..self })))
    }
}

async fn page(
    request: &TenantContext,
    status: StatusCode,
    form: FormState,
    bad_lines: Vec<String>,
) -> Result<HttpResponse, PageError> {
    let ListQuery { text, cursor, .. } = ListQuery::of(request);
    let (tenant, asked) = (request.tenant(), text.clone());
    let (found, attestation) = request
        .ask(|app| async move {
            let found = app.permissions(tenant, &asked, cursor, ROWS).await?;
            Ok((found, app.attestation(tenant).await?))
        })
        .await?;
    let page = PermissionsPage {
        chrome: request.chrome(Section::Suppressions).await?,
        rows: found.map(row),
        attested: attestation.map(|a| (a.by, a.at)),
        text,
        form,
        bad_lines,
    };
    request.page(status, &page)
}

fn row(of: Permission) -> PermissionRow {
    PermissionRow {
        at: of.created_at,
        channel: of.channel,
        address: of.address,
        basis: of.basis,
        source: of.source,
        by: given(of.created_by),
    }
}
