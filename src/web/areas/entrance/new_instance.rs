//! The set-up of an empty instance: its first company and the person who operates it.
//!
//! The page closes for good with the first user, whoever makes them.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::accounts::sign_in::Entry;
use crate::app::accounts::throttle::Gate;
use crate::app::accounts::{Beginning, TenantInput};
use crate::app::{App, AppError};
use crate::crypto::token::SetupCode;
use crate::domain::currency::Currency;
use crate::domain::name;
use crate::domain::phone::CountryCode;
use crate::web::areas::NewInstance;
use crate::web::areas::account::page::NewInstancePage;
use crate::web::areas::entrance::handlers;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::settings::company;
use crate::web::extract::csrf_form::{Form, VisitForm};
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;
use crate::web::on_main;

/// Whether the set-up page is there: it has a code, and nobody can sign in yet.
pub(in crate::web) async fn is_open(new: &NewInstance, app: &App) -> Result<bool, PageError> {
    if new.code.is_none() {
        return Ok(false);
    }
    let is_empty = on_main(app, |app| async move {
        Ok(app.store().platform().is_empty().await?)
    });
    Ok(is_empty.await?)
}

/// `GET /setup`.
pub(in crate::web) async fn show(
    request: HttpRequest,
    new: Data<NewInstance>,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    if !is_open(&new, &app).await? {
        return Ok(redirect("/sign-in", None));
    }
    page(&request, &app, StatusCode::OK, company::unfilled(&request))
}

/// `POST /setup`.
pub(in crate::web) async fn make(
    VisitForm(form): VisitForm,
    request: HttpRequest,
    new: Data<NewInstance>,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let Some(code) = new.code.as_ref() else {
        return Ok(redirect("/sign-in", None));
    };
    if !is_open(&new, &app).await? {
        return Ok(redirect("/sign-in", None));
    }
    handlers::admit(&app, &request, Gate::SetUp, "set-up").await?;
    let mut state = form.state(&["password", "code"]);
    // Who typed the right code need not look for it again because their password was weak. It is shown
    // to nobody else, and counts for nothing once the page is closed. A wrong one may be a password
    // that was typed at the wrong place.
    if code.matches(form.get("code")) {
        state = state.with("code", form.get("code"));
    }
    check(&form, code, &mut state);
    if !state.is_valid() {
        return page(&request, &app, StatusCode::UNPROCESSABLE_ENTITY, state);
    }
    let email = form.get("email").to_owned();
    let password = handlers::secret(&form, "password");
    let input = TenantInput {
        name: form.get("company").to_owned(),
        owner_email: email.clone(),
        password: password.clone(),
        country: form.get("country").to_owned(),
        zone: form.get("zone").to_owned(),
        currency: form.get("currency").to_owned(),
        // As every company begins whose owner opens it: nobody is written to before they say so.
        beginning: Beginning::Rehearsal,
    };
    let made = on_main(&app, |app| async move {
        // The operator first: as a user who exists they become the owner of the company too.
        let operator = app
            .create_first_operator(&input.owner_email, input.password.clone(), &input.name)
            .await?;
        match operator {
            Some(_) => app.create_tenant(input).await.map(Some),
            None => Ok(None),
        }
    });
    let made = match made.await {
        Ok(Some(made)) => made,
        Ok(None) => return Ok(redirect("/sign-in", None)),
        Err(AppError::Invalid(problems)) => {
            company::refuse(problems, &mut state);
            return page(&request, &app, StatusCode::UNPROCESSABLE_ENTITY, state);
        }
        Err(error) => return Err(error.into()),
    };
    let (url, visit) = (app.public_url(), handlers::visit(&request));
    let entry = on_main(&app, |app| async move {
        app.sign_in(&email, password, visit).await
    });
    match entry.await? {
        Entry::In(token) => {
            let cookies = handlers::entered(&token, url)
                .into_iter()
                .chain([Told::Welcome.cookie(url)]);
            Ok(redirect(&format!("/t/{}/", made.slug), cookies))
        }
        Entry::Refused | Entry::SecondStep(_) => Ok(redirect("/sign-in", None)),
    }
}

/// All that can be told before anybody is made: a half-made set-up could not be repeated.
fn check(form: &Form, code: &SetupCode, state: &mut FormState) {
    if !code.matches(form.get("code")) {
        state.refuse(
            "code",
            "This is not the code that serve printed when it started.",
        );
    }
    if let Err(problem) = name::parse(form.get("company")) {
        state.refuse("company", format!("Type the company's name, {problem}."));
    }
    if CountryCode::parse(form.get("country")).is_err() {
        state.refuse("country", "Choose a country.");
    }
    if form.get("zone").parse::<chrono_tz::Tz>().is_err() {
        state.refuse("zone", "Choose a time zone.");
    }
    if Currency::parse(form.get("currency")).is_err() {
        state.refuse("currency", "Choose a currency.");
    }
}

fn page(
    request: &HttpRequest,
    app: &App,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    handlers::public_page(request, app, status, |csrf| NewInstancePage { csrf, form })
}
