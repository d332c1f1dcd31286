//! What Twilio's answer to an e-mail means: a table by HTTP status, and Twilio's words made fit to be shown.
//!
//! The surprise: 401 and 403 need not be about the account. Twilio's pages disagree on which of the two an
//! unverified sender gets, and a text over the same account may go out well, so neither stops the connection
//! by itself.

use serde::Deserialize;
use serde_json::Value;

use super::super::call::{Answer, NoAnswer};
use super::super::error::{Doubt, Unsent};
use super::super::kept::cut;
use super::OperationId;
use crate::domain::report::Status;
use crate::transport::{Accepted, FailureKind, SendFailure};

/// Longest words of a refusal that are shown, in bytes.
const LONGEST_WORDS: usize = 300;

/// What an HTTP status says about the e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// It has it.
    Taken,
    /// This e-mail will not be taken.
    Refused,
    /// The credentials are refused, at least for e-mail.
    Credentials,
    /// The sender may not send.
    Sender,
    /// The API is not there for this account.
    NoSuchApi,
    TooLarge,
    /// Too many at once: not processed.
    Throttled,
    /// Not now: safe where Twilio itself says so, open where something before it does.
    Unavailable,
    /// It may have it.
    Doubtful,
}

/// Twilio's page "Email API errors", its general pages on 20429 and 20503, and for what they leave out: whether
/// the request may have been passed on.
const MEANINGS: [(u16, u16, Meaning); 13] = [
    (200, 299, Meaning::Taken),
    (401, 401, Meaning::Credentials),
    (403, 403, Meaning::Sender),
    (404, 404, Meaning::NoSuchApi),
    // A gateway that gave up waiting may have passed the request on.
    (408, 408, Meaning::Doubtful),
    (413, 413, Meaning::TooLarge),
    (429, 429, Meaning::Throttled),
    (499, 499, Meaning::Doubtful),
    (400, 498, Meaning::Refused),
    // "Do not retry", says the page; Twilio's skill says the opposite.
    (500, 500, Meaning::Doubtful),
    (503, 503, Meaning::Unavailable),
    (501, 599, Meaning::Doubtful),
    (0, u16::MAX, Meaning::Doubtful),
];

impl Meaning {
    fn of(http: u16) -> Self {
        let mut rows = MEANINGS.iter();
        let row = rows.find(|(from, to, _)| (*from..=*to).contains(&http));
        row.map_or(Self::Doubtful, |(.., meaning)| *meaning)
    }
}

/// Codes of an account that sends nothing at all, whatever the status.
const INACTIVE: [i32; 2] = [10001, 20005];

/// What is known once a call ended.
pub(super) fn outcome(
    answer: Result<Answer, NoAnswer>,
    domain: &str,
) -> Result<Accepted, Box<SendFailure>> {
    let answer = answer.map_err(|no| Box::new(no_answer(&no)))?;
    let kept = answer.kept();
    let is_crowded = kept.is_crowded();
    let response = serde_json::to_value(kept).unwrap_or_default();
    let said = Said::of(&answer);
    match judged(&answer, &said, domain) {
        Ok(id) => Ok(Accepted {
            sentence: format!("Twilio has it ({id})"),
            id: id.to_string(),
            status: Status::Accepted,
            error_code: 0,
            is_opt_out: false,
            is_crowded,
            response,
        }),
        Err((kind, sentence)) => Err(Box::new(SendFailure {
            kind,
            error_code: said.code.unwrap_or_default().into(),
            sentence,
            is_crowded,
            response,
        })),
    }
}

