//! Another password; the other browsers are signed out.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use super::{admit, redirect_to};
use crate::web::areas::account::profile::PasswordPage;
use crate::web::areas::entrance;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::chrome::Place;
use crate::web::extract::csrf_form::CsrfForm;
use crate::web::extract::signed_in::SignedIn;
use crate::web::form::FormState;
use crate::web::on_main;

/// `GET /account/password`.
pub(crate) async fn show(who: SignedIn, request: HttpRequest) -> Result<HttpResponse, PageError> {
    page(&who, &request, StatusCode::OK, FormState::new())
}

/// `POST /account/password`.
pub(crate) async fn change(
    posted: CsrfForm,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let CsrfForm { who, form } = posted;
    admit(&who, &request).await?;
    let (session, token) = (who.session.clone(), who.token.clone());
    let (old, new) = (
        entrance::handlers::secret(&form, "password"),
        entrance::handlers::secret(&form, "new_password"),
    );
    let actor = who.actor(&request);
    let changed = on_main(&who.app, |app| async move {
        app.change_password(&session.user, old, new, &token, actor)
            .await
    });
    match changed.await {
        Ok(()) => Ok(redirect_to(&who, Told::PasswordChanged)),
        Err(error) => {
            let mut state = FormState::new();
            entrance::handlers::refuse(error, &mut state)?;
            page(&who, &request, StatusCode::UNPROCESSABLE_ENTITY, state)
        }
    }
}

fn page(
    who: &SignedIn,
    request: &HttpRequest,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let page = PasswordPage {
        chrome: who.chrome(request, Place::Account),
        form,
    };
    who.page(request, status, &page)
}
