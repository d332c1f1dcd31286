//! The card of Zoho Books' API: connecting by code or by consent, the organisation, disconnecting.
//!
//! What Zoho says is shown where it was asked for: a refused form comes back with it, a refused
//! click puts it on the card.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::connections::zoho_connection::consent::{ConsentCallback, ConsentInput};
use crate::app::connections::zoho_connection::{
    BooksConnected, BooksInput, BooksSettings, Region, SCOPES,
};
use crate::app::{App, AppError};
use crate::domain::connection::{Connection, ConnectionState};
use crate::domain::user::Ability;
use crate::web::areas::connections::handlers;
use crate::web::areas::connections::page::{CheckResult, Health};
use crate::web::areas::connections::zoho_connection_page::{
    BooksCard, ConsentPage, DisconnectPage,
};
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::rules::form::sentence;
use crate::web::chrome::Section;
use crate::web::extract::ability::Connect;
use crate::web::extract::csrf_form::Form;
use crate::web::extract::signed_in::SignedIn;
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};
use crate::web::form::FormState;
use crate::web::on_main;
use crate::web::providers::ZOHO;
use crate::web::ui::field::Choice;
use crate::web::ui::tone::Tone;

/// The page on which every way ends, at the card.
const CARD: &str = "/connections#books";

/// What the card says beyond what is stored.
#[derive(Default)]
pub(in crate::web) struct Said {
    /// The form of the access, sent back.
    form: Option<FormState>,
    /// The form of the organisation, sent back.
    choice: Option<FormState>,
    /// Why the last click came to nothing.
    refusal: Option<String>,
}

/// `POST /t/{tenant}/connections/books`: connects with a code; an organisation without one is a
/// choice among those of the access that is there.
pub(in crate::web) async fn connect(
    posted: TenantForm<Connect>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let code = form.secret("code");
    let is_blank = code
        .as_ref()
        .is_none_or(|c| c.expose_secret().trim().is_empty());
    let wished = wished(&form);
    if let (true, Some(wished)) = (is_blank, &wished) {
        return choose(&request, wished.clone()).await;
    }
    let input = BooksInput {
        region: form.get("region").to_owned(),
        client_id: form.get("client_id").to_owned(),
        client_secret: form.secret("client_secret"),
        code: code.unwrap_or_else(|| SecretString::from(String::new())),
        organization_id: wished,
    };
    let (tenant, actor) = (request.tenant(), request.actor());
    let connected = request
        .ask(|app| async move { app.connect_books_self_client(tenant, input, &actor).await })
        .await;
    match connected {
        Ok(connected) => Ok(led(&request, &connected)),
        Err(error) => refused(&request, error, Some(typed(&form))).await,
    }
}

/// `POST /t/{tenant}/connections/books/consent`: a page with the way to Zoho.
pub(in crate::web) async fn begin(posted: TenantForm<Connect>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let input = ConsentInput {
        region: form.get("region").to_owned(),
        client_id: form.get("client_id").to_owned(),
        client_secret: form.secret("client_secret"),
        organization_id: wished(&form),
    };
    let (tenant, actor, session) = (request.tenant(), request.actor(), request.who.token.clone());
    let begun = request.ask(|app| async move {
        let session = session.expose_secret();
        app.begin_books(tenant, session, input, &actor).await
    });
    match begun.await {
        Ok(url) => {
            let chrome = request.chrome(Section::Connections).await?;
            request.page(StatusCode::OK, &ConsentPage { chrome, url })
        }
        Err(error) => refused(&request, error, Some(typed(&form))).await,
    }
}

/// `GET /zoho/callback`: Zoho sends the browser back. Only an admin who still is one may end what
/// they began.
pub(in crate::web) async fn callback(
    http: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    // Coming back here after a new sign-in would not help: a consent belongs to its session.
    let who = SignedIn::find(&http).await?;
    let who = who.ok_or_else(|| PageError::SignIn(String::new()))?;
    let callback = read_callback(http.query_string());
    let token = who.token.clone();
    let (session, state) = (token.clone(), callback.state.clone());
    let began = on_main(&app, |app| async move {
        app.consent_tenant(session.expose_secret(), &state).await
    });
    let Some(tenant) = began.await? else {
        return Err(PageError::App(AppError::Conflict(
            "This connection to Zoho Books was not begun in this browser, or more than ten \
             minutes ago. Begin again on the page Connections"
                .to_owned(),
        )));
    };
    let session = who.session.clone();
    let members = on_main(
        &app,
        |app| async move { app.tenants_of(&session.user).await },
    );
    let member = members.await?.into_iter().find(|m| m.tenant.id == tenant);
    let member = member.ok_or(PageError::NotFound)?;
    let request = TenantRequest::<Connect>::by_membership(who, member, http)?;
    let ended = request
        .ask(|app| async move { app.finish_books(token.expose_secret(), callback).await })
        .await;
    match ended {
        Ok((_, connected)) => Ok(led(&request, &connected)),
        Err(error) => refused(&request, error, None).await,
    }
}

