//! A message as its reader sees it: a phone for an SMS, a sheet for an e-mail.
//!
//! The HTML of an e-mail is never part of a page. Its frames fetch it from an address of its own, where a
//! policy of its own allows styles that stand inside the text; a document inside the page's HTML (`srcdoc`)
//! would be bound by the page's policy, which forbids them.

use maud::{Markup, html};

use crate::domain::content::{Content, EmailContent};
use crate::render::email::{has_pictures, size_warning};
use crate::web::form::FormState;
use crate::web::ui::phone::{self, Length};
use crate::web::ui::tone::Tone;

/// What is shown of a message.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Of its elements, alone on the page.
    pub id: &'a str,
    pub content: &'a Content,
    /// "Acme <billing@acme.example>", or a number.
    pub sender: &'a str,
    /// Where the HTML of an e-mail is served.
    pub document: &'a str,
    /// The page's own address with pictures shown; none while they are.
    pub with_pictures: Option<&'a str>,
}

/// The message.
pub fn preview(of: Shown<'_>) -> Markup {
    match of.content {
        content if content.is_empty() => {
            html! { p class="muted small" { "The text is not kept any more, or could not be made." } }
        }
        Content::Text(text) => phone::preview(of.id, of.sender, text, Length::of(text)),
        Content::Email(email) => self::email(of, email),
    }
}

fn email(of: Shown<'_>, email: &EmailContent) -> Markup {
    let pictures = match of.with_pictures {
        Some(_) => "",
        None => "&pictures=1",
    };
    let joint = if of.document.contains('?') { '&' } else { '?' };
    let frame = |look: &str| format!("{}{joint}look={look}{pictures}", of.document);
    html! {
        div class="email" {
            dl class="facts email-head" {
                dt { "Subject" } dd { bdi { (email.subject) } }
                (size(email))
            }
            (picks(of.id, None))
            @if let Some(page) = of.with_pictures.filter(|_| has_pictures(&email.html)) {
                p class="small" { "Pictures are not loaded. " a href=(page) { "Show pictures" } }
            }
            div class="email-frames" {
                iframe class="email-light" title="The e-mail, by day" sandbox loading="lazy" src=(frame("light")) {}
                iframe class="email-dark" title="The e-mail, by night" sandbox loading="lazy" src=(frame("dark")) {}
            }
            (text_part(&email.text))
        }
    }
}

/// The choices of a frame: how wide, and by day or by night. They work by style alone, unless a form asks for
/// the document.
pub fn picks(id: &str, form: Option<&FormState>) -> Markup {
    let pick = |what: &str, value: &str, words: &str, is_first: bool| {
        let name = format!("{id}-{what}");
        let chosen = form.map_or("", |form| form.value(&name));
        let is_chosen = if chosen.is_empty() {
            is_first
        } else {
            chosen == value
        };
        html! {
            label class="pick" {
                // Those of no form are posted by none.
                input type="radio" form=[form.is_none().then_some("")] name=(name) value=(value) aria-label=(words) checked[is_chosen];
                span { (words) }
            }
        }
    };
    html! {
        div class="email-picks" {
            fieldset { legend class="visually-hidden" { "How wide" }
                (pick("width", "narrow", "Phone", true)) (pick("width", "wide", "Computer", false)) }
            fieldset { legend class="visually-hidden" { "How bright" }
                (pick("look", "light", "Light", true)) (pick("look", "dark", "Dark", false)) }
        }
    }
}

/// How large it is, with what goes wrong above Gmail's bound.
pub fn size(of: &EmailContent) -> Markup {
    let kilobytes = of.html.len().div_ceil(1024);
    html! {
        dt { "Size" }
        dd {
            (kilobytes) " KB"
            @if let Some(warning) = size_warning(of) { p class="small" { (Tone::Needs.shape()) " " (warning) } }
        }
    }
}

/// What those read whose program shows no HTML.
pub fn text_part(text: &str) -> Markup {
    html! {
        details class="more" {
            summary { "As plain text" }
            pre class="raw" tabindex="0" { (text) }
        }
    }
}

/// A document for a frame that has no e-mail to show, and says why.
pub fn note(words: &str) -> String {
    let style =
        "body{margin:24px;color:#5a606a;background:#fff;font:15px/1.5 system-ui,sans-serif}";
    let page = html! {
        (maud::DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Preview" } style { (style) } }
            body { p { (words) } }
        }
    };
    page.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(content: &Content, with_pictures: Option<&str>) -> String {
        let of = Shown {
            id: "m1",
            content,
            sender: "Acme <a@acme.example>",
            document: "/t/acme/deliveries/1/email",
            with_pictures,
        };
        preview(of).into_string()
    }

    fn email(html: &str) -> Content {
        Content::Email(EmailContent {
            subject: "<b>Hi</b>".to_owned(),
            text: "Hello <you>".to_owned(),
            html: html.to_owned(),
            attachments: Vec::new(),
        })
    }

    #[test]
    fn an_email_stands_in_frames_that_may_nothing() {
        let html = shown(
            &email("<p onclick=x><img src=a></p>"),
            Some("/e?pictures=1"),
        );
        assert!(
            !html.contains("onclick") && !html.contains("srcdoc"),
            "{html}"
        );
        assert_eq!(html.matches("<iframe").count(), 2);
        assert_eq!(html.matches(" sandbox ").count(), 2);
        assert!(!html.contains("allow-"), "{html}");
        assert!(html.contains("/email?look=dark\""), "{html}");
        assert!(html.contains("href=\"/e?pictures=1\""), "{html}");
        assert!(html.contains("Hello &lt;you&gt;"), "{html}");
        let html = shown(&email("<img src=a>"), None);
        assert!(html.contains("look=light&amp;pictures=1") && !html.contains("Show pictures"));
        assert!(!shown(&email("<p>"), Some("/e")).contains("Show pictures"));
    }

    #[test]
    fn only_an_sms_costs_messages() {
        let text = shown(&Content::Text("Hello".to_owned()), None);
        assert!(text.contains("Costs 1 message"));
        assert!(!shown(&email("<p>Hello</p>"), None).contains("Costs"));
        assert!(shown(&Content::Text(String::new()), None).contains("not kept"));
    }
}
