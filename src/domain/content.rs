//! What goes out: a text, or an e-mail.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::channel::Channel;
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

    /// The same, with a mark that nobody who reads it can miss: before a text, or in the subject and on top
    /// of both parts of an e-mail.
    #[must_use]
    pub fn with_mark(self, mark: &str) -> Self {
        match self {
            Self::Text(text) => Self::Text(format!("{mark}{text}")),
            Self::Email(email) => {
                let at = mark_place(&email.html);
                let (before, behind) = email.html.split_at(at);
                Self::Email(EmailContent {
                    subject: format!("{mark}{}", email.subject),
                    text: format!("{}{}", text_banner(mark), email.text),
                    html: format!("{before}{}{behind}", html_banner(mark)),
                    attachments: email.attachments,
                })
            }
        }
    }

    /// The same without the mark; `None` if it does not bear it.
    pub fn without_mark(&self, mark: &str) -> Option<Self> {
        match self {
            Self::Text(text) => Some(Self::Text(text.strip_prefix(mark)?.to_owned())),
            Self::Email(email) => {
                let (before, behind) = email.html.split_at(mark_place(&email.html));
                let behind = behind.strip_prefix(html_banner(mark).as_str())?;
                Some(Self::Email(EmailContent {
                    subject: email.subject.strip_prefix(mark)?.to_owned(),
                    text: email.text.strip_prefix(&text_banner(mark))?.to_owned(),
                    html: format!("{before}{behind}"),
                    attachments: email.attachments.clone(),
                }))
            }
        }
    }
}

/// Where the HTML of an e-mail takes a mark: right behind this.
pub const MARK_PLACE: &str = "<!--top-->";

/// Where a mark stands; the beginning where the HTML names no place.
fn mark_place(html: &str) -> usize {
    html.find(MARK_PLACE).map_or(0, |at| at + MARK_PLACE.len())
}

fn text_banner(mark: &str) -> String {
    format!("{}\n\n", mark.trim_end())
}

/// The mark across the page. Its colours are its own, so that it is read by day and by night.
fn html_banner(mark: &str) -> String {
    let mut shown = String::with_capacity(mark.len());
    for letter in mark.trim_end().chars() {
        match letter {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '{' => shown.push_str("&#123;"),
            '}' => shown.push_str("&#125;"),
            letter => shown.push(letter),
        }
    }
    format!(
        "<div role=\"note\" style=\"background-color:#fff3d6;color:#4a3000;padding:10px 24px;\
         font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;\
         font-size:14px;line-height:20px;font-weight:600;text-align:center\">{shown}</div>"
    )
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

    #[test]
    fn a_mark_stands_on_top_of_every_part() {
        let page = "<html><body><!--top--><p>Hi</p></body></html>";
        let Content::Email(marked) = email("Hi", "Hello", page).with_mark("[to <b>Ann</b>] ")
        else {
            unreachable!()
        };
        assert_eq!(marked.subject, "[to <b>Ann</b>] Hi");
        assert_eq!(marked.text, "[to <b>Ann</b>]\n\nHello");
        assert!(
            marked
                .html
                .starts_with("<html><body><!--top--><div role=\"note\"")
        );
        assert!(
            marked
                .html
                .ends_with("[to &lt;b&gt;Ann&lt;/b&gt;]</div><p>Hi</p></body></html>")
        );
    }

    proptest! {
        #[test]
        fn a_mark_that_is_taken_off_leaves_what_was(
            mark in "\\PC{0,20}( |<!--top-->|<div>)?", subject in "\\PC{0,20}", text in "\\PC{0,40}",
            before in "\\PC{0,20}", place in "(<!--top-->){0,2}", behind in "\\PC{0,20}",
        ) {
            let content = email(&subject, &text, &format!("{before}{place}{behind}"));
            let marked = content.clone().with_mark(&mark);
            prop_assert_eq!(marked.without_mark(&mark), Some(content));
        }

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
