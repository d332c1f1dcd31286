//! What is wrong with a template, when it is saved and when it is rendered.

use std::fmt;

use minijinja::machinery::Span;

/// The longest text at any moment of rendering, the result included, in bytes. What a
/// provider takes of it is the sender's to check.
pub const MAX_TEXT_BYTES: usize = 16 * 1024;

/// What is wrong with a template, in words that say what to type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct TemplateProblem {
    /// From 1.
    pub line: u32,
    /// From 1, where it is known.
    pub column: Option<u32>,
    pub message: String,
}

impl TemplateProblem {
    pub(super) fn at(span: Span, message: impl Into<String>) -> Self {
        Self {
            line: u32::from(span.start_line).max(1),
            column: None,
            message: message.into(),
        }
    }

    pub(super) fn from_parser(error: &minijinja::Error) -> Self {
        let line = error
            .line()
            .and_then(|line| u32::try_from(line).ok())
            .unwrap_or(1);
        let detail: String = error
            .detail()
            .unwrap_or("cannot be read")
            .chars()
            .take(200)
            .collect();
        Self {
            line,
            column: None,
            message: detail,
        }
    }
}

impl fmt::Display for TemplateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "line {}, column {column}: {}", self.line, self.message),
            None => write!(f, "line {}: {}", self.line, self.message),
        }
    }
}

/// Why a template could not be filled in for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RenderProblem {
    /// Longer than [`MAX_TEXT_BYTES`]; for an e-mail, than four times that.
    #[error("the text becomes too long; 16 KB at the most, 64 KB for an e-mail")]
    TooLong,
    /// More steps than the budget.
    #[error("the template needs too much work; use fewer or smaller loops")]
    TooMuchWork,
}
