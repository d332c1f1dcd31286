//! Signing in and out, and choosing a tenant.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::error::PageError;
use super::flash::Told;
use super::{NewInstance, cookies};
use crate::app::App;
use crate::app::accounts::sign_in::Entry;
use crate::domain::user::Role;
use crate::web::areas::account::page::{SignInPage, TenantLine, TenantsPage};
use crate::web::areas::entrance;
use crate::web::areas::entrance::second_step;
use crate::web::areas::words;
use crate::web::chrome::Place;
use crate::web::extract::csrf_form::{CsrfForm, VisitForm};
use crate::web::extract::signed_in::SignedIn;
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;
use crate::web::on_main;

/// `GET /`: to the only tenant, the picker, the sign-in or the set-up.
pub(in crate::web) async fn landing(
    request: HttpRequest,
    new: Data<NewInstance>,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let Some(who) = SignedIn::find(&request).await? else {
        let is_open = crate::web::areas::entrance::new_instance::is_open(&new, &app).await?;
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
pub(in crate::web) async fn show(
    request: HttpRequest,
    new: Data<NewInstance>,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    if SignedIn::find(&request).await?.is_some() {
        return Ok(redirect("/", None));
    }
    if crate::web::areas::entrance::new_instance::is_open(&new, &app).await? {
        return Ok(redirect("/setup", None));
    }
    let next = next_of(&request);
    sign_in_page(&request, &app, StatusCode::OK, FormState::new(), next)
}

/// `POST /sign-in`.
pub(in crate::web) async fn sign_in(
    VisitForm(form): VisitForm,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let email = form.get("email").to_owned();
    entrance::handlers::admit_sign_in(&app, &request, &email).await?;
    let next = local_path(form.get("next")).to_owned();
    let (visit, password) = (
        entrance::handlers::visit(&request),
        entrance::handlers::secret(&form, "password"),
    );
    let account = email.clone();
    let entry = on_main(&app, |app| async move {
        app.sign_in(&account, password, visit).await
    });
    let url = app.public_url();
    match entry.await? {
        Entry::In(token) => {
            let known = entrance::handlers::signed_in(&app, &request, &email).await?;
            let cookies = entrance::handlers::entered(&token, url)
                .into_iter()
                .chain([known]);
            Ok(redirect(or_start(&next), cookies))
        }
        Entry::SecondStep(step) => {
            let known = entrance::handlers::signed_in(&app, &request, &email).await?;
            let to = second_step::path(&next);
            Ok(redirect(&to, [cookies::step(&step, url), known]))
        }
        Entry::Refused => {
            let mut state = form.state(&["password"]);
            state.refuse_all("The e-mail or the password is wrong.");
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            sign_in_page(&request, &app, status, state, next)
        }
    }
}

/// Where somebody wanted to go; else to the start.
pub(in crate::web) fn or_start(next: &str) -> &str {
    if next.is_empty() { "/" } else { next }
}

/// The path of ours that `next` names in the query; else nothing.
pub(in crate::web) fn next_of(request: &HttpRequest) -> String {
    form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(name, _)| name == "next")
        .map_or_else(String::new, |(_, next)| local_path(&next).to_owned())
}

/// `POST /sign-out`.
pub(in crate::web) async fn sign_out(posted: CsrfForm) -> Result<HttpResponse, PageError> {
    let app = posted.who.app.clone();
    let token = posted.who.token;
    on_main(&app, |app| async move { app.sign_out(&token).await }).await?;
    let url = app.public_url();
    let ended = [
        cookies::end(cookies::SESSION, url),
        Told::SignedOut.cookie(url),
    ];
    Ok(redirect("/sign-in", ended))
}

/// `GET /tenants`.
pub(in crate::web) async fn tenants(
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
        can_make: who.app.takes_sign_ups(),
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
    let can_sign_up = app.takes_sign_ups();
    entrance::handlers::public_page(request, app, status, |csrf| SignInPage {
        csrf,
        form,
        next,
        flash,
        can_sign_up,
    })
}

/// A path of ours, or nothing: `//host`, `/\host` and whole addresses lead elsewhere.
pub(in crate::web) fn local_path(next: &str) -> &str {
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
