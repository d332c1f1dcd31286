//! *Send again* and *Decide again*: the page that asks, and what is done once it is confirmed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::app::AppError;
use crate::app::pipeline::replay::{DocumentToday, Had, ReplayFacts, ReplayRecipient};
use crate::app::pipeline::replay::{ReplayWish, Replayed};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::ids::{DeliveryId, EventId};
use crate::web::areas::email_document::{self, Appearance};
use crate::web::areas::error::PageError;
use crate::web::areas::event::view::{answers_to, dry_decision};
use crate::web::areas::flash::Told;
use crate::web::areas::history::handlers::given;
use crate::web::areas::replay::page::{
    Again, DocumentView, FactsView, HadView, Question, RecipientView, ReplayPage,
};
use crate::web::areas::rules::words::frozen_sender;
use crate::web::chrome::Section;
use crate::web::extract::ability::Replay;
use crate::web::extract::csrf_form::Form;
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};

const CHANGED: &str =
    "Something changed since this page was drawn, so nothing was sent. Look once more.";

/// `GET /t/{tenant}/events/{event}/replays/new`.
pub(in crate::web) async fn ask_event(
    request: TenantRequest<Replay>,
) -> Result<HttpResponse, PageError> {
    let id: EventId = request.id("event")?;
    let facts = event_facts(&request, id).await?;
    page(&request, facts, StatusCode::OK, None, None).await
}

/// `POST /t/{tenant}/events/{event}/replays`.
pub(in crate::web) async fn event(posted: TenantForm<Replay>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: EventId = request.id("event")?;
    let wish = wish(&form)?;
    let (tenant, actor) = (request.tenant(), request.actor());
    let replayed = request
        .ask(|app| async move { app.replay_event(tenant, id, &wish, &actor).await })
        .await;
    match replayed {
        Ok(done) => {
            let told = if done.is_pending {
                Told::ReplayPending
            } else {
                Told::EventReplayed
            };
            Ok(led(&request, &done, told))
        }
        Err(error) => {
            let facts = event_facts(&request, id).await?;
            again(&request, facts, error, &form).await
        }
    }
}

/// `GET /t/{tenant}/deliveries/{delivery}/replays/new`.
pub(in crate::web) async fn ask_delivery(
    request: TenantRequest<Replay>,
) -> Result<HttpResponse, PageError> {
    let id: DeliveryId = request.id("delivery")?;
    let facts = delivery_facts(&request, id).await?;
    page(&request, facts, StatusCode::OK, None, None).await
}

/// `GET /t/{tenant}/events/{event}/replays/new/email?to=&look=&pictures=`: the HTML of what somebody would get,
/// for a frame.
pub(in crate::web) async fn event_email(
    request: TenantRequest<Replay>,
) -> Result<HttpResponse, PageError> {
    let id: EventId = request.id("event")?;
    email(&request, event_facts(&request, id).await?)
}

/// `GET /t/{tenant}/deliveries/{delivery}/replays/new/email?to=&look=&pictures=`: the same.
pub(in crate::web) async fn delivery_email(
    request: TenantRequest<Replay>,
) -> Result<HttpResponse, PageError> {
    let id: DeliveryId = request.id("delivery")?;
    email(&request, delivery_facts(&request, id).await?)
}

fn email(request: &TenantContext, facts: ReplayFacts) -> Result<HttpResponse, PageError> {
    let key = request.asked("to");
    let to = facts.recipients.into_iter().find(|to| to.key == key);
    let content = to.ok_or(PageError::NotFound)?.message.content;
    email_document::of_content(
        &content,
        Appearance::of(request),
        request.who.app.public_url(),
    )
}

