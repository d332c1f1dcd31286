//! Rules: the list, where each reads as a sentence, and the editor.

use std::borrow::Borrow;

use askama::Template;
use maud::{Markup, html};

use crate::domain::content::EmailContent;
use crate::domain::event::EventType;
use crate::domain::ids::{GroupId, RuleId};
use crate::domain::rule::RuleChannel;
use crate::domain::user::Ability;
use crate::render::email::EmailBlock;
use crate::web::areas::words;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::confirm::act;
use crate::web::ui::empty::{Drawing, empty};
use crate::web::ui::field::{self, Choice, field};
use crate::web::ui::figure::counted;
use crate::web::ui::phone::Length;
use crate::web::ui::rule_sentence::{RuleSentence, sentence};
use crate::web::ui::tone::Tone;
use crate::web::ui::{badge, content, filters, icon, notice, phone};

/// `GET /t/{tenant}/rules`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rules/index.html")]
pub struct RulesPage {
    pub chrome: Chrome,
    /// In the order in which they are asked.
    pub rules: Vec<RuleLine>,
}

/// One rule of the list.
#[derive(Debug, Clone)]
pub struct RuleLine {
    pub id: RuleId,
    pub name: String,
    pub sentence: RuleSentence,
    /// The source of its SMS, where it sends any.
    pub template: Option<String>,
    /// The source of its e-mails' subject, where it sends any.
    pub subject: Option<String>,
    /// What goes wrong on many phones, in words.
    pub warning: Option<String>,
    pub enabled: bool,
    /// What it lacks to write to anybody.
    pub lacks: Vec<Lack>,
}

/// Why a rule reaches nobody, though it is on.
#[derive(Debug, Clone)]
pub enum Lack {
    /// There is no address that its e-mails come from.
    EmailSender,
    /// Its group has nobody who is on.
    People(GroupId, String),
}

impl RulesPage {
    fn warned(warning: &str) -> Markup {
        notice::notice(Tone::Needs, &html! { (warning) })
    }

    /// What is lacking, with the page where it is mended.
    fn lacking(&self, lack: &Lack) -> Markup {
        let words = match lack {
            Lack::EmailSender => html! {
                "No e-mail goes out from it yet: there is no address that they come from. "
                @if self.chrome.may(Ability::Connect) {
                    a href=(self.chrome.path("/senders")) { "Add an address" }
                } @else { "An owner or admin can add one." }
            },
            Lack::People(id, name) => html! {
                "It reaches nobody yet: the group " bdi { (name) } " has nobody who is on. "
                a href=(self.chrome.path(&format!("/groups/{id}"))) {
                    @if self.chrome.may(Ability::EditGroups) { "Add people" } @else { "Open the group" }
                }
            },
        };
        notice::notice(Tone::Needs, &words)
    }

    fn sentence(rule: &RuleLine) -> Markup {
        sentence(&rule.sentence)
    }

    fn switch(&self, rule: &RuleLine) -> Markup {
        let action = self.chrome.path(&format!("/rules/{}/activation", rule.id));
        let label = format!(
            "{}: {}",
            rule.name,
            if rule.enabled { "turn off" } else { "turn on" }
        );
        html! {
            @if self.chrome.may(Ability::EditRules) {
                (act(&action, &self.chrome.csrf, &label)
                    .hidden(&[("enabled", if rule.enabled { "0" } else { "1" })])
                    .render_switch(rule.enabled))
            } @else {
                (badge::state(if rule.enabled { Tone::Ok } else { Tone::Quiet },
                    if rule.enabled { "On" } else { "Off" }))
            }
        }
    }

