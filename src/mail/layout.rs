//! An e-mail as it leaves: plain text, and the same as HTML.

use std::time::SystemTime;

use askama::Template;
use chrono::{DateTime, Utc};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use uuid::Uuid;

use super::NotSent;
use super::untrusted;

/// What a server is given.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The same for each try, and so is the `Message-ID`.
    pub id: Uuid,
    pub to: &'a str,
    pub subject: &'a str,
    /// Lines ended by `\n`. One that is only an address of ours becomes a button.
    pub text: &'a str,
    pub at: DateTime<Utc>,
    /// Where the service is reached, without a slash at the end.
    pub origin: &'a str,
}

#[derive(Template)]
#[template(path = "emails/letter.txt")]
struct TextMail<'a> {
    text: &'a str,
    service: &'a str,
}

#[derive(Template)]
#[template(path = "emails/letter.html")]
struct HtmlMail<'a> {
    subject: &'a str,
    pieces: Vec<Piece<'a>>,
    service: &'a str,
}

/// A part of the HTML text.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Words(Vec<&'a str>),
    Button { label: &'a str, address: &'a str },
}

/// What a button says when no short line stands before its address.
const LABEL: &str = "Open the page";
const LABEL_LENGTH: usize = 60;
/// The longest subject, in characters.
const SUBJECT_LENGTH: usize = 200;

impl Outgoing<'_> {
    pub(super) fn message(&self, from: &Mailbox) -> Result<Message, NotSent> {
        let never = |what: &str| NotSent::Permanent(what.to_owned());
        let to: Address = self.to.parse().map_err(|_| never("it is no address"))?;
        let subject = untrusted::one_line(self.subject, SUBJECT_LENGTH);
        let lines = self.text.trim_end().lines();
        let lines: Vec<_> = lines
            .map(|l| untrusted::only_ours(l, self.origin))
            .collect();
        let lines = lines.join("\n");
        let text = TextMail {
            text: &lines,
            service: self.origin,
        };
        let page = HtmlMail {
            subject: &subject,
            pieces: pieces(&lines, self.origin),
            service: self.origin,
        };
        let unreadable = |_: askama::Error| never("it cannot be written");
        let (text, page) = (
            text.render().map_err(unreadable)?,
            page.render().map_err(unreadable)?,
        );
        Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .date(SystemTime::from(self.at))
            .message_id(Some(format!("<{}@{}>", self.id, from.email.domain())))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .subject(subject)
            .multipart(MultiPart::alternative_plain_html(text, page))
            .map_err(|error| NotSent::Permanent(error.to_string()))
    }
}

/// Paragraphs and buttons. Only addresses of ours become buttons: an e-mail may quote a stranger.
fn pieces<'a>(text: &'a str, origin: &str) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim) {
        if is_ours(line, origin) {
            let label = lines
                .pop_if(|l| l.chars().count() <= LABEL_LENGTH)
                .map_or(LABEL, |l| l.trim_end_matches(':'));
            end(&mut pieces, &mut lines);
            pieces.push(Piece::Button {
                label,
                address: line,
            });
        } else if line.is_empty() {
            end(&mut pieces, &mut lines);
        } else {
            lines.push(line);
        }
    }
    end(&mut pieces, &mut lines);
    pieces
}

fn end<'a>(pieces: &mut Vec<Piece<'a>>, lines: &mut Vec<&'a str>) {
    if !lines.is_empty() {
        pieces.push(Piece::Words(std::mem::take(lines)));
    }
}

