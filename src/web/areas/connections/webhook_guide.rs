//! The guide to the webhook in Zoho Books, with the last requests, live, and the test event.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::app::AppError;
use crate::app::history::RejectedRequest;
use crate::app::onboarding::HookAttempt;
use crate::domain::address::{Email, OwnAddresses, Phone};
use crate::domain::delivery::Delivery;
use crate::domain::event::{Event, EventSource, EventState, EventType};
use crate::domain::provider::Providers;
use crate::web::areas::connections::webhook_guide_page::{
    Reach, TestEvent, WebhookGuidePage, WebhookGuideView,
};
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::words;
use crate::web::chrome::Section;
use crate::web::extract::ability::{Connect, View};
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};
use crate::web::form::FormState;
use crate::web::ui::badge;
use crate::web::ui::field::Choice;
use crate::web::ui::requests::{RequestLine, requests};
use crate::web::ui::tone::Tone;

/// `GET /t/{tenant}/connections/set-up`.
pub(in crate::web) async fn show(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    page(&request, None).await
}

/// `GET /t/{tenant}/connections/set-up/requests`: the list alone, for the script that follows it.
pub(in crate::web) async fn list(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let hook_attempts = request
        .ask(|app| async move { app.hook_attempts(tenant).await })
        .await?;
    let chrome = request.chrome(Section::Connections).await?;
    let lines: Vec<RequestLine> = hook_attempts
        .iter()
        .map(|attempt| line(attempt, &chrome.providers))
        .collect();
    let from = chrome.path("/connections/set-up/requests");
    let list = requests(&lines, chrome.moment(), &chrome.path(""), &from);
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(list.into_string()))
}

/// `POST /t/{tenant}/connections/set-up/tests`.
pub(in crate::web) async fn test(posted: TenantForm<Connect>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let event_type: EventType = form
        .get("event_type")
        .parse()
        .map_err(|_| PageError::Unreadable)?;
    let (tenant, actor) = (request.tenant(), request.actor());
    let user = &request.who.session.user;
    let own = OwnAddresses {
        phone: user.phone.as_deref().and_then(Phone::from_stored),
        email: Email::parse(&user.email).ok(),
    };
    request
        .ask(|app| async move { app.send_test_event(tenant, event_type, own, &actor).await })
        .await?;
    Ok(request.redirect_to(
        "/connections/set-up#first-request",
        Some(Told::TestEventSent),
    ))
}

/// The guide; `new_secret` is the one that was made just now.
pub(in crate::web) async fn page(
    request: &TenantContext,
    new_secret: Option<String>,
) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let (hook, hook_attempts, heard, about) = request
        .ask(|app| async move {
            Ok::<_, AppError>((
                app.hook_details(tenant).await?,
                app.hook_attempts(tenant).await?,
                app.heard(tenant).await?.0,
                app.test_event_type(tenant).await?,
            ))
        })
        .await?;
    let chrome = request.chrome(Section::Connections).await?;
    let app = &request.who.app;
    let types = EventType::ALL
        .iter()
        .copied()
        .map(|t| Choice::new(t.as_str(), words::capital(t.label())));
    let view = WebhookGuideView {
        connection: hook.connection,
        address: hook.url,
        new_secret,
        old_secret_until: hook.old_until,
        reach: if heard.is_some() {
            Reach::Proven
        } else if app.is_sandboxed() {
            Reach::Sandbox
        } else if app.public_url().is_public_https() {
            Reach::Likely
        } else {
            Reach::Never
        },
        is_heard: heard.is_some(),
        requests: hook_attempts
            .iter()
            .map(|attempt| line(attempt, &chrome.providers))
            .collect(),
        test: TestEvent {
            form: FormState::new().with("event_type", about.as_str()),
            types: types.collect(),
            own_number: request.who.session.user.phone.clone(),
            is_rehearsal: request.member.tenant.is_rehearsal,
        },
    };
    request.page(StatusCode::OK, &WebhookGuidePage { chrome, view })
}

fn line(of: &HookAttempt, providers: &Providers) -> RequestLine {
    match of {
        HookAttempt::Kept(event, deliveries) => kept(event, deliveries, providers),
        HookAttempt::Refused(request) => refused(request),
    }
}

fn kept(event: &Event, deliveries: &[Delivery], providers: &Providers) -> RequestLine {
    let mut what = words::event_title(event.event_type.or(event.path_type));
    if event.event_type.or(event.path_type).is_none() && event.state == EventState::Received {
        "A document".clone_into(&mut what);
    }
    if !event.document_number.is_empty() {
        what = format!("{what}: {}", words::straight(&event.document_number));
    }
    let became = match (event.state, deliveries) {
        (EventState::Received, _) => "it is being decided".to_owned(),
        (EventState::Matched, []) => "a rule matched, and another told it already".to_owned(),
        (EventState::Matched, [one]) => {
            format!(
                "one message, {}",
                one.state.label(providers.of(one.channel)).to_lowercase()
            )
        }
        (EventState::Matched, more) => format!("{} messages", more.len()),
        (state, _) => badge::event_words(state).to_lowercase(),
    };
    let (tone, verdict) = match (event.state, event.source) {
        (EventState::Unrecognised, _) => (Tone::Needs, "Accepted"),
        (_, EventSource::Test) => (Tone::Ok, "Test"),
        _ => (Tone::Ok, "Accepted"),
    };
    RequestLine {
        at: event.received_at,
        tone,
        verdict: verdict.to_owned(),
        sentence: format!("{what}; {became}."),
        event: Some(event.id),
    }
}

fn refused(request: &RejectedRequest) -> RequestLine {
    let reason = words::capital(request.reason.trim());
    let stop = if reason.ends_with('.') { "" } else { "." };
    let more = if request.like_it > 0 {
        format!(" {} more like it were counted.", request.like_it)
    } else {
        String::new()
    };
    RequestLine {
        at: request.at,
        tone: Tone::Failed,
        verdict: "Refused".to_owned(),
        sentence: format!("{reason}{stop}{more}"),
        event: None,
    }
}
