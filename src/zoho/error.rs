//! What can go wrong with Zoho's API, in a clerk's words, and when to try again.
//!
//! Zoho answers some failures with HTTP 200 and a non-zero `code`; a reply is judged by both.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::message::Message;
use super::oauth_error::OAuthError;
use super::retry::Retry;
use super::transport::{Answer, TransportError};

/// How long an organisation rests after code 44 (100 requests a minute): two minutes clear the window
/// whatever its shape.
const MINUTE_LIMIT_PAUSE: Duration = Duration::from_mins(2);

/// The organisation's quota as given by `X-Rate-Limit-*`; undocumented, seen with daily figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests allowed.
    pub limit: u64,
    /// Requests left.
    pub remaining: u64,
    /// Time until the quota begins anew, when given.
    pub reset: Option<Duration>,
}

impl Quota {
    /// Reads the headers; `None` unless both limit and remaining are numbers.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        Some(Self {
            limit: number(headers, "x-rate-limit-limit")?,
            remaining: number(headers, "x-rate-limit-remaining")?,
            reset: reset(headers),
        })
    }
}

/// A call to Zoho Books that brought no record. (Zoho Books API v3, *Errors* and *API limits*.)
#[derive(Debug, Clone, thiserror::Error)]
pub enum ZohoError {
    /// Code 44: more than 100 requests in a minute, by us or by the organisation's other programs.
    #[error("too many requests this minute (code 44)")]
    MinuteLimit,
    /// Code 45: the plan's daily quota is used up.
    #[error("the daily quota is used up (code 45)")]
    DailyLimit {
        /// Time until the quota begins anew, when Zoho gave it; at most a day.
        reset: Option<Duration>,
    },
    /// Code 1070: too many requests at once.
    #[error("too many requests at once (code 1070)")]
    Concurrent,
    /// Code 57, 14 or HTTP 401: token expired or evicted, or scope or role missing.
    #[error("not authorised: {message}")]
    Unauthorised { message: Message },
    /// Code 6041: the connected user does not belong to the organisation.
    #[error("the user does not belong to this organisation (code 6041)")]
    WrongOrganisation,
    /// Code 1002 or HTTP 404.
    #[error("no such record: {message}")]
    NotFound { message: Message },
    /// Code 2, or an argument that we refused to send.
    #[error("bad parameter: {message}")]
    BadParameter { message: Message },
    /// Any other refusal; `code` is Zoho's, 0 when absent.
    #[error("refused with HTTP {status}, code {code}: {message}")]
    Refused {
        status: u16,
        code: i64,
        message: Message,
    },
    /// HTTP 5xx or code 1000.
    #[error("Zoho failed with HTTP {status}")]
    Server { status: u16 },
    #[error("Zoho did not answer in time")]
    Timeout,
    #[error("Zoho cannot be reached")]
    Unreachable(#[source] Arc<reqwest::Error>),
    /// Not what the documentation promises: no JSON, a redirect, a missing record, too long.
    #[error("an answer that makes no sense: {0}")]
    Garbage(Message),
    /// No access token could be had.
    #[error(transparent)]
    Token(#[from] OAuthError),
}

impl ZohoError {
    /// What a clerk reads.
    pub fn sentence(&self) -> String {
        match self {
            Self::MinuteLimit => {
                "Zoho Books allows 100 requests a minute for your organisation, and \
                they are used up. We go on in two minutes."
                    .to_owned()
            }
            Self::DailyLimit { .. } => {
                "Today's requests to Zoho Books are used up, by us or by your \
                other programs. We go on when the quota begins anew."
                    .to_owned()
            }
            Self::Concurrent => {
                "Zoho Books is busy with other requests of your organisation. We try again soon."
                    .to_owned()
            }
            Self::Unauthorised { .. } => {
                "Zoho Books refused our access. Connect Zoho Books again, \
                as a user who may see these records."
                    .to_owned()
            }
            Self::WrongOrganisation => "The user who connected Zoho Books does not belong to this \
                organisation. Choose another organisation, or connect as another user."
                .to_owned(),
            Self::NotFound { .. } => {
                "Zoho Books has no such record; it may have been deleted.".to_owned()
            }
            Self::BadParameter { message } => {
                format!("Zoho Books did not understand our question: {message}")
            }
            Self::Refused { message, code, .. } => {
                format!("Zoho Books refused (code {code}): {message}")
            }
            Self::Server { .. } => {
                "Zoho Books has a problem of its own. We try again soon.".to_owned()
            }
            Self::Timeout => "Zoho Books did not answer in time. We try again soon.".to_owned(),
            Self::Unreachable(_) => "Zoho Books cannot be reached. We try again soon.".to_owned(),
            Self::Garbage(_) => {
                "Zoho Books sent an answer that we do not understand. We try again soon.".to_owned()
            }
            Self::Token(error) => error.sentence(),
        }
    }

    /// When to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::MinuteLimit => Retry::After(MINUTE_LIMIT_PAUSE),
            Self::DailyLimit { reset } => reset.map_or(Retry::Tomorrow, Retry::After),
            Self::Unauthorised { .. } => Retry::FreshToken,
            Self::Concurrent
            | Self::Server { .. }
            | Self::Timeout
            | Self::Unreachable(_)
            | Self::Garbage(_) => Retry::Backoff,
            Self::WrongOrganisation
            | Self::NotFound { .. }
            | Self::BadParameter { .. }
            | Self::Refused { .. } => Retry::Never,
            Self::Token(error) => error.retry(),
        }
    }

