//! Refusals in the words of the e-mail API: a list of problems.

use serde_json::Value;

use super::super::error::{Refusal, email_problem};

/// All problems of a request at once.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Value>);

impl Problems {
    pub(super) fn add(&mut self, context: &str, message: impl AsRef<str>) {
        self.0
            .push(email_problem(20001, message.as_ref(), Some(context)));
    }

    /// 400, if there are any.
    pub(super) fn end(self) -> Result<(), Refusal> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Refusal {
            problems: self.0,
            ..Refusal::bad(20001, "Bad request")
        })
    }
}
