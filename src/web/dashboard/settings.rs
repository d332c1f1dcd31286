//! Settings of a tenant.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::error::PageError;
use super::flash::Told;
use super::rule_form::sentence;
use crate::app::AppError;
use crate::app::accounts::SettingsInput;
use crate::domain::user::Ability;
use crate::web::chrome::Section;
use crate::web::extract::tenant::{Seat, SeatForm};
use crate::web::form::FormState;
use crate::web::pages::settings::{Morning, SettingsPage, countries, currencies, zones};

/// `GET /t/{tenant}/settings`.
pub(super) async fn show(seat: Seat) -> Result<HttpResponse, PageError> {
    let tenant = &seat.member.tenant;
    let form = FormState::new()
        .with("company", tenant.name.as_str())
        .with("country", tenant.country.as_str())
        .with("zone", tenant.zone.name())
        .with("currency", tenant.currency.as_str());
    page(&seat, StatusCode::OK, form).await
}

/// `POST /t/{tenant}/settings`.
pub(super) async fn save(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::ChangeSettings)?;
    let input = SettingsInput {
        name: form.get("company").to_owned(),
        country: form.get("country").to_owned(),
        zone: form.get("zone").to_owned(),
        currency: form.get("currency").to_owned(),
    };
    let (tenant, actor) = (seat.tenant(), seat.actor());
    let saved = seat
        .ask(|app| async move { app.change_settings(tenant, &input, &actor).await })
        .await;
    match saved {
        Ok(()) => Ok(seat.lead("/settings", Some(Told::SettingsSaved))),
        Err(PageError::App(AppError::Invalid(problems))) => {
            let mut state = form.state(&[]);
            for problem in problems {
                let field = match problem.field.as_str() {
                    "name" => "company",
                    field => field,
                };
                state.refuse(field, sentence(&problem.message));
            }
            page(&seat, StatusCode::UNPROCESSABLE_ENTITY, state).await
        }
        Err(error) => Err(error),
    }
}

/// `POST /t/{tenant}/settings/morning-mail`: everybody's own choice.
pub(super) async fn morning(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::Look)?;
    let wanted = form.get("wanted") == "yes";
    let (tenant, user, actor) = (seat.tenant(), seat.who.session.user.id, seat.actor());
    seat.ask(move |app| async move { app.switch_morning(tenant, user, wanted, &actor).await })
        .await?;
    let told = if wanted {
        Told::MorningOn
    } else {
        Told::MorningOff
    };
    Ok(seat.lead("/settings#morning", Some(told)))
}

async fn page(seat: &Seat, status: StatusCode, form: FormState) -> Result<HttpResponse, PageError> {
    let (tenant, user) = (seat.tenant(), seat.who.session.user.clone());
    let (wants, can_mail) =
        seat.ask(move |app| async move {
            Ok((app.wants_morning(tenant, user.id).await?, app.can_mail()))
        })
        .await?;
    let email = &seat.who.session.user.email;
    let page = SettingsPage {
        chrome: seat.chrome(Section::Settings).await?,
        form,
        countries: countries(),
        zones: zones(),
        currencies: currencies(),
        morning: wants.map(|is_on| Morning {
            is_on,
            can_mail,
            email: email.clone(),
        }),
    };
    seat.page(status, &page)
}
