//! A number first, its name above it, the wider view below.

use std::borrow::Borrow;

use maud::{Markup, html};

use crate::web::ui::tone::Tone;

/// One figure; `href` leads to the rows it counts.
pub fn figure(tone: Tone, name: &str, number: u64, more: &str, href: Option<&str>) -> Markup {
    html! {
        div class={ "figure " @if number > 0 { (tone.class()) } } {
            div class="figure-name" { (tone.shape()) (name) }
            div class={ "figure-number" @if number == 0 { " calm" } } {
                @if let Some(href) = href {
                    a href=(href) { (grouped(number)) span class="visually-hidden" { " " (name) } }
                } @else { (grouped(number)) }
            }
            div class="figure-more" { (more) }
        }
    }
}

/// A count with thousands set apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "1 message", "2 messages".
pub fn counted(number: impl Borrow<u64>, one: &str, many: &str) -> String {
    let number = *number.borrow();
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(1, "message", "messages"), "1 message");
        assert_eq!(counted(12_034, "message", "messages"), "12,034 messages");
    }
}
