//! Creating and reading messages.
//!
//! The surprise: the body of an answer matters less than its status. A 201 whose body breaks off
//! is as open as a time-out, while a 400 that cannot be read is safe: nothing was sent.

use std::time::Duration;

use chrono::{DateTime, Utc};
use url::Url;

use super::account::{secrets, signed_in};
use super::call::{Answer, NoAnswer, exchange};
use super::codes::{self, Class, ResendAdvice};
use super::error::{CallError, CallFailure, Doubt, SendError, SendFailure};
use super::kept::{Form, KeptRequest, KeptResponse, cut, redacted};
use super::wire::{self, MessageJson};
use super::{Account, MessageSid, MessagingServiceSid, Twilio};
use crate::domain::report::Status;
use crate::redact::Secrets;
pub use crate::transport::CallTime;

/// Longest answer about one message, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;
/// What is shorter in the callback's path is no token.
const CALLBACK_TOKEN: usize = 16;

/// Who a message is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender<'a> {
    /// A number in E.164, a short code or an alphanumeric sender of the account.
    From(&'a str),
    /// Twilio picks a sender of this service.
    MessagingService(&'a MessagingServiceSid),
}

/// A message to be created.
#[derive(Debug, Clone, Copy)]
pub struct NewMessage<'a> {
    /// E.164.
    pub to: &'a str,
    pub sender: Sender<'a>,
    /// At most 1,600 characters (21617).
    pub body: &'a str,
    /// An absolute public https address; Twilio refuses others with 21609.
    pub status_callback: Option<&'a str>,
    /// How long the message may wait at Twilio; sent as whole seconds within 1 to 36,000.
    pub validity_period: Option<Duration>,
}

/// Names and values as sent.
impl KeptRequest {
    /// The request that [`Twilio::create`] will make, for the attempt written before the call.
    pub fn of_message(twilio: &Twilio, account: &Account, message: &NewMessage<'_>) -> Self {
        Self {
            method: "POST",
            url: twilio.account_url(account, "/Messages.json"),
            form: redacted(message.form()),
        }
    }
}

impl<'a> NewMessage<'a> {
    pub(super) fn form(&self) -> Form<'a> {
        let mut form: Form<'a> = vec![("To", self.to.into())];
        form.push(match self.sender {
            Sender::From(from) => ("From", from.into()),
            Sender::MessagingService(sid) => ("MessagingServiceSid", sid.as_str().into()),
        });
        form.push(("Body", self.body.into()));
        if let Some(url) = self.status_callback {
            form.push(("StatusCallback", url.into()));
        }
        if let Some(period) = self.validity_period {
            let seconds = period.as_secs().clamp(1, 36_000);
            form.push(("ValidityPeriod", seconds.to_string().into()));
        }
        form
    }
}

/// Twilio has the message. Says nothing about its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub sid: MessageSid,
    /// The first status, for which no callback comes; `Accepted` where the word is missing or new.
    pub status: Status,
    /// Set when the message was refused at once in spite of the success.
    pub error_code: Option<i32>,
    /// Twilio's words about that; data.
    pub error_message: Option<String>,
    /// What will be billed; unknown with a Messaging Service, which says 0 at first.
    pub num_segments: Option<u32>,
    /// Twilio's clock (`Date` header).
    pub date: Option<DateTime<Utc>>,
    /// When Twilio made the message.
    pub date_created: Option<DateTime<Utc>>,
    /// The answer as kept.
    pub response: Box<KeptResponse>,
}

/// A message as Twilio shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub sid: MessageSid,
    pub to: Option<String>,
    /// Null until a Messaging Service has picked a sender.
    pub from: Option<String>,
    /// Null or empty where the account discards texts.
    pub body: Option<String>,
    /// Sent by the account, not received by it.
    pub outbound: bool,
    /// `None` for a word that means "no change".
    pub status: Option<Status>,
    pub error_code: Option<i32>,
    pub error_message: Option<String>,
    pub num_segments: Option<u32>,
    pub date_created: Option<DateTime<Utc>>,
    pub date_sent: Option<DateTime<Utc>>,
}

impl Twilio {
    /// Creates a message, once. Every way to fail tells whether the message may exist.
    pub async fn create(
        &self,
        account: &Account,
        message: &NewMessage<'_>,
        time: CallTime,
    ) -> Result<Accepted, SendError> {
        let url = self.account_url(account, "/Messages.json");
        let request = signed_in(self.http.post(url), account).form(&message.form());
        // Without an Auth Token, the token in this path is all that protects the callback.
        let path = message.status_callback.and_then(|url| Url::parse(url).ok());
        let path = path
            .as_ref()
            .and_then(Url::path_segments)
            .into_iter()
            .flatten();
        let secrets = path
            .filter(|segment| segment.len() >= CALLBACK_TOKEN)
            .fold(secrets(account), Secrets::with);
        match exchange(request, &secrets, time, LONGEST_ANSWER).await {
            Ok(answer) => accepted_or_not(&answer),
            Err(NoAnswer::NotSent(why)) => Err(SendError {
                kind: SendFailure::NotSent(why),
                response: None,
            }),
            Err(NoAnswer::Lost(why)) => {
                let kind = SendFailure::Ambiguous {
                    why,
                    code: None,
                    retry_after: None,
                };
                Err(SendError {
                    kind,
                    response: None,
                })
            }
        }
    }

