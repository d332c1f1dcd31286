//! An e-mail's text: a clerk's Markdown with fields and blocks becomes subject, HTML and plain text.
//!
//! The surprising fact: values never meet the Markdown parser. Each is a mark while the text around it is
//! read, and is put back as letters, escaped, when that is done:
//!
//! ```text
//!  source ──Template──► text with marks ──Markdown──► events ─┬─► rows of our layout ─► HTML
//!  facts ──────────────► values ──────────────────────────────┴─► plain text
//! ```
//!
//! So no name is bold, no note opens a link, and no description places a block. The one link that comes
//! from a document is Zoho's own page for paying it, and only where the value is exactly that.

mod blocks;
mod body;
mod document;
mod escape;
mod html;
mod layout;
mod link;
mod page;
mod problem;
mod review;
mod shown;
mod text;

use std::collections::BTreeMap;

use url::Url;

pub use self::blocks::EmailBlock;
use self::document::Document;
use self::link::OwnLinks;
pub use self::problem::EmailProblem;
pub use self::shown::{Scheme, has_pictures, shown};
use crate::domain::brand::Brand;
use crate::domain::content::EmailContent;
use crate::domain::document::DocumentKind;
use crate::domain::rule::{EmailPart, EmailSource, Facts};
use crate::render::{RenderProblem, Template};

/// The longest subject and preview line once they are filled in, in characters.
const LONGEST_LINE: usize = 250;

/// Gmail shows 102 KB of an HTML part and hides the rest behind a link.
const MOST_SHOWN_BYTES: usize = 100 * 1024;

/// What stands around a text and is not the rule's.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    pub brand: &'a Brand,
    /// Markdown without fields; empty for none.
    pub signature: &'a str,
    /// Lines to be shown as they are, by the code of their currency (`EUR`).
    pub bank_details: &'a BTreeMap<String, String>,
    /// The address that it goes out from: where answers go.
    pub answers_to: Option<&'a str>,
    pub reader: Reader,
    /// The reader's *stop reminders here*; none for documents and for the company's own people.
    pub stop_link: Option<&'a Url>,
    /// The text's language, as HTML names it: `en`.
    pub language: &'a str,
    /// Hosts of payment pages beside Zoho's own: a portal's domain, or a stand-in.
    pub pay_hosts: &'a [String],
}

/// Why somebody gets it, which the footer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A customer's or a vendor's person.
    Contact,
    /// Somebody whom the company has put into a rule or a group, or who approves.
    Named,
}

/// An e-mail's text, checked; immutable, so it can be cached behind an `Arc`.
#[derive(Debug, Clone, PartialEq)]
pub struct EmailTemplate {
    kind: DocumentKind,
    subject: Template,
    preview: Template,
    body: Template,
}

impl EmailTemplate {
    /// Checks a source for documents of one kind.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its place.
    pub fn parse(source: &EmailSource, kind: DocumentKind) -> Result<Self, EmailProblem> {
        if let Some((part, words)) = source.problems().into_iter().next() {
            return Err(EmailProblem::new(part, words));
        }
        let template = |part: EmailPart, text: &str| {
            Template::parse(text, kind).map_err(|problem| EmailProblem::of_template(part, problem))
        };
        let parsed = Self {
            kind,
            subject: template(EmailPart::Subject, source.subject.trim())?,
            preview: template(EmailPart::Preview, source.preview.trim())?,
            body: template(EmailPart::Body, &source.body)?,
        };
        blocks::check(&source.body)?;
        review::check_links(&source.body)?;
        Ok(parsed)
    }

    /// What is allowed but goes wrong, in words: what is left out of the text, and what reads like
    /// advertising.
    pub fn warnings(source: &EmailSource) -> Vec<String> {
        review::warnings(source)
    }

    /// Fills the text in. Its text part is empty where nothing is left of the text.
    ///
    /// # Errors
    ///
    /// The text became too long, or took too much work.
    pub fn render(
        &self,
        facts: &Facts<'_>,
        around: &Surroundings<'_>,
    ) -> Result<EmailContent, RenderProblem> {
        let line = |template: &Template| {
            let marked = template.render_marked(facts)?;
            Ok(page::line(&marked, LONGEST_LINE))
        };
        let (mut subject, preview) = (line(&self.subject)?, line(&self.preview)?);
        if subject.is_empty() {
            subject = page::subject_of(around.brand);
        }
        let marked = self.body.render_marked(facts)?;
        let letter = Letter {
            kind: self.kind,
            facts,
            around,
            values: &marked.values,
            own: OwnLinks::of(facts, around.pay_hosts),
            accent: around.brand.accent.light.to_string(),
        };
        let parts = body::write(&marked.text, &letter)?;
        Ok(EmailContent {
            html: page::html(&subject, &preview, &parts.html, around),
            text: page::text(&parts.text, around),
            subject,
            attachments: Vec::new(),
        })
    }
}

/// Says that mail programs would cut the HTML part.
pub fn size_warning(content: &EmailContent) -> Option<String> {
    let size = content.html.len();
    (size > MOST_SHOWN_BYTES).then(|| {
        format!(
            "This e-mail is {} KB long. Gmail shows the first 100 KB and hides the rest behind a link; \
             shorten the text or leave [[items]] out.",
            size.div_ceil(1024)
        )
    })
}

/// One e-mail while it is written.
struct Letter<'a> {
    kind: DocumentKind,
    facts: &'a Facts<'a>,
    around: &'a Surroundings<'a>,
    /// What the marks of its text stand for.
    values: &'a [String],
    own: OwnLinks,
    accent: String,
}

impl Letter<'_> {
    fn document(&self) -> Document<'_> {
        Document {
            kind: self.kind,
            facts: self.facts,
        }
    }

    fn target(&self, to: &str, is_email: bool) -> Option<String> {
        link::target(to, is_email, self.values, &self.own)
    }

    fn bank_details(&self) -> Option<&str> {
        let code = self.facts.currency?.code();
        let text = self.around.bank_details.get(code)?;
        (!text.trim().is_empty()).then_some(text)
    }
}

/// A block where it can only be words, as in a code block.
fn typed_block(index: usize) -> String {
    EmailBlock::of_index(index).map_or_else(String::new, |block| format!("[[{}]]", block.name()))
}

#[cfg(test)]
mod tests;
