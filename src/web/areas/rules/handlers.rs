//! Rules: the list, the editor, switching, moving and deleting.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::app::AppError;
use crate::app::rules::MessageSettings;
use crate::app::rules::RuleSwitches;
use crate::domain::delivery::Channel;
use crate::domain::ids::RuleId;
use crate::domain::rule::{Conditions, Op, Recipient, Rule};
use crate::domain::sender::SenderAddress;
use crate::render::Template;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::rules::page::{
    Lack, RuleDeletePage, RuleEditPage, RuleEditView, RuleLine, RulesPage,
};
use crate::web::areas::rules::preview::Kept;
use crate::web::areas::rules::{choices, form, preview, ready, sample, words};
use crate::web::chrome::Section;
use crate::web::extract::ability::{EditRules, View};
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};
use crate::web::form::FormState;
use crate::web::ui::field::Choice;
use crate::web::ui::rule_sentence::RuleSentence;

/// `GET /t/{tenant}/rules`.
pub(in crate::web) async fn list(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let (rules, kept) = request
        .ask(|app| async move {
            Ok((
                app.rules(tenant).await?,
                app.message_settings(tenant).await?,
            ))
        })
        .await?;
    let page = RulesPage {
        chrome: request.chrome(Section::Rules).await?,
        rules: rules
            .iter()
            .map(|rule| RuleLine {
                lacks: lacks(rule, &kept, request.who.app.is_sandboxed()),
                ..line(rule, &kept)
            })
            .collect(),
    };
    request.page(StatusCode::OK, &page)
}

/// `GET /t/{tenant}/rules/new`.
pub(in crate::web) async fn new(
    request: TenantRequest<EditRules>,
) -> Result<HttpResponse, PageError> {
    let ready = ready::find(&request.asked("ready"));
    let form = match ready {
        Some(ready) => {
            let tenant = request.tenant();
            let kept = request
                .ask(|app| async move { app.message_settings(tenant).await })
                .await?;
            let own_number = request.who.session.user.phone.as_deref();
            ready.fill(&request.member.tenant.name, own_number, &kept.groups)
        }
        None => form::empty(),
    };
    editor(&request, None, form, Shown::Fresh).await
}

/// `POST /t/{tenant}/rules`.
pub(in crate::web) async fn create(
    posted: TenantForm<EditRules>,
) -> Result<HttpResponse, PageError> {
    save(posted, None).await
}

/// `GET /t/{tenant}/rules/{rule}`.
pub(in crate::web) async fn edit(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    let id: RuleId = request.id("rule")?;
    let rule = find(&request, id).await?;
    editor(&request, Some(id), form::of(&rule), Shown::Fresh).await
}

/// `POST /t/{tenant}/rules/{rule}`.
pub(in crate::web) async fn update(
    posted: TenantForm<EditRules>,
) -> Result<HttpResponse, PageError> {
    let id: RuleId = posted.request.id("rule")?;
    save(posted, Some(id)).await
}

async fn save(
    posted: TenantForm<EditRules>,
    id: Option<RuleId>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let typed = form::read(&form);
    let switches = RuleSwitches {
        enabled: Some(form.state(&[]).ticked("enabled")),
        position: None,
    };
    let (tenant, actor, definition) = (request.tenant(), request.actor(), typed.definition.clone());
    let saved = request
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
        Ok(_) => Ok(request.redirect_to("/rules", Some(Told::RuleSaved))),
        Err(PageError::App(AppError::Invalid(problems))) => {
            let mut state = form.state(&[]);
            typed.refuse(&problems, &mut state);
            editor(&request, id, state, Shown::Refused).await
        }
        Err(error) => Err(error),
    }
}