    pub(super) fn garbage(why: &str) -> Self {
        Self::Garbage(Message::new(why))
    }

    pub(super) fn bad_parameter(why: &str) -> Self {
        Self::BadParameter {
            message: Message::new(why),
        }
    }

    /// Reads an answer: the whole JSON object, or the reason why there is none.
    pub(super) fn judge(answer: &Answer) -> Result<Value, Self> {
        let status = answer.status;
        let body = serde_json::from_slice::<Value>(&answer.body)
            .ok()
            .filter(Value::is_object);
        let code = body.as_ref().and_then(|b| b.get("code"));
        let message = Message::new(
            body.as_ref()
                .and_then(|b| b["message"].as_str())
                .unwrap_or_default(),
        );
        // CRM-style token errors carry words in `code`.
        if code.and_then(Value::as_str) == Some("INVALID_OAUTHTOKEN") {
            return Err(Self::Unauthorised { message });
        }
        let known = code.map(|code| integer(code).unwrap_or(-1));
        match (known.unwrap_or(0), status.as_u16()) {
            (44, _) => Err(Self::MinuteLimit),
            (45, _) => Err(Self::DailyLimit {
                reset: reset(&answer.headers),
            }),
            (1070, _) => Err(Self::Concurrent),
            (6041, _) => Err(Self::WrongOrganisation),
            (2, _) => Err(Self::BadParameter { message }),
            (1002, _) => Err(Self::NotFound { message }),
            (57 | 14, _) | (_, 401) => Err(Self::Unauthorised { message }),
            (1000, status) | (_, status @ 500..) => Err(Self::Server { status }),
            (_, 404) => Err(Self::NotFound { message }),
            (_, 429) => Err(Self::MinuteLimit),
            (_, 300..=399) => Err(Self::garbage("a redirect")),
            (0, 200..=299) => body.ok_or_else(|| Self::garbage("not a JSON object")),
            (code, status) => Err(Self::Refused {
                status,
                code,
                message,
            }),
        }
    }
}

impl From<TransportError> for ZohoError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Timeout => Self::Timeout,
            TransportError::Unreachable(source) => Self::Unreachable(source),
            TransportError::TooLong(_) => Self::garbage(&error.to_string()),
        }
    }
}