    fn movers(&self, at: impl Borrow<usize>) -> Markup {
        let at = *at.borrow();
        let Some(rule) = self.rules.get(at) else {
            return html! {};
        };
        let action = self.chrome.path(&format!("/rules/{}/position", rule.id));
        let mover = |to: &'static str, word: &str, drawing: Markup, last: bool| {
            act(&action, &self.chrome.csrf, word)
                .class("button quiet icon")
                .hidden(&[("move", to)])
                .render_icon(&drawing, last)
        };
        html! {
            @if self.chrome.may(Ability::EditRules) && self.rules.len() > 1 {
                (mover("up", &format!("Ask {} earlier", rule.name), icon::up(), at == 0))
                (mover("down", &format!("Ask {} later", rule.name), icon::down(), at + 1 == self.rules.len()))
            }
        }
    }

    fn nothing(&self) -> Markup {
        let path = self.chrome.path("/rules/new");
        empty(
            Drawing::Fork,
            "No rule yet",
            "A rule says who gets which message when something happens in Zoho Books. Without one, \
             events are kept and nobody is written to.",
            self.chrome
                .may(Ability::EditRules)
                .then_some(("Write the first rule", path.as_str())),
        )
    }
}

/// `GET /t/{tenant}/rules/new` and `/rules/{rule}`; posts to the same path. Its fields: `name`,
/// `event_type`, `joint` (`all`, `any`), `condition.{n}.field`, `.op`, `.value`, `recipient`
/// (`first`, `primary`, `all`, `fixed`, `approvers`, or a group's id), `addresses`, `else_customer`, `channel`,
/// `sender`, `email_sender`, `template`, `email_subject`, `email_preview`, `email_body`, `send_within` (hours, or
/// seconds as `5400s`), `enabled`. `/rules/preview` shows it again without saving, with `rule` for one that is there
/// already; `/rules/preview/email` answers with the e-mail alone, with `preview-look` (`light`, `dark`).
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rules/edit.html")]
pub struct RuleEditPage {
    pub chrome: Chrome,
    pub view: RuleEditView,
}

/// What the editor shows.
#[derive(Debug, Clone)]
pub struct RuleEditView {
    /// `None` for a new rule.
    pub rule: Option<RuleId>,
    /// Ready rules that fill the form of a new one.
    pub ready: Vec<ReadyRule>,
    pub form: FormState,
    /// How many rows of conditions to show; empty ones are ignored when saving.
    pub condition_rows: usize,
    /// What conditions may ask about.
    pub fields: Vec<Choice>,
    /// How they may compare.
    pub operators: Vec<Choice>,
    /// The document's people, groups, and addresses of the rule's own.
    pub recipients: Vec<Choice>,
    /// The default sender, numbers and messaging services of the connection.
    pub senders: Vec<Choice>,
    pub email_senders: Vec<Choice>,
    /// Whether any e-mail can go out; else what the rule sends waits.
    pub has_email_sender: bool,
    /// The ready rule that fills the form.
    pub chosen: Option<&'static str>,
    pub email: EmailPreview,
    /// Where the e-mail is served that nobody has changed yet; else the frame waits for the form.
    pub email_frame: Option<String>,
    /// The group of a ready rule that the company does not have, and the rule's key.
    pub missing_group: Option<(String, &'static str)>,
    /// The chosen group, where nobody of it gets anything.
    pub empty_group: Option<(GroupId, String)>,
    /// What the text may use.
    pub names: Vec<TemplateName>,
    /// The text filled in with sample values.
    pub preview: String,
    pub preview_length: Length,
    /// What the length was counted with: "Counted with a payment link of 200 characters."
    pub counted_with: Option<String>,
    /// What goes wrong on many phones, in words.
    pub warning: Option<String>,
}

/// The e-mail of a form, filled in with sample values.
#[derive(Debug, Clone)]
pub struct EmailPreview {
    /// Or what is wrong with it; none while nothing is typed.
    pub shown: Option<Result<EmailContent, String>>,
    /// Where answers go, once there is a sender.
    pub answers_to: Option<String>,
    /// What goes wrong though it may be saved, in words.
    pub warnings: Vec<String>,
}

/// A ready rule, as a link that fills the form.
#[derive(Debug, Clone, Copy)]
pub struct ReadyRule {
    pub key: &'static str,
    pub name: &'static str,
    /// What it does.
    pub words: &'static str,
    pub channel: RuleChannel,
}

/// A name that a text may use, with the value it has in the preview.
#[derive(Debug, Clone)]
pub struct TemplateName {
    pub name: String,
    pub sample: String,
}

impl RuleEditPage {
    fn title(&self) -> &'static str {
        if self.view.rule.is_some() {
            "Edit rule"
        } else {
            "New rule"
        }
    }