/// `POST /t/{tenant}/rules/{rule}/activation`.
pub(in crate::web) async fn activation(
    posted: TenantForm<EditRules>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: RuleId = request.id("rule")?;
    let (enabled, told) = match form.get("enabled") {
        "1" => (true, Told::RuleOn),
        "0" => (false, Told::RuleOff),
        _ => return Err(PageError::Unreadable),
    };
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(|app| async move { app.switch_rule(tenant, id, enabled, &actor).await })
        .await?;
    Ok(request.redirect_to("/rules", Some(told)))
}

/// `POST /t/{tenant}/rules/{rule}/position`.
pub(in crate::web) async fn position(
    posted: TenantForm<EditRules>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: RuleId = request.id("rule")?;
    let up = match form.get("move") {
        "up" => true,
        "down" => false,
        _ => return Err(PageError::Unreadable),
    };
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(|app| async move { app.move_rule(tenant, id, up, &actor).await })
        .await?;
    Ok(request.redirect_to("/rules", None))
}

/// `GET /t/{tenant}/rules/{rule}/deletion/new`.
pub(in crate::web) async fn ask_deletion(
    request: TenantRequest<EditRules>,
) -> Result<HttpResponse, PageError> {
    let id: RuleId = request.id("rule")?;
    let rule = find(&request, id).await?;
    deletion_page(&request, &rule, FormState::new(), StatusCode::OK).await
}

