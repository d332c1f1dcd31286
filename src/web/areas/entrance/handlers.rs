//! What all pages before a sign-in share: the visit, its limits, and pages with one sentence.

use std::net::IpAddr;

use actix_web::cookie::Cookie;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::accounts::sign_in::Visit;
use crate::app::accounts::throttle::{Gate, Tried};
use crate::app::{App, AppError, FieldProblem};
use crate::config::web::PublicUrl;
use crate::crypto::token;
use crate::web::areas::cookies;
use crate::web::areas::entrance::page::NotePage;
use crate::web::areas::error::PageError;
use crate::web::areas::rules::form::sentence;
use crate::web::extract::client_addr::ClientAddr;
use crate::web::extract::csrf_form::Form;
use crate::web::form::FormState;
use crate::web::on_main;

/// The browser at the door.
pub(in crate::web) fn visit(request: &HttpRequest) -> Visit {
    let agent = request.headers().get(header::USER_AGENT);
    let agent = agent.and_then(|a| a.to_str().ok()).unwrap_or_default();
    Visit {
        address: ClientAddr::of(request).0,
        agent: agent.chars().take(200).collect(),
        session: cookies::token(request, cookies::SESSION),
    }
}

/// Counts one more try; too many are refused.
pub(in crate::web) async fn admit(
    app: &App,
    request: &HttpRequest,
    gate: Gate,
    account: &str,
) -> Result<(), PageError> {
    may_send(app, request, gate, account).await.map(drop)
}

/// The same, where each try sends a letter to an address that anybody may type: `false` when no
/// more are sent there for a while, which the page does not tell.
pub(in crate::web) async fn may_send(
    app: &App,
    request: &HttpRequest,
    gate: Gate,
    account: &str,
) -> Result<bool, PageError> {
    let (client, account) = (network(request), account.to_owned());
    let tried = on_main(
        app,
        |app| async move { app.admit(gate, client, &account).await },
    );
    match tried.await? {
        Tried::Admitted => Ok(true),
        Tried::Silenced => Ok(false),
        Tried::Refused => Err(PageError::TooMany),
    }
}

/// Counts one more sign-in; too many are refused.
pub(in crate::web) async fn admit_sign_in(
    app: &App,
    request: &HttpRequest,
    account: &str,
) -> Result<(), PageError> {
    let (client, account) = (network(request), account.to_owned());
    let mark = cookies::token(request, cookies::KNOWN);
    let tried = on_main(app, |app| async move {
        app.admit_sign_in(client, &account, mark.as_ref()).await
    });
    match tried.await? {
        Tried::Admitted | Tried::Silenced => Ok(()),
        Tried::Refused => Err(PageError::TooMany),
    }
}

/// Forgets the tries of somebody whose password was right; the cookie by which their browser is known.
pub(in crate::web) async fn signed_in(
    app: &App,
    request: &HttpRequest,
    account: &str,
) -> Result<Cookie<'static>, PageError> {
    let (client, account) = (network(request), account.to_owned());
    let mark = cookies::token(request, cookies::KNOWN);
    let new = app.browser_mark(&account)?;
    let done = on_main(app, |app| async move {
        app.signed_in(client, &account, mark.as_ref()).await
    });
    done.await?;
    Ok(cookies::known(&new, app.public_url()))
}

/// Whose tries count together.
fn network(request: &HttpRequest) -> Option<IpAddr> {
    ClientAddr::apart(request).map(|client| client.0)
}

/// Forgets the tries of an account from where the request comes from.
pub(in crate::web) async fn succeeded(
    app: &App,
    request: &HttpRequest,
    gate: Gate,
    account: &str,
) -> Result<(), PageError> {
    let (client, account) = (network(request), account.to_owned());
    let done = on_main(app, |app| async move {
        app.succeeded(gate, client, &account).await
    });
    Ok(done.await?)
}

/// The cookies of somebody who came in: the session begins, visit and step end.
pub(in crate::web) fn entered(token: &SecretString, url: &PublicUrl) -> [Cookie<'static>; 3] {
    [
        cookies::session(token, url),
        cookies::end(cookies::VISIT, url),
        cookies::end(cookies::STEP, url),
    ]
}

/// A secret of a form; one that was left empty fits nothing.
pub(in crate::web) fn secret(form: &Form, name: &str) -> SecretString {
    let typed = form.secret(name);
    typed.unwrap_or_else(|| SecretString::from(String::new()))
}

/// The token in the address of a link; one that is too long to be ours is none.
pub(in crate::web) fn link(request: &HttpRequest) -> Result<SecretString, PageError> {
    let token = request.match_info().query("token");
    if token.len() > 128 {
        return Err(PageError::NotFound);
    }
    Ok(SecretString::from(token.to_owned()))
}

/// Puts what the app refused at the fields, or passes on what is no matter of fields.
pub(in crate::web) fn refuse(error: AppError, form: &mut FormState) -> Result<(), PageError> {
    let AppError::Invalid(problems) = error else {
        return Err(error.into());
    };
    for FieldProblem { field, message } in problems {
        form.refuse(field, sentence(&message));
    }
    Ok(())
}

/// A page with a form for somebody who need not be signed in. Its token belongs to the visit, which
/// begins here when there is none.
pub(in crate::web) fn public_page<P: Template>(
    request: &HttpRequest,
    app: &App,
    status: StatusCode,
    page: impl FnOnce(String) -> P,
) -> Result<HttpResponse, PageError> {
    let url = app.public_url();
    let mut answer = HttpResponse::build(status);
    let visit = cookies::token(request, cookies::VISIT).unwrap_or_else(|| {
        let visit = token::random().text;
        let lasts = actix_web::cookie::time::Duration::days(1);
        answer.cookie(cookies::make(
            cookies::VISIT,
            visit.expose_secret(),
            lasts,
            url,
        ));
        visit
    });
    if cookies::value(request, cookies::FLASH).is_some() {
        answer.cookie(cookies::end(cookies::FLASH, url));
    }
    let page = page(token::csrf(&visit));
    Ok(answer
        .content_type("text/html; charset=utf-8")
        .body(page.render()?))
}

/// A page with a sentence and no form.
pub(in crate::web) fn note(page: &NotePage) -> Result<HttpResponse, PageError> {
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(page.render()?))
}

/// A link that was used, or whose time is over.
pub(in crate::web) fn over(
    again: &'static str,
    words: &'static str,
) -> Result<HttpResponse, PageError> {
    note(&NotePage {
        title: "This link no longer works",
        sentences: vec![
            "It was used before, or its time is over, or a newer one took its place.".into(),
        ],
        button: Some((words, again)),
    })
}