    fn action(&self) -> String {
        match self.view.rule {
            Some(rule) => self.chrome.path(&format!("/rules/{rule}")),
            None => self.chrome.path("/rules"),
        }
    }

    fn event_types() -> Vec<Choice> {
        EventType::ALL
            .iter()
            .copied()
            .map(|t| Choice::new(t.as_str(), words::capital(t.label())))
            .collect()
    }

    /// "SMS", "E-mail".
    fn sends(of: &ReadyRule) -> String {
        let words = of.channel.label();
        let noun = words.trim_start_matches("an ");
        words::capital(noun)
    }

    fn joints() -> Vec<Choice> {
        vec![
            Choice::new("all", "All of these must hold"),
            Choice::new("any", "Any one of these must hold"),
        ]
    }

    fn joint(&self) -> Markup {
        html! {
            select class="control" name="joint" id="f-joint" aria-label="How many conditions must hold" {
                (field::options(&Self::joints(), self.view.form.value("joint")))
            }
        }
    }

    fn channels() -> Vec<Choice> {
        RuleChannel::ALL
            .iter()
            .copied()
            .map(|c| Choice::new(c.as_str(), words::capital(c.label())))
            .collect()
    }

    /// The usual spans, and the rule's own where it is none of these.
    fn windows(&self) -> Vec<Choice> {
        let mut windows: Vec<Choice> = [
            ("1", "1 hour"),
            ("4", "4 hours"),
            ("24", "24 hours"),
            ("72", "3 days"),
            ("168", "7 days"),
        ]
        .map(|(value, text)| Choice::new(value, text))
        .into();
        let own = self.view.form.value("send_within");
        if windows.iter().all(|w| w.value != own)
            && let Some(seconds) = own.strip_suffix('s').and_then(|s| s.parse::<u64>().ok())
        {
            let words = if seconds % 60 == 0 {
                counted(seconds / 60, "minute", "minutes")
            } else {
                counted(seconds, "second", "seconds")
            };
            windows.push(Choice::new(own, words));
        }
        windows
    }

    fn condition(&self, row: impl Borrow<usize>) -> Markup {
        let row = *row.borrow();
        let form = &self.view.form;
        let name = |part: &str| format!("condition.{row}.{part}");
        let invalid = |name: &str| form.error(name).map(|_| "true");
        let described = |name: &str| {
            form.error(name)
                .map(|_| format!("{}-error", field::id(name)))
        };
        let control = |part: &str, choices: &[Choice], label: &str| {
            let name = name(part);
            html! {
                select class="control" name=(name) id=(field::id(&name))
                    aria-label={ "Condition " (row + 1) ": " (label) }
                    aria-invalid=[invalid(&name)] aria-describedby=[described(&name)] {
                    (field::options(choices, form.value(&name)))
                }
            }
        };
        let value = name("value");
        let mut fields = vec![Choice::new("", "No condition")];
        fields.extend(self.view.fields.iter().cloned());
        html! {
            div class={ "condition field" @if self.is_wrong(row) { " wrong" } } {
                (control("field", &fields, "field"))
                (control("op", &self.view.operators, "comparison"))
                input class="control" name=(value) id=(field::id(&value)) value=(form.value(&value))
                    autocomplete="off" aria-label={ "Condition " (row + 1) ": value" }
                    aria-invalid=[invalid(&value)] aria-describedby=[described(&value)];
                @for part in ["field", "op", "value"] {
                    @if let Some(why) = form.error(&name(part)) { (field::error(&field::id(&name(part)), why)) }
                }
            }
        }
    }

    fn is_wrong(&self, row: usize) -> bool {
        ["field", "op", "value"].iter().any(|part| {
            self.view
                .form
                .error(&format!("condition.{row}.{part}"))
                .is_some()
        })
    }

