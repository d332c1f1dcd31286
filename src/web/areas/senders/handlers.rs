//! Senders: what messages come from.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::app::senders::SenderInput;
use crate::app::{App, AppError};
use crate::domain::delivery::Channel;
use crate::domain::ids::{SenderId, TenantId};
use crate::domain::party::{self, Party};
use crate::domain::sender::SenderProfile;
use crate::domain::user::Ability;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::groups::handlers::refused;
use crate::web::areas::rules;
use crate::web::areas::rules::ready::Ready;
use crate::web::areas::senders::page::{SenderPage, SendersPage};
use crate::web::chrome::Section;
use crate::web::extract::ability::{Connect, View};
use crate::web::extract::csrf_form::Form;
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};
use crate::web::form::FormState;
use crate::web::ui::field::Choice;

/// `GET /t/{tenant}/senders?ready=`: with the ready rule that wants one.
pub(in crate::web) async fn list(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    // Numbers come with the connection: what is added is mostly an e-mail address.
    let transports = request.who.app.sender_transports();
    let first = transports.iter().find(|t| t.channel == Channel::Email);
    let form = FormState::new()
        .with("transport", first.map_or("", |t| t.name.as_str()))
        .with("ready", request.asked("ready"));
    list_page(&request, StatusCode::OK, form).await
}

/// `POST /t/{tenant}/senders`.
pub(in crate::web) async fn add(posted: TenantForm<Connect>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let (input, tenant, actor) = (typed(&form), request.tenant(), request.actor());
    let customers = form.text("customers");
    let added = request
        .ask(move |app| async move {
            let input = with_customers(&app, tenant, input, (&customers, &[])).await?;
            app.add_sender(tenant, &input, &actor).await
        })
        .await;
    match refused(added, &form, str::to_owned)? {
        Ok(sender) => {
            let ready = rules::ready::find(form.get("ready"));
            let rule = ready.filter(|_| sender.is_usable(request.who.app.is_sandboxed()));
            let (rule, page) = (rule.map(back_to), page_of(sender.id, ready));
            Ok(request.redirect_to(&rule.unwrap_or(page), Some(Told::SenderSaved)))
        }
        Err(state) => list_page(&request, StatusCode::UNPROCESSABLE_ENTITY, state).await,
    }
}

/// The editor with the rule that wanted a sender.
fn back_to(ready: &Ready) -> String {
    format!("/rules/new?ready={}", ready.key)
}

fn page_of(id: SenderId, ready: Option<&Ready>) -> String {
    match ready {
        Some(ready) => format!("/senders/{id}?ready={}", ready.key),
        None => format!("/senders/{id}"),
    }
}

/// What is typed, with the customers who are named in it; `kept` are the sender's so far.
async fn with_customers(
    app: &App,
    tenant: TenantId,
    input: SenderInput,
    (typed, kept): (&str, &[String]),
) -> Result<SenderInput, AppError> {
    if typed.trim().is_empty() {
        return Ok(input);
    }
    let known = app.parties(tenant).await?;
    let ids = party::ids_of(typed, &known, kept);
    let customers = ids.map_err(|message| AppError::field("customers", message))?;
    Ok(SenderInput { customers, ..input })
}

/// As many names as a page lists.
const LISTED: usize = 100;

fn listed(known: &[Party]) -> Vec<String> {
    let ids: Vec<_> = known.iter().map(|party| party.id.clone()).collect();
    let names = party::names_of(&ids[..ids.len().min(LISTED)], known);
    let mut names: Vec<_> = names.lines().map(str::to_owned).collect();
    names.sort_by_key(|name| name.to_lowercase());
    names
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
        customers: Vec::new(),
        segments_per_second: form.get("segments_per_second").to_owned(),
    }
}

async fn list_page(
    request: &TenantContext,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let kept = request
        .ask(move |app| async move {
            Ok((
                app.sender_profiles(tenant).await?,
                app.parties(tenant).await?,
            ))
        })
        .await?;
    let app = &request.who.app;
    let transports = app.sender_transports().into_iter().map(|transport| {
        let words = match transport.channel {
            Channel::Sms => "SMS",
            Channel::Email => "E-mails",
        };
        Choice::new(transport.name.as_str(), words)
    });
    let page = SendersPage {
        senders: kept.0,
        parties: listed(&kept.1),
        transports: transports.collect(),
        is_sandboxed: app.is_sandboxed(),
        chrome: request.chrome(Section::Connections).await?,
        form,
    };
    request.page(status, &page)
}

