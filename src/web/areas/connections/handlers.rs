//! Connections: the web address for Zoho Books, and the Twilio account. The third card, the access
//! to Zoho Books' API, is in `books`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use secrecy::ExposeSecret as _;

use super::webhook_guide;
use crate::app::connections::HookDetails;
use crate::app::limits::AccountLimits;
use crate::app::{App, AppError, FieldProblem};
use crate::domain::account_figures::Sum;
use crate::domain::channel::Channel;
use crate::domain::connection::{Connection, ConnectionState, Provider};
use crate::domain::ids::{ConnectionId, TenantId};
use crate::transport::Typed;
use crate::web::areas::connections::page::{
    CheckResult, ConnectionsPage, Health, HookCard, TwilioCard,
};
use crate::web::areas::connections::zoho_connection;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::rules::form::sentence;
use crate::web::chrome::{Chrome, Section};
use crate::web::extract::ability::{Connect, View};
use crate::web::extract::csrf_form::Form;
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};
use crate::web::form::FormState;
use crate::web::providers::{TWILIO, ZOHO};
use crate::web::ui::time::Moment;
use crate::web::ui::tone::Tone;

/// `GET /t/{tenant}/connections`.
pub(in crate::web) async fn show(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    page(&request, StatusCode::OK, Said::default()).await
}

/// `POST /t/{tenant}/connections/hook`: every company is made with its web address, so this leads
/// to it.
pub(in crate::web) async fn hook(posted: TenantForm<Connect>) -> Result<HttpResponse, PageError> {
    let request = posted.request;
    let tenant = request.tenant();
    request
        .ask(|app| async move { app.hook_details(tenant).await })
        .await?;
    Ok(request.redirect_to("/connections", Some(Told::HookExists)))
}

/// `POST /t/{tenant}/connections/{connection}/secret`: the answer itself shows the new secret, once.
pub(in crate::web) async fn secret(posted: TenantForm<Connect>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: ConnectionId = request.id("connection")?;
    let (tenant, actor) = (request.tenant(), request.actor());
    let secret = request
        .ask(|app| async move {
            if provider(&app, tenant, id).await? != ZOHO {
                return Err(AppError::NotFound("connection"));
            }
            app.rotate_hook_secret(tenant, &actor).await
        })
        .await?;
    if form.get("on") == "set-up" {
        return webhook_guide::page(&request, Some(secret.expose_secret().to_owned())).await;
    }
    let said = Said {
        new_secret: Some(secret.expose_secret().to_owned()),
        ..Said::default()
    };
    page(&request, StatusCode::OK, said).await
}

/// `POST /t/{tenant}/connections/{connection}/checks`.
pub(in crate::web) async fn check(posted: TenantForm<Connect>) -> Result<HttpResponse, PageError> {
    let request = posted.request;
    let id: ConnectionId = request.id("connection")?;
    let tenant = request.tenant();
    let provider = request
        .ask(|app| async move { provider(&app, tenant, id).await })
        .await?;
    if provider == ZOHO {
        return zoho_connection::check(&request).await;
    }
    let checked = request
        .ask(|app| async move { app.check(tenant, provider).await })
        .await;
    let told = match checked {
        Ok(result) if result.is_good => Told::TwilioChecked,
        Ok(_) => Told::TwilioRefused,
        Err(PageError::App(AppError::Conflict(_))) => Told::TwilioNotAsked,
        Err(error) => return Err(error),
    };
    Ok(request.redirect_to("/connections", Some(told)))
}

/// `POST /t/{tenant}/connections/twilio`.
pub(in crate::web) async fn twilio(posted: TenantForm<Connect>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let (typed, save_anyway) = (twilio_input(&form), form.get("save_anyway") == "1");
    let (tenant, actor) = (request.tenant(), request.actor());
    let saved = request
        .ask(|app| async move {
            let typed = (&typed, save_anyway);
            app.connect(tenant, TWILIO, typed, &actor).await
        })
        .await;
    match saved {
        Ok(saved) if saved.is_accepted() => {
            Ok(request.redirect_to("/connections", Some(Told::TwilioSaved)))
        }
        Ok(_) => Ok(request.redirect_to("/connections", Some(Told::TwilioUntried))),
        Err(PageError::App(AppError::Invalid(problems))) => {
            let mut state = form.state(&["auth_token", "secret"]);
            refuse(&problems, &mut state);
            let said = Said {
                twilio: Some(state),
                ..Said::default()
            };
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, said).await
        }
        Err(PageError::App(AppError::Untried(_, why))) => {
            let mut state = form.state(&["auth_token", "secret"]);
            state.refuse_all(format!(
                "{why}. So nothing is kept yet. Try again in a minute, or save the account untried: \
                 its first message then shows whether it is right. Either way, type the secrets once \
                 more."
            ));
            let said = Said {
                twilio: Some(state),
                is_untried: true,
                ..Said::default()
            };
            page(&request, StatusCode::CONFLICT, said).await
        }
        Err(error) => Err(error),
    }
}

/// Whose connection it is; another tenant's is not found.
async fn provider(app: &App, tenant: TenantId, id: ConnectionId) -> Result<Provider, AppError> {
    let connection = app.connection_by_id(tenant, id).await?;
    Ok(connection.ok_or(AppError::NotFound("connection"))?.provider)
}

