//! A text to carry elsewhere, with a copy button where a script can serve it. Without one, a
//! click selects all of it.

use maud::{Markup, html};

/// The box. `id` must be unique on the page.
pub fn copy_box(id: &str, text: &str) -> Markup {
    html! {
        div class="copy" {
            code id=(id) { (text) }
            button class="button" type="button" data-copy=(id) hidden { "Copy" }
        }
    }
}

/// The same with a label above.
pub fn labelled(id: &str, label: &str, text: &str) -> Markup {
    html! { div { span class="label" { (label) } (copy_box(id, text)) } }
}
