//! Another password; the other browsers are signed out.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use super::{admit, lead};
use crate::web::chrome::Place;
use crate::web::dashboard::entrance;
use crate::web::dashboard::error::PageError;
use crate::web::dashboard::flash::Told;
use crate::web::extract::csrf_form::CsrfForm;
use crate::web::extract::signed_in::SignedIn;
use crate::web::form::FormState;
use crate::web::on_main;
use crate::web::pages::profile::PasswordPage;

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
        entrance::secret(&form, "password"),
        entrance::secret(&form, "new_password"),
    );
    let actor = who.actor(&request);
    let changed = on_main(&who.app, |app| async move {
        app.change_password(&session.user, old, new, &token, actor)
            .await
    });
    match changed.await {
        Ok(()) => Ok(lead(&who, Told::PasswordChanged)),
        Err(error) => {
            let mut state = FormState::new();
            entrance::refuse(error, &mut state)?;
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