/// `POST /t/{tenant}/deliveries/{delivery}/replays`.
pub(in crate::web) async fn delivery(
    posted: TenantForm<Replay>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: DeliveryId = request.id("delivery")?;
    let wish = wish(&form)?;
    let (tenant, actor) = (request.tenant(), request.actor());
    let replayed = request
        .ask(|app| async move { app.replay_delivery(tenant, id, &wish, &actor).await })
        .await;
    match replayed {
        Ok(done) => {
            let told = if done.waits {
                Told::MessageWaits
            } else {
                Told::MessageReplayed
            };
            Ok(led(&request, &done, told))
        }
        Err(error) => {
            let facts = delivery_facts(&request, id).await?;
            again(&request, facts, error, &form).await
        }
    }
}

fn led(request: &TenantContext, done: &Replayed, told: Told) -> HttpResponse {
    request.redirect_to(&format!("/events/{}", done.event), Some(told))
}

fn wish(form: &Form) -> Result<ReplayWish, PageError> {
    Ok(ReplayWish {
        nonce: form.nonce()?.to_owned(),
        confirm: form.get("confirm").to_owned(),
        chosen: Some(ticked(form)),
    })
}

fn ticked(form: &Form) -> Vec<String> {
    let keys = form.names().filter_map(|name| name.strip_prefix("to-"));
    keys.map(str::to_owned).collect()
}

async fn event_facts(request: &TenantContext, id: EventId) -> Result<ReplayFacts, PageError> {
    let tenant = request.tenant();
    request
        .ask(|app| async move { app.event_replay_facts(tenant, id).await })
        .await
}

async fn delivery_facts(request: &TenantContext, id: DeliveryId) -> Result<ReplayFacts, PageError> {
    let tenant = request.tenant();
    request
        .ask(|app| async move { app.delivery_replay_facts(tenant, id).await })
        .await
}

/// The page once more, with what stands against it.
async fn again(
    request: &TenantContext,
    facts: ReplayFacts,
    error: PageError,
    form: &Form,
) -> Result<HttpResponse, PageError> {
    let PageError::App(error) = error else {
        return Err(error);
    };
    match error {
        AppError::Unconfirmed(_) if form.get("confirm").is_empty() => {
            page(request, facts, StatusCode::CONFLICT, None, None).await
        }
        AppError::Unconfirmed(_) => {
            page(
                request,
                facts,
                StatusCode::CONFLICT,
                Some(CHANGED.to_owned()),
                None,
            )
            .await
        }
        AppError::Open(_) | AppError::Suppressed(_) => {
            page(request, facts, StatusCode::CONFLICT, None, None).await
        }
        AppError::Invalid(problems) if problems.iter().all(|p| p.field == "recipients") => {
            let why = "Tick whom to write to, or leave it.".to_owned();
            let kept = Some(ticked(form));
            page(
                request,
                facts,
                StatusCode::UNPROCESSABLE_ENTITY,
                Some(why),
                kept,
            )
            .await
        }
        error => Err(error.into()),
    }
}

async fn page(
    request: &TenantContext,
    facts: ReplayFacts,
    status: StatusCode,
    refused: Option<String>,
    kept: Option<Vec<String>>,
) -> Result<HttpResponse, PageError> {
    let question = question(&facts);
    let is_refused = matches!(question, Question::Open(..) | Question::Suppressed(_));
    let status = if is_refused {
        StatusCode::CONFLICT
    } else {
        status
    };
    let what = facts
        .delivery
        .as_ref()
        .map_or(Again::Decide, |d| Again::Send(d.id));
    let mut view = view(&facts, request.who.app.now());
    if let Some(kept) = kept {
        for to in &mut view.recipients {
            to.ticked = kept.contains(&to.key);
        }
    }
    let page = ReplayPage {
        event: facts.event.id,
        what,
        notes: notes(request, &facts),
        facts: view,
        question,
        refused,
        has_pictures: request.asked("pictures") == "1",
        nonce: Uuid::new_v4().simple().to_string(),
        chrome: request.chrome(Section::History).await?,
    };
    request.page(status, &page)
}

