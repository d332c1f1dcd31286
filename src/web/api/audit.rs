//! `/audit-entries`: the security log.

use actix_web::HttpResponse;

use super::call::{Call, page};
use super::refusal::{Refusal, bad_query};
use super::wire::List;
use super::wire::audit::{AuditEntry, AuditQuery};
use crate::app::security_log::AuditFilter;
use crate::web::extract::ability::ReadSecurityLog;

/// Who signed in, looked, and changed what, newest first.
#[utoipa::path(get, path = "/api/v1/audit-entries", tag = "audit", params(AuditQuery),
    responses((status = 200, body = List<AuditEntry>)))]
pub(super) async fn list(call: Call<ReadSecurityLog>) -> Result<HttpResponse, Refusal> {
    let query: AuditQuery = call.query()?;
    let mut problems = Vec::new();
    let (cursor, limit) = page(
        query.cursor.as_deref(),
        query.limit.as_deref(),
        &mut problems,
    );
    if !problems.is_empty() {
        return Err(bad_query(problems).into());
    }
    let filter = AuditFilter {
        actor: query.actor,
        ..AuditFilter::default()
    };
    let entries =
        call.run(move |app, tenant| async move {
            app.audit_entries(tenant, &filter, cursor, limit).await
        })
        .await?;
    Ok(HttpResponse::Ok().json(List::of(entries, AuditEntry::from)))
}
