//! The second factor: made with a QR code, shown to work with a code, turned off with both.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use secrecy::{ExposeSecret as _, SecretString};

use super::{admit, redirect_to};
use crate::app::accounts::second_factor::Standing;
use crate::web::areas::account::profile::{
    FactorOffPage, FactorPage, FactorView, RecoveryCodesPage,
};
use crate::web::areas::entrance;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::chrome::Place;
use crate::web::extract::csrf_form::CsrfForm;
use crate::web::extract::signed_in::SignedIn;
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;
use crate::web::on_main;
use crate::web::ui::qr;

/// `GET /account/second-factor`.
pub(crate) async fn show(who: SignedIn, request: HttpRequest) -> Result<HttpResponse, PageError> {
    page(&who, &request, StatusCode::OK, FormState::new()).await
}

/// `POST /account/second-factor`: makes a secret that waits for its first code.
pub(crate) async fn begin(posted: CsrfForm) -> Result<HttpResponse, PageError> {
    let who = posted.who;
    let session = who.session.clone();
    who.ask(|app| async move { app.begin_second_factor(&session.user).await })
        .await?;
    Ok(redirect("/account/second-factor", None))
}

/// `POST /account/second-factor/confirmation`.
pub(crate) async fn confirm(
    posted: CsrfForm,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let CsrfForm { who, form } = posted;
    admit(&who, &request).await?;
    let (session, actor) = (who.session.clone(), who.actor(&request));
    let (password, code) = (
        entrance::handlers::secret(&form, "password"),
        form.get("code").to_owned(),
    );
    let confirmed = on_main(&who.app, |app| async move {
        app.confirm_second_factor(&session.user, password, &code, actor)
            .await
    });
    match confirmed.await {
        Ok(codes) => codes_page(&who, &request, &codes, true),
        Err(error) => {
            let mut state = FormState::new();
            entrance::handlers::refuse(error, &mut state)?;
            page(&who, &request, StatusCode::UNPROCESSABLE_ENTITY, state).await
        }
    }
}

/// `POST /account/second-factor/recovery-codes`.
pub(crate) async fn renew_codes(
    posted: CsrfForm,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let CsrfForm { who, form } = posted;
    admit(&who, &request).await?;
    let (session, actor) = (who.session.clone(), who.actor(&request));
    let code = form.get("code").to_owned();
    let renewed = on_main(&who.app, |app| async move {
        app.renew_recovery_codes(&session.user, &code, actor).await
    });
    match renewed.await {
        Ok(codes) => codes_page(&who, &request, &codes, false),
        Err(error) => {
            let mut state = FormState::new();
            entrance::handlers::refuse(error, &mut state)?;
            page(&who, &request, StatusCode::UNPROCESSABLE_ENTITY, state).await
        }
    }
}

/// `GET /account/second-factor/removal/new`.
pub(crate) async fn ask_removal(
    who: SignedIn,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    removal_page(&who, &request, StatusCode::OK, FormState::new())
}

/// `POST /account/second-factor/removal`.
pub(crate) async fn remove(
    posted: CsrfForm,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let CsrfForm { who, form } = posted;
    admit(&who, &request).await?;
    let (session, actor) = (who.session.clone(), who.actor(&request));
    let (password, code) = (
        entrance::handlers::secret(&form, "password"),
        form.get("code").to_owned(),
    );
    let removed = on_main(&who.app, |app| async move {
        app.remove_second_factor(&session.user, password, &code, actor)
            .await
    });
    match removed.await {
        Ok(()) => Ok(redirect_to(&who, Told::SecondFactorOff)),
        Err(error) => {
            let mut state = FormState::new();
            entrance::handlers::refuse(error, &mut state)?;
            removal_page(&who, &request, StatusCode::UNPROCESSABLE_ENTITY, state)
        }
    }
}

async fn page(
    who: &SignedIn,
    request: &HttpRequest,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let session = who.session.clone();
    let standing = who.ask(|app| async move { app.second_factor(&session.user).await });
    let factor = match standing.await? {
        Standing::Off => FactorView::Off,
        Standing::Pending { secret, address } => FactorView::Pending {
            secret: in_fours(&secret),
            qr: qr::code(address.expose_secret(), "The secret below as a QR code"),
        },
        Standing::On { since, codes_left } => FactorView::On { since, codes_left },
    };
    let page = FactorPage {
        chrome: who.chrome(request, Place::Account),
        form,
        factor,
    };
    who.page(request, status, &page)
}

fn removal_page(
    who: &SignedIn,
    request: &HttpRequest,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let page = FactorOffPage {
        chrome: who.chrome(request, Place::Account),
        form,
    };
    who.page(request, status, &page)
}

/// The codes are shown by the answer itself: no address leads to them again.
fn codes_page(
    who: &SignedIn,
    request: &HttpRequest,
    codes: &[SecretString],
    is_first: bool,
) -> Result<HttpResponse, PageError> {
    let codes = codes.iter().map(|code| code.expose_secret().to_owned());
    let page = RecoveryCodesPage {
        chrome: who.chrome(request, Place::Account),
        codes: codes.collect(),
        is_first,
    };
    who.page(request, StatusCode::OK, &page)
}

/// "ABCD EFGH …", which can be typed off.
fn in_fours(secret: &SecretString) -> String {
    let letters: Vec<char> = secret.expose_secret().chars().collect();
    let fours = letters
        .chunks(4)
        .map(|four| four.iter().collect::<String>());
    fours.collect::<Vec<_>>().join(" ")
}