/// What must be answered first.
fn question(facts: &ReplayFacts) -> Question {
    let delivery = facts.delivery.as_ref();
    if delivery.is_some_and(|d| d.state == DeliveryState::Unknown) {
        return Question::Unknown;
    }
    if let Some(open) = &facts.open {
        return Question::Open(open.id, open.state);
    }
    let Some(of) = delivery else {
        return Question::Decide;
    };
    if let Some(why) = facts.recipients.first().and_then(|r| r.refused.clone()) {
        return Question::Suppressed(why);
    }
    match of.state {
        DeliveryState::Accepted | DeliveryState::Sent => Question::Accepted(of.channel),
        DeliveryState::Delivered | DeliveryState::Read => Question::Received {
            who: who(of),
            at: of.updated_at,
        },
        _ => Question::Plain,
    }
}

fn who(of: &Delivery) -> String {
    if of.recipient.is_empty() {
        of.address.clone()
    } else {
        of.recipient.clone()
    }
}

/// What is different this time.
fn notes(request: &TenantContext, facts: &ReplayFacts) -> Vec<String> {
    let (tenant, now) = (&request.member.tenant, request.who.app.now());
    let mut notes = Vec::new();
    if facts.is_balance_changed && facts.forbidden.is_none() {
        let note = "The balance has changed since the message was made; it says what it was.";
        notes.push(note.to_owned());
    }
    if facts.recipients.is_empty() {
        return notes;
    }
    if tenant.is_rehearsal {
        let note = match facts.delivery {
            Some(_) => "You are in rehearsal: it goes to the owner, not to this address.",
            None => "You are in rehearsal: messages go to the owner, not to these addresses.",
        };
        notes.push(note.to_owned());
        return notes;
    }
    if facts.delivery.as_ref().is_some_and(|d| d.is_rehearsal) {
        let note = "It was a rehearsal. You are live now, so it goes to this address, without the \
                    mark of rehearsals.";
        notes.push(note.to_owned());
    }
    let is_to_contact = facts.recipients.iter().any(|r| r.message.is_to_contact);
    if let Some(opening) = tenant.opening_for(is_to_contact, now) {
        let clock = opening.with_timezone(&tenant.zone).format("%H:%M");
        notes.push(format!(
            "Contacts are not written to at this time of day: it waits until {clock} in {}.",
            tenant.zone.name()
        ));
    }
    notes
}

fn view(facts: &ReplayFacts, now: DateTime<Utc>) -> FactsView {
    let decisions = facts.decisions.iter();
    FactsView {
        fingerprint: facts.fingerprint.clone(),
        document: facts.document.as_ref().map(document),
        forbidden: facts.forbidden.clone(),
        unreadable: facts.unreadable.clone(),
        decisions: decisions.map(|d| dry_decision(d, now)).collect(),
        recipients: facts.recipients.iter().map(recipient).collect(),
    }
}

fn document(of: &DocumentToday) -> DocumentView {
    DocumentView {
        kind: of.document.kind.label(),
        number: of.document.number.clone(),
        status: of.document.status.clone(),
        balance: of.document.balance,
        currency: of.document.currency.clone(),
        due: of.document.due_date,
        heard_at: of.heard_at,
    }
}

fn recipient(of: &ReplayRecipient) -> RecipientView {
    let message = &of.message;
    let sender = frozen_sender(&message.sender);
    RecipientView {
        key: of.key.clone(),
        channel: message.channel,
        name: given(message.recipient.clone()),
        address: message.address.clone(),
        rule: given(message.rule_name.clone()),
        answers_to: answers_to(&sender).map(str::to_owned),
        sender,
        content: message.content.clone(),
        refused: of.refused.clone(),
        ticked: of.is_preselected,
        had: of.had.iter().map(had).collect(),
    }
}

fn had(of: &Had) -> HadView {
    HadView {
        event: of.delivery.event,
        event_type: of.event_type,
        state: of.state,
        at: of.updated_at,
        is_rehearsal: of.is_rehearsal,
    }
}
