//! Error bodies of the hooks and of the API: RFC 9457, `application/problem+json`.
//!
//! Not an actix `ResponseError`: those are made of any error by `?`, and an answer should be
//! chosen, not happen.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::ids::DeliveryId;

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where it stands, like `template.body`.
    #[schema(value_type = String)]
    pub field: Cow<'static, str>,
    /// What is wrong and what would be right.
    pub message: String,
}

/// What went wrong, for a program and for the person who reads its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
    allow: Option<String>,
    delivery: Option<DeliveryId>,
    facts: Option<Value>,
}

impl Problem {
    /// `slug` is the stable name that programs tell problems apart by, `title` says the same in
    /// words and never varies, `detail` speaks about this one request.
    pub fn new(
        status: StatusCode,
        slug: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            slug,
            title,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            challenge: None,
            allow: None,
            delivery: None,
            facts: None,
        }
    }

    /// Adds a field that is wrong.
    #[must_use]
    pub fn with_error(
        mut self,
        field: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        self.errors.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
        self
    }

    /// Says when to come again; part of a second counts as a whole one.
    #[must_use]
    pub const fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Names the scheme that a 401 would accept, like `Bearer` (RFC 9110, 15.5.2).
    #[must_use]
    pub const fn with_challenge(mut self, scheme: &'static str) -> Self {
        self.challenge = Some(scheme);
        self
    }

    /// Lists the methods that a 405 would take (RFC 9110, 15.5.6).
    #[must_use]
    pub fn with_allow(mut self, methods: impl Into<String>) -> Self {
        self.allow = Some(methods.into());
        self
    }

    /// Names the delivery that stands in the way.
    #[must_use]
    pub const fn with_delivery(mut self, id: DeliveryId) -> Self {
        self.delivery = Some(id);
        self
    }

    /// Adds the facts that are to be confirmed.
    #[must_use]
    pub fn with_facts(mut self, facts: Value) -> Self {
        self.facts = Some(facts);
        self
    }

    /// The status of the answer.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer.
    pub fn into_response(self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        answer.content_type("application/problem+json");
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            answer.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(scheme) = self.challenge {
            answer.insert_header((header::WWW_AUTHENTICATE, scheme));
        }
        if let Some(methods) = self.allow {
            answer.insert_header((header::ALLOW, methods));
        }
        let body = Body {
            kind: format!("urn:ml-connector:problem:{}", self.slug),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
            delivery: self.delivery,
            facts: self.facts.as_ref(),
        };
        // These fields always serialise; were they not to, an empty body with the right status
        // is still an answer.
        answer.body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

impl Responder for Problem {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.into_response()
    }
}

impl From<Problem> for HttpResponse {
    fn from(problem: Problem) -> Self {
        problem.into_response()
    }
}

/// What the answer holds.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Body<'a> {
    /// Stable: programs tell problems apart by it.
    #[serde(rename = "type")]
    kind: String,
    /// The same in words.
    title: &'a str,
    status: u16,
    /// About this one request.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<FieldError>, required = false)]
    errors: &'a [FieldError],
    /// The delivery that stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    delivery: Option<DeliveryId>,
    /// What is to be confirmed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    facts: Option<&'a Value>,
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    async fn json(problem: Problem) -> serde_json::Value {
        let body = to_bytes(problem.into_response().into_body()).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[actix_web::test]
    async fn a_problem_names_its_kind_and_every_wrong_field() {
        let problem = Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-rule",
            "The rule is not valid",
            "2 fields are wrong",
        )
        .with_error("name", "must not be empty")
        .with_error(
            format!("conditions[{}].value", 0),
            "is \"<b>\", not a number",
        );
        assert_eq!(
            json(problem).await,
            serde_json::json!({
                "type": "urn:ml-connector:problem:invalid-rule",
                "title": "The rule is not valid",
                "status": 422,
                "detail": "2 fields are wrong",
                "errors": [
                    {"field": "name", "message": "must not be empty"},
                    {"field": "conditions[0].value", "message": "is \"<b>\", not a number"},
                ],
            })
        );
    }

    #[actix_web::test]
    async fn a_problem_says_when_to_come_again() {
        let answer = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-stored",
            "Not stored",
            "",
        )
        .with_retry_after(Duration::from_millis(1500))
        .into_response();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers().get(header::RETRY_AFTER).unwrap(), "2");
        assert_eq!(
            answer.headers().get(header::CONTENT_TYPE).unwrap(),
            "application/problem+json"
        );
        let body = to_bytes(answer.into_body()).await.unwrap();
        assert!(!String::from_utf8(body.to_vec()).unwrap().contains("detail"));
    }

    #[actix_web::test]
    async fn a_problem_names_what_stands_in_the_way_and_what_is_allowed() {
        let id = format!("dlv_{}", "0".repeat(64));
        let problem = Problem::new(StatusCode::CONFLICT, "still-open", "Still open", "")
            .with_delivery(id.parse().unwrap());
        assert_eq!(json(problem).await["delivery"], id.as_str());
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Not so", "");
        let answer = problem.with_allow("GET, POST").into_response();
        assert_eq!(answer.headers().get(header::ALLOW).unwrap(), "GET, POST");
    }

    #[test]
    fn an_unauthorised_caller_is_told_the_scheme() {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "no-token", "No token", "");
        let answer = problem.with_challenge("Bearer").into_response();
        assert_eq!(
            answer.headers().get(header::WWW_AUTHENTICATE).unwrap(),
            "Bearer"
        );
    }
}
