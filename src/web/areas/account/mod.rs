//! Somebody's own account: name, address, password, sessions, second factor.

pub(in crate::web) mod email;
pub mod page;
pub(in crate::web) mod password;
pub mod profile;
pub(in crate::web) mod second_factor;
pub(in crate::web) mod sessions;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use super::error::PageError;
use super::flash::Told;
use crate::app::accounts::second_factor::Standing;
use crate::app::accounts::throttle::Gate;
use crate::web::areas::account::profile::{AccountPage, FactorLine};
use crate::web::areas::entrance;
use crate::web::chrome::Place;
use crate::web::extract::csrf_form::CsrfForm;
use crate::web::extract::signed_in::SignedIn;
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;
use crate::web::on_main;

/// `GET /account`.
pub(in crate::web) async fn show(
    who: SignedIn,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let form = FormState::new().with("name", who.session.user.name.as_str());
    page(&who, &request, StatusCode::OK, form).await
}

/// `POST /account/name`.
pub(in crate::web) async fn rename(
    posted: CsrfForm,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let CsrfForm { who, form } = posted;
    let (session, actor) = (who.session.clone(), who.actor(&request));
    let name = form.get("name").to_owned();
    let renamed = on_main(&who.app, |app| async move {
        app.rename(&session.user, &name, actor).await
    });
    match renamed.await {
        Ok(()) => Ok(redirect_to(&who, Told::AccountSaved)),
        Err(error) => {
            let mut state = form.state(&[]);
            entrance::handlers::refuse(error, &mut state)?;
            page(&who, &request, StatusCode::UNPROCESSABLE_ENTITY, state).await
        }
    }
}

/// Back to the account, which tells what was done.
fn redirect_to(who: &SignedIn, told: Told) -> HttpResponse {
    redirect("/account", [told.cookie(who.app.public_url())])
}

/// Counts one more password or code of somebody who is signed in.
async fn admit(who: &SignedIn, request: &HttpRequest) -> Result<(), PageError> {
    let account = who.session.user.id.to_string();
    entrance::handlers::admit(&who.app, request, Gate::Own, &account).await
}

async fn page(
    who: &SignedIn,
    request: &HttpRequest,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let (session, token) = (who.session.clone(), who.token.clone());
    let asked = who.ask(|app| async move {
        let factor = app.second_factor(&session.user).await?;
        let sessions = app.sessions_of(session.user.id, &token).await?;
        Ok((factor, sessions))
    });
    let (factor, sessions) = asked.await?;
    let page = AccountPage {
        chrome: who.chrome(request, Place::Account),
        form,
        factor: match factor {
            Standing::Off | Standing::Pending { .. } => FactorLine::Off,
            Standing::On { since, codes_left } => FactorLine::On { since, codes_left },
        },
        sessions: sessions.into_iter().map(sessions::line).collect(),
    };
    who.page(request, status, &page)
}
