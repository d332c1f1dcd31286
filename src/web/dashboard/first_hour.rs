//! The first hour: the set-up page of the hook with its live list, the test event, and the steps of
//! the checklist.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use super::error::PageError;
use super::flash::Told;
use crate::app::AppError;
use crate::app::first_hour::{FirstHour, Knock};
use crate::config::web::PublicUrl;
use crate::domain::delivery::Delivery;
use crate::domain::event::{Event, EventSource, EventState, EventType};
use crate::domain::user::{Ability, Role};
use crate::store::RejectedRequest;
use crate::web::chrome::Section;
use crate::web::extract::tenant::{Seat, SeatForm};
use crate::web::form::FormState;
use crate::web::pages::first_hour::{Reach, SetUpHookPage, SetUpHookView, TestEvent};
use crate::web::pages::overview::SetUpStep;
use crate::web::pages::words;
use crate::web::ui::badge;
use crate::web::ui::field::Choice;
use crate::web::ui::requests::{RequestLine, requests};
use crate::web::ui::tone::Tone;

/// Bears whether somebody folded the checklist away; it belongs to one tenant's path.
const CHECKLIST: &str = "mlc_checklist";

/// `GET /t/{tenant}/connections/set-up`.
pub(super) async fn show(seat: Seat) -> Result<HttpResponse, PageError> {
    page(&seat, None).await
}

/// `GET /t/{tenant}/connections/set-up/requests`: the list alone, for the script that follows it.
pub(super) async fn list(seat: Seat) -> Result<HttpResponse, PageError> {
    let tenant = seat.tenant();
    let knocks = seat
        .ask(|app| async move { app.knocks(tenant).await })
        .await?;
    let lines: Vec<RequestLine> = knocks.iter().map(line).collect();
    let chrome = seat.chrome(Section::Connections).await?;
    let from = chrome.path("/connections/set-up/requests");
    let list = requests(&lines, chrome.moment(), &chrome.path(""), &from);
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(list.into_string()))
}

/// `POST /t/{tenant}/connections/set-up/tests`.
pub(super) async fn test(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::Connect)?;
    let event_type: EventType = form
        .get("event_type")
        .parse()
        .map_err(|_| PageError::Unreadable)?;
    let (tenant, actor) = (seat.tenant(), seat.actor());
    let own_number = seat.who.session.user.phone.clone();
    seat.ask(|app| async move {
        app.send_test_event(tenant, event_type, own_number, &actor)
            .await
    })
    .await?;
    Ok(seat.lead(
        "/connections/set-up#first-request",
        Some(Told::TestEventSent),
    ))
}

/// `POST /t/{tenant}/checklist`: folds the checklist away in this browser, or brings it back.
pub(super) async fn fold(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    let value = match form.get("folded") {
        "1" => "folded",
        "0" => "",
        _ => return Err(PageError::Unreadable),
    };
    let path = format!("/t/{}/", seat.member.tenant.slug);
    let mut answer = seat.lead("/", None);
    let cookie = folding(value, path, seat.who.app.public_url());
    answer
        .add_cookie(&cookie)
        .map_err(|_| PageError::Unreadable)?;
    Ok(answer)
}

