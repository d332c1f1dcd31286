//! The editor's previews: what a rule that is not saved yet would say about a made-up document.
//!
//! Without a script the button posts the form into the frame, and the page is drawn again by another one;
//! with a script both happen while typing.

use std::collections::BTreeMap;

use actix_web::HttpResponse;

use crate::app::accounts::throttle::Gate;
use crate::app::rules::MessageSettings;
use crate::domain::bank_details::in_force;
use crate::domain::content::EmailContent;
use crate::domain::delivery::Channel;
use crate::domain::event::EventType;
use crate::domain::ids::RuleId;
use crate::domain::rule::{EmailSource, Sender, Who};
use crate::render::email::{EmailTemplate, Reader, Surroundings};
use crate::web::areas::email_document::{self, Appearance};
use crate::web::areas::entrance;
use crate::web::areas::error::PageError;
use crate::web::areas::rules::choices::email_sender;
use crate::web::areas::rules::form;
use crate::web::areas::rules::page::EmailPreview;
use crate::web::areas::rules::ready;
use crate::web::areas::rules::sample::Sample;
use crate::web::extract::ability::{EditRules, View};
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};
use crate::web::form::FormState;
use crate::web::ui::content::note;
use crate::web::ui::time::Moment;

/// What the editor needs of the tenant.
pub(in crate::web) struct Kept {
    pub(in crate::web) settings: MessageSettings,
    /// What the connection sends SMS from.
    pub(in crate::web) offered: Vec<Sender>,
    /// The longest name among the customers.
    longest: Option<String>,
}

impl Kept {
    /// Reads it; a rule that is gone meanwhile is not found.
    pub(in crate::web) async fn read(
        request: &TenantContext,
        rule: Option<RuleId>,
    ) -> Result<Self, PageError> {
        let tenant = request.tenant();
        request
            .ask(|app| async move {
                if let Some(id) = rule {
                    app.rule(tenant, id).await?;
                }
                Ok(Self {
                    settings: app.message_settings(tenant).await?,
                    offered: app.senders(tenant, Channel::Sms).await?,
                    longest: app.longest_party_name(tenant).await?,
                })
            })
            .await
    }

    /// The document that the texts of a form are filled in with.
    pub(in crate::web) fn sample(&self, request: &TenantContext, form: &FormState) -> Sample {
        let tenant = &request.member.tenant;
        let event_type: EventType = form
            .value("event_type")
            .parse()
            .unwrap_or(EventType::InvoiceCreated);
        let moment = Moment {
            zone: tenant.zone,
            now: request.who.app.now(),
        };
        let longest = self.longest.as_deref();
        Sample::of(event_type.document(), &tenant.currency, moment, longest)
    }

    /// The e-mail of a form; or what is wrong with it.
    pub(in crate::web) fn email(&self, request: &TenantContext, form: &FormState) -> EmailPreview {
        let source = source(form);
        let sender = email_sender(&self.settings.senders, form.value("email_sender"));
        let answers_to = sender.map(|s| s.address.as_str().to_owned());
        let is_begun = !source.subject.trim().is_empty() || !source.body.trim().is_empty();
        EmailPreview {
            warnings: EmailTemplate::warnings(&source),
            shown: is_begun.then(|| self.filled(request, form, &source, answers_to.as_deref())),
            answers_to,
        }
    }

    fn filled(
        &self,
        request: &TenantContext,
        form: &FormState,
        source: &EmailSource,
        answers_to: Option<&str>,
    ) -> Result<EmailContent, String> {
        let (app, tenant) = (&request.who.app, &request.member.tenant);
        let sample = self.sample(request, form);
        let template = EmailTemplate::parse(source, sample.kind()).map_err(|e| e.to_string())?;
        let settings = &self.settings;
        let brand = settings
            .brand
            .brand(&tenant.name, &app.public_url().origin());
        let details = in_force(&settings.bank_details, &tenant.currency, app.now());
        let details = details.map(|d| (tenant.currency.clone(), d.text.clone()));
        let bank_details: BTreeMap<String, String> = details.into_iter().collect();
        let around = Surroundings {
            brand: &brand,
            signature: &settings.brand.signature,
            bank_details: &bank_details,
            answers_to,
            reader: if Who::parse(form.value("recipient")).is_some() {
                Reader::Contact
            } else {
                Reader::Named
            },
            stop_link: None,
            language: "en",
            pay_hosts: &[],
        };
        let email = template.render(&sample.facts(), &around);
        email.map_err(|e| format!("It could not be filled in: {e}."))
    }
}

fn source(form: &FormState) -> EmailSource {
    let typed = |name: &str| form.value(name).replace("\r\n", "\n");
    EmailSource {
        subject: typed("email_subject"),
        preview: typed("email_preview"),
        body: typed("email_body"),
    }
}

/// Each preview is rendered anew, so that nobody asks for as many as they like.
pub(in crate::web) async fn admit(request: &TenantContext) -> Result<(), PageError> {
    let account = request.who.session.user.id.to_string();
    entrance::handlers::admit(&request.who.app, request.http(), Gate::Preview, &account).await
}

/// `POST /t/{tenant}/rules/preview/email`: the e-mail of what is typed, for a frame.
pub(in crate::web) async fn typed(
    posted: TenantForm<EditRules>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let look = form.get("preview-look").to_owned();
    shown(&request, None, &form.state(&[]), &look).await
}

/// `GET /t/{tenant}/rules/new/email?ready=&look=`: the e-mail of a ready rule, for a frame.
pub(in crate::web) async fn ready(
    request: TenantRequest<EditRules>,
) -> Result<HttpResponse, PageError> {
    let form = match ready::find(&request.asked("ready")) {
        Some(ready) => ready.fill(&request.member.tenant.name, None, &[]),
        None => form::empty(),
    };
    shown(&request, None, &form, &request.asked("look")).await
}

/// `GET /t/{tenant}/rules/{rule}/email?look=`: the e-mail of a rule as it is saved, for a frame.
pub(in crate::web) async fn saved(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    let (tenant, id): (_, RuleId) = (request.tenant(), request.id("rule")?);
    let rule = request
        .ask(|app| async move { app.rule(tenant, id).await })
        .await?;
    let form = form::of(&rule);
    shown(&request, Some(id), &form, &request.asked("look")).await
}

async fn shown(
    request: &TenantContext,
    rule: Option<RuleId>,
    form: &FormState,
    look: &str,
) -> Result<HttpResponse, PageError> {
    let url = request.who.app.public_url();
    match admit(request).await {
        Err(PageError::TooMany) => {
            let why =
                "That were many previews. Wait a quarter of an hour; what you type is not lost.";
            return Ok(email_document::answer(note(why), false, url));
        }
        admitted => admitted?,
    }
    let kept = Kept::read(request, rule).await?;
    Ok(match kept.email(request, form).shown {
        Some(Ok(email)) => {
            let look = Appearance {
                scheme: email_document::scheme(look),
                has_pictures: true,
            };
            email_document::of_email(&email, look, url)
        }
        Some(Err(why)) => email_document::answer(note(&why), false, url),
        None => {
            let why = "Type a subject and a text; the e-mail appears here.";
            email_document::answer(note(why), false, url)
        }
    })
}