/// `POST /t/{tenant}/rules/{rule}/deletion`.
pub(in crate::web) async fn deletion(
    posted: TenantForm<EditRules>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: RuleId = request.id("rule")?;
    let rule = find(&request, id).await?;
    if form.get("name") != rule.definition.name.trim() {
        let mut state = form.state(&[]);
        state.refuse(
            "name",
            "This is not the rule's name. Type it as it stands here.",
        );
        return deletion_page(&request, &rule, state, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(|app| async move { app.delete_rule(tenant, id, &actor).await })
        .await?;
    Ok(request.redirect_to("/rules", Some(Told::RuleDeleted)))
}

async fn deletion_page(
    request: &TenantContext,
    rule: &Rule,
    form: FormState,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let kept = request
        .ask(|app| async move { app.message_settings(tenant).await })
        .await?;
    let page = RuleDeletePage {
        chrome: request.chrome(Section::Rules).await?,
        rule: line(rule, &kept),
        form,
    };
    request.page(status, &page)
}

async fn find(request: &TenantContext, id: RuleId) -> Result<Rule, PageError> {
    let tenant = request.tenant();
    request
        .ask(|app| async move { app.rule(tenant, id).await })
        .await
}

/// What leads to the editor's page.
enum Shown {
    /// Nothing was typed yet.
    Fresh,
    /// Typed, and shown again with its previews.
    Typed,
    /// Typed, and refused.
    Refused,
}

async fn editor(
    request: &TenantContext,
    rule: Option<RuleId>,
    form: FormState,
    shown: Shown,
) -> Result<HttpResponse, PageError> {
    let kept = Kept::read(request, rule).await?;
    let chrome = request.chrome(Section::Rules).await?;
    let sample = kept.sample(request, &form);
    let (preview, preview_length) = sample.preview(form.value("template"));
    let ready = ready::find(&request.asked("ready"));
    let is_new = rule.is_none() && matches!(shown, Shown::Fresh);
    let is_sandboxed = request.who.app.is_sandboxed();
    let senders = &kept.settings.senders;
    let view = RuleEditView {
        rule,
        ready: if is_new {
            ready::list().collect()
        } else {
            Vec::new()
        },
        email_frame: match (rule, ready, &shown) {
            (_, _, Shown::Typed | Shown::Refused) => None,
            (Some(id), _, Shown::Fresh) => Some(chrome.path(&format!("/rules/{id}/email"))),
            (None, Some(ready), Shown::Fresh) => {
                Some(chrome.path(&format!("/rules/new/email?ready={}", ready.key)))
            }
            (None, None, Shown::Fresh) => Some(chrome.path("/rules/new/email")),
        },
        missing_group: ready
            .filter(|_| is_new)
            .and_then(|ready| Some((ready.missing_group(&kept.settings.groups)?, ready.key)))
            .map(|(name, key)| (name.to_owned(), key)),
        empty_group: kept
            .settings
            .groups
            .iter()
            .find(|g| g.on() == 0 && g.id.to_string() == form.value("recipient"))
            .map(|g| (g.id, g.name.clone())),
        has_email_sender: has_email_sender(&kept.settings, is_sandboxed),
        chosen: ready.filter(|_| is_new).map(|ready| ready.key),
        email: kept.email(request, &form),
        condition_rows: form::rows(&form) + 2,
        fields: sample::fields(sample.kind(), &form),
        operators: Op::ALL
            .iter()
            .copied()
            .map(|op| Choice::new(op.as_str(), op.label()))
            .collect(),
        recipients: choices::recipients(&kept.settings.groups, form.value("recipient")),
        email_senders: choices::email_senders(senders, is_sandboxed, form.value("email_sender")),
        senders: choices::sms_senders(senders, kept.offered, form.value("sender")),
        names: sample.names(),
        warning: Template::warning(form.value("template")),
        counted_with: sample.counted_with(form.value("template")),
        form,
        preview,
        preview_length,
    };
    let status = match shown {
        Shown::Fresh | Shown::Typed => StatusCode::OK,
        Shown::Refused => StatusCode::UNPROCESSABLE_ENTITY,
    };
    request.page(status, &RuleEditPage { chrome, view })
}

/// `POST /t/{tenant}/rules/preview`: the editor again with its previews; nothing is saved.
pub(in crate::web) async fn preview(
    posted: TenantForm<EditRules>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    preview::admit(&request).await?;
    let rule: Option<RuleId> = form.get("rule").parse().ok();
    editor(&request, rule, form.state(&[]), Shown::Typed).await
}

fn line(of: &Rule, kept: &MessageSettings) -> RuleLine {
    let definition = &of.definition;
    let conditions = definition.conditions.list().iter();
    let conditions = conditions.map(|c| c.label(&definition.conditions));
    let uses = |channel| definition.channel.uses(channel);
    let email = definition.template.email.as_ref();
    RuleLine {
        id: of.id,
        name: definition.name.clone(),
        sentence: RuleSentence {
            event_type: definition.event_type,
            conditions: conditions.collect(),
            all: matches!(definition.conditions, Conditions::All(_)),
            channel: definition.channel,
            recipient: words::recipient(&definition.recipient, &kept.groups),
            sender: words::senders(definition, kept),
        },
        warning: Template::warning(&definition.template.body),
        template: uses(Channel::Sms).then(|| definition.template.body.clone()),
        subject: email
            .filter(|_| uses(Channel::Email))
            .map(|e| e.subject.clone()),
        enabled: of.enabled,
        lacks: Vec::new(),
    }
}

/// What keeps a rule that is on from writing to anybody.
fn lacks(of: &Rule, kept: &MessageSettings, is_sandboxed: bool) -> Vec<Lack> {
    let definition = &of.definition;
    let mut lacks = Vec::new();
    if !of.enabled {
        return lacks;
    }
    if definition.channel.uses(Channel::Email) && !has_email_sender(kept, is_sandboxed) {
        lacks.push(Lack::EmailSender);
    }
    if let Recipient::Group(id) = definition.recipient {
        let group = kept.groups.iter().find(|g| g.id == id && g.on() == 0);
        lacks.extend(group.map(|g| Lack::People(id, g.name.clone())));
    }
    lacks
}

/// Whether there is an address that e-mails may come from.
fn has_email_sender(kept: &MessageSettings, is_sandboxed: bool) -> bool {
    let mut emails = kept
        .senders
        .iter()
        .filter(|s| matches!(s.address, SenderAddress::Email(_)));
    emails.any(|s| s.is_usable(is_sandboxed))
}
