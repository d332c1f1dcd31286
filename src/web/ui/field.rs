//! One field of a form: label above, help below, its error in words that say what to type.
//!
//! A secret field is never given a value, whatever the form holds.

use maud::{Markup, html};

use crate::web::form::FormState;
use crate::web::ui::tone::Tone;

/// One choice of a select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is posted.
    pub value: String,
    /// What is read.
    pub words: String,
}

impl Choice {
    /// A choice from its two texts.
    pub fn new(value: impl Into<String>, words: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            words: words.into(),
        }
    }
}

/// A field under construction; `render`, `select`, `area` or `tick` end it.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    name: &'a str,
    label: &'a str,
    help: &'a str,
    kind: &'a str,
    autocomplete: &'a str,
    placeholder: &'a str,
    optional: bool,
    unmarked: bool,
    code: bool,
}

/// A field with a name (posted) and a label (read).
pub const fn field<'a>(name: &'a str, label: &'a str) -> Field<'a> {
    Field {
        name,
        label,
        help: "",
        kind: "text",
        autocomplete: "off",
        placeholder: "",
        optional: false,
        unmarked: false,
        code: false,
    }
}

impl<'a> Field<'a> {
    /// What to type, below the field.
    #[must_use]
    pub const fn help(mut self, help: &'a str) -> Self {
        self.help = help;
        self
    }

    /// The `type` of the input.
    #[must_use]
    pub const fn kind(mut self, kind: &'a str) -> Self {
        self.kind = kind;
        self
    }

    /// What the browser may fill in.
    #[must_use]
    pub const fn autocomplete(mut self, autocomplete: &'a str) -> Self {
        self.autocomplete = autocomplete;
        self
    }

    /// An example inside the empty field.
    #[must_use]
    pub const fn placeholder(mut self, placeholder: &'a str) -> Self {
        self.placeholder = placeholder;
        self
    }

    /// It may stay empty.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// It may stay empty, and nobody needs to be told: a filter.
    #[must_use]
    pub const fn unmarked(mut self) -> Self {
        self.optional = true;
        self.unmarked = true;
        self
    }

    /// It holds an id, a code or a number to call.
    #[must_use]
    pub const fn code(mut self) -> Self {
        self.code = true;
        self
    }

    /// An input of one line.
    pub fn render(self, form: &FormState) -> Markup {
        let value = if self.kind == "password" {
            ""
        } else {
            form.value(self.name)
        };
        self.around(form, &html! {
            input id=(self.id()) name=(self.name) type=(self.kind) value=(value)
                autocomplete=(self.autocomplete) placeholder=[self.hint()]
                required[!self.optional]
                spellcheck=[self.code.then_some("false")] autocapitalize=[self.code.then_some("off")]
                aria-invalid=[form.error(self.name).map(|_| "true")]
                aria-describedby=[self.described(form)];
        })
    }

    /// A secret: typed, sealed, never shown again.
    pub fn secret(self, form: &FormState) -> Markup {
        self.kind("password")
            .autocomplete("new-password")
            .code()
            .render(form)
    }

    /// A choice of one.
    pub fn select(self, form: &FormState, choices: impl AsRef<[Choice]>) -> Markup {
        let chosen = form.value(self.name);
        self.around(
            form,
            &html! {
                select id=(self.id()) name=(self.name)
                    aria-invalid=[form.error(self.name).map(|_| "true")]
                    aria-describedby=[self.described(form)] { (options(choices.as_ref(), chosen)) }
            },
        )
    }

    /// Several lines; `bubble` names the preview that follows it while typing.
    pub fn area(self, form: &FormState, bubble: &str) -> Markup {
        self.around(
            form,
            &html! {
                // A newline right after the tag is swallowed by the browser: one of ours protects the text's.
                textarea id=(self.id()) name=(self.name) rows="5" data-segments=(bubble)
                    placeholder=[self.hint()] aria-invalid=[form.error(self.name).map(|_| "true")]
                    aria-describedby=[self.described(form)] { "\n" (form.value(self.name)) }
            },
        )
    }