fn is_ours(line: &str, origin: &str) -> bool {
    line.strip_prefix(origin)
        .is_some_and(|rest| rest.starts_with('/') && !rest.contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use linkify::LinkFinder;
    use mail_parser::MessageParser;
    use proptest::prelude::*;

    use super::untrusted::tests::hostile;
    use super::*;

    const OURS: &str = "https://sms.example.com";

    fn mail<'a>(subject: &'a str, text: &'a str) -> Outgoing<'a> {
        Outgoing {
            id: Uuid::nil(),
            to: "ann@example.com",
            subject,
            text,
            at: "2026-11-22T10:00:00Z".parse().unwrap(),
            origin: OURS,
        }
    }

    fn formatted(mail: &Outgoing<'_>) -> String {
        let from = "Connector <sms@example.com>".parse().unwrap();
        String::from_utf8(mail.message(&from).unwrap().formatted()).unwrap()
    }

    #[test]
    fn only_our_own_addresses_become_buttons() {
        let text = "Hello,\n\nset a new password:\nhttps://sms.example.com/reset/x\n\n\
                    They wrote:\nhttps://evil.example/\nhttps://sms.example.com.evil.example/\n";
        assert_eq!(
            pieces(text, OURS),
            [
                Piece::Words(vec!["Hello,"]),
                Piece::Button {
                    label: "set a new password",
                    address: "https://sms.example.com/reset/x"
                },
                Piece::Words(vec![
                    "They wrote:",
                    "https://evil.example/",
                    "https://sms.example.com.evil.example/"
                ]),
            ]
        );
    }

    #[test]
    fn what_people_wrote_is_text_in_the_page() {
        let page = HtmlMail {
            subject: "<b>",
            pieces: pieces("<script>alert(1)</script>", OURS),
            service: OURS,
        };
        let page = page.render().unwrap();
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
        assert!(!page.contains("src=") && !page.contains("url("), "{page}");
    }

    #[test]
    fn a_subject_cannot_begin_another_header() {
        let mail = mail("Hello\r\nBcc: all@example.com", "x");
        let shown = formatted(&mail);
        assert!(
            shown.contains("Subject: Hello Bcc: all[@]example[.]com\r\n"),
            "{shown}"
        );
        assert!(
            shown.contains("Auto-Submitted: auto-generated\r\n"),
            "{shown}"
        );
        assert!(
            shown.contains("Message-ID: <00000000-0000-0000-0000-000000000000@example.com>"),
            "{shown}"
        );
        assert!(
            shown.contains("Date: Sun, 22 Nov 2026 10:00:00 +0000"),
            "{shown}"
        );
    }

    #[test]
    fn an_address_that_is_none_is_refused_for_good() {
        let mut mail = mail("Hello", "x");
        let from = "sms@example.com".parse().unwrap();
        for to in ["", "ann", "ann@example.com\r\nRCPT TO:<x@y>", "Ann <a@b.c>"] {
            mail.to = to;
            assert!(
                matches!(mail.message(&from), Err(NotSent::Permanent(_))),
                "{to}"
            );
        }
    }

    /// What a mail program would make links of, beside the addresses of ours.
    fn foreign_links(text: &str) -> Vec<String> {
        let mut finder = LinkFinder::new();
        finder.url_must_have_scheme(false).url_can_be_iri(false);
        let links = finder.links(text).map(|l| l.as_str().to_owned());
        links.filter(|l| !l.starts_with(OURS)).collect()
    }

    /// What somebody reads of an HTML part.
    fn read(html: &str) -> String {
        let page = scraper::Html::parse_document(html);
        page.root_element().text().collect::<Vec<_>>().join(" ")
    }

    proptest! {
        #[test]
        fn nothing_that_strangers_type_becomes_a_link_or_a_header(
            name in hostile(), person in hostile(), said in hostile(), raw in hostile(),
        ) {
            let (company, by) = (untrusted::quoted(&name, 60), untrusted::quoted(&person, 60));
            let subject = format!("You are invited to the team of {company} {raw}");
            let text = format!(
                "{by} invites you to {company}.\n\n{}\n\n{raw}\n\nJoin:\n{OURS}/invitations/x\n",
                untrusted::cited(&said, 20, 300),
            );
            let from = "Connector <sms@example.com>".parse().unwrap();
            let message = mail(&subject, &text).message(&from).unwrap().formatted();
            let parsed = MessageParser::default().parse(&message).unwrap();
            let subject = parsed.subject().unwrap();
            prop_assert!(subject.starts_with("You are invited to the team of “"), "{subject}");
            prop_assert_eq!(foreign_links(subject), Vec::<String>::new());
            prop_assert!(!subject.contains("=?"), "{subject}");
            let names: Vec<_> = parsed.headers().iter().map(|h| h.name().to_owned()).collect();
            let ours = [
                "From", "To", "Date", "Message-ID", "Auto-Submitted", "Subject", "MIME-Version",
                "Content-Type",
            ];
            prop_assert!(names.iter().all(|n| ours.iter().any(|o| o.eq_ignore_ascii_case(n))), "{names:?}");
            prop_assert_eq!(names.len(), ours.len());
            let text = parsed.body_text(0).unwrap();
            prop_assert_eq!(foreign_links(&text), Vec::<String>::new(), "{}", text);
            let html = parsed.body_html(0).unwrap();
            prop_assert_eq!(foreign_links(&read(&html)), Vec::<String>::new(), "{}", html);
            let page = scraper::Html::parse_document(&html);
            let anchors = scraper::Selector::parse("[href], [src], [action]").unwrap();
            for link in page.select(&anchors) {
                let to = link.attr("href").unwrap_or_default();
                prop_assert!(to.starts_with(&format!("{OURS}/")), "{to}");
            }
        }
    }
}
