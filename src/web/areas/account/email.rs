//! Another address to sign in with; it takes effect once it is confirmed by a link.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{admit, redirect_to};
use crate::app::App;
use crate::app::accounts::profile::EmailChange;
use crate::web::areas::account::profile::EmailPage;
use crate::web::areas::entrance;
use crate::web::areas::entrance::page::{ConfirmPage, NotePage};
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::chrome::Place;
use crate::web::extract::client_addr::ClientAddr;
use crate::web::extract::csrf_form::{CsrfForm, VisitForm};
use crate::web::extract::signed_in::SignedIn;
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;
use crate::web::on_main;

/// `GET /account/email`.
pub(crate) async fn show(who: SignedIn, request: HttpRequest) -> Result<HttpResponse, PageError> {
    page(&who, &request, StatusCode::OK, FormState::new())
}

/// `POST /account/email`.
pub(crate) async fn ask(posted: CsrfForm, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let CsrfForm { who, form } = posted;
    if !who.app.can_mail() {
        return page(&who, &request, StatusCode::OK, FormState::new());
    }
    admit(&who, &request).await?;
    let (session, password) = (
        who.session.clone(),
        entrance::handlers::secret(&form, "password"),
    );
    let email = form.get("email").to_owned();
    let asked = on_main(&who.app, |app| async move {
        app.ask_email_change(&session.user, password, &email).await
    });
    match asked.await {
        Ok(()) => Ok(redirect_to(&who, Told::EmailAsked)),
        Err(error) => {
            let mut state = form.state(&["password"]);
            entrance::handlers::refuse(error, &mut state)?;
            page(&who, &request, StatusCode::UNPROCESSABLE_ENTITY, state)
        }
    }
}

/// `GET /e-mail/{token}`: the page behind the link. The link proves enough; nobody need be signed in.
pub(crate) async fn confirm(
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let link = entrance::handlers::link(&request)?;
    let pending = on_main(&app, |app| async move { app.pending_email(&link).await });
    let Some(email) = pending.await? else {
        return entrance::handlers::over("/account/email", "To my account");
    };
    let action = request.path().to_owned();
    entrance::handlers::public_page(&request, &app, StatusCode::OK, |csrf| ConfirmPage {
        csrf,
        title: "Confirm your new address",
        sentence: "From now on you sign in with",
        what: email,
        warning: "If you know nothing of it, close this page: nothing changes.",
        action,
        button: "Confirm the address",
        password: None,
    })
}

/// `POST /e-mail/{token}`.
pub(crate) async fn change(
    VisitForm(_): VisitForm,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let link = entrance::handlers::link(&request)?;
    let address = ClientAddr::of(&request).0;
    let changed = on_main(&app, |app| async move {
        app.confirm_email(&link, address).await
    });
    match changed.await? {
        EmailChange::Done => {
            let told = Told::EmailChanged.cookie(app.public_url());
            Ok(redirect("/account", [told]))
        }
        EmailChange::Over => entrance::handlers::over("/account/email", "To my account"),
        EmailChange::Known => entrance::handlers::note(&NotePage {
            title: "This address has an account of its own",
            sentences: vec![
                "Somebody signs in with it already. Your own address stays as it was.".into(),
            ],
            button: Some(("To my account", "/account")),
        }),
    }
}

fn page(
    who: &SignedIn,
    request: &HttpRequest,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let page = EmailPage {
        chrome: who.chrome(request, Place::Account),
        form,
        can_mail: who.app.can_mail(),
    };
    who.page(request, status, &page)
}
