//! What clients are told by a process that is about to end.
//!
//! `/readyz` refuses, so that a proxy turns elsewhere, and every answer closes its connection, so
//! that none is left open that a client could use in the very moment of its end.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::web::Data;
use tokio_util::sync::CancellationToken;

/// Whether the process has been told to stop. Kept in `app_data`.
#[derive(Debug, Clone, Default)]
pub struct Draining(CancellationToken);

impl Draining {
    /// From the moment when `stopping` is cancelled.
    pub const fn when(stopping: CancellationToken) -> Self {
        Self(stopping)
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// The middleware: `App::app_data(Data::new(Draining::when(…))).wrap(from_fn(close_connections))`.
pub async fn close_connections<B: MessageBody + 'static>(
    draining: Data<Draining>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let result = next.call(request).await;
    // Looked at after the answer is made: it may have begun in between.
    if !draining.has_begun() {
        return result;
    }
    super::on_every_answer(result, |head| {
        head.set_connection_type(ConnectionType::Close);
    })
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpResponse, error, test, web};

    use super::*;

    async fn answer() -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    async fn fail() -> Result<HttpResponse, Error> {
        Err(error::ErrorForbidden("no"))
    }

    #[actix_web::test]
    async fn connections_are_kept_until_the_process_is_told_to_stop() {
        let stopping = CancellationToken::new();
        let draining = Data::new(Draining::when(stopping.clone()));
        let app = test::init_service(
            App::new()
                .app_data(draining)
                .wrap(from_fn(close_connections))
                .route("/", web::get().to(answer))
                .route("/fail", web::get().to(fail)),
        )
        .await;
        for is_stopping in [false, true] {
            if is_stopping {
                stopping.cancel();
            }
            for path in ["/", "/fail", "/missing"] {
                let request = test::TestRequest::get().uri(path).to_request();
                let answer = test::call_service(&app, request).await;
                let closes = answer.response().head().connection_type() == ConnectionType::Close;
                assert_eq!(closes, is_stopping, "{path}");
            }
        }
    }
}
