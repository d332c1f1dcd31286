//! Settings of a tenant.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::NaiveTime;

use crate::app::AppError;
use crate::app::accounts::SettingsInput;
use crate::domain::hours::Hours;
use crate::domain::tenant::Tenant;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::rules::form::sentence;
use crate::web::areas::settings::page::{Morning, SettingsPage, countries, currencies, zones};
use crate::web::chrome::Section;
use crate::web::extract::ability::{ChangeSettings, View};
use crate::web::extract::csrf_form::Form;
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};
use crate::web::form::FormState;

/// `GET /t/{tenant}/settings`.
pub(in crate::web) async fn show(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    let tenant = &request.member.tenant;
    let (form, hours) = (stored(tenant), stored_hours(tenant));
    page(&request, StatusCode::OK, form, hours).await
}

fn stored(tenant: &Tenant) -> FormState {
    FormState::new()
        .with("company", tenant.name.as_str())
        .with("country", tenant.country.as_str())
        .with("zone", tenant.zone.name())
        .with("currency", tenant.currency.as_str())
        .with("date_format", tenant.date_format.as_str())
}

fn stored_hours(tenant: &Tenant) -> FormState {
    let time = |t: NaiveTime| t.format("%H:%M").to_string();
    match tenant.hours {
        Some(hours) => FormState::new()
            .with("from", time(hours.from()))
            .with("to", time(hours.to())),
        None => FormState::new().with("any_time", "1"),
    }
}

/// `POST /t/{tenant}/settings/hours`.
pub(in crate::web) async fn save_hours(
    posted: TenantForm<ChangeSettings>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let hours = match typed_hours(&form) {
        Ok(hours) => hours,
        Err(state) => {
            let kept = stored(&request.member.tenant);
            return page(&request, StatusCode::UNPROCESSABLE_ENTITY, kept, state).await;
        }
    };
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(|app| async move { app.change_hours(tenant, hours, &actor).await })
        .await?;
    Ok(request.redirect_to("/settings", Some(Told::SettingsSaved)))
}

fn typed_hours(form: &Form) -> Result<Option<Hours>, FormState> {
    let mut state = form.state(&[]);
    if state.ticked("any_time") {
        return Ok(None);
    }
    let mut time = |name: &'static str| {
        // Some browsers send seconds.
        let typed = form.get(name);
        let read = NaiveTime::parse_from_str(typed.get(..5).unwrap_or(typed), "%H:%M");
        if read.is_err() {
            state.refuse(name, "Type a time such as 08:00.");
        }
        read
    };
    let (Ok(from), Ok(to)) = (time("from"), time("to")) else {
        return Err(state);
    };
    Hours::new(from, to).map(Some).map_err(|_| {
        state.refuse("to", "Type another time than the one from which.");
        state
    })
}

/// `POST /t/{tenant}/settings`.
pub(in crate::web) async fn save(
    posted: TenantForm<ChangeSettings>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let input = SettingsInput {
        name: form.get("company").to_owned(),
        country: form.get("country").to_owned(),
        zone: form.get("zone").to_owned(),
        currency: form.get("currency").to_owned(),
    };
    let (tenant, actor) = (request.tenant(), request.actor());
    let dates = form.get("date_format").to_owned();
    let saved = request
        .ask(|app| async move { app.change_settings(tenant, &input, &dates, &actor).await })
        .await;
    match saved {
        Ok(()) => Ok(request.redirect_to("/settings", Some(Told::SettingsSaved))),
        Err(PageError::App(AppError::Invalid(problems))) => {
            let mut state = form.state(&[]);
            for problem in problems {
                let field = match problem.field.as_str() {
                    "name" => "company",
                    field => field,
                };
                state.refuse(field, sentence(&problem.message));
            }
            let hours = stored_hours(&request.member.tenant);
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, state, hours).await
        }
        Err(error) => Err(error),
    }
}

/// `POST /t/{tenant}/settings/morning-mail`: everybody's own choice.
pub(in crate::web) async fn morning(posted: TenantForm<View>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let wanted = form.get("wanted") == "yes";
    let (tenant, user, actor) = (
        request.tenant(),
        request.who.session.user.id,
        request.actor(),
    );
    request
        .ask(move |app| async move { app.switch_morning(tenant, user, wanted, &actor).await })
        .await?;
    let told = if wanted {
        Told::MorningOn
    } else {
        Told::MorningOff
    };
    Ok(request.redirect_to("/settings#morning", Some(told)))
}

async fn page(
    request: &TenantContext,
    status: StatusCode,
    form: FormState,
    hours: FormState,
) -> Result<HttpResponse, PageError> {
    let (tenant, user) = (request.tenant(), request.who.session.user.clone());
    let (wants, can_mail) =
        request
            .ask(move |app| async move {
                Ok((app.wants_morning(tenant, user.id).await?, app.can_mail()))
            })
            .await?;
    let email = &request.who.session.user.email;
    let page = SettingsPage {
        chrome: request.chrome(Section::Settings).await?,
        form,
        hours,
        is_rehearsal: request.member.tenant.is_rehearsal,
        countries: countries(),
        zones: zones(),
        currencies: currencies(),
        morning: wants.map(|is_on| Morning {
            is_on,
            can_mail,
            email: email.clone(),
        }),
    };
    request.page(status, &page)
}
