//! What providers of messages post by themselves: how messages fare, and what recipients write.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::answers::{not_stored, note_stray, unknown_hook, unreadable, wrong_method};
use super::{BODY_WITHIN, STORE_WITHIN, bounded, header_text, in_time};
use crate::app::App;
use crate::app::sending::receipts::ReportAnswer;
use crate::domain::connection::Provider;
use crate::transport::SignedRequest;
use crate::web::extract::client_addr::ClientAddr;
use crate::web::on_main;
use crate::web::problem::Problem;

/// A report is small.
const LARGEST_REPORT: usize = 64 * 1024;

/// A provider as it calls, and what it is told.
pub(super) struct Caller {
    pub(super) provider: Provider,
    /// The header that bears its signature.
    pub(super) signature: &'static str,
    /// That a request is not its own, in short and with the reason.
    pub(super) forged: (&'static str, &'static str),
    /// That a request is about no message.
    pub(super) no_message: &'static str,
    /// What to do about a request by another method than POST.
    pub(super) only_post: &'static str,
}

impl Caller {
    /// Takes a status report.
    pub(super) async fn status(
        &self,
        request: HttpRequest,
        token: Path<String>,
        payload: Payload,
        app: Data<App>,
    ) -> HttpResponse {
        let Some(signed) = self.signed(&request, payload).await else {
            return unreadable("A status report has at most 64 KiB and arrives within 10 s");
        };
        let (provider, token) = (self.provider, token.into_inner());
        let answered = in_time(STORE_WITHIN, async {
            match app.receive_plain_report(provider, &token, &signed).await {
                Some(answered) => answered,
                None => {
                    on_main(&app, |app| async move {
                        app.receive_reports(provider, &token, signed).await
                    })
                    .await
                }
            }
        });
        match answered.await {
            Ok(ReportAnswer::Kept) => HttpResponse::NoContent().finish(),
            Ok(refused) => self.refused(refused),
            Err(error) => not_stored(&error),
        }
    }

    /// Takes a message of a recipient; `kept` is what the provider asks to be answered then.
    pub(super) async fn inbound(
        &self,
        request: HttpRequest,
        token: Path<String>,
        payload: Payload,
        app: Data<App>,
        kept: HttpResponse,
    ) -> HttpResponse {
        let Some(signed) = self.signed(&request, payload).await else {
            return unreadable("A message has at most 64 KiB and arrives within 10 s");
        };
        let (provider, token) = (self.provider, token.into_inner());
        let answered = on_main(&app, |app| async move {
            app.receive_inbound(provider, &token, signed).await
        });
        match in_time(STORE_WITHIN, answered).await {
            Ok(ReportAnswer::Kept) => kept,
            Ok(refused) => self.refused(refused),
            Err(error) => not_stored(&error),
        }
    }

    /// Refuses what came by another method.
    pub(super) async fn other_method(&self, request: &HttpRequest, app: &App) -> HttpResponse {
        let method = bounded(request.method().as_str());
        let reason = format!("The request came as {method}. {}", self.only_post);
        note_stray(request, app, self.provider, reason).await;
        wrong_method("POST")
    }

    /// What a request is checked by; `None` when its body is too large or too slow.
    async fn signed(&self, request: &HttpRequest, payload: Payload) -> Option<SignedRequest> {
        let arriving = payload.to_bytes_limited(LARGEST_REPORT);
        let Ok(Ok(Ok(body))) = tokio::time::timeout(BODY_WITHIN, arriving).await else {
            return None;
        };
        let path_and_query = request.uri().path_and_query();
        Some(SignedRequest {
            path_and_query: path_and_query.map_or("/", |p| p.as_str()).to_owned(),
            body,
            signature: header_text(request, self.signature),
            client: ClientAddr::of(request).0,
        })
    }

    fn refused(&self, answer: ReportAnswer) -> HttpResponse {
        match answer {
            ReportAnswer::Kept | ReportAnswer::UnknownHook => unknown_hook(),
            ReportAnswer::Forged => {
                let (title, detail) = self.forged;
                Problem::new(StatusCode::FORBIDDEN, "signature", title, detail).into_response()
            }
            ReportAnswer::Unreadable => unreadable(self.no_message),
        }
    }
}
