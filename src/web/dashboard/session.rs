//! Signing in and out, and choosing a tenant.

use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use secrecy::{ExposeSecret as _, SecretString};

use super::error::PageError;
use super::flash::Told;
use super::{Setup, cookies};
use crate::app::App;
use crate::config::web::PublicUrl;
use crate::crypto::token;
use crate::domain::user::Role;
use crate::web::chrome::Place;
use crate::web::extract::client_addr::ClientAddr;
use crate::web::extract::csrf_form::{CsrfForm, VisitForm};
use crate::web::extract::signed_in::SignedIn;
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;
use crate::web::on_main;
use crate::web::pages::account::{SignInPage, TenantLine, TenantsPage};
use crate::web::pages::words;

/// `GET /`: to the only tenant, the picker, the sign-in or the set-up.
pub(super) async fn landing(
    request: HttpRequest,
    setup: Data<Setup>,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let Some(who) = SignedIn::find(&request).await? else {
        let is_open = super::setup::is_open(&setup, &app).await?;
        return Ok(redirect(if is_open { "/setup" } else { "/sign-in" }, None));
    };
    let session = who.session.clone();
    let tenants = on_main(
        &app,
        |app| async move { app.tenants_of(&session.user).await },
    );
    Ok(match tenants.await?.as_slice() {
        [only] => redirect(&format!("/t/{}/", only.tenant.slug), None),
        _ => redirect("/tenants", None),
    })
}

/// `GET /sign-in`.
pub(super) async fn show(
    request: HttpRequest,
    setup: Data<Setup>,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    if SignedIn::find(&request).await?.is_some() {
        return Ok(redirect("/", None));
    }
    if super::setup::is_open(&setup, &app).await? {
        return Ok(redirect("/setup", None));
    }
    let next = form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(name, _)| name == "next")
        .map_or_else(String::new, |(_, next)| local_path(&next).to_owned());
    sign_in_page(&request, &app, StatusCode::OK, FormState::new(), next)
}

/// `POST /sign-in`.
pub(super) async fn sign_in(
    VisitForm(form): VisitForm,
    request: HttpRequest,
    setup: Data<Setup>,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let email = form.get("email").to_owned();
    let client = ClientAddr::of(&request);
    if !setup.attempts.admit(client.0, &email, app.now()) {
        return Err(PageError::TooMany);
    }
    let next = local_path(form.get("next")).to_owned();
    let password = form
        .secret("password")
        .unwrap_or_else(|| SecretString::from(String::new()));
    if let Some(token) = enter(&app, &request, email.clone(), password).await? {
        setup.attempts.succeeded(&email);
        let to = if next.is_empty() { "/" } else { &next };
        return Ok(redirect(to, entered(&token, app.public_url())));
    }
    let mut state = form.state(&["password"]);
    state.refuse_all("E-mail and password do not fit together.");
    sign_in_page(
        &request,
        &app,
        StatusCode::UNPROCESSABLE_ENTITY,
        state,
        next,
    )
}

/// A new session for somebody whose password is right.
pub(super) async fn enter(
    app: &App,
    request: &HttpRequest,
    email: String,
    password: SecretString,
) -> Result<Option<SecretString>, PageError> {
    let address = ClientAddr::of(request).to_string();
    let agent = request.headers().get(header::USER_AGENT);
    let agent: String = agent
        .and_then(|a| a.to_str().ok())
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect();
    let token = on_main(app, |app| async move {
        app.sign_in(&email, password, address, agent).await
    });
    Ok(token.await?)
}

/// The cookies of somebody who came in: the session begins, the visit ends.
pub(super) fn entered(
    token: &SecretString,
    url: &PublicUrl,
) -> [actix_web::cookie::Cookie<'static>; 2] {
    [
        cookies::session(token, url),
        cookies::end(cookies::VISIT, url),
    ]
}

/// `POST /sign-out`.
pub(super) async fn sign_out(posted: CsrfForm) -> Result<HttpResponse, PageError> {
    let app = posted.who.app.clone();
    let token = posted.who.token;
    on_main(&app, |app| async move {
        app.sign_out(token.expose_secret()).await
    })
    .await?;
    let url = app.public_url();
    let ended = [
        cookies::end(cookies::SESSION, url),
        Told::SignedOut.cookie(url),
    ];
    Ok(redirect("/sign-in", ended))
}

/// `GET /tenants`.
pub(super) async fn tenants(
    who: SignedIn,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let session = who.session.clone();
    let list = on_main(&who.app, |app| async move {
        app.tenants_in_need(&session.user).await
    });
    let user = &who.session.user;
    let tenants = list
        .await?
        .into_iter()
        .map(|(member, needs_you)| TenantLine {
            role: if user.is_operator && member.role == Role::Viewer {
                "Operator".to_owned()
            } else {
                words::capital(member.role.as_str())
            },
            name: member.tenant.name,
            slug: member.tenant.slug,
            needs_you,
        });
    let page = TenantsPage {
        chrome: who.chrome(&request, Place::Companies),
        tenants: tenants.collect(),
    };
    who.page(&request, StatusCode::OK, &page)
}

fn sign_in_page(
    request: &HttpRequest,
    app: &App,
    status: StatusCode,
    form: FormState,
    next: String,
) -> Result<HttpResponse, PageError> {
    let flash = Told::of(request).map(Told::flash);
    public_page(request, app, status, |csrf| SignInPage {
        csrf,
        form,
        next,
        flash,
    })
}

/// A page with a form for somebody who is not signed in. Its token belongs to the visit, which
/// begins here when there is none.
pub(super) fn public_page<P: Template>(
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
    if request.cookie(cookies::FLASH).is_some() {
        answer.cookie(cookies::end(cookies::FLASH, url));
    }
    let page = page(token::csrf(&visit));
    Ok(answer
        .content_type("text/html; charset=utf-8")
        .body(page.render()?))
}

/// A path of ours, or nothing: `//host`, `/\host` and whole addresses lead elsewhere.
fn local_path(next: &str) -> &str {
    let rest = next.strip_prefix('/');
    let is_local = rest.is_some_and(|rest| !rest.starts_with(['/', '\\']))
        && next.len() <= 2000
        && next.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    if is_local { next } else { "" }
}

#[cfg(test)]
mod local_paths {
    use super::*;

    #[test]
    fn only_a_path_of_ours_is_followed() {
        assert_eq!(local_path("/t/acme/history?at=b1"), "/t/acme/history?at=b1");
        assert_eq!(local_path("/"), "/");
        for foreign in [
            "//evil.example",
            "/\\evil",
            "https://evil.example",
            "t/acme",
            "",
            "/a\r\nb",
            "/\t/x",
        ] {
            assert_eq!(local_path(foreign), "", "{foreign}");
        }
    }
}