fn folding(value: &'static str, path: String, url: &PublicUrl) -> Cookie<'static> {
    let lasts = if value.is_empty() {
        Duration::ZERO
    } else {
        Duration::days(365)
    };
    Cookie::build(CHECKLIST, value)
        .path(path)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(url.is_https() || !url.is_loopback())
        .max_age(lasts)
        .finish()
}

/// Whether this browser folded the checklist away.
pub(super) fn is_folded(request: &HttpRequest) -> bool {
    request
        .cookie(CHECKLIST)
        .is_some_and(|c| c.value() == "folded")
}

/// The set-up page; `new_secret` is the one that was made just now.
pub(super) async fn page(
    seat: &Seat,
    new_secret: Option<String>,
) -> Result<HttpResponse, PageError> {
    let tenant = seat.tenant();
    let (hook, knocks, heard, about) = seat
        .ask(|app| async move {
            Ok::<_, AppError>((
                app.hook_details(tenant).await?,
                app.knocks(tenant).await?,
                app.heard(tenant).await?.0,
                app.test_event_type(tenant).await?,
            ))
        })
        .await?;
    let chrome = seat.chrome(Section::Connections).await?;
    let app = &seat.who.app;
    let types = EventType::ALL.map(|t| Choice::new(t.as_str(), words::capital(t.words())));
    let view = SetUpHookView {
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
        requests: knocks.iter().map(line).collect(),
        test: TestEvent {
            form: FormState::new().with("event_type", about.as_str()),
            types: types.into(),
            own_number: seat.who.session.user.phone.clone(),
            is_rehearsal: seat.member.tenant.is_rehearsal,
        },
    };
    seat.page(StatusCode::OK, &SetUpHookPage { chrome, view })
}

fn line(of: &Knock) -> RequestLine {
    match of {
        Knock::Kept(event, deliveries) => kept(event, deliveries),
        Knock::Refused(request) => refused(request),
    }
}

fn kept(event: &Event, deliveries: &[Delivery]) -> RequestLine {
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
            format!("one message, {}", one.state.words().to_lowercase())
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

/// The steps from nothing to the first delivered message, in order, as they stand.
pub(super) fn steps(hour: FirstHour, role: Role) -> Vec<SetUpStep> {
    let step = |title: &str, sentence: &str, words: &str, path: &str, needs: Ability, done| {
        let may = role.may(needs);
        let whose = if needs == Ability::EditRules {
            "An editor does this."
        } else {
            "An admin does this."
        };
        SetUpStep {
            title: title.to_owned(),
            sentence: if may || done {
                sentence.to_owned()
            } else {
                format!("{sentence} {whose}")
            },
            button: may.then(|| (words.to_owned(), path.to_owned())),
            done,
        }
    };
    let mut steps = vec![step(
        "Connect Twilio",
        "It carries the messages; you need its account SID, its token and a number to send from.",
        "Connect Twilio",
        "/connections#twilio",
        Ability::Connect,
        hour.is_connected,
    )];
    if hour.is_rehearsal {
        steps.push(step(
            "Confirm your own number",
            "You rehearse: until you go live, every message goes to the owner's own number.",
            "Confirm a number",
            "/own-number",
            Ability::ConfirmNumber,
            hour.has_own_number,
        ));
    }
    steps.extend([
        step(
            "Make the webhook in Zoho Books",
            "Copy the web address and the secret, and follow the steps in Zoho Books.",
            "Show the steps",
            "/connections/set-up",
            Ability::Connect,
            hour.is_knocked_at,
        ),
        step(
            "Hear the first request",
            if hour.is_knocked_at {
                "Zoho Books came, but was not believed. The list of requests says why."
            } else {
                "Change a document in Zoho Books, and watch its request arrive."
            },
            "Watch for it",
            "/connections/set-up#first-request",
            Ability::Look,
            hour.is_heard,
        ),
        step(
            "Send a test event",
            "A made-up document takes the same way, and reaches nobody but you.",
            "Go to the test",
            "/connections/set-up#test",
            Ability::Connect,
            hour.is_tested,
        ),
        step(
            "Write the first rule",
            "Choose a ready one, such as a text to the contact when an invoice is sent.",
            "Write a rule",
            "/rules/new",
            Ability::EditRules,
            hour.has_rules,
        ),
        step(
            "See the first message delivered",
            "Send a test event once more, now that a rule is there, or wait for Zoho Books.",
            "Go to the test",
            "/connections/set-up#test",
            Ability::Look,
            hour.is_delivered,
        ),
    ]);
    if hour.is_rehearsal {
        steps.push(step(
            "Go live",
            "Look at what would have been sent, then let messages go to contacts.",
            "Go live",
            "/go-live",
            Ability::GoLive,
            false,
        ));
    }
    steps
}
