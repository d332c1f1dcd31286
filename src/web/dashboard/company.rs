//! Another company of somebody who is signed in.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use super::entrance;
use super::error::PageError;
use super::flash::Told;
use crate::app::AppError;
use crate::app::accounts::SettingsInput;
use crate::app::accounts::throttle::Gate;
use crate::web::chrome::Place;
use crate::web::extract::csrf_form::CsrfForm;
use crate::web::extract::signed_in::SignedIn;
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;
use crate::web::pages::account::NewCompanyPage;
use crate::web::pages::settings::{countries, currencies, zones};

/// `GET /tenants/new`.
pub(super) async fn show(who: SignedIn, request: HttpRequest) -> Result<HttpResponse, PageError> {
    if !who.app.takes_sign_ups() {
        return Err(PageError::NotFound);
    }
    let form = FormState::new()
        .with("country", "US")
        .with("zone", "UTC")
        .with("currency", "USD");
    page(&who, &request, StatusCode::OK, form)
}

/// `POST /tenants/new`.
pub(super) async fn make(
    posted: CsrfForm,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let CsrfForm { who, form } = posted;
    if !who.app.takes_sign_ups() {
        return Err(PageError::NotFound);
    }
    let email = &who.session.user.email;
    entrance::admit(&who.app, &request, Gate::SignUp, email).await?;
    let input = SettingsInput {
        name: form.get("company").to_owned(),
        country: form.get("country").to_owned(),
        zone: form.get("zone").to_owned(),
        currency: form.get("currency").to_owned(),
    };
    let (session, actor) = (who.session.clone(), who.actor(&request));
    let made = who
        .ask(|app| async move { app.create_company(&session.user, &input, &actor).await })
        .await;
    match made {
        Ok(slug) => {
            let told = Told::CompanyMade.cookie(who.app.public_url());
            Ok(redirect(&format!("/t/{slug}/"), Some(told)))
        }
        Err(PageError::App(AppError::Invalid(mut problems))) => {
            for problem in &mut problems {
                if problem.field == "name" {
                    "company".clone_into(&mut problem.field);
                }
            }
            let mut state = form.state(&[]);
            entrance::refuse(AppError::Invalid(problems), &mut state)?;
            page(&who, &request, StatusCode::UNPROCESSABLE_ENTITY, state)
        }
        Err(error) => Err(error),
    }
}

fn page(
    who: &SignedIn,
    request: &HttpRequest,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let page = NewCompanyPage {
        chrome: who.chrome(request, Place::Companies),
        form,
        countries: countries(),
        zones: zones(),
        currencies: currencies(),
    };
    who.page(request, status, &page)
}
