//! A sentence that must be seen: flashes, refused forms, banners.

use maud::{Markup, html};

use crate::domain::provider::Providers;
use crate::domain::user::Ability;
use crate::web::chrome::{Banner, Chrome, Flash, FlashKind};
use crate::web::form::FormState;
use crate::web::ui::field;
use crate::web::ui::time;
use crate::web::ui::tone::Tone;

/// A boxed sentence with its shape.
pub fn notice(tone: Tone, content: &Markup) -> Markup {
    html! {
        div class={ "notice " (tone.class()) } { (tone.shape()) div { (content) } }
    }
}

/// What the last action did.
pub fn flash(of: &Flash) -> Markup {
    let (tone, role) = match of.kind {
        FlashKind::Done => (Tone::Ok, "status"),
        FlashKind::Refused => (Tone::Failed, "alert"),
    };
    html! { div role=(role) { (notice(tone, &html! { (of.sentence) })) } }
}

/// Why a form came back, with a way to each of its fields; nothing when it did not. Whoever does not
/// see the page begins here: the browser puts the focus on it.
pub fn refusal(form: &FormState) -> Markup {
    let content = |why: &str| {
        html! {
            p { (why) }
            @if form.errors().next().is_some() {
                ul { @for (name, why) in form.errors() {
                    li { a href={ "#" (field::id(name)) } { (why) } }
                } }
            }
        }
    };
    html! {
        @if let Some(why) = form.summary() {
            div class="refusal" role="alert" tabindex="-1" autofocus {
                (notice(Tone::Failed, &content(&why)))
            }
        }
    }
}

/// One of the banners over a tenant's pages, with the way out of it.
pub fn banner(of: &Banner, chrome: &Chrome) -> Markup {
    match of {
        Banner::Sandbox => sandbox(&chrome.providers),
        Banner::Suspended { why } => html! {
            div class="banner stopped" role="note" {
                span class="banner-shape" { (Tone::Held.shape()) }
                span class="banner-text" {
                    b { "This account is suspended" } ": " bdi { (why) } ". "
                    "Webhooks are refused and messages are held. "
                    "The operator of this service can lift it."
                }
            }
        },
        Banner::Rehearsal { to } => html! {
            div class="banner" role="note" {
                span class="banner-shape" { (Tone::Needs.shape()) }
                span class="banner-text" {
                    b { "Rehearsal." } " No contact is written to. "
                    @if let Some(to) = to {
                        "SMS go to " bdi { (to) } " instead, and e-mails to the owner’s address."
                    }
                    @else if chrome.may(Ability::ConfirmNumber) {
                        "E-mails go to the owner’s address instead; SMS wait until you "
                        a href=(chrome.path("/own-number")) { "confirm your own number" } "."
                    } @else {
                        "E-mails go to the owner’s address instead; SMS wait until an owner has confirmed a number "
                        "of their own."
                    }
                }
                a class="button tight" href=(chrome.path("/go-live")) { "Go live" }
            }
        },
        Banner::Stopped { by, at } => html! {
            div class="banner stopped" role="note" {
                span class="banner-shape" { (Tone::Held.shape()) }
                span class="banner-text" {
                    b { "All sending is stopped" }
                    @if let Some(by) = by { " by " bdi { (by) } } ", " (time::long(chrome.moment(), *at)) ". "
                    "Events are still received and decided; messages are held."
                }
                @if chrome.may(Ability::StopSending) {
                    form method="post" action=(chrome.path("/stop-switch")) {
                        input type="hidden" name="csrf" value=(chrome.csrf);
                        input type="hidden" name="stopped" value="0";
                        button class="button tight" { "Resume sending" }
                    }
                } @else {
                    span class="muted" { "An editor or admin can resume it." }
                }
            }
        },
    }
}

/// The banner of an instance whose providers are stand-ins.
pub fn sandbox(providers: &Providers) -> Markup {
    html! {
        div class="banner" role="note" {
            span class="banner-shape" { (Tone::Needs.shape()) }
            span class="banner-text" {
                b { "Sandbox." } " Zoho Books and " (providers.names()) " are stand-ins here: nobody is written to. "
                "To leave it, start ml-connector without the sandbox addresses."
            }
        }
    }
}
