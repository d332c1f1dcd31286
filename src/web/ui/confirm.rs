//! Buttons that do something: each is a form of its own, with the session's token and, where a
//! double click must not act twice, a nonce.

use maud::{Markup, html};

/// A form of one button.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    action: &'a str,
    csrf: &'a str,
    word: &'a str,
    class: &'a str,
    nonce: &'a str,
    hidden: &'a [(&'a str, &'a str)],
}

/// A button that posts to `action`.
pub const fn act<'a>(action: &'a str, csrf: &'a str, word: &'a str) -> Act<'a> {
    Act {
        action,
        csrf,
        word,
        class: "button",
        nonce: "",
        hidden: &[],
    }
}

impl<'a> Act<'a> {
    /// How it looks: `button`, `button primary`, `button danger` …
    #[must_use]
    pub const fn class(mut self, class: &'a str) -> Self {
        self.class = class;
        self
    }

    /// What makes a second click the same wish.
    #[must_use]
    pub const fn nonce(mut self, nonce: &'a str) -> Self {
        self.nonce = nonce;
        self
    }

    /// What else is posted.
    #[must_use]
    pub const fn hidden(mut self, hidden: &'a [(&'a str, &'a str)]) -> Self {
        self.hidden = hidden;
        self
    }

    /// The form, its button showing the word.
    pub fn render(self) -> Markup {
        self.around(&html! { button class=(self.class) { (self.word) } })
    }

    /// The form, its button showing a drawing; the word is its label.
    pub fn render_icon(self, icon: &Markup, disabled: bool) -> Markup {
        self.around(&html! {
            button class=(self.class) aria-label=(self.word) title=(self.word) disabled[disabled] {
                (icon)
            }
        })
    }

    /// The form, its button an on/off switch.
    pub fn render_switch(self, on: bool) -> Markup {
        self.around(&html! {
            button class="switch" role="switch" aria-checked=(on) aria-label=(self.word) {
                svg width="32" height="18" viewBox="0 0 32 18" aria-hidden="true" {
                    rect class="track" x="0.5" y="0.5" width="31" height="17" rx="8.5" {}
                    circle class="knob" cx=(if on { 23 } else { 9 }) cy="9" r="5.5" {}
                }
                (if on { "On" } else { "Off" })
            }
        })
    }

    fn around(self, button: &Markup) -> Markup {
        html! {
            form method="post" action=(self.action) {
                input type="hidden" name="csrf" value=(self.csrf);
                @if !self.nonce.is_empty() { input type="hidden" name="nonce" value=(self.nonce); }
                @for (name, value) in self.hidden {
                    input type="hidden" name=(name) value=(value);
                }
                (button)
            }
        }
    }
}
