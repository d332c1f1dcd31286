//! Accepting an invitation: the only way in for strangers where nobody may sign up.

use actix_web::http::StatusCode;
use actix_web::web::{self, Data};
use actix_web::{FromRequest as _, HttpRequest, HttpResponse};
use askama::Template as _;

use crate::app::accounts::sign_in::Entry;
use crate::app::team::OpenInvitation;
use crate::app::{App, AppError};
use crate::web::areas::entrance::handlers;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::team::page::{Guest, InvitationGonePage, InvitationPage};
use crate::web::extract::client_addr::ClientAddr;
use crate::web::extract::csrf_form::{VisitForm, of_session};
use crate::web::extract::signed_in::SignedIn;
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;
use crate::web::on_main;
use crate::web::ui::time::Moment;

/// No token of ours is longer, in bytes.
const LONGEST: usize = 128;

/// `GET /invitations/{token}`.
pub(in crate::web) async fn show(
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let who = SignedIn::find(&request).await?;
    match find(&request, &app).await? {
        Some(open) => page(&request, &app, open, who, StatusCode::OK, FormState::new()),
        None => gone(),
    }
}

/// `POST /invitations/{token}`.
pub(in crate::web) async fn accept(
    request: HttpRequest,
    payload: web::Payload,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let token = token(&request);
    let mut payload = payload.into_inner();
    let Some(who) = SignedIn::find(&request).await? else {
        let VisitForm(form) = VisitForm::from_request(&request, &mut payload).await?;
        let Some(open) = find(&request, &app).await? else {
            return gone();
        };
        return accept_anew(&request, &app, open, &form).await;
    };
    of_session(&request, payload, &who).await?;
    let (session, actor) = (who.session.clone(), who.actor(&request));
    let joined = on_main(&app, |app| async move {
        app.accept_invitation(&token, &session.user, &actor).await
    });
    match joined.await {
        Ok(slug) => Ok(redirect(
            &format!("/t/{slug}/"),
            Some(Told::Joined.cookie(app.public_url())),
        )),
        Err(AppError::NotFound(_)) => gone(),
        Err(error) => Err(error.into()),
    }
}

/// The mail showed that the address is theirs, so they come in with what they typed.
async fn accept_anew(
    request: &HttpRequest,
    app: &Data<App>,
    open: OpenInvitation,
    form: &crate::web::extract::csrf_form::Form,
) -> Result<HttpResponse, PageError> {
    let (token, name) = (token(request), form.get("name").to_owned());
    let password = handlers::secret(form, "password");
    let (chosen, address) = (password.clone(), ClientAddr::of(request).to_string());
    let joined = on_main(app, |app| async move {
        app.accept_invitation_anew(&token, &name, chosen, address)
            .await
    });
    let slug = match joined.await {
        Ok(slug) => slug,
        Err(error @ AppError::Invalid(_)) => {
            let mut state = form.state(&["password"]);
            handlers::refuse(error, &mut state)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return page(request, app, open, None, status, state);
        }
        Err(AppError::NotFound(_)) => return gone(),
        Err(error) => return Err(error.into()),
    };
    let (email, visit) = (open.invitation.email, handlers::visit(request));
    let entry = on_main(app, |app| async move {
        app.sign_in(&email, password, visit).await
    });
    let url = app.public_url();
    match entry.await? {
        Entry::In(token) => {
            let cookies = handlers::entered(&token, url).into_iter();
            let cookies = cookies.chain([Told::Joined.cookie(url)]);
            Ok(redirect(&format!("/t/{slug}/"), cookies))
        }
        Entry::SecondStep(_) | Entry::Refused => Ok(redirect("/sign-in", None)),
    }
}

fn token(request: &HttpRequest) -> String {
    request.match_info().query("token").to_owned()
}

async fn find(request: &HttpRequest, app: &Data<App>) -> Result<Option<OpenInvitation>, PageError> {
    let token = token(request);
    if token.len() > LONGEST {
        return Ok(None);
    }
    Ok(on_main(app, |app| async move { app.invitation(&token).await }).await?)
}

fn page(
    request: &HttpRequest,
    app: &Data<App>,
    open: OpenInvitation,
    who: Option<SignedIn>,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let path = request.path().to_owned();
    let guest = match &who {
        Some(who) if who.session.user.email == open.invitation.email => Guest::Invited,
        Some(who) => Guest::SomebodyElse(who.session.user.email.clone()),
        None if open.has_account => Guest::HasAccount(format!("/sign-in?next={path}")),
        None => Guest::New,
    };
    let moment = Moment {
        zone: open.tenant.zone,
        now: app.now(),
    };
    let page = |csrf| InvitationPage {
        csrf,
        path,
        company: open.tenant.name,
        invited_by: open.invitation.invited_by,
        email: open.invitation.email,
        role: open.invitation.role,
        until: moment.day(open.invitation.expires_at),
        guest,
        form,
    };
    match who {
        Some(who) => {
            let page = page(who.session.csrf.clone());
            who.page(request, status, &page)
        }
        None => handlers::public_page(request, app, status, page),
    }
}

fn gone() -> Result<HttpResponse, PageError> {
    Ok(HttpResponse::NotFound()
        .content_type("text/html; charset=utf-8")
        .body(InvitationGonePage.render()?))
}