    /// Several lines of which nothing is previewed.
    pub fn lines(self, form: &FormState, rows: usize) -> Markup {
        self.around(
            form,
            &html! {
                textarea id=(self.id()) name=(self.name) rows=(rows) placeholder=[self.hint()]
                    aria-invalid=[form.error(self.name).map(|_| "true")]
                    aria-describedby=[self.described(form)] { "\n" (form.value(self.name)) }
            },
        )
    }

    /// A file of the reader's own.
    pub fn file(self, form: &FormState, accept: &str) -> Markup {
        self.around(
            form,
            &html! {
                input id=(self.id()) name=(self.name) type="file" accept=(accept) required
                    aria-invalid=[form.error(self.name).map(|_| "true")]
                    aria-describedby=[self.described(form)];
            },
        )
    }

    /// A box to tick; it posts `1`.
    pub fn tick(self, form: &FormState) -> Markup {
        html! {
            div class={ "field" (wrong(form, self.name)) } {
                div class="choice" {
                    input id=(self.id()) name=(self.name) type="checkbox" value="1"
                        checked[form.ticked(self.name)] aria-describedby=[self.described(form)];
                    label for=(self.id()) { (self.label) }
                }
                (self.below(form))
            }
        }
    }

    fn around(self, form: &FormState, control: &Markup) -> Markup {
        html! {
            div class={ "field" (wrong(form, self.name)) @if self.code { " code" } } {
                label for=(self.id()) {
                    (self.label)
                    @if self.optional && !self.unmarked { " " span class="optional" { "(optional)" } }
                }
                (control)
                (self.below(form))
            }
        }
    }

    fn below(self, form: &FormState) -> Markup {
        html! {
            @if let Some(why) = form.error(self.name) { (error(&self.id(), why)) }
            @if !self.help.is_empty() {
                p class="field-help" id={ (self.id()) "-help" } { (self.help) }
            }
        }
    }

    fn id(self) -> String {
        id(self.name)
    }

    fn hint(self) -> Option<&'a str> {
        (!self.placeholder.is_empty()).then_some(self.placeholder)
    }

    fn described(self, form: &FormState) -> Option<String> {
        let error = form
            .error(self.name)
            .map(|_| format!("{}-error", self.id()));
        let help = (!self.help.is_empty()).then(|| format!("{}-help", self.id()));
        match (error, help) {
            (Some(error), Some(help)) => Some(format!("{error} {help}")),
            (one, other) => one.or(other),
        }
    }
}

/// The options of a select, the chosen one marked.
pub fn options(choices: &[Choice], chosen: &str) -> Markup {
    html! {
        @for choice in choices {
            option value=(choice.value) selected[choice.value == chosen] { (choice.words) }
        }
    }
}

/// The error beneath a field.
pub fn error(id: &str, why: &str) -> Markup {
    html! { p class="field-error" id={ (id) "-error" } { (Tone::Failed.shape()) span { (why) } } }
}

/// The element id of a field: dots of numbered rows become hyphens.
pub fn id(name: &str) -> String {
    format!("f-{}", name.replace('.', "-"))
}

fn wrong(form: &FormState, name: &str) -> &'static str {
    if form.error(name).is_some() {
        " wrong"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_field_has_no_value_even_when_the_form_has_one() {
        let form = FormState::new().with("token", "hush");
        assert!(
            !field("token", "Auth Token")
                .secret(&form)
                .into_string()
                .contains("hush")
        );
    }

    #[test]
    fn an_error_is_tied_to_its_field() {
        let mut form = FormState::new().with("name", "<script>");
        form.refuse("name", "Give the rule a name.");
        let html = field("name", "Name")
            .help("Yours alone.")
            .render(&form)
            .into_string();
        assert!(
            html.contains(r#"aria-describedby="f-name-error f-name-help""#),
            "{html}"
        );
        assert!(html.contains(r#"aria-invalid="true""#) && html.contains("&lt;script&gt;"));
    }
}
