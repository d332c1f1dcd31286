//! Where Twilio calls.

use actix_web::web::{self, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, Scope};

use super::answers::astray;
use super::reports::Caller;
use crate::app::App;
use crate::web::providers;

const TWILIO: Caller = Caller {
    provider: providers::TWILIO,
    signature: "x-twilio-signature",
    forged: (
        "Not signed by Twilio",
        "The signature does not match this account's Auth Token",
    ),
    no_message: "This names no message of Twilio's",
    only_post: "At Twilio, set the method beside this web address to HTTP POST",
};

/// An answer in `TwiML` that sends nothing.
const SILENCE: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;

pub(super) fn routes() -> Scope {
    // A slash at the end is easily copied along.
    let slashed = |path: &str| [path.to_owned(), format!("{path}/")];
    web::scope("/hooks/twilio")
        .service(
            web::resource(slashed("/{token}/status"))
                .route(web::post().to(status))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource(slashed("/{token}/inbound"))
                .route(web::post().to(inbound))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource(["/{token}", "/{token}/{rest:.*}"])
                .default_service(web::to(leads_nowhere)),
        )
}

async fn status(
    request: HttpRequest,
    token: Path<String>,
    payload: Payload,
    app: Data<App>,
) -> HttpResponse {
    TWILIO.status(request, token, payload, app).await
}

/// Twilio asks what to answer: nothing, since it answers STOP, START and HELP itself.
async fn inbound(
    request: HttpRequest,
    token: Path<String>,
    payload: Payload,
    app: Data<App>,
) -> HttpResponse {
    let silence = HttpResponse::Ok()
        .content_type("text/xml; charset=utf-8")
        .body(SILENCE);
    TWILIO.inbound(request, token, payload, app, silence).await
}

async fn other_method(request: HttpRequest, app: Data<App>) -> HttpResponse {
    TWILIO.other_method(&request, &app).await
}

async fn leads_nowhere(request: HttpRequest, app: Data<App>) -> HttpResponse {
    let remedy = "it ends in /inbound for messages, and in /status for status reports";
    astray(&request, &app, providers::TWILIO, remedy).await
}
