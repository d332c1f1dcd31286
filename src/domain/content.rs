//! What goes out: a text, or an e-mail.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::delivery::Channel;
use super::document::DocumentKind;
use super::ids::ConnectionId;

/// What a message says, as it goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// An SMS.
    Text(String),
    Email(EmailContent),
}

/// The parts of an e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailContent {
    pub subject: String,
    /// What those read who see no HTML.
    pub text: String,
    pub html: String,
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

/// A document that goes with an e-mail, by reference: it is fetched from the books when it leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub source: ConnectionId,
    pub kind: DocumentKind,
    pub document: String,
    /// What the file is called.
    pub name: String,
}

impl Content {
    /// What a person reads where there is only room for words.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Email(email) => &email.text,
        }
    }

    /// What stands in place of a message of which nothing could be made.
    pub fn nothing(channel: Channel) -> Self {
        match channel {
            Channel::Sms => Self::Text(String::new()),
            Channel::Email => Self::Email(EmailContent {
                subject: String::new(),
                text: String::new(),
                html: String::new(),
                attachments: Vec::new(),
            }),
        }
    }

    /// Nothing could be made of it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Email(email) => email.subject.is_empty() && email.html.is_empty(),
        }
    }

    /// By which equal contents are known: equal ones to one address go one at a time. The SHA-256 of a text;
    /// of an e-mail that of its parts, each behind its length.
    pub fn fingerprint(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => Sha256::digest(text.as_bytes()).to_vec(),
            Self::Email(email) => email.fingerprint(),
        }
    }

    /// The same, with a mark that nobody who reads it can miss: before a text, or in the subject.
    #[must_use]
    pub fn with_mark(self, mark: &str) -> Self {
        match self {
            Self::Text(text) => Self::Text(format!("{mark}{text}")),
            Self::Email(email) => Self::Email(EmailContent {
                subject: format!("{mark}{}", email.subject),
                ..email
            }),
        }
    }

    /// The same without the mark; `None` if it does not bear it.
    pub fn without_mark(&self, mark: &str) -> Option<Self> {
        match self {
            Self::Text(text) => Some(Self::Text(text.strip_prefix(mark)?.to_owned())),
            Self::Email(email) => Some(Self::Email(EmailContent {
                subject: email.subject.strip_prefix(mark)?.to_owned(),
                ..email.clone()
            })),
        }
    }
}

impl EmailContent {
    fn fingerprint(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(self.subject.as_bytes());
        part(self.text.as_bytes());
        part(self.html.as_bytes());
        for of in &self.attachments {
            part(of.source.uuid().as_bytes());
            part(of.kind.as_str().as_bytes());
            part(of.document.as_bytes());
            part(of.name.as_bytes());
        }
        hash.finalize().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn email(subject: &str, text: &str, html: &str) -> Content {
        Content::Email(EmailContent {
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: html.to_owned(),
            attachments: Vec::new(),
        })
    }

    #[test]
    fn a_mark_comes_and_goes() {
        for content in [Content::Text("Hi".to_owned()), email("Hi", "a", "b")] {
            let marked = content.clone().with_mark("[to Ann] ");
            assert_ne!(marked, content);
            assert_eq!(marked.without_mark("[to Ann] "), Some(content.clone()));
            assert_eq!(content.without_mark("[to Ann] "), None);
        }
    }

    #[test]
    fn an_attachment_makes_a_difference() {
        let with = |name: &str| {
            let Content::Email(plain) = email("Hi", "a", "b") else {
                unreachable!()
            };
            let attachment = Attachment {
                source: ConnectionId::from_uuid(uuid::Uuid::nil()),
                kind: DocumentKind::Invoice,
                document: "1".to_owned(),
                name: name.to_owned(),
            };
            Content::Email(EmailContent {
                attachments: vec![attachment],
                ..plain
            })
        };
        let prints = [email("Hi", "a", "b"), with("a.pdf"), with("b.pdf")].map(|c| c.fingerprint());
        assert!(prints[0] != prints[1] && prints[1] != prints[2]);
    }

    proptest! {
        /// Parts that only run together alike are told apart.
        #[test]
        fn equal_fingerprints_are_equal_contents(
            a in ("[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}"),
            b in ("[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}"),
        ) {
            let (one, two) = (email(&a.0, &a.1, &a.2), email(&b.0, &b.1, &b.2));
            prop_assert_eq!(one.fingerprint() == two.fingerprint(), one == two);
        }

        #[test]
        fn what_is_stored_is_read_back(subject in "\\PC{0,20}", html in "\\PC{0,40}") {
            for content in [Content::Text(html.clone()), email(&subject, "", &html)] {
                let stored = serde_json::to_string(&content).unwrap();
                prop_assert_eq!(serde_json::from_str::<Content>(&stored).unwrap(), content);
            }
        }
    }
}