/// `GET /t/{tenant}/senders/{sender}`.
pub(in crate::web) async fn show(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    page(&request, StatusCode::OK, None, FormState::new()).await
}

/// `POST /t/{tenant}/senders/{sender}`.
pub(in crate::web) async fn update(posted: TenantForm<Connect>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: SenderId = request.id("sender")?;
    let (input, tenant, actor) = (typed(&form), request.tenant(), request.actor());
    let customers = form.text("customers");
    let changed = request
        .ask(move |app| async move {
            let kept = app.sender_profile(tenant, id).await?.customers;
            let input = with_customers(&app, tenant, input, (&customers, &kept)).await?;
            app.change_sender(tenant, id, &input, &actor).await
        })
        .await;
    match refused(changed, &form, str::to_owned)? {
        Ok(_) => Ok(request.redirect_to(&page_of(id, None), Some(Told::SenderSaved))),
        Err(state) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            page(&request, status, Some(state), FormState::new()).await
        }
    }
}

/// `POST /t/{tenant}/senders/{sender}/tests`.
pub(in crate::web) async fn test(posted: TenantForm<Connect>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: SenderId = request.id("sender")?;
    let (tenant, actor) = (request.tenant(), request.actor());
    let user = request.who.session.user.clone();
    let tested = request
        .ask(move |app| async move { app.test_sender(tenant, id, &user, &actor).await })
        .await;
    match refused(tested, &form, str::to_owned)? {
        Ok(_) => {
            let rule = rules::ready::find(form.get("ready")).map(back_to);
            let to = rule.unwrap_or_else(|| page_of(id, None));
            Ok(request.redirect_to(&to, Some(Told::SenderTested)))
        }
        Err(state) => page(&request, StatusCode::CONFLICT, None, state).await,
    }
}

/// `POST /t/{tenant}/senders/{sender}/deletion`.
pub(in crate::web) async fn delete(posted: TenantForm<Connect>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: SenderId = request.id("sender")?;
    let (tenant, actor) = (request.tenant(), request.actor());
    let deleted = request
        .ask(move |app| async move { app.delete_sender(tenant, id, &actor).await })
        .await;
    match refused(deleted, &form, str::to_owned)? {
        Ok(()) => Ok(request.redirect_to("/senders", Some(Told::SenderDeleted))),
        Err(state) => page(&request, StatusCode::CONFLICT, None, state).await,
    }
}

async fn page(
    request: &TenantContext,
    status: StatusCode,
    form: Option<FormState>,
    refused: FormState,
) -> Result<HttpResponse, PageError> {
    let (id, tenant): (SenderId, _) = (request.id("sender")?, request.tenant());
    let query = request.query();
    let get = |name: &str| {
        let found = query.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    // Strangers' name servers are asked only by those who keep senders.
    let has_looked = get("look") == "1" && request.may(Ability::Connect);
    let digits = get("digits").trim_start_matches("em").to_owned();
    let asked = digits.clone();
    let (sender, dns, known) = request
        .ask(move |app| async move {
            let sender = app.sender_profile(tenant, id).await?;
            let dns = app.sender_dns(tenant, id, (has_looked, &asked)).await?;
            Ok((sender, dns, app.parties(tenant).await?))
        })
        .await?;
    let page = SenderPage {
        chrome: request.chrome(Section::Connections).await?,
        is_sandboxed: request.who.app.is_sandboxed(),
        own_address: request.who.session.user.email.clone(),
        dns,
        has_looked,
        usual_pace: request.who.app.usual_pace(&sender),
        look: FormState::new().with("digits", digits),
        parties: listed(&known),
        ready: rules::ready::find(get("ready")).map(|ready| ready.key),
        form: form.unwrap_or_else(|| stored(&sender, &known)),
        sender,
        refused,
    };
    request.page(status, &page)
}

fn stored(sender: &SenderProfile, known: &[Party]) -> FormState {
    let countries: Vec<_> = sender.countries.iter().map(ToString::to_string).collect();
    let pace = sender.segments_per_second.map(|pace| pace.to_string());
    FormState::new()
        .with("address", sender.address.as_str())
        .with("name", sender.name.as_str())
        .with("is_default", if sender.is_default { "1" } else { "" })
        .with("countries", countries.join(", "))
        .with("customers", party::names_of(&sender.customers, known))
        .with("segments_per_second", pace.unwrap_or_default())
}
