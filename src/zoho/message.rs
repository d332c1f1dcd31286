//! What Zoho says in words of its own, made fit to be shown.

use std::fmt;

/// The most of a foreign message that we repeat, in characters.
const MESSAGE_CHARS: usize = 200;

/// A provider's words: one line, no control characters, at most 200 characters. Still data: a page
/// escapes it like any other text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message(String);

impl Message {
    /// Cleans `text`.
    pub fn new(text: &str) -> Self {
        // Bidirectional and zero-width marks could make a log line or a page read differently.
        let odd = |c: char| {
            c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        Self(
            text.chars()
                .map(|c| if odd(c) { ' ' } else { c })
                .take(MESSAGE_CHARS)
                .collect(),
        )
    }

    /// The cleaned text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "no reason given"
        } else {
            &self.0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_message_cannot_forge_a_log_line() {
        let message = Message::new(&format!("a\r\nINFO b\u{202e}{}", "x".repeat(500)));
        assert!(message.as_str().starts_with("a  INFO b "));
        assert_eq!(message.as_str().chars().count(), MESSAGE_CHARS);
    }
}
