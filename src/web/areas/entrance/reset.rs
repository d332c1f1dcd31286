//! A forgotten password: a form that always answers alike, a letter, and the page behind its link.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::app::accounts::throttle::Gate;
use crate::web::areas::cookies;
use crate::web::areas::entrance::handlers;
use crate::web::areas::entrance::page::{NewPasswordPage, NotePage, ResetPage};
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::extract::client_addr::ClientAddr;
use crate::web::extract::csrf_form::VisitForm;
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;
use crate::web::on_main;

/// `GET /reset`.
pub(in crate::web) async fn show(
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    if !app.can_mail() {
        return no_mail();
    }
    ask_page(&request, &app, StatusCode::OK, FormState::new())
}

/// `POST /reset`.
pub(in crate::web) async fn ask(
    VisitForm(form): VisitForm,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    if !app.can_mail() {
        return no_mail();
    }
    let email = form.get("email").to_owned();
    let may_send = handlers::may_send(&app, &request, Gate::Reset, &email).await?;
    let asked = on_main(
        &app,
        |app| async move { app.ask_reset(&email, may_send).await },
    );
    match asked.await {
        Ok(()) => handlers::note(&NotePage {
            title: "Check your e-mail",
            sentences: vec![
                "If somebody signs in with this address, an e-mail with a link is on its way. The \
                 link is good for one hour."
                    .into(),
                "Nothing there after a few minutes? Look in the spam folder; the links of earlier \
                 e-mails are good as long. Then try again."
                    .into(),
            ],
            button: Some(("Sign in", "/sign-in")),
        }),
        Err(error) => {
            let mut state = form.state(&[]);
            handlers::refuse(error, &mut state)?;
            ask_page(&request, &app, StatusCode::UNPROCESSABLE_ENTITY, state)
        }
    }
}

/// `GET /reset/{token}`: the page behind the link.
pub(in crate::web) async fn choose(
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    new_page(&request, &app, StatusCode::OK, FormState::new()).await
}

/// `POST /reset/{token}`.
pub(in crate::web) async fn change(
    VisitForm(form): VisitForm,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let (link, password) = (
        handlers::link(&request)?,
        handlers::secret(&form, "password"),
    );
    let address = ClientAddr::of(&request).0;
    let done = on_main(&app, |app| async move {
        app.reset(&link, password, address).await
    });
    match done.await {
        Ok(Some(email)) => {
            let url = app.public_url();
            let told = Told::PasswordReset.cookie(url);
            let ended = cookies::end(cookies::SESSION, url);
            // Whoever reads the address's letters is its owner, however many guess meanwhile.
            let known = cookies::known(&app.browser_mark(&email)?, url);
            Ok(redirect("/sign-in", [ended, told, known]))
        }
        Ok(None) => handlers::over("/reset", "Ask for another"),
        Err(error) => {
            let mut state = FormState::new();
            handlers::refuse(error, &mut state)?;
            new_page(&request, &app, StatusCode::UNPROCESSABLE_ENTITY, state).await
        }
    }
}

fn no_mail() -> Result<HttpResponse, PageError> {
    handlers::note(&NotePage {
        title: "Ask whoever runs this service",
        sentences: vec![
            "This service cannot send e-mail, so it cannot send you a link.".into(),
            "Whoever runs it can give you a new password from a shell with “ml-connector admin \
             reset-password”, or set SMTP_URL."
                .into(),
        ],
        button: Some(("Sign in", "/sign-in")),
    })
}

fn ask_page(
    request: &HttpRequest,
    app: &App,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    handlers::public_page(request, app, status, |csrf| ResetPage { csrf, form })
}

async fn new_page(
    request: &HttpRequest,
    app: &Data<App>,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let link = handlers::link(request)?;
    let user = on_main(app, |app| async move { app.reset_of(&link).await });
    let Some(user) = user.await? else {
        return handlers::over("/reset", "Ask for another");
    };
    let action = request.path().to_owned();
    handlers::public_page(request, app, status, |csrf| NewPasswordPage {
        csrf,
        form,
        action,
        email: user.email,
    })
}