/// What was made of it, or what is known and said of the failure.
fn judged(
    answer: &Answer,
    said: &Said,
    domain: &str,
) -> Result<OperationId, (FailureKind, String)> {
    let fail = |kind, sentence| Err((kind, sentence));
    let doubt = |why: Doubt| fail(FailureKind::Ambiguous, in_doubt(&why.to_string()));
    let refused = |sentence| fail(FailureKind::Refused { is_opt_out: false }, sentence);
    let retry_after = answer.retry_after;
    match Meaning::of(answer.http) {
        Meaning::Taken => match &answer.body {
            Ok(body) => match operation(body) {
                Some(id) => Ok(id),
                None => doubt(Doubt::Garbage),
            },
            Err(why) => doubt(*why),
        },
        _ if said.code.is_some_and(|code| INACTIVE.contains(&code)) => {
            let reason = format!("the Twilio account is not active{}", said.code_in_brackets());
            let sentence = format!("Nothing was sent: {reason}. Look in the Twilio Console");
            fail(FailureKind::Credentials { reason }, sentence)
        }
        Meaning::Credentials => {
            let code = said.code_in_brackets();
            let reason = format!("Twilio refuses the credentials{code}");
            let sentence =
                format!("Twilio refused the credentials{code}. Enter them again under Connections");
            fail(FailureKind::Credentials { reason }, sentence)
        }
        Meaning::Sender => refused(said.sender_refused(domain)),
        // Nothing was sent, but the reason was lost on the way: ask again.
        Meaning::Refused if answer.body.is_err() => fail(
            FailureKind::TryLater { retry_after },
            "Twilio's reason for refusing it was lost".to_owned(),
        ),
        Meaning::Refused if said.is_of_trial() => refused(
            "Twilio did not take the e-mail: a trial account sends only Twilio's own sample texts. \
             Upgrade it in the Twilio Console, then send it again."
                .to_owned(),
        ),
        Meaning::Refused => refused(format!(
            "Twilio refused the e-mail{}.{} Look at its sender, its address and its text.",
            said.code_in_brackets(),
            said.quoted()
        )),
        Meaning::NoSuchApi => refused(format!(
            "Twilio does not offer e-mail to this account{}.{} Look under Email in the Twilio Console.",
            said.code_in_brackets(),
            said.quoted()
        )),
        Meaning::TooLarge => {
            refused("The e-mail is too large for Twilio, which takes 5 MB. Shorten its text.".to_owned())
        }
        Meaning::Throttled => fail(
            FailureKind::Throttled { retry_after },
            "Twilio asks to slow down".to_owned(),
        ),
        Meaning::Unavailable if retry_after.is_some() || said.is_twilios => fail(
            FailureKind::Throttled { retry_after },
            "Twilio cannot take e-mails at the moment".to_owned(),
        ),
        Meaning::Unavailable | Meaning::Doubtful => doubt(match answer.http {
            500..=599 => Doubt::ServerError(answer.http),
            other => Doubt::UnexpectedStatus(other),
        }),
    }
}

/// Twilio takes the credentials, but not for e-mail: it is the sender, or what an API key may do.
pub(super) fn only_for_email(failure: SendFailure, domain: &str) -> SendFailure {
    SendFailure {
        kind: FailureKind::Refused { is_opt_out: false },
        sentence: Said {
            code: i32::try_from(failure.error_code)
                .ok()
                .filter(|code| *code != 0),
            ..Said::default()
        }
        .sender_refused(domain),
        ..failure
    }
}

fn no_answer(no: &NoAnswer) -> SendFailure {
    let (kind, sentence) = match no {
        NoAnswer::NotSent(Unsent::Unbuildable) => (
            FailureKind::Unbuildable,
            "The request to Twilio could not be built; nothing was sent".to_owned(),
        ),
        NoAnswer::NotSent(why @ Unsent::Unreachable(_)) => {
            (FailureKind::Unreachable, why.to_string())
        }
        NoAnswer::NotSent(why @ Unsent::TooLate) => (FailureKind::TooLate, why.to_string()),
        NoAnswer::Lost(why) => (FailureKind::Ambiguous, in_doubt(&why.to_string())),
    };
    SendFailure {
        kind,
        error_code: 0,
        sentence,
        is_crowded: false,
        response: Value::Null,
    }
}

fn in_doubt(why: &str) -> String {
    format!("{why}: Twilio may or may not have it")
}

fn operation(body: &[u8]) -> Option<OperationId> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct TakenJson {
        operation_id: String,
    }
    let taken: TakenJson = serde_json::from_slice(body).ok()?;
    OperationId::parse(&taken.operation_id)
}

/// What the body of a refusal says, whichever of the two shapes it has: `{"errors": […]}`, or one problem alone.
#[derive(Debug, Default)]
struct Said {
    code: Option<i32>,
    /// All problems, each with the field at fault; data.
    words: String,
    /// Twilio's own error, not a page of something before it.
    is_twilios: bool,
}

impl Said {
    fn of(answer: &Answer) -> Self {
        let body = answer.body.as_deref().unwrap_or_default();
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let alone = std::slice::from_ref(&json);
        let problems = json["errors"].as_array().map_or(alone, Vec::as_slice);
        let code = |problem: &Value| match &problem["code"] {
            Value::Number(code) => code.as_i64().and_then(|code| i32::try_from(code).ok()),
            Value::String(code) => code.trim().parse().ok(),
            _ => None,
        };
        let words = |problem: &Value| {
            let message = problem["message"].as_str()?;
            Some(match problem["context"].as_str() {
                Some(field) if !field.is_empty() => format!("{message} ({field})"),
                _ => message.to_owned(),
            })
        };
        let words: Vec<String> = problems.iter().filter_map(words).collect();
        let code = problems.iter().find_map(code);
        Self {
            is_twilios: code.is_some() || !words.is_empty(),
            code,
            words: shown(&words.join("; ")),
        }
    }

    fn is_of_trial(&self) -> bool {
        self.words.to_lowercase().contains("approved template")
    }

    fn code_in_brackets(&self) -> String {
        self.code
            .map_or_else(String::new, |code| format!(" ({code})"))
    }

    fn quoted(&self) -> String {
        match self.words.as_str() {
            "" => String::new(),
            words => format!(" Twilio says: “{words}”."),
        }
    }