/// Tries the access, for `POST /t/{tenant}/connections/{connection}/checks`.
pub(in crate::web) async fn check(request: &TenantContext) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let checked = request
        .ask(|app| async move { app.check_books(tenant).await })
        .await;
    match checked {
        Ok(result) if result.is_good => Ok(request.redirect_to(CARD, Some(Told::BooksChecked))),
        Ok(_) => Ok(request.redirect_to(CARD, Some(Told::BooksRefused))),
        Err(error) => refused(request, error, None).await,
    }
}

/// `GET /t/{tenant}/connections/books/disconnection/new`.
pub(in crate::web) async fn ask_disconnection(
    request: TenantRequest<Connect>,
) -> Result<HttpResponse, PageError> {
    let connection = connection(&request).await?;
    let Some(connection) = connection.filter(is_connected) else {
        return Ok(request.redirect_to(CARD, None));
    };
    let chrome = request.chrome(Section::Connections).await?;
    let organisation = BooksSettings::of(&connection.settings).organisation;
    let page = DisconnectPage {
        chrome,
        organisation,
    };
    request.page(StatusCode::OK, &page)
}

/// `POST /t/{tenant}/connections/books/disconnection`.
pub(in crate::web) async fn disconnect(
    posted: TenantForm<Connect>,
) -> Result<HttpResponse, PageError> {
    let request = posted.request;
    let (tenant, actor) = (request.tenant(), request.actor());
    let result = request
        .ask(|app| async move { app.disconnect_books(tenant, &actor).await })
        .await?;
    let told = if result.is_good {
        Told::BooksDisconnected
    } else {
        Told::BooksNotTold
    };
    Ok(request.redirect_to(CARD, Some(told)))
}

async fn choose(request: &TenantContext, wished: String) -> Result<HttpResponse, PageError> {
    let (tenant, actor) = (request.tenant(), request.actor());
    let id = wished.clone();
    let chosen = request
        .ask(|app| async move { app.choose_organisation(tenant, &id, &actor).await })
        .await;
    match chosen {
        Ok(_) => Ok(request.redirect_to(CARD, Some(Told::BooksChosen))),
        Err(PageError::App(AppError::Invalid(problems))) => {
            let mut choice = FormState::new().with("organization", wished);
            for problem in &problems {
                choice.refuse(problem.field.as_str(), sentence(&problem.message));
            }
            let said = Said {
                choice: Some(choice),
                ..Said::default()
            };
            shown(request, StatusCode::UNPROCESSABLE_ENTITY, said).await
        }
        Err(error) => refused(request, error, None).await,
    }
}

/// Leads to the card, which asks for the organisation when that is left to do.
fn led(request: &TenantContext, connected: &BooksConnected) -> HttpResponse {
    let told = match connected {
        BooksConnected::Ready(_) => Told::BooksConnected,
        BooksConnected::Choose(_) => Told::BooksUnfinished,
    };
    request.redirect_to(CARD, Some(told))
}

/// The card with what was refused: at the fields, or as a sentence.
async fn refused(
    request: &TenantContext,
    error: PageError,
    mut form: Option<FormState>,
) -> Result<HttpResponse, PageError> {
    let mut refusal = None;
    let status = match error {
        PageError::App(AppError::Invalid(problems)) => {
            let form = form.get_or_insert_default();
            for problem in &problems {
                form.refuse(problem.field.as_str(), sentence(&problem.message));
            }
            StatusCode::UNPROCESSABLE_ENTITY
        }
        PageError::App(AppError::Conflict(why)) => {
            match &mut form {
                Some(form) => form.refuse_all(sentence(&why)),
                None => refusal = Some(sentence(&why)),
            }
            StatusCode::CONFLICT
        }
        error => return Err(error),
    };
    let said = Said {
        form,
        refusal,
        choice: None,
    };
    shown(request, status, said).await
}

async fn shown(
    request: &TenantContext,
    status: StatusCode,
    said: Said,
) -> Result<HttpResponse, PageError> {
    let said = handlers::Said {
        books: said,
        ..handlers::Said::default()
    };
    handlers::page(request, status, said).await
}

