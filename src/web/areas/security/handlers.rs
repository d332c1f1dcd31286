//! The security log of a tenant.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::app::security_log::AuditFilter;
use crate::domain::page::Cursor;
use crate::web::areas::error::PageError;
use crate::web::areas::security::page::{LogLine, SecurityLogPage};
use crate::web::areas::security::words::{KINDS, told};
use crate::web::chrome::Section;
use crate::web::extract::ability::ReadSecurityLog;
use crate::web::extract::tenant::TenantRequest;
use crate::web::ui::chips::Query;

/// How many entries a page has.
const ROWS: u64 = 50;

/// `GET /t/{tenant}/security-log`.
pub(in crate::web) async fn show(
    request: TenantRequest<ReadSecurityLog>,
) -> Result<HttpResponse, PageError> {
    let asked = request.query();
    let value = |name: &str| {
        let found = asked.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let cursor = Cursor::parse(value("at")).unwrap_or(Cursor::Newest);
    let kind = KINDS.iter().find(|k| k.key == value("kind"));
    let who = value("who").to_owned();
    let filter = AuditFilter {
        actor: (!who.is_empty()).then(|| who.clone()),
        kinds: kind.map_or(&[], |k| k.actions),
    };
    let tenant = request.tenant();
    let (entries, people) = request
        .ask(|app| async move {
            Ok((
                app.audit_entries(tenant, &filter, cursor, ROWS).await?,
                app.audit_actors(tenant).await?,
            ))
        })
        .await?;
    let chrome = request.chrome(Section::Settings).await?;
    let query = Query::new(chrome.path("/security-log"))
        .set("kind", kind.map_or("", |k| k.key))
        .set("who", who);
    let entries = entries.map(|entry| LogLine {
        at: entry.at,
        told: told(&entry, &chrome.providers),
        who: entry.actor,
        address: entry.address,
    });
    let page = SecurityLogPage {
        chrome,
        entries,
        query,
        people,
    };
    request.page(StatusCode::OK, &page)
}
