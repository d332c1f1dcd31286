//! Refusals in the words of the e-mail API: a list of problems.

use actix_web::HttpRequest;
use serde_json::{Value, json};

use super::super::error::Refusal;

/// Whether a request is answered in this shape.
pub(in crate::sandbox::twilio) fn in_this_shape(request: &HttpRequest) -> bool {
    request.path().starts_with("/v1/Emails")
}

/// One problem as it is told.
pub(in crate::sandbox::twilio) fn problem(
    code: u32,
    message: &str,
    context: Option<&str>,
) -> Value {
    json!({
        "code": code,
        "message": message,
        "infoUrl": format!("https://www.twilio.com/docs/api/errors/{code}"),
        "context": context,
    })
}

/// All problems of a request at once.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Value>);

impl Problems {
    pub(super) fn add(&mut self, context: &str, message: impl AsRef<str>) {
        self.0.push(problem(20001, message.as_ref(), Some(context)));
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
