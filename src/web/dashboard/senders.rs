//! Senders: what messages come from.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::error::PageError;
use super::flash::Told;
use super::groups::refused;
use crate::app::senders::SenderInput;
use crate::domain::delivery::Channel;
use crate::domain::ids::SenderId;
use crate::domain::sender::SenderProfile;
use crate::domain::user::Ability;
use crate::web::chrome::Section;
use crate::web::extract::csrf_form::Form;
use crate::web::extract::tenant::{Seat, SeatForm};
use crate::web::form::FormState;
use crate::web::pages::senders::{SenderPage, SendersPage};
use crate::web::ui::field::Choice;

/// `GET /t/{tenant}/senders`.
pub(super) async fn list(seat: Seat) -> Result<HttpResponse, PageError> {
    list_page(&seat, StatusCode::OK, FormState::new()).await
}

/// `POST /t/{tenant}/senders`.
pub(super) async fn add(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::Connect)?;
    let (input, tenant, actor) = (typed(&form), seat.tenant(), seat.actor());
    let added = seat
        .ask(move |app| async move { app.add_sender(tenant, &input, &actor).await })
        .await;
    match refused(added, &form, str::to_owned)? {
        Ok(sender) => {
            let page = format!("/senders/{}", sender.id);
            Ok(seat.lead(&page, Some(Told::SenderSaved)))
        }
        Err(state) => list_page(&seat, StatusCode::UNPROCESSABLE_ENTITY, state).await,
    }
}

fn typed(form: &Form) -> SenderInput {
    let list = |name: &str| {
        let words = form.get(name).split([',', ' ', '\n', ';']);
        words.filter(|w| !w.is_empty()).map(str::to_owned).collect()
    };
    SenderInput {
        transport: form.get("transport").to_owned(),
        address: form.get("address").to_owned(),
        name: form.get("name").to_owned(),
        is_default: form.get("is_default") == "1",
        countries: list("countries"),
        customers: list("customers"),
        segments_per_second: form.get("segments_per_second").to_owned(),
    }
}

async fn list_page(
    seat: &Seat,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let tenant = seat.tenant();
    let senders = seat.ask(move |app| async move { app.sender_profiles(tenant).await });
    let app = &seat.who.app;
    let transports = app.sender_transports().into_iter().map(|transport| {
        let words = match transport.channel {
            Channel::Sms => "SMS",
            Channel::Email => "E-mails",
        };
        Choice::new(transport.name.as_str(), words)
    });
    let page = SendersPage {
        senders: senders.await?,
        transports: transports.collect(),
        is_sandboxed: app.is_sandboxed(),
        chrome: seat.chrome(Section::Connections).await?,
        form,
    };
    seat.page(status, &page)
}

/// `GET /t/{tenant}/senders/{sender}`.
pub(super) async fn show(seat: Seat) -> Result<HttpResponse, PageError> {
    page(&seat, StatusCode::OK, None, FormState::new()).await
}

/// `POST /t/{tenant}/senders/{sender}`.
pub(super) async fn update(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::Connect)?;
    let id: SenderId = seat.id("sender")?;
    let (input, tenant, actor) = (typed(&form), seat.tenant(), seat.actor());
    let changed = seat
        .ask(move |app| async move { app.change_sender(tenant, id, &input, &actor).await })
        .await;
    match refused(changed, &form, str::to_owned)? {
        Ok(_) => Ok(saved(&seat, id, Told::SenderSaved)),
        Err(state) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            page(&seat, status, Some(state), FormState::new()).await
        }
    }
}

/// `POST /t/{tenant}/senders/{sender}/tests`.
pub(super) async fn test(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::Connect)?;
    let id: SenderId = seat.id("sender")?;
    let (tenant, actor) = (seat.tenant(), seat.actor());
    let user = seat.who.session.user.clone();
    let tested = seat
        .ask(move |app| async move { app.test_sender(tenant, id, &user, &actor).await })
        .await;
    match refused(tested, &form, str::to_owned)? {
        Ok(_) => Ok(saved(&seat, id, Told::SenderTested)),
        Err(state) => page(&seat, StatusCode::CONFLICT, None, state).await,
    }
}

/// `POST /t/{tenant}/senders/{sender}/deletion`.
pub(super) async fn delete(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::Connect)?;
    let id: SenderId = seat.id("sender")?;
    let (tenant, actor) = (seat.tenant(), seat.actor());
    let deleted = seat
        .ask(move |app| async move { app.delete_sender(tenant, id, &actor).await })
        .await;
    match refused(deleted, &form, str::to_owned)? {
        Ok(()) => Ok(seat.lead("/senders", Some(Told::SenderDeleted))),
        Err(state) => page(&seat, StatusCode::CONFLICT, None, state).await,
    }
}

fn saved(seat: &Seat, id: SenderId, told: Told) -> HttpResponse {
    seat.lead(&format!("/senders/{id}"), Some(told))
}

async fn page(
    seat: &Seat,
    status: StatusCode,
    form: Option<FormState>,
    refused: FormState,
) -> Result<HttpResponse, PageError> {
    let (id, tenant): (SenderId, _) = (seat.id("sender")?, seat.tenant());
    let query = seat.query();
    let get = |name: &str| {
        let found = query.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    // Strangers' name servers are asked only by those who keep senders.
    let has_looked = get("look") == "1" && seat.require(Ability::Connect).is_ok();
    let digits = get("digits").trim_start_matches("em").to_owned();
    let asked = digits.clone();
    let (sender, dns) = seat
        .ask(move |app| async move {
            let sender = app.sender_profile(tenant, id).await?;
            let dns = app.sender_dns(tenant, id, (has_looked, &asked)).await?;
            Ok((sender, dns))
        })
        .await?;
    let page = SenderPage {
        chrome: seat.chrome(Section::Connections).await?,
        is_sandboxed: seat.who.app.is_sandboxed(),
        own_address: seat.who.session.user.email.clone(),
        dns,
        has_looked,
        usual_pace: seat.who.app.usual_pace(&sender),
        look: FormState::new().with("digits", digits),
        form: form.unwrap_or_else(|| stored(&sender)),
        sender,
        refused,
    };
    seat.page(status, &page)
}

fn stored(sender: &SenderProfile) -> FormState {
    let countries: Vec<_> = sender.countries.iter().map(ToString::to_string).collect();
    let pace = sender.segments_per_second.map(|pace| pace.to_string());
    FormState::new()
        .with("address", sender.address.as_str())
        .with("name", sender.name.as_str())
        .with("is_default", if sender.is_default { "1" } else { "" })
        .with("countries", countries.join(", "))
        .with("customers", sender.customers.join(", "))
        .with("segments_per_second", pace.unwrap_or_default())
}
