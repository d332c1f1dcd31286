//! Where somebody is signed in, and how they end it.

use actix_web::{HttpRequest, HttpResponse};

use super::redirect_to;
use crate::app::accounts::sessions::OwnSession;
use crate::web::areas::account::profile::SessionLine;
use crate::web::areas::cookies;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::extract::csrf_form::CsrfForm;
use crate::web::extract::tenant::redirect;

/// `POST /account/sessions/{session}/revocation`.
pub(crate) async fn revoke(
    posted: CsrfForm,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let CsrfForm { who, .. } = posted;
    let handle = request.match_info().query("session").to_owned();
    let (session, actor) = (who.session.clone(), who.actor(&request));
    who.ask(|app| async move { app.revoke_session(session.user.id, &handle, actor).await })
        .await?;
    Ok(redirect_to(&who, Told::SessionEnded))
}

/// `POST /account/sessions/revocation`: all others, or with `which=all` this one too.
pub(crate) async fn revoke_all(
    posted: CsrfForm,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let CsrfForm { who, form } = posted;
    let everywhere = form.get("which") == "all";
    let keep = (!everywhere).then(|| who.token.clone());
    let (session, actor) = (who.session.clone(), who.actor(&request));
    who.ask(|app| async move {
        app.revoke_sessions(session.user.id, keep.as_ref(), actor)
            .await
    })
    .await?;
    if !everywhere {
        return Ok(redirect_to(&who, Told::SessionsEnded));
    }
    let url = who.app.public_url();
    let ended = [
        cookies::end(cookies::SESSION, url),
        Told::SignedOutEverywhere.cookie(url),
    ];
    Ok(redirect("/sign-in", ended))
}

/// What the page shows of a session.
pub(super) fn line(of: OwnSession) -> SessionLine {
    SessionLine {
        handle: of.handle,
        browser: of.browser,
        address: of.address,
        created_at: of.created_at,
        seen_at: of.seen_at,
        is_this: of.is_this,
    }
}
