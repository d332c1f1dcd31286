//! Rules: the list, the editor, switching, moving and deleting.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::error::PageError;
use super::flash::Told;
use super::{rule_form, rule_sample, rule_templates};
use crate::app::AppError;
use crate::app::rules::RuleSwitches;
use crate::domain::address::Address;
use crate::domain::delivery::Channel;
use crate::domain::event::EventType;
use crate::domain::group::Group;
use crate::domain::ids::RuleId;
use crate::domain::rule::{Conditions, Op, Recipient, Rule, RuleDefinition, RuleSender, Sender};
use crate::domain::user::Ability;
use crate::render::Template;
use crate::web::chrome::Section;
use crate::web::extract::tenant::{Seat, SeatForm};
use crate::web::form::FormState;
use crate::web::pages::rules::{
    ReadyRule, RuleDeletePage, RuleEditPage, RuleEditView, RuleLine, RulesPage,
};
use crate::web::ui::field::Choice;
use crate::web::ui::rule_sentence::RuleSentence;

/// `GET /t/{tenant}/rules`.
pub(super) async fn list(seat: Seat) -> Result<HttpResponse, PageError> {
    let tenant = seat.tenant();
    let rules = seat
        .ask(|app| async move { app.rules(tenant).await })
        .await?;
    let page = RulesPage {
        chrome: seat.chrome(Section::Rules).await?,
        rules: rules.iter().map(|rule| line(rule, &[])).collect(),
    };
    seat.page(StatusCode::OK, &page)
}

/// `GET /t/{tenant}/rules/new`.
pub(super) async fn new(seat: Seat) -> Result<HttpResponse, PageError> {
    seat.require(Ability::EditRules)?;
    let query = seat.query();
    let wanted = query.iter().find(|(n, _)| n == "ready");
    let ready = wanted.and_then(|(_, key)| rule_templates::find(key));
    let form = rule_form::empty();
    let form = match ready {
        Some(ready) => {
            let own_number = seat.who.session.user.phone.as_deref();
            ready.fill(form, &seat.member.tenant.name, own_number)
        }
        None => form,
    };
    editor(&seat, None, form, StatusCode::OK).await
}

/// `POST /t/{tenant}/rules`.
pub(super) async fn create(posted: SeatForm) -> Result<HttpResponse, PageError> {
    save(posted, None).await
}

/// `GET /t/{tenant}/rules/{rule}`.
pub(super) async fn edit(seat: Seat) -> Result<HttpResponse, PageError> {
    let id: RuleId = seat.id("rule")?;
    let rule = find(&seat, id).await?;
    editor(&seat, Some(id), rule_form::of(&rule), StatusCode::OK).await
}

/// `POST /t/{tenant}/rules/{rule}`.
pub(super) async fn update(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let id: RuleId = posted.seat.id("rule")?;
    save(posted, Some(id)).await
}

async fn save(posted: SeatForm, id: Option<RuleId>) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::EditRules)?;
    let typed = rule_form::read(&form);
    let switches = RuleSwitches {
        enabled: Some(form.state(&[]).ticked("enabled")),
        position: None,
    };
    let (tenant, actor, definition) = (seat.tenant(), seat.actor(), typed.definition.clone());
    let saved = seat
        .ask(|app| async move {
            match id {
                Some(id) => {
                    app.update_rule(tenant, id, &definition, switches, &actor)
                        .await
                }
                None => app.create_rule(tenant, &definition, switches, &actor).await,
            }
        })
        .await;
    match saved {
        Ok(_) => Ok(seat.lead("/rules", Some(Told::RuleSaved))),
        Err(PageError::App(AppError::Invalid(problems))) => {
            let mut state = form.state(&[]);
            typed.refuse(&problems, &mut state);
            editor(&seat, id, state, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Err(error) => Err(error),
    }
}

/// `POST /t/{tenant}/rules/{rule}/activation`.
pub(super) async fn activation(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::EditRules)?;
    let id: RuleId = seat.id("rule")?;
    let (enabled, told) = match form.get("enabled") {
        "1" => (true, Told::RuleOn),
        "0" => (false, Told::RuleOff),
        _ => return Err(PageError::Unreadable),
    };
    let (tenant, actor) = (seat.tenant(), seat.actor());
    seat.ask(|app| async move { app.switch_rule(tenant, id, enabled, &actor).await })
        .await?;
    Ok(seat.lead("/rules", Some(told)))
}