    /// Reads one message.
    pub async fn get(
        &self,
        account: &Account,
        sid: &MessageSid,
        time: CallTime,
    ) -> Result<Message, CallError> {
        let url = self.account_url(account, &format!("/Messages/{sid}.json"));
        let request = signed_in(self.http.get(url), account);
        let answer = exchange(request, &secrets(account), time, LONGEST_ANSWER).await?;
        let (body, date) = answer.success()?;
        serde_json::from_slice::<MessageJson>(&body)
            .ok()
            .and_then(message)
            .filter(|message| message.sid == *sid)
            .ok_or(CallError {
                kind: CallFailure::Unavailable(Doubt::Garbage),
                date,
            })
    }
}

fn accepted_or_not(answer: &Answer) -> Result<Accepted, SendError> {
    let response = Box::new(answer.kept());
    let doubt = |why, code| SendFailure::Ambiguous {
        why,
        code,
        retry_after: answer.retry_after,
    };
    let kind = match (answer.http, &answer.body) {
        (200..=299, Ok(body)) => match created(body) {
            Some((sid, json)) => {
                return Ok(Accepted {
                    sid,
                    status: json
                        .status
                        .as_deref()
                        .and_then(Status::parse)
                        .unwrap_or(Status::Accepted),
                    error_code: json.error_code.and_then(|code| i32::try_from(code).ok()),
                    error_message: json.error_message.map(|text| cut(&text, 500).to_owned()),
                    num_segments: segments(json.num_segments),
                    date: answer.date,
                    date_created: json.date_created.as_deref().and_then(wire::date),
                    response,
                });
            }
            None => doubt(Doubt::Garbage, None),
        },
        (200..=299, Err(why)) => doubt(*why, None),
        (400..=499, _) => refused(answer),
        (500..=599, _) => doubt(Doubt::ServerError(answer.http), answer.refusal().code),
        (other, _) => doubt(Doubt::UnexpectedStatus(other), None),
    };
    Err(SendError {
        kind,
        response: Some(response),
    })
}

fn created(body: &[u8]) -> Option<(MessageSid, MessageJson)> {
    let json: MessageJson = serde_json::from_slice(body).ok()?;
    let sid = MessageSid::parse(json.sid.as_deref()?).ok()?;
    Some((sid, json))
}

/// A 4xx. Twilio's code decides where our table knows it, else the status.
fn refused(answer: &Answer) -> SendFailure {
    let refusal = answer.refusal();
    let (code, retry_after) = (refusal.code, answer.retry_after);
    match refusal.class {
        Class::Throttle => return SendFailure::Throttled { code, retry_after },
        Class::QueueFull => return SendFailure::TryLater { code, retry_after },
        Class::Account => return SendFailure::Credentials(Box::new(refusal)),
        Class::ServerTrouble => {
            let why = Doubt::UnexpectedStatus(answer.http);
            return SendFailure::Ambiguous {
                why,
                code,
                retry_after,
            };
        }
        _ => {}
    }
    if let Some(entry) = code.and_then(codes::find)
        && entry.later == ResendAdvice::NextDay
    {
        return SendFailure::DailyLimit { code: entry.code };
    }
    match answer.http {
        429 => SendFailure::Throttled { code, retry_after },
        // A gateway that gave up waiting may have passed the request on.
        408 | 499 => {
            let why = Doubt::UnexpectedStatus(answer.http);
            SendFailure::Ambiguous {
                why,
                code,
                retry_after,
            }
        }
        401 => SendFailure::Credentials(Box::new(refusal)),
        // Nothing was sent, but the reason was lost on the way: ask again.
        _ if answer.body.is_err() => SendFailure::TryLater { code, retry_after },
        _ => SendFailure::Refused(Box::new(refusal)),
    }
}

/// `None` without a valid SID.
pub(super) fn message(json: MessageJson) -> Option<Message> {
    Some(Message {
        sid: MessageSid::parse(json.sid.as_deref()?).ok()?,
        outbound: json
            .direction
            .is_some_and(|direction| direction.starts_with("outbound")),
        status: json.status.as_deref().and_then(Status::parse),
        error_code: json.error_code.and_then(|code| i32::try_from(code).ok()),
        error_message: json.error_message.map(|text| cut(&text, 500).to_owned()),
        num_segments: segments(json.num_segments),
        date_created: json.date_created.as_deref().and_then(wire::date),
        date_sent: json.date_sent.as_deref().and_then(wire::date),
        to: json.to,
        from: json.from,
        body: json.body,
    })
}

/// 0 means that no sender has been picked yet.
fn segments(count: Option<i64>) -> Option<u32> {
    count
        .and_then(|count| u32::try_from(count).ok())
        .filter(|count| *count > 0)
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
