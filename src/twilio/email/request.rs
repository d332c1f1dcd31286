//! What one e-mail asks of Twilio: one recipient a request, always `html`, always a sender's name.
//!
//! The surprise: address objects with a key too many are refused, and so is a sender without a name; and
//! there is no cc, bcc or reply-to, so answers go to the sender.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::liquid;
use crate::domain::content::{Content, EmailContent};
use crate::domain::sender::Mailbox;
use crate::transport::Outgoing;

/// The largest request that is taken, everything included ("must not exceed 5 MB", API reference); the smaller
/// reading of MB.
pub(super) const LARGEST: usize = 5_000_000;

/// The body of the request.
#[derive(Debug, Serialize)]
pub(super) struct EmailJson<'a> {
    from: FromJson<'a>,
    to: [ToJson<'a>; 1],
    content: ContentJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<TagsJson>,
}

#[derive(Debug, Serialize)]
struct FromJson<'a> {
    address: &'a str,
    name: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
struct ToJson<'a> {
    address: &'a str,
}

#[derive(Debug, Serialize)]
struct ContentJson<'a> {
    subject: Cow<'a, str>,
    html: Cow<'a, str>,
    /// Made from the HTML where it is missing.
    #[serde(skip_serializing_if = "str::is_empty")]
    text: Cow<'a, str>,
}

/// By these a message is found again whose answer was lost: ids only, nothing of a person.
#[derive(Debug, Serialize)]
struct TagsJson {
    delivery: String,
    attempt: String,
}

/// Why nothing is asked at all: a sentence with what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit(pub(super) String);

impl<'a> EmailJson<'a> {
    /// The request for a message.
    pub(super) fn of(message: &Outgoing<'a>, sender: &'a Mailbox) -> Result<Self, Unfit> {
        let Content::Email(content) = message.content else {
            return Err(unfit("A text cannot go out as an e-mail", "Decide again"));
        };
        check(content)?;
        if [message.to, &sender.address]
            .iter()
            .any(|a| liquid::has_token(a))
        {
            return Err(unfit(
                "Twilio would read the braces in this address as a template",
                "Use another address",
            ));
        }
        Ok(Self {
            from: FromJson {
                address: &sender.address,
                name: line(sender.shown_name()),
            },
            to: [ToJson {
                address: message.to,
            }],
            content: ContentJson {
                subject: line(&content.subject),
                html: liquid::html(&content.html),
                text: liquid::plain(&content.text),
            },
            tags: message.mark.map(|(delivery, attempt)| TagsJson {
                delivery: delivery.to_string(),
                attempt: attempt.to_string(),
            }),
        })
    }

    /// As it is sent.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Unfit> {
        let body = serde_json::to_vec(self)
            .map_err(|_| unfit("The request could not be built", "Send it again"))?;
        if body.len() > LARGEST {
            let size = body.len().div_ceil(100_000);
            let what = format!(
                "The e-mail is too large: {}.{} MB with everything in it, and Twilio takes 5 MB",
                size / 10,
                size % 10
            );
            return Err(unfit(&what, "Shorten its text"));
        }
        Ok(body)
    }

    /// As the attempt keeps it: without the parts that are kept with the message.
    pub(super) fn kept(&self) -> Value {
        let content = &self.content;
        json!({
            "from": self.from,
            "to": self.to,
            "content": {
                "subject": content.subject,
                "html": bytes(&content.html),
                "text": bytes(&content.text),
            },
            "tags": self.tags,
        })
    }
}

/// What Twilio would refuse, or what it would do without being asked.
fn check(content: &EmailContent) -> Result<(), Unfit> {
    if content.subject.trim().is_empty() {
        return Err(unfit("The e-mail has no subject", "Give the rule one"));
    }
    if content.html.is_empty() {
        return Err(unfit("The e-mail has no text", "Give the rule one"));
    }
    if !content.attachments.is_empty() {
        return Err(unfit(
            "This service cannot send attachments yet",
            "Send it without",
        ));
    }
    Ok(())
}

/// One line, whatever stood in it.
fn line(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        let blank = text.replace(char::is_control, " ");
        return Cow::Owned(liquid::plain(&blank).into_owned());
    }
    liquid::plain(text)
}

fn bytes(text: &str) -> String {
    format!("({} bytes, as kept with the message)", text.len())
}

fn unfit(what: &str, todo: &str) -> Unfit {
    Unfit(format!("{what}; nothing was sent. {todo}."))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn content(subject: &str, text: &str, html: &str) -> Content {
        Content::Email(EmailContent {
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: html.to_owned(),
            attachments: Vec::new(),
        })
    }

    fn outgoing<'a>(to: &'a str, content: &'a Content) -> Outgoing<'a> {
        Outgoing {
            mark: None,
            to,
            reader: "Ann",
            sender: "",
            content,
            hooks: None,
            within: Duration::from_hours(1),
        }
    }

    fn sender(name: &str) -> Mailbox {
        Mailbox {
            address: "billing@example.com".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn what_twilio_would_refuse_is_not_asked() {
        let why = |content: &Content, to: &str| {
            let sender = sender("Acme");
            let message = outgoing(to, content);
            let json = EmailJson::of(&message, &sender);
            json.and_then(|json| json.to_bytes().map(drop))
                .unwrap_err()
                .0
        };
        let to = "ann@example.net";
        assert!(why(&content(" ", "a", "b"), to).contains("no subject"));
        assert!(why(&content("Hi", "a", ""), to).contains("no text"));
        assert!(why(&Content::Text("Hi".to_owned()), to).contains("A text"));
        assert!(why(&content("Hi", "a", "b"), "{{x}}@example.net").contains("braces"));
        let large = "x".repeat(LARGEST);
        let says = why(&content("Hi", "a", &large), to);
        assert!(
            says.contains("5.1 MB") && says.ends_with("Shorten its text."),
            "{says}"
        );
    }

    #[test]
    fn a_kept_request_bears_no_text_twice() {
        let (content, sender) = (
            content("INV-7", "secret text", "<p>secret</p>"),
            sender("Acme"),
        );
        let message = outgoing("ann@example.net", &content);
        let kept = EmailJson::of(&message, &sender).unwrap().kept().to_string();
        assert!(kept.contains("INV-7") && kept.contains("(13 bytes"));
        assert!(!kept.contains("secret"));
    }

    proptest! {
        /// Whatever a customer is called: no token, one line, and address objects as Twilio wants them.
        #[test]
        fn no_data_reaches_liquid(
            subject in "\\PC{0,5}[{}%\r\n]{1,5}\\PC{1,5}",
            name in "[{}%a\n]{0,8}",
            text in "[{}%a<>]{0,12}",
        ) {
            let (content, sender) = (content(&subject, &text, &format!("<p>{text}</p>")), sender(&name));
            let message = outgoing("ann@example.net", &content);
            let Ok(json) = EmailJson::of(&message, &sender) else { return Ok(()) };
            let body = String::from_utf8(json.to_bytes().unwrap()).unwrap();
            prop_assert!(!liquid::has_token(&body), "{}", body);
            let json: Value = serde_json::from_str(&body).unwrap();
            let subject = json["content"]["subject"].as_str().unwrap();
            prop_assert!(!subject.contains(char::is_control));
            prop_assert_eq!(json["from"].as_object().unwrap().len(), 2);
            prop_assert_eq!(json["to"][0].as_object().unwrap().len(), 1);
        }
    }
}