    fn sender_refused(&self, domain: &str) -> String {
        format!(
            "Twilio does not let {domain} send e-mails{}.{} Verify the domain under Email in the Twilio \
             Console (an API key must be allowed to send e-mails as well), then send it again.",
            self.code_in_brackets(),
            self.quoted()
        )
    }
}

/// Words of somebody else on one line.
fn shown(words: &str) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let words = words.join(" ").replace(char::is_control, "");
    cut(&words, LONGEST_WORDS).to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer(http: u16, retry_after: Option<u64>, body: &str) -> Answer {
        Answer::of_test(http, retry_after.map(Duration::from_secs), body)
    }

    fn failure(http: u16, retry_after: Option<u64>, body: &str) -> SendFailure {
        *outcome(Ok(answer(http, retry_after, body)), "example.com").unwrap_err()
    }

    const PAGE: &str = "<html><body>nginx</body></html>";

    fn problem(code: i32, message: &str) -> String {
        serde_json::json!({ "errors": [{ "code": code, "message": message, "context": "content.html" }] })
            .to_string()
    }

    #[test]
    fn each_status_has_its_class() {
        let refused = FailureKind::Refused { is_opt_out: false };
        let throttled = |seconds: Option<u64>| FailureKind::Throttled {
            retry_after: seconds.map(Duration::from_secs),
        };
        let twilios = problem(20503, "Service unavailable");
        for (http, retry_after, body, kind) in [
            (202, None, "", FailureKind::Ambiguous),
            (202, None, PAGE, FailureKind::Ambiguous),
            (
                202,
                None,
                r#"{"operationId":"../../x"}"#,
                FailureKind::Ambiguous,
            ),
            (301, None, PAGE, FailureKind::Ambiguous),
            (400, None, PAGE, refused.clone()),
            (
                403,
                None,
                r#"{"status":403,"message":"Forbidden"}"#,
                refused.clone(),
            ),
            (404, None, PAGE, refused.clone()),
            (408, None, "", FailureKind::Ambiguous),
            (413, None, PAGE, refused.clone()),
            (415, None, PAGE, refused),
            (429, None, PAGE, throttled(None)),
            (429, Some(7), "", throttled(Some(7))),
            (499, None, "", FailureKind::Ambiguous),
            (
                500,
                None,
                &problem(20500, "Internal server error"),
                FailureKind::Ambiguous,
            ),
            (500, Some(1), PAGE, FailureKind::Ambiguous),
            (502, None, PAGE, FailureKind::Ambiguous),
            (503, None, PAGE, FailureKind::Ambiguous),
            (503, Some(3), PAGE, throttled(Some(3))),
            (503, None, &twilios, throttled(None)),
            (504, None, PAGE, FailureKind::Ambiguous),
        ] {
            assert_eq!(failure(http, retry_after, body).kind, kind, "{http} {body}");
        }
        for http in [401, 403] {
            let inactive = failure(http, None, &problem(20005, "Account not active"));
            assert!(matches!(inactive.kind, FailureKind::Credentials { .. }));
        }
        assert!(matches!(
            failure(401, None, PAGE).kind,
            FailureKind::Credentials { .. }
        ));
    }

    #[test]
    fn an_operation_is_what_it_is_called_by() {
        let id = "comms_operation_01h9krwprkeee8fzqspvwy6nq8";
        let body =
            format!(r#"{{"operationId":"{id}","operationLocation":"https://evil.example"}}"#);
        let accepted = outcome(Ok(answer(202, None, &body)), "example.com").unwrap();
        assert_eq!(
            (accepted.id.as_str(), accepted.status),
            (id, Status::Accepted)
        );
    }

    #[test]
    fn a_refusal_says_what_twilio_says_and_what_to_do() {
        let says = failure(400, None, &problem(20001, "Bad\u{7}\nrequest"));
        assert_eq!(says.error_code, 20001);
        assert_eq!(
            says.sentence,
            "Twilio refused the e-mail (20001). Twilio says: “Bad request (content.html)”. Look at its \
             sender, its address and its text."
        );
        let trial = failure(
            400,
            None,
            &problem(0, "email content does not match any approved template"),
        );
        assert!(trial.sentence.contains("trial account") && trial.sentence.contains("Upgrade it"));
        let sender = failure(403, None, r#"{"status":403,"message":"Forbidden"}"#);
        assert!(
            sender
                .sentence
                .starts_with("Twilio does not let example.com send e-mails.")
        );
        let long = failure(400, None, &problem(1, &"x".repeat(5_000)));
        assert!(long.sentence.len() < 500);
    }

    #[test]
    fn credentials_that_are_good_elsewhere_are_not_refused() {
        let failure = only_for_email(
            failure(401, None, &problem(20003, "Authenticate")),
            "example.com",
        );
        assert_eq!(failure.kind, FailureKind::Refused { is_opt_out: false });
        assert!(
            failure.sentence.contains("(20003)") && failure.sentence.contains("Verify the domain")
        );
    }
}
