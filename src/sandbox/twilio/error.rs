//! Refusals in Twilio's words.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

/// A refusal of Twilio's 2010 API: status, code and message (facts, "Errors on the HTTP response").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: u32,
    pub(super) message: String,
    /// As the API for e-mail tells them; empty where there is only this one.
    pub(super) problems: Vec<Value>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            problems: Vec::new(),
        }
    }

    /// A refusal of what was asked: HTTP 400.
    pub(super) fn bad(code: u32, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// 401/20003: wrong user name or password, or a key without the permission.
    pub(super) fn unauthorised() -> Self {
        Self::new(401, 20003, "Authenticate")
    }

    /// 404/20404.
    pub(super) fn not_found(path: &str) -> Self {
        Self::new(
            404,
            20404,
            format!("The requested resource {path} was not found"),
        )
    }

    /// 429/20429: not processed, safe to retry.
    pub(super) fn too_many() -> Self {
        Self::new(429, 20429, "Too Many Requests")
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status,
        })
    }

    /// In the shape of the API that was asked.
    pub(super) fn response_to(&self, request: &HttpRequest) -> HttpResponse {
        if !is_email_api(request) {
            return self.response();
        }
        let mut problems = self.problems.clone();
        if problems.is_empty() {
            problems.push(email_problem(self.code, &self.message, None));
        }
        self.with(&json!({ "errors": problems }))
    }

    pub(super) fn response(&self) -> HttpResponse {
        self.with(&self.body())
    }

    fn with(&self, body: &Value) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"Twilio API\""));
        }
        response.json(body)
    }
}

pub(super) async fn method_not_allowed(request: HttpRequest) -> HttpResponse {
    let message = format!("{} is not allowed for {}", request.method(), request.path());
    Refusal::new(405, 20004, message).response_to(&request)
}

/// Whether a request is of the API for e-mail, which tells a list of problems.
fn is_email_api(request: &HttpRequest) -> bool {
    request.path().starts_with("/v1/Emails")
}

/// One problem as the API for e-mail tells it.
pub(super) fn email_problem(code: u32, message: &str, context: Option<&str>) -> Value {
    json!({
        "code": code,
        "message": message,
        "infoUrl": format!("https://www.twilio.com/docs/api/errors/{code}"),
        "context": context,
    })
}
