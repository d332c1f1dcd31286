//! The text of an e-mail before it is filled in.

use serde::{Deserialize, Serialize};

use super::MAX_TEMPLATE_BYTES;

/// The longest subject and the longest preview line before they are filled in, in characters.
pub const MAX_LINE_CHARS: usize = 300;

/// What a clerk writes: Markdown with `{{ fields }}`, and blocks such as `[[items]]` on lines of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EmailSource {
    pub subject: String,
    /// What mail programs show behind the subject; the beginning of the body where it is empty.
    #[serde(default)]
    pub preview: String,
    pub body: String,
}

/// A part of an e-mail's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum EmailPart {
    Subject,
    Preview,
    Body,
}

impl EmailPart {
    /// The name of its field in a rule's JSON.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// A clerk's words.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Preview => "preview line",
            Self::Body => "text",
        }
    }
}

impl EmailSource {
    /// What is too long, empty, or of several lines where there may be one, in words that say what to type.
    pub fn problems(&self) -> Vec<(EmailPart, String)> {
        let mut problems = Vec::new();
        if self.subject.trim().is_empty() {
            problems.push((EmailPart::Subject, "type a subject".to_owned()));
        }
        for (part, text) in [
            (EmailPart::Subject, &self.subject),
            (EmailPart::Preview, &self.preview),
        ] {
            if text.chars().count() > MAX_LINE_CHARS {
                let words = format!("is too long; {MAX_LINE_CHARS} characters at the most");
                problems.push((part, words));
            } else if text.trim().contains(['\r', '\n']) {
                problems.push((part, "must be one line".to_owned()));
            }
        }
        if self.body.trim().is_empty() {
            problems.push((EmailPart::Body, "type a text".to_owned()));
        } else if self.body.len() > MAX_TEMPLATE_BYTES {
            problems.push((EmailPart::Body, "is too long; 16 KB at the most".to_owned()));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sent_is_told_part_by_part() {
        let source = |subject: &str, preview: &str, body: &str| EmailSource {
            subject: subject.to_owned(),
            preview: preview.to_owned(),
            body: body.to_owned(),
        };
        let parts = |source: EmailSource| -> Vec<&str> {
            let problems = source.problems();
            problems.iter().map(|(part, _)| part.as_str()).collect()
        };
        assert_eq!(parts(source("Hi", "", "Hello")), [""; 0]);
        assert_eq!(parts(source(" ", "", " ")), ["subject", "body"]);
        assert_eq!(parts(source("a\nb", "c\r\nd", "x")), ["subject", "preview"]);
        let long = "é".repeat(301);
        let body = "x".repeat(16 * 1024 + 1);
        assert_eq!(
            parts(source(&long, &long, &body)),
            ["subject", "preview", "body"]
        );
    }
}
