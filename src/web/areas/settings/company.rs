//! Another company of somebody who is signed in; and the fields that every form for a new company has.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use chrono_tz::Tz;

use crate::app::accounts::SettingsInput;
use crate::app::accounts::throttle::Gate;
use crate::app::{AppError, FieldProblem};
use crate::domain::phone::CountryCode;
use crate::domain::zone::only_zone_of;
use crate::web::areas::account::page::NewCompanyPage;
use crate::web::areas::entrance;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::rules::form::sentence;
use crate::web::areas::settings::page::countries;
use crate::web::chrome::Place;
use crate::web::extract::csrf_form::{CsrfForm, Form};
use crate::web::extract::home::country_of;
use crate::web::extract::signed_in::SignedIn;
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;

/// `GET /tenants/new`.
pub(in crate::web) async fn show(
    who: SignedIn,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    if !who.app.takes_sign_ups() {
        return Err(PageError::NotFound);
    }
    page(&who, &request, StatusCode::OK, unfilled(&request))
}

/// `POST /tenants/new`.
pub(in crate::web) async fn make(
    posted: CsrfForm,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let CsrfForm { who, form } = posted;
    if !who.app.takes_sign_ups() {
        return Err(PageError::NotFound);
    }
    let user = who.session.user.id.to_string();
    entrance::handlers::admit(&who.app, &request, Gate::NewCompany, &user).await?;
    let input = input(&form);
    let (session, actor) = (who.session.clone(), who.actor(&request));
    let made = who
        .ask(|app| async move { app.create_company(&session.user, &input, &actor).await })
        .await;
    match made {
        Ok(slug) => {
            let told = Told::CompanyMade.cookie(who.app.public_url());
            Ok(redirect(&format!("/t/{slug}/"), Some(told)))
        }
        Err(PageError::App(AppError::Invalid(problems))) => {
            let mut state = form.state(&[]);
            refuse(problems, &mut state);
            page(&who, &request, StatusCode::UNPROCESSABLE_ENTITY, state)
        }
        Err(error) => Err(error),
    }
}

/// The company's fields as they stand in a new form: where the browser seems to be at home, for its
/// owner to change.
pub(in crate::web) fn unfilled(request: &HttpRequest) -> FormState {
    // One that cannot be chosen would leave the browser to choose the first of the list.
    let can_be_chosen =
        |c: &CountryCode| countries().iter().any(|choice| choice.value == c.as_str());
    let country = country_of(request).filter(can_be_chosen);
    let zone = country.and_then(only_zone_of).unwrap_or(Tz::UTC);
    FormState::new()
        .with(
            "country",
            country.as_ref().map_or("US", CountryCode::as_str),
        )
        .with("zone", zone.name())
        .with("currency", "USD")
}

/// What was typed into them.
pub(in crate::web) fn input(form: &Form) -> SettingsInput {
    SettingsInput {
        name: form.get("company").to_owned(),
        country: form.get("country").to_owned(),
        zone: form.get("zone").to_owned(),
        currency: form.get("currency").to_owned(),
    }
}

/// Puts what the app refused at the fields of a form for a company and, maybe, its first owner.
pub(in crate::web) fn refuse(problems: Vec<FieldProblem>, state: &mut FormState) {
    for FieldProblem { field, message } in problems {
        let field = match field.as_str() {
            "name" => "company",
            "owner_email" => "email",
            field => field,
        };
        state.refuse(field, sentence(&message));
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
    };
    who.page(request, status, &page)
}
