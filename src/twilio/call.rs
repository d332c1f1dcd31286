//! One call: written once, read up to a limit, told apart by how far it got.
//!
//! The surprise: a time-out while connecting is safe, the same time-out a moment later is not.
//! Only what reqwest marks as a failed connection counts as "never left".

use std::error::Error as _;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::RequestBuilder;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::error::{CallError, CallFailure, Doubt, Refusal, Unsent};
use super::kept::{KeptResponse, body_text, cut};
use super::wire::{self, ErrorJson};
use super::{CallTime, codes};
use crate::http::{BodyError, capped_body};
use crate::redact::Secrets;

/// Longest wait that is believed.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// Longest message of a refusal, in bytes.
const LONGEST_MESSAGE: usize = 500;

/// No answer: either nothing left, or nobody knows.
#[derive(Debug)]
pub(super) enum NoAnswer {
    NotSent(Unsent),
    Lost(Doubt),
}

/// An answer's head, and its body unless that broke off.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) http: u16,
    pub(super) date: Option<DateTime<Utc>>,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Result<Vec<u8>, Doubt>,
    request_id: Option<String>,
    /// How many calls of the account Twilio counted at once (`Twilio-Concurrent-Requests`).
    concurrent: Option<u32>,
}

/// Makes the call, once. What the answer echoes of `secrets` is taken out before anybody reads it.
pub(super) async fn exchange(
    request: RequestBuilder,
    secrets: &Secrets,
    time: CallTime,
    limit: usize,
) -> Result<Answer, NoAnswer> {
    if time.start_by.is_some_and(|by| by.is_over()) {
        return Err(NoAnswer::NotSent(Unsent::TooLate));
    }
    let response = request
        .timeout(time.timeout)
        .send()
        .await
        .map_err(|error| no_answer(&error))?;
    let headers = response.headers();
    let date = header(headers, DATE.as_str()).and_then(wire::date);
    let mut answer = Answer {
        http: response.status().as_u16(),
        date,
        retry_after: header(headers, RETRY_AFTER.as_str()).and_then(|text| wait(text, date)),
        request_id: header(headers, "twilio-request-id")
            .map(|id| cut(&secrets.clean_text(id), 100).to_owned()),
        concurrent: header(headers, "twilio-concurrent-requests")
            .and_then(|count| count.trim().parse().ok()),
        body: Ok(Vec::new()),
    };
    let body = capped_body(response, limit).await;
    answer.body = body
        .map(|body| secrets.clean(&body).into_owned())
        .map_err(|error| match error {
            BodyError::TooLong(_) => Doubt::Garbage,
            BodyError::Broken(error) if error.is_timeout() => Doubt::TimedOut,
            BodyError::Broken(_) => Doubt::BrokenBody,
        });
    Ok(answer)
}

fn no_answer(error: &reqwest::Error) -> NoAnswer {
    if error.is_builder() {
        NoAnswer::NotSent(Unsent::Unbuildable)
    } else if error.is_connect() {
        NoAnswer::NotSent(Unsent::Unreachable(innermost(error)))
    } else if error.is_timeout() {
        NoAnswer::Lost(Doubt::TimedOut)
    } else {
        NoAnswer::Lost(Doubt::Reset)
    }
}

/// The last cause, which names the trouble ("Connection refused"); the outer ones bear the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(String::new, |cause| cut(&cause.to_string(), 200).to_owned())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// `Retry-After` in seconds, or as a date measured against Twilio's own clock.
fn wait(text: &str, now: Option<DateTime<Utc>>) -> Option<Duration> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (wire::date(text)? - now?)
            .max(TimeDelta::zero())
            .to_std()
            .ok()?,
    };
    Some(wait.min(LONGEST_WAIT))
}

impl Answer {
    /// One that came whole.
    #[cfg(test)]
    pub(super) fn of_test(http: u16, retry_after: Option<Duration>, body: &str) -> Self {
        Self {
            http,
            date: None,
            retry_after,
            request_id: None,
            concurrent: None,
            body: Ok(body.as_bytes().to_vec()),
        }
    }

    /// The answer as an attempt keeps it.
    pub(super) fn kept(&self) -> KeptResponse {
        KeptResponse {
            http: self.http,
            date: self.date,
            request_id: self.request_id.clone(),
            concurrent_requests: self.concurrent,
            body: self
                .body
                .as_ref()
                .map_or_else(|_| String::new(), |body| body_text(body)),
        }
    }

    /// The refusal in the body; an HTML page or a broken body gives one without a code.
    pub(super) fn refusal(&self) -> Refusal {
        let body = self.body.as_deref().unwrap_or_default();
        let error: ErrorJson = serde_json::from_slice(body).unwrap_or_default();
        let code = error.code.and_then(|code| i32::try_from(code).ok());
        Refusal {
            http: self.http,
            code,
            message: error.message.map_or_else(String::new, |text| {
                cut(&text, LONGEST_MESSAGE).replace(char::is_control, " ")
            }),
            // Shown as a link, so only Twilio's own pages.
            more_info: error
                .more_info
                .filter(|url| url.starts_with("https://www.twilio.com/") && url.len() <= 200),
            class: code.map_or(&codes::UNKNOWN, codes::explain).class,
        }
    }

    /// For reads: the body of a success, or what went wrong.
    pub(super) fn success(self) -> Result<(Vec<u8>, Option<DateTime<Utc>>), CallError> {
        let date = self.date;
        let kind = match self.http {
            200..=299 => match self.body {
                Ok(body) => return Ok((body, date)),
                Err(doubt) => CallFailure::Unavailable(doubt),
            },
            401 | 403 => CallFailure::Credentials(Box::new(self.refusal())),
            404 => CallFailure::NotFound(Box::new(self.refusal())),
            429 => CallFailure::Throttled {
                retry_after: self.retry_after,
            },
            400..=499 => CallFailure::Refused(Box::new(self.refusal())),
            500..=599 => CallFailure::Unavailable(Doubt::ServerError(self.http)),
            other => CallFailure::Unavailable(Doubt::UnexpectedStatus(other)),
        };
        Err(CallError { kind, date })
    }
}

impl From<NoAnswer> for CallError {
    fn from(error: NoAnswer) -> Self {
        let kind = match error {
            NoAnswer::NotSent(why) => CallFailure::NotSent(why),
            NoAnswer::Lost(why) => CallFailure::Unavailable(why),
        };
        Self { kind, date: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_may_be_seconds_or_a_date_and_is_bounded() {
        let now = wire::date("Thu, 24 Aug 2023 05:00:00 GMT");
        assert_eq!(wait("7", None), Some(Duration::from_secs(7)));
        assert_eq!(wait("999999", None), Some(LONGEST_WAIT));
        assert_eq!(
            wait("Thu, 24 Aug 2023 05:00:30 GMT", now),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            wait("Thu, 24 Aug 2023 04:00:30 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(wait("Thu, 24 Aug 2023 05:00:30 GMT", None), None);
        assert_eq!(wait("soon", now), None);
    }

    #[test]
    fn a_link_to_a_strange_place_is_dropped_from_a_refusal() {
        let answer = |body: &str| Answer::of_test(400, None, body);
        let bad = r#"{"code":21211,"message":"no\nno","more_info":"javascript:alert(1)"}"#;
        let refusal = answer(bad).refusal();
        assert_eq!((refusal.code, refusal.more_info), (Some(21211), None));
        assert_eq!(refusal.message, "no no");
        let html = answer("<html>Bad Request</html>").refusal();
        assert_eq!((html.code, html.message), (None, String::new()));
    }
}
