//! What the API says instead of "done"; the only place where a failed API request is logged.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

use super::wire::replay::Facts;
use crate::app::StoreError;
use crate::app::{AppError, FieldProblem};
use crate::web::problem::Problem;

/// A problem as an error, so that `?` carries it out of a handler. It is made of use cases' errors
/// and of problems only: nothing else becomes an answer by accident.
#[derive(Debug)]
pub(super) struct Refusal(Box<Problem>);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answered {}", self.0.status())
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.0.status()
    }

    fn error_response(&self) -> HttpResponse {
        Problem::clone(&self.0).into_response()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        let problem = match error {
            AppError::NotFound(what) => not_found(what),
            AppError::Invalid(fields) => invalid(fields),
            AppError::Conflict(why) => conflict("conflict", "Not as things stand", why),
            AppError::Untried(provider, why) => conflict(
                "untried",
                provider.unasked,
                format!(
                    "{why}. Nothing was kept. Try again, or send the same once more with \
                     `save_anyway`"
                ),
            ),
            AppError::Open(id) => conflict(
                "still-open",
                "A message is still on its way",
                "A message of this event to this address is still on its way; see `delivery`",
            )
            .with_delivery(id),
            AppError::Unconfirmed(facts) => conflict(
                "confirm",
                "Confirm the facts first",
                "Nothing was sent. Look at `facts`, and ask once more with their `fingerprint` as \
                 `confirm`",
            )
            .with_facts(serde_json::to_value(Facts::from(&*facts)).unwrap_or_default()),
            AppError::Suppressed(why) => conflict(
                "suppressed",
                "The address must not be written to",
                format!("The address is suppressed: {why}"),
            ),
            AppError::Busy | AppError::Store(StoreError::Closed) => {
                later("nothing was changed; try again shortly")
            }
            AppError::Store(error) if error.fault().is_some() => unavailable(&error),
            error => broken(&error),
        };
        problem.into()
    }
}

/// There is no such thing in this tenant; whether another has it is not said.
pub(super) fn not_found(what: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "Not found",
        format!("there is no such {what} here"),
    )
}

/// Understood, but not valid.
pub(super) fn invalid(fields: Vec<FieldProblem>) -> Problem {
    let title = "The input is not valid";
    with_fields(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-input",
        title,
        fields,
    )
}

/// A query that asks for something unknown.
pub(super) fn bad_query(fields: Vec<FieldProblem>) -> Problem {
    let title = "The query is not valid";
    with_fields(StatusCode::BAD_REQUEST, "invalid-query", title, fields)
}

/// The answer for addresses that nobody lives at.
pub(super) async fn no_such_address() -> Problem {
    let detail = "there is no such address; /api/openapi.json lists them";
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-address",
        "Not found",
        detail,
    )
}

/// The answer to a method that an address does not take.
pub(super) fn method_not_allowed(allow: String) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "Method not allowed",
        format!("this address takes {allow}"),
    )
    .with_allow(allow)
}

fn with_fields(
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    fields: Vec<FieldProblem>,
) -> Problem {
    let detail = match fields.len() {
        1 => "1 field is wrong".to_owned(),
        n => format!("{n} fields are wrong"),
    };
    let problem = Problem::new(status, slug, title, detail);
    fields
        .into_iter()
        .fold(problem, |p, f| p.with_error(f.field, f.message))
}

fn conflict(slug: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::CONFLICT, slug, title, detail)
}

/// The database is at fault, which the log and `/readyz` tell.
fn unavailable(error: &StoreError) -> Problem {
    tracing::debug!(%error, "An API request met a database at fault");
    match error {
        StoreError::Late => later(
            "the database has not answered in time, so this may be stored or not; look before \
             you try again",
        ),
        _ => later(
            "the database takes no writes at the moment; nothing was changed, try again shortly",
        ),
    }
}

fn later(detail: &'static str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Not now", detail)
        .with_retry_after(Duration::from_secs(2))
}

fn broken(error: &AppError) -> Problem {
    let cause = error.source().map(ToString::to_string);
    tracing::error!(%error, cause, "An API request failed");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "Something failed here",
        "the failure was logged under the request's id (x-request-id)",
    )
}
