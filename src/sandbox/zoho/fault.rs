//! Refusals in Zoho's words, and refusals by order.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::rt::time::sleep;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sandbox::line;

const HANG: Duration = Duration::from_mins(1);
const PAGE: &str = "<html><head><title>Zoho</title></head><body>Something went wrong</body></html>";

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZohoFaultKind {
    /// 429 code 44: too many requests in a minute.
    MinuteLimit,
    /// 429 code 45: the daily quota is used up.
    DailyLimit,
    /// 429 code 1070: too many requests at once.
    ConcurrencyLimit,
    /// 401 code 57.
    Unauthorized,
    /// `code` and `message` with `status`, which is 200 unless told.
    Error,
    /// 500 code 1000.
    InternalError,
    /// A page, with `status` (502).
    Html,
    /// 200 with an empty body.
    Empty,
    /// 200 with bytes that are not JSON.
    Garbage,
    /// Hangs for `delay_ms` (60 s), then cuts the connection.
    Timeout,
    /// Cuts the connection before a byte.
    Drop,
    /// Answers as always, after `delay_ms`.
    Slow,
    /// 400 "Access Denied", as the token endpoint throttles.
    Throttled,
    /// 200 with `{"error": …}` from `error`, as the token endpoint refuses.
    TokenError,
}

/// Which requests a fault meets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZohoOn {
    /// `/books/v3/…`.
    #[default]
    Api,
    /// `/oauth/v2/token`.
    Token,
}

/// The next `count` answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZohoFaultOrder {
    /// What goes wrong.
    pub kind: ZohoFaultKind,
    /// How often; once when left out.
    #[serde(default = "once")]
    pub count: u32,
    /// Which requests; the API when left out.
    #[serde(default)]
    pub on: ZohoOn,
    /// Only paths with this in them.
    #[serde(default)]
    pub path_contains: Option<String>,
    /// Zoho's code, for `error`.
    #[serde(default)]
    pub code: Option<i64>,
    /// The message, for `error`.
    #[serde(default)]
    pub message: Option<String>,
    /// The HTTP status, for `error` and `html`.
    #[serde(default)]
    pub status: Option<u16>,
    /// The word, for `token_error`.
    #[serde(default)]
    pub error: Option<String>,
    /// A wait, in milliseconds.
    #[serde(default)]
    pub delay_ms: Option<u64>,
}

fn once() -> u32 {
    1
}

impl ZohoFaultOrder {
    /// The next answer of the API.
    pub fn once(kind: ZohoFaultKind) -> Self {
        Self {
            kind,
            count: 1,
            on: ZohoOn::Api,
            path_contains: None,
            code: None,
            message: None,
            status: None,
            error: None,
            delay_ms: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.kind == ZohoFaultKind::Error && self.code.is_none() {
            return Err("`error` needs a `code`".to_owned());
        }
        if self
            .status
            .is_some_and(|status| !(200..600).contains(&status))
        {
            return Err("`status` must be from 200 to 599".to_owned());
        }
        Ok(())
    }

    /// The faulty answer; none when the request goes on as always.
    pub(super) async fn answer(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let hangs = self.kind == ZohoFaultKind::Timeout;
        let delay = self.delay_ms.map(Duration::from_millis);
        sleep(delay.unwrap_or(if hangs { HANG } else { Duration::ZERO })).await;
        Some(match self.kind {
            ZohoFaultKind::Slow => return None,
            ZohoFaultKind::MinuteLimit => minute_limit(),
            ZohoFaultKind::DailyLimit => daily_limit(1_000),
            ZohoFaultKind::ConcurrencyLimit => refuse(
                429,
                1070,
                "You have reached the maximum number of in process requests allowed. Kindly try again after some time.",
            ),
            ZohoFaultKind::Unauthorized => unauthorised(),
            ZohoFaultKind::Error => {
                let message = self.message.as_deref().unwrap_or("Ordered by the sandbox");
                refuse(
                    self.status.unwrap_or(200),
                    self.code.unwrap_or_default(),
                    message,
                )
            }
            ZohoFaultKind::InternalError => refuse(500, 1000, "Internal error"),
            ZohoFaultKind::Html => HttpResponse::build(status(self.status.unwrap_or(502)))
                .content_type("text/html")
                .body(PAGE),
            ZohoFaultKind::Empty => HttpResponse::Ok().content_type("application/json").finish(),
            ZohoFaultKind::Garbage => HttpResponse::Ok()
                .content_type("application/json")
                .body("{\"code\":0,\"message\":\"succ\u{1}"),
            ZohoFaultKind::Timeout | ZohoFaultKind::Drop => line::cut(request),
            ZohoFaultKind::Throttled => throttled(),
            ZohoFaultKind::TokenError => {
                token_error(self.error.as_deref().unwrap_or("invalid_code"))
            }
        })
    }
}

/// `{"code": …, "message": …}`.
pub(super) fn refuse(code: u16, zoho_code: i64, message: &str) -> HttpResponse {
    HttpResponse::build(status(code)).json(json!({ "code": zoho_code, "message": message }))
}

pub(super) fn unauthorised() -> HttpResponse {
    refuse(401, 57, "You are not authorized to perform this operation")
}

pub(super) fn minute_limit() -> HttpResponse {
    refuse(
        429,
        44,
        "For security reasons your organization has been blocked as it have exceeded the maximum number of requests per minute that can originate from an organization.",
    )
}

pub(super) fn daily_limit(limit: u32) -> HttpResponse {
    let message = format!(
        "The API call for this organization has exceeded the maximum call rate limit of {limit}."
    );
    let mut response = refuse(429, 45, &message);
    super::rate_headers(&mut response, limit, limit);
    response
}

pub(super) fn bad_value(parameter: &str) -> HttpResponse {
    refuse(400, 2, &format!("Invalid value passed for {parameter}"))
}

/// The token endpoint's refusals come with HTTP 200 (facts 4.6).
pub(super) fn token_error(word: &str) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "error": word }))
}

pub(super) fn throttled() -> HttpResponse {
    let body: Value = json!({
        "error_description": "You have made too many requests continuously. Please try again after some time.",
        "error": "Access Denied",
        "status": "failure",
    });
    HttpResponse::BadRequest().json(body)
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
