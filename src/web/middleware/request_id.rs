//! A name for every request, made by us: in its log lines, in its answer, on its error page.
//!
//! A caller's own `x-request-id` is not taken over: it could forge or flood what the log says.

use std::borrow::Cow;
use std::fmt;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest};
use tracing::Instrument;
use uuid::Uuid;

use crate::web::hooks;

/// The header that bears the id.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The name of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl RequestId {
    /// The name of this request, once the middleware has run.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().copied()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.simple(), f)
    }
}

/// The outermost middleware: `App::wrap(from_fn(request_id::give))`, wrapped last. The span names
/// the route, not the path, since paths hold tokens.
pub async fn give<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let id = RequestId(Uuid::new_v4());
    request.extensions_mut().insert(id);
    let span = tracing::info_span!(
        "request",
        request.id = %id,
        http.method = %request.method(),
        http.route = route(&request).as_deref().unwrap_or("(none)"),
    );
    let result = next.call(request).instrument(span).await;
    let value = HeaderValue::from_str(&id.to_string()).ok();
    super::on_every_answer(result, |head| {
        if let Some(value) = value {
            head.headers_mut().insert(HEADER, value);
        }
    })
}

fn route(request: &ServiceRequest) -> Option<Cow<'static, str>> {
    if hooks::is_of_zoho(request.path()) {
        return Some(hooks::ZOHO.into());
    }
    request.match_pattern().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpResponse, error, test, web};

    use super::*;

    async fn refuse(
        _: ServiceRequest,
        _: Next<impl MessageBody>,
    ) -> Result<ServiceResponse, Error> {
        Err(error::ErrorForbidden("no"))
    }

    #[actix_web::test]
    async fn the_answer_bears_the_name_that_the_handler_saw() {
        let told = |request: HttpRequest| async move {
            HttpResponse::Ok().body(RequestId::of(&request).unwrap().to_string())
        };
        let app = test::init_service(
            App::new()
                .wrap(from_fn(give))
                .route("/", web::get().to(told)),
        )
        .await;
        let request = test::TestRequest::get()
            .uri("/")
            .insert_header((HEADER, "forged"));
        let answer = test::call_service(&app, request.to_request()).await;
        let header = answer
            .headers()
            .get(HEADER)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(header.len(), 32);
        assert_eq!(test::read_body(answer).await, header.as_bytes());
    }

    #[actix_web::test]
    async fn an_error_of_an_inner_layer_bears_it_too() {
        let app = test::init_service(App::new().wrap(from_fn(refuse)).wrap(from_fn(give))).await;
        let error = test::try_call_service(&app, test::TestRequest::get().to_request()).await;
        let answer = error.unwrap_err().error_response();
        assert_eq!(answer.status(), 403);
        assert!(answer.headers().contains_key(HEADER));
    }
}