    fn warned(warning: &str) -> Markup {
        notice::notice(Tone::Needs, &html! { (warning) })
    }

    /// What a block of an e-mail stands for.
    fn blocks() -> Markup {
        html! {
            dl class="facts small" {
                @for block in EmailBlock::ALL {
                    dt { code { "[[" (block.name()) "]]" } } dd { (block.label()) }
                }
            }
        }
    }

    /// The rule's group is missing, or nobody is in it: the way to mend that.
    fn group_wanted(&self) -> Markup {
        if let Some((id, name)) = &self.view.empty_group {
            let group = self.chrome.path(&format!("/groups/{id}"));
            let words = html! { b { (name) } " has nobody who is on. Save the rule, then "
            a href=(group) { "add people to " (name) } "." };
            return notice::notice(Tone::Needs, &words);
        }
        let Some((name, key)) = &self.view.missing_group else {
            return html! {};
        };
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("name", name)
            .append_pair("ready", key)
            .finish();
        let add = self.chrome.path(&format!("/groups?{query}"));
        let back = self.chrome.path(&format!("/rules/new?ready={key}"));
        notice::notice(
            Tone::Needs,
            &html! {
                p { "This rule tells your group " b { (name) } ", which you do not have yet." }
                p { a class="button" href=(add) { "Add the group " (name) }
                    " " a class="button quiet" href=(back) { "I have added it" } }
            },
        )
    }

    /// No e-mail can go out yet: the way to mend that, and back where nothing was typed yet.
    fn sender_wanted(&self) -> Markup {
        let sends = self.view.form.value("channel") != RuleChannel::Sms.as_str();
        if self.view.has_email_sender || (self.view.chosen.is_some() && !sends) {
            return html! {};
        }
        let none = "No e-mail can go out yet: there is no address that they come from.";
        let words = html! {
            @if let Some(key) = self.view.chosen {
                p { (none) }
                p { a class="button" href=(self.chrome.path(&format!("/senders?ready={key}"))) { "Add an address" } }
            } @else {
                (none) " Save the rule; then the list of rules leads you to it."
            }
        };
        notice::notice(Tone::Needs, &words)
    }

    /// What the e-mail is, beside its frame.
    fn email_facts(&self) -> Markup {
        let email = &self.view.email;
        html! {
            dl class="facts email-head" {
                @if let Some(Ok(shown)) = &email.shown {
                    dt { "Subject" } dd { bdi { (shown.subject) } }
                    (content::size(shown))
                }
                @if let Some(address) = &email.answers_to {
                    dt { "Answers go to" } dd { bdi { (address) } }
                }
            }
            @if let Some(Err(why)) = &email.shown {
                (notice::notice(Tone::Failed, &html! { (words::capital(why)) }))
            }
            @for warning in &email.warnings { (Self::warned(warning)) }
            @if let Some(Ok(shown)) = &email.shown { (content::text_part(&shown.text)) }
        }
    }

    /// How it is looked at, and the frame.
    fn email_frame(&self) -> Markup {
        let src = self.view.email_frame.as_deref();
        html! {
            (content::picks("preview", Some(&self.view.form)))
            div class="email-frames" id="email-frames" data-stale[src.is_none()] {
                iframe name="email-preview" title="The e-mail with sample values" sandbox src=[src] {}
            }
        }
    }

    fn phone(&self) -> Markup {
        let sender = self
            .view
            .senders
            .iter()
            .find(|s| s.value == self.view.form.value("sender"));
        let sender = sender.filter(|s| s.value != "default");
        let from = sender.map_or("Your number", |s| s.words.as_str());
        phone::preview(
            "preview",
            from,
            &self.view.preview,
            self.view.preview_length,
        )
    }
}

/// `GET /t/{tenant}/rules/{rule}/deletion/new`; posts to `/rules/{rule}/deletion`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rules/delete.html")]
pub struct RuleDeletePage {
    pub chrome: Chrome,
    pub rule: RuleLine,
    /// Deleting asks for the rule's name, posted as `name`.
    pub form: FormState,
}
