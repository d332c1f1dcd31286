//! Opening an account: a form, a letter, and the page behind its link.
//!
//! The link only shows a button: programs that look into letters follow links, and press nothing.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::accounts::sign_up::{PendingSignUp, SignUpInput, SignedUp};
use crate::app::accounts::throttle::Gate;
use crate::app::{App, AppError};
use crate::web::areas::NewInstance;
use crate::web::areas::entrance::handlers;
use crate::web::areas::entrance::page::{ConfirmPage, NotePage, SignUpPage};
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::settings::company;
use crate::web::extract::csrf_form::VisitForm;
use crate::web::extract::signed_in::SignedIn;
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;
use crate::web::on_main;

/// `GET /sign-up`.
pub(in crate::web) async fn show(
    request: HttpRequest,
    new: Data<NewInstance>,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    if SignedIn::find(&request).await?.is_some() {
        return Ok(redirect("/", None));
    }
    // The first to come in operates the instance.
    if super::new_instance::is_open(&new, &app).await? {
        return Ok(redirect("/setup", None));
    }
    if let Some(closed) = closed(&app) {
        return handlers::note(&closed);
    }
    page(&request, &app, StatusCode::OK, company::unfilled(&request))
}

/// `POST /sign-up`.
pub(in crate::web) async fn ask(
    VisitForm(form): VisitForm,
    request: HttpRequest,
    new: Data<NewInstance>,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    if super::new_instance::is_open(&new, &app).await? {
        return Ok(redirect("/setup", None));
    }
    if let Some(closed) = closed(&app) {
        return handlers::note(&closed);
    }
    let input = SignUpInput {
        email: form.get("email").to_owned(),
        password: handlers::secret(&form, "password"),
        company: company::input(&form),
    };
    let may_send = handlers::may_send(&app, &request, Gate::SignUp, &input.email).await?;
    match on_main(
        &app,
        |app| async move { app.sign_up(input, may_send).await },
    )
    .await
    {
        Ok(()) => handlers::note(&NotePage {
            title: "Check your e-mail",
            sentences: vec![
                "We have written to the address that you gave. Open the link in the e-mail to \
                 finish; it is good for 24 hours."
                    .into(),
                "Nothing there after a few minutes? Look in the spam folder, then try again."
                    .into(),
            ],
            button: None,
        }),
        Err(AppError::Invalid(problems)) => {
            let mut state = form.state(&["password"]);
            company::refuse(problems, &mut state);
            page(&request, &app, StatusCode::UNPROCESSABLE_ENTITY, state)
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /sign-up/{token}`: the page behind the link.
pub(in crate::web) async fn confirm(
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let link = handlers::link(&request)?;
    let pending = on_main(&app, |app| async move { app.pending_sign_up(&link).await });
    let Some(pending) = pending.await? else {
        return handlers::over("/sign-up", "Begin again");
    };
    confirm_page(&request, &app, StatusCode::OK, &pending, FormState::new())
}

/// `POST /sign-up/{token}`.
pub(in crate::web) async fn complete(
    VisitForm(form): VisitForm,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let link = handlers::link(&request)?;
    let shown = link.clone();
    let pending = on_main(&app, |app| async move { app.pending_sign_up(&shown).await });
    let Some(pending) = pending.await? else {
        return handlers::over("/sign-up", "Begin again");
    };
    handlers::admit(&app, &request, Gate::SignIn, &pending.email).await?;
    let (visit, password) = (
        handlers::visit(&request),
        handlers::secret(&form, "password"),
    );
    let done = on_main(&app, |app| async move {
        app.complete_sign_up(&link, password, visit).await
    });
    match done.await? {
        SignedUp::In { cookie, slug } => {
            let url = app.public_url();
            let cookies = handlers::entered(&cookie, url);
            let told = Told::SignedUp.cookie(url);
            let to = format!("/t/{slug}/");
            Ok(redirect(&to, cookies.into_iter().chain([told])))
        }
        SignedUp::Refused => {
            let mut state = FormState::new();
            state.refuse("password", "This is not the password that you chose.");
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            confirm_page(&request, &app, status, &pending, state)
        }
        SignedUp::Over => handlers::over("/sign-up", "Begin again"),
        SignedUp::Known => handlers::note(&NotePage {
            title: "You have an account already",
            sentences: vec!["Somebody signs in with this address. Nothing was changed.".into()],
            button: Some(("Sign in", "/sign-in")),
        }),
    }
}

fn confirm_page(
    request: &HttpRequest,
    app: &App,
    status: StatusCode,
    pending: &PendingSignUp,
    password: FormState,
) -> Result<HttpResponse, PageError> {
    let action = request.path().to_owned();
    handlers::public_page(request, app, status, |csrf| ConfirmPage {
        csrf,
        title: "Confirm your address",
        sentence: "This makes an account for",
        what: format!("{}, {}", pending.email, pending.company),
        warning: "If it was not you who asked, close this page: nothing is made.",
        action,
        button: "Confirm and go in",
        password: Some(password),
    })
}

/// Why nobody can sign up here, if so.
fn closed(app: &App) -> Option<NotePage> {
    if !app.takes_sign_ups() {
        return Some(NotePage {
            title: "By invitation only",
            sentences: vec![
                "Accounts here are made by invitation. Ask an owner of your company to invite you, \
                 or whoever runs this service."
                    .into(),
            ],
            button: Some(("Sign in", "/sign-in")),
        });
    }
    (!app.can_mail()).then(|| NotePage {
        title: "Signing up does not work yet",
        sentences: vec![
            "An account begins with an e-mail, and this service cannot send any.".into(),
            "Whoever runs it can set SMTP_URL, or make an account from a shell with \
             “ml-connector admin create-tenant”."
                .into(),
        ],
        button: Some(("Sign in", "/sign-in")),
    })
}

fn page(
    request: &HttpRequest,
    app: &App,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    handlers::public_page(request, app, status, |csrf| SignUpPage { csrf, form })
}
