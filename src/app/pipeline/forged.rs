//! Requests whose signature is missing or wrong.

use super::hook::Hook;
use super::receive::HookRequest;
use crate::app::App;
use crate::app::rejected::Refused;
use crate::domain::event::EventType;
use crate::zoho::webhook::Rejection;

impl App {
    /// Leaves a line about a request whose signature is missing or wrong.
    pub(super) async fn note_forged(
        &self,
        hook: &Hook,
        request: &HookRequest,
        rejection: &Rejection,
    ) {
        let compared = serde_json::json!({
            "body_bytes": rejection.compared.body_bytes,
            "content_type": rejection.compared.content_type,
            "query_present": rejection.compared.had_query,
            "received": rejection.compared.received,
            "computed": rejection.compared.computed,
        });
        let refused = Refused {
            path: path_text(request.path_type, &request.label),
            client: request.client,
            reason: rejection.problem.to_string(),
            compared,
            is_forged: true,
        };
        self.note_refused(hook.target.clone(), refused).await;
    }
}

/// `invoice.overdue/14d`, as it stands behind the token.
fn path_text(path_type: Option<EventType>, label: &str) -> String {
    match path_type {
        None => String::new(),
        Some(event_type) if label.is_empty() => event_type.to_string(),
        Some(event_type) => format!("{event_type}/{label}"),
    }
}
