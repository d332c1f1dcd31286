//! What is wrong with an e-mail's text.

use std::fmt;

use crate::domain::rule::EmailPart;
use crate::render::TemplateProblem;

/// What is wrong with one part, in words that say what to type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct EmailProblem {
    pub part: EmailPart,
    /// From 1.
    pub line: u32,
    /// From 1, where it is known.
    pub column: Option<u32>,
    pub words: String,
}

impl EmailProblem {
    pub(super) fn new(part: EmailPart, words: impl Into<String>) -> Self {
        Self {
            part,
            line: 1,
            column: None,
            words: words.into(),
        }
    }

    /// Of what stands at a byte of the part's source.
    pub(super) fn at(part: EmailPart, source: &str, at: usize, words: impl Into<String>) -> Self {
        let before = source.get(..at).unwrap_or(source);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Self {
            part,
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).ok(),
            words: words.into(),
        }
    }

    pub(super) fn of_template(part: EmailPart, problem: TemplateProblem) -> Self {
        Self {
            part,
            line: problem.line,
            column: problem.column,
            words: problem.message,
        }
    }
}

impl fmt::Display for EmailProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.part.label();
        match (self.part, self.column) {
            // They have one line.
            (EmailPart::Subject | EmailPart::Preview, _) => write!(f, "{part}: {}", self.words),
            (_, Some(column)) => {
                write!(
                    f,
                    "{part}, line {}, column {column}: {}",
                    self.line, self.words
                )
            }
            (_, None) => write!(f, "{part}, line {}: {}", self.line, self.words),
        }
    }
}
