//! An SMS as its reader sees it, with the messages it costs beneath.

use std::borrow::Borrow;

use maud::{Markup, html};

use crate::render::{Encoding, Segments};
use crate::web::ui::figure::counted;

/// How long a text is as an SMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Length {
    /// What is billed.
    pub segments: u32,
    /// Septets, or UTF-16 units when `unicode`.
    pub characters: u32,
    /// A character outside GSM 03.38 makes the whole text UCS-2.
    pub unicode: bool,
}

impl Length {
    /// How long a text is.
    pub fn of(text: &str) -> Self {
        let segments = Segments::of(text);
        Self {
            segments: u32::try_from(segments.count).unwrap_or(u32::MAX),
            characters: u32::try_from(segments.units).unwrap_or(u32::MAX),
            unicode: segments.encoding == Encoding::Ucs2,
        }
    }
}

/// The phone. `id` joins it to the text area that it follows while typing; the count's element
/// is `{id}-count`.
pub fn preview(id: &str, from: &str, text: &str, length: impl Borrow<Length>) -> Markup {
    html! {
        div class="phone" {
            div class="phone-body" {
                div class="phone-from" { (from) }
                div class="phone-bubble" id=(id) { (text) }
            }
            p class="phone-count" id={ (id) "-count" } { (words(*length.borrow())) }
        }
    }
}

/// "Costs 2 messages, 181 characters, Unicode".
pub fn words(length: Length) -> String {
    let messages = counted(u64::from(length.segments), "message", "messages");
    let mut text = format!("Costs {messages}");
    text.push_str(", ");
    text.push_str(&counted(
        u64::from(length.characters),
        "character",
        "characters",
    ));
    if length.unicode {
        text.push_str(", Unicode");
    }
    text
}