/// One field holds the default sender: a Messaging Service is told by its `MG`.
fn twilio_input(form: &Form) -> Typed {
    let sender = form.get("sender");
    let is_service = sender.len() > 11 && sender.starts_with("MG");
    let (from, service) = if is_service {
        ("", sender)
    } else {
        (sender, "")
    };
    Typed::default()
        .field("account_sid", form.get("account_sid"))
        .secret("auth_token", form.secret("auth_token"))
        .field("api_key_sid", form.get("user_sid"))
        .secret("api_key_secret", form.secret("secret"))
        .field("from", from)
        .field("messaging_service_sid", service)
}

fn refuse(problems: &[FieldProblem], state: &mut FormState) {
    for problem in problems {
        let field = match problem.field.as_str() {
            "api_key_sid" => "user_sid",
            "api_key_secret" => "secret",
            "from" | "messaging_service_sid" => "sender",
            field => field,
        };
        state.refuse(field, sentence(&problem.message));
    }
}

/// How a provider of messages stands, for this page and Overview.
pub(in crate::web) fn transport_health(
    of: &Connection,
    name: &str,
    (has_sent, low): (bool, Option<&Sum>),
    moment: Moment,
) -> Health {
    match (of.state, of.pauses.latest()) {
        (ConnectionState::Broken, _) => Health::Broken(sentence(&of.reason)),
        (_, Some(until)) if until > moment.now => Health::Paused(format!(
            "{name} asked to slow down. Sending goes on by itself {}.",
            moment.long(until)
        )),
        _ => low.map_or_else(
            || untroubled(of, has_sent),
            |balance| low_health(balance, name),
        ),
    }
}

fn untroubled(of: &Connection, has_sent: bool) -> Health {
    if has_sent || of.checked_at.is_some() {
        Health::Working
    } else {
        Health::Untried
    }
}

fn low_health(balance: &Sum, name: &str) -> Health {
    Health::Low(format!(
        "Only {balance} are left on the account. {name} sends nothing once that is used up: add to it in its \
         Console."
    ))
}

/// What the page says beyond what is stored: the answer to a click.
#[derive(Default)]
pub(in crate::web) struct Said {
    /// The hook's secret, which was made just now.
    pub(in crate::web) new_secret: Option<String>,
    /// The form of Twilio, sent back.
    pub(in crate::web) twilio: Option<FormState>,
    /// Twilio could not be asked about it.
    pub(in crate::web) is_untried: bool,
    pub(in crate::web) books: zoho_connection::Said,
}

/// The page Connections.
pub(in crate::web) async fn page(
    request: &TenantContext,
    status: StatusCode,
    said: Said,
) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let books = zoho_connection::card(request, said.books).await?;
    let (hook, twilio, limits, heard, has_sent, inbound) = request
        .ask(|app| async move {
            let hook = match app.hook_details(tenant).await {
                Ok(hook) => Some(hook),
                Err(AppError::NotFound(_)) => None,
                Err(error) => return Err(error),
            };
            let twilio = app.connection(tenant, TWILIO).await?;
            let limits = match &twilio {
                Some(twilio) => Some(app.look_at_limits(tenant, twilio).await?),
                None => None,
            };
            Ok((
                hook,
                twilio,
                limits,
                app.heard(tenant).await?,
                app.has_sent(tenant).await?,
                app.inbound_url(tenant, TWILIO).await?,
            ))
        })
        .await?;
    let chrome = request.chrome(Section::Connections).await?;
    let app = &request.who.app;
    let hook = hook.map(|hook: HookDetails| HookCard {
        connection: hook.connection,
        address: hook.url,
        new_secret: said.new_secret,
        old_secret_until: hook.old_until,
        last_request: heard.0,
        rejected: heard.1,
        is_reachable: app.is_sandboxed() || app.public_url().is_public_https(),
    });
    let twilio = TwilioCard {
        inbound,
        is_untried: said.is_untried,
        ..twilio_card(&chrome, app, (twilio, limits), has_sent, said.twilio)
    };
    let page = ConnectionsPage {
        chrome,
        hook,
        twilio,
        books,
    };
    request.page(status, &page)
}

fn twilio_card(
    chrome: &Chrome,
    app: &App,
    (of, limits): (Option<Connection>, Option<AccountLimits>),
    has_sent: bool,
    form: Option<FormState>,
) -> TwilioCard {
    let callbacks = app.takes_callbacks();
    let Some(connection) = of else {
        return TwilioCard {
            connection: None,
            form: form.unwrap_or_default(),
            health: Health::Missing,
            checked: None,
            callbacks,
            inbound: None,
            limits,
            is_untried: false,
        };
    };
    let settings = &connection.settings;
    let service = settings.text("messaging_service_sid");
    let sender = if service.is_empty() {
        settings.text("from")
    } else {
        service
    };
    let stored = FormState::new()
        .with("account_sid", connection.account.as_str())
        .with("user_sid", settings.text("api_key_sid"))
        .with("sender", sender);
    let tone = if connection.state == ConnectionState::Broken {
        Tone::Failed
    } else {
        Tone::Ok
    };
    let said = sentence(&connection.checked);
    let figures = limits.as_ref().and_then(|of| of.figures.as_ref());
    let low = figures.filter(|f| f.low_at.is_some());
    let low = low.and_then(|f| f.figures.balance.as_ref());
    TwilioCard {
        connection: Some(connection.id),
        health: transport_health(
            &connection,
            chrome.providers.of(Channel::Sms).name,
            (has_sent, low),
            chrome.moment(),
        ),
        checked: connection.checked_at.map(|at| CheckResult {
            at,
            findings: vec![(tone, said)],
        }),
        form: form.unwrap_or(stored),
        callbacks,
        inbound: None,
        limits,
        is_untried: false,
    }
}