/// `POST /t/{tenant}/rules/{rule}/position`.
pub(super) async fn position(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::EditRules)?;
    let id: RuleId = seat.id("rule")?;
    let up = match form.get("move") {
        "up" => true,
        "down" => false,
        _ => return Err(PageError::Unreadable),
    };
    let (tenant, actor) = (seat.tenant(), seat.actor());
    seat.ask(|app| async move { app.move_rule(tenant, id, up, &actor).await })
        .await?;
    Ok(seat.lead("/rules", None))
}

/// `GET /t/{tenant}/rules/{rule}/deletion/new`.
pub(super) async fn ask_deletion(seat: Seat) -> Result<HttpResponse, PageError> {
    seat.require(Ability::EditRules)?;
    let id: RuleId = seat.id("rule")?;
    let rule = find(&seat, id).await?;
    deletion_page(&seat, &rule, FormState::new(), StatusCode::OK).await
}

/// `POST /t/{tenant}/rules/{rule}/deletion`.
pub(super) async fn deletion(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::EditRules)?;
    let id: RuleId = seat.id("rule")?;
    let rule = find(&seat, id).await?;
    if form.get("name") != rule.definition.name.trim() {
        let mut state = form.state(&[]);
        state.refuse(
            "name",
            "This is not the rule's name. Type it as it stands here.",
        );
        return deletion_page(&seat, &rule, state, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let (tenant, actor) = (seat.tenant(), seat.actor());
    seat.ask(|app| async move { app.delete_rule(tenant, id, &actor).await })
        .await?;
    Ok(seat.lead("/rules", Some(Told::RuleDeleted)))
}

async fn deletion_page(
    seat: &Seat,
    rule: &Rule,
    form: FormState,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    let page = RuleDeletePage {
        chrome: seat.chrome(Section::Rules).await?,
        rule: line(rule, &[]),
        form,
    };
    seat.page(status, &page)
}

async fn find(seat: &Seat, id: RuleId) -> Result<Rule, PageError> {
    let tenant = seat.tenant();
    seat.ask(|app| async move { app.rule(tenant, id).await })
        .await
}

async fn editor(
    seat: &Seat,
    rule: Option<RuleId>,
    form: FormState,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    let tenant = seat.tenant();
    let (offered, longest) = seat
        .ask(|app| async move {
            // A rule that is gone meanwhile is not found, whatever was typed.
            if let Some(id) = rule {
                app.rule(tenant, id).await?;
            }
            let longest = app.longest_party_name(tenant).await?;
            Ok((app.senders(tenant, Channel::Sms).await?, longest))
        })
        .await?;
    let groups: Vec<Group> = Vec::new();
    let chrome = seat.chrome(Section::Rules).await?;
    let kind = form
        .value("event_type")
        .parse()
        .unwrap_or(EventType::InvoiceCreated)
        .document();
    let sample = rule_sample::Sample::of(
        kind,
        &seat.member.tenant.currency,
        chrome.moment(),
        longest.as_deref(),
    );
    let (preview, preview_length) = sample.preview(form.value("template"));
    let ready = rule_templates::READY.iter().map(|r| ReadyRule {
        key: r.key,
        name: r.name,
        words: r.words,
    });
    let view = RuleEditView {
        rule,
        ready: if rule.is_none() && status == StatusCode::OK {
            ready.collect()
        } else {
            Vec::new()
        },
        condition_rows: rule_form::rows(&form) + 2,
        fields: rule_sample::fields(kind, &form),
        operators: Op::ALL
            .map(|op| Choice::new(op.as_str(), op.words()))
            .into(),
        recipients: recipients(&groups),
        senders: senders(offered, form.value("sender")),
        email_senders: vec![Choice::new("default", "The default sender")],
        names: sample.names(),
        warning: Template::warning(form.value("template")),
        counted_with: sample.counted_with(form.value("template")),
        form,
        preview,
        preview_length,
    };
    seat.page(status, &RuleEditPage { chrome, view })
}

/// The document's people, groups, and addresses of the rule's own.
fn recipients(groups: &[Group]) -> Vec<Choice> {
    let mut choices = vec![
        Choice::new("first", "The contact on the document"),
        Choice::new("primary", "Its primary contact"),
        Choice::new("all", "All contact persons on it"),
        Choice::new("approvers", "Those who approve it"),
    ];
    choices.extend(
        groups
            .iter()
            .map(|g| Choice::new(g.id.to_string(), format!("The group {}", g.name))),
    );
    choices.push(Choice::new("fixed", "Always the addresses beside"));
    choices
}

/// The connection's default, what it offers, and whatever the rule has.
fn senders(offered: Vec<Sender>, own: &str) -> Vec<Choice> {
    let mut choices = vec![Choice::new("default", "The default sender")];
    let own = match rule_form::sender_of(own) {
        Some(RuleSender::Own(own)) => Some(own),
        _ => None,
    };
    for sender in offered.into_iter().chain(own) {
        if choices.iter().all(|c| c.value != sender.as_str()) {
            choices.push(Choice::new(sender.as_str(), own_sender_words(&sender)));
        }
    }
    choices
}

/// Whom a rule tells, in words.
fn recipient_words(of: &Recipient, groups: &[Group]) -> String {
    match of {
        Recipient::Contact { who, else_customer } => {
            let other = if *else_customer {
                ", else the customer’s primary contact"
            } else {
                ""
            };
            format!("{}{other}", who.words())
        }
        Recipient::Fixed(addresses) => {
            let all: Vec<String> = addresses.iter().map(address_words).collect();
            all.join(", ")
        }
        Recipient::Group(id) => {
            let group = groups.iter().find(|g| g.id == *id);
            group.map_or_else(|| "a group that is gone".to_owned(), |g| g.name.clone())
        }
        Recipient::Approvers => "those who approve the document".to_owned(),
    }
}

fn address_words(of: &Address) -> String {
    match of {
        Address::Phone(number) => number.grouped(),
        Address::Email(email) => email.to_string(),
    }
}

/// From what a rule sends, in words.
fn sender_words(of: &RuleDefinition) -> String {
    match &of.sender {
        Some(RuleSender::Own(own)) => own_sender_words(own),
        Some(RuleSender::Kept(_)) => "a sender of its own".to_owned(),
        None if of.email_sender.is_some() => "a sender of its own".to_owned(),
        None => "the default sender".to_owned(),
    }
}

/// What a message goes out from, as it bears it.
pub(super) fn frozen_sender_words(frozen: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Mailbox {
        address: String,
        name: String,
    }
    if let Ok(Mailbox { address, name }) = serde_json::from_str(frozen) {
        return format!("{name} <{address}>");
    }
    let own: Option<Sender> = serde_json::from_str(frozen).ok();
    let words = own.as_ref().map(own_sender_words);
    words.unwrap_or_else(|| "the default sender".to_owned())
}

fn own_sender_words(of: &Sender) -> String {
    match of {
        Sender::From(from) => from.clone(),
        Sender::MessagingService(sid) => format!("Messaging Service {sid}"),
    }
}

fn line(of: &Rule, groups: &[Group]) -> RuleLine {
    let definition = &of.definition;
    let conditions = definition.conditions.list().iter();
    let conditions = conditions.map(|c| c.words(&definition.conditions));
    RuleLine {
        id: of.id,
        name: definition.name.clone(),
        sentence: RuleSentence {
            event_type: definition.event_type,
            conditions: conditions.collect(),
            all: matches!(definition.conditions, Conditions::All(_)),
            channel: definition.channel,
            recipient: recipient_words(&definition.recipient, groups),
            sender: sender_words(definition),
        },
        warning: Template::warning(&definition.template.body),
        template: definition.template.body.clone(),
        enabled: of.enabled,
    }
}