/// The card as it stands. Zoho is asked for the organisations only when somebody is to choose.
pub(in crate::web) async fn card(
    request: &TenantContext,
    said: Said,
) -> Result<BooksCard, PageError> {
    let connection = connection(request).await?;
    let is_connected = connection.as_ref().is_some_and(is_connected);
    let is_unfinished = is_connected
        && connection
            .as_ref()
            .is_some_and(|c| c.state == ConnectionState::New);
    let wants_list = said.choice.is_some()
        || request
            .query()
            .iter()
            .any(|(name, value)| name == "books" && value == "organisations");
    let may_choose = request.member.role.may(Ability::Connect) && is_connected;
    let mut refusal = said.refusal;
    let mut organizations = Vec::new();
    if may_choose && (is_unfinished || wants_list) {
        match organisations(request).await? {
            Ok(listed) => organizations = listed,
            Err(why) => refusal = refusal.or(Some(why)),
        }
    }
    let mut card = BooksCard {
        connection: None,
        is_connected,
        organisation: String::new(),
        data_centre: String::new(),
        form: FormState::new().with("region", Region::UnitedStates.location()),
        health: Health::Missing,
        refusal,
        checked: None,
        regions: Region::ALL
            .iter()
            .copied()
            .map(|r| Choice::new(r.location(), r.label()))
            .collect(),
        organizations,
        choice: said.choice.unwrap_or_default(),
        scopes: SCOPES.join(","),
        redirect: request.who.app.books_redirect(),
    };
    if let Some(connection) = connection {
        fill(&mut card, connection, is_unfinished);
    }
    if let Some(form) = said.form {
        card.form = form;
    }
    Ok(card)
}

fn fill(card: &mut BooksCard, of: Connection, is_unfinished: bool) {
    let settings = BooksSettings::of(&of.settings);
    let region = Region::from_location(&settings.region);
    if let Some(region) = region {
        let form = FormState::new().with("region", region.location());
        card.form = form.with("client_id", settings.client_id.as_str());
    }
    if !card.is_connected {
        return;
    }
    card.data_centre = region.map_or_else(String::new, |r| r.label().to_owned());
    card.organisation = settings.organisation;
    card.connection = (!of.account.is_empty()).then_some(of.id);
    if card.choice.is_valid() {
        card.choice = FormState::new().with("organization", of.account);
    }
    card.health = match of.state {
        ConnectionState::Broken => Health::Broken(sentence(&of.reason)),
        _ if is_unfinished => Health::Unfinished,
        _ => Health::Working,
    };
    // What broke it is said once, as its trouble.
    if of.state == ConnectionState::Ready {
        let is_whole = settings.missing_scopes.is_empty();
        let tone = if is_whole { Tone::Ok } else { Tone::Needs };
        card.checked = of.checked_at.map(|at| CheckResult {
            at,
            findings: vec![(tone, sentence(&of.checked))],
        });
    }
}

/// The organisations to choose from, or why they cannot be listed.
async fn organisations(request: &TenantContext) -> Result<Result<Vec<Choice>, String>, PageError> {
    let tenant = request.tenant();
    let listed = request
        .ask(|app| async move { app.books_organisations(tenant).await })
        .await;
    match listed {
        Ok(listed) => Ok(Ok(listed
            .into_iter()
            .map(|o| Choice::new(o.id, o.name))
            .collect())),
        Err(PageError::App(AppError::Conflict(why))) => Ok(Err(sentence(&why))),
        // The page must stay there: it is where another access is given.
        Err(PageError::App(AppError::Vault(error))) => {
            tracing::error!(%error, "The access to Zoho Books cannot be opened");
            let why = "The stored access cannot be opened. Give read access again.";
            Ok(Err(why.to_owned()))
        }
        Err(error) => Err(error),
    }
}

async fn connection(request: &TenantContext) -> Result<Option<Connection>, PageError> {
    let tenant = request.tenant();
    request
        .ask(|app| async move { app.connection(tenant, ZOHO).await })
        .await
}

/// Whether access was granted: the connection itself is older, it holds the hook.
fn is_connected(of: &Connection) -> bool {
    of.state != ConnectionState::New || !of.account.is_empty() || !of.reason.is_empty()
}

fn wished(form: &Form) -> Option<String> {
    let wished = form.get("organization");
    (!wished.is_empty()).then(|| wished.to_owned())
}

/// What was typed, without the secrets.
fn typed(form: &Form) -> FormState {
    form.state(&["client_secret", "code"])
}

fn read_callback(query: &str) -> ConsentCallback {
    let value = |wanted: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    ConsentCallback {
        state: value("state").unwrap_or_default(),
        code: value("code").map(SecretString::from),
        error: value("error"),
        location: value("location"),
        accounts_server: value("accounts-server"),
    }
}