fn integer(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Seconds until the reset. A figure beyond a day is not seconds (or not believed): the quota is daily.
fn reset(headers: &HeaderMap) -> Option<Duration> {
    number(headers, "x-rate-limit-reset")
        .filter(|s| (1..=86_400).contains(s))
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::{DateTime, Utc};
    use reqwest::StatusCode;
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn judge(status: u16, body: &str) -> Result<Value, ZohoError> {
        judge_with(status, body, &[])
    }

    fn judge_with(status: u16, body: &str, headers: &[(&str, &str)]) -> Result<Value, ZohoError> {
        ZohoError::judge(&Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers
                .iter()
                .map(|(n, v)| {
                    (
                        n.parse::<HeaderName>().unwrap(),
                        HeaderValue::from_str(v).unwrap(),
                    )
                })
                .collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        })
    }

    fn noon() -> DateTime<Utc> {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_known_codes_are_told_apart_whatever_the_status() {
        for status in [200, 400, 429] {
            let of = |code: u32| {
                judge(status, &format!(r#"{{"code":{code},"message":"m"}}"#)).unwrap_err()
            };
            assert!(matches!(of(44), ZohoError::MinuteLimit));
            assert!(matches!(of(45), ZohoError::DailyLimit { reset: None }));
            assert!(matches!(of(1070), ZohoError::Concurrent));
            assert!(matches!(of(57), ZohoError::Unauthorised { .. }));
            assert!(matches!(of(6041), ZohoError::WrongOrganisation));
            assert!(matches!(of(1002), ZohoError::NotFound { .. }));
            assert!(matches!(of(2), ZohoError::BadParameter { .. }));
            assert!(matches!(of(1000), ZohoError::Server { .. }));
        }
    }

    #[test]
    fn an_unknown_code_is_a_refusal_even_with_status_200() {
        let error = judge(200, r#"{"code":5,"message":"Invalid URL Passed"}"#).unwrap_err();
        assert!(matches!(
            error,
            ZohoError::Refused {
                status: 200,
                code: 5,
                ..
            }
        ));
        assert_eq!(error.retry(), Retry::Never);
        assert!(matches!(
            judge(200, r#"{"code":"odd"}"#),
            Err(ZohoError::Refused { .. })
        ));
    }

    #[test]
    fn without_a_code_the_status_decides() {
        assert!(matches!(
            judge(401, ""),
            Err(ZohoError::Unauthorised { .. })
        ));
        assert!(matches!(
            judge(404, "<html>"),
            Err(ZohoError::NotFound { .. })
        ));
        assert!(matches!(judge(429, ""), Err(ZohoError::MinuteLimit)));
        assert!(matches!(
            judge(503, "<html>"),
            Err(ZohoError::Server { status: 503 })
        ));
        assert!(matches!(judge(302, ""), Err(ZohoError::Garbage(_))));
        assert!(matches!(judge(200, "<html>"), Err(ZohoError::Garbage(_))));
        assert!(matches!(judge(200, "[]"), Err(ZohoError::Garbage(_))));
        assert!(judge(200, r#"{"code":0,"invoice":{}}"#).is_ok());
        assert!(judge(200, r#"{"code":"0","invoice":{}}"#).is_ok());
    }

    #[test]
    fn a_token_error_in_the_style_of_crm_is_understood() {
        let error = judge(
            401,
            r#"{"code":"INVALID_OAUTHTOKEN","message":"invalid oauth token"}"#,
        );
        assert!(matches!(error, Err(ZohoError::Unauthorised { .. })));
    }

    #[test]
    fn the_daily_limit_lasts_until_the_header_says_else_until_tomorrow() {
        let body = r#"{"code":45,"message":"m"}"#;
        let told = judge_with(429, body, &[("X-Rate-Limit-Reset", "34881")]).unwrap_err();
        assert_eq!(told.retry(), Retry::After(Duration::from_secs(34_881)));
        let epoch = judge_with(429, body, &[("X-Rate-Limit-Reset", "1795000000")]).unwrap_err();
        assert_eq!(epoch.retry(), Retry::Tomorrow);
        let at = Retry::Tomorrow.at(noon()).unwrap();
        assert_eq!(at.to_rfc3339(), "2026-11-23T00:05:00+00:00");
    }

    #[test]
    fn the_quota_is_read_when_both_figures_are_there() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs
                .iter()
                .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
                .collect()
        };
        let full = headers(&[
            ("x-rate-limit-limit", "7500"),
            ("x-rate-limit-remaining", "6775"),
            ("x-rate-limit-reset", "34881"),
        ]);
        let expected = Quota {
            limit: 7500,
            remaining: 6775,
            reset: Some(Duration::from_secs(34_881)),
        };
        assert_eq!(Quota::from_headers(&full), Some(expected));
        assert_eq!(
            Quota::from_headers(&headers(&[("x-rate-limit-limit", "7500")])),
            None
        );
    }

    #[test]
    fn the_documented_error_bodies_are_all_recognised() {
        let documented = [
            (429, 44, Retry::After(MINUTE_LIMIT_PAUSE)),
            (429, 45, Retry::Tomorrow),
            (429, 1070, Retry::Backoff),
            (401, 57, Retry::FreshToken),
            (400, 6041, Retry::Never),
            (404, 1002, Retry::Never),
            (400, 2, Retry::Never),
            (500, 1000, Retry::Backoff),
        ];
        for (status, code, advice) in documented {
            let error = judge(status, &format!(r#"{{"code":{code},"message":"m"}}"#)).unwrap_err();
            assert_eq!(error.retry(), advice, "{error}");
            assert!(!matches!(error, ZohoError::Refused { .. }));
            assert!(error.sentence().ends_with('.') || error.sentence().ends_with('m'));
        }
    }
}
