//! From a filled-in Markdown text to the rows of the HTML part and to the text part, in one pass.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, TextMergeStream};

use super::Letter;
use super::blocks::{self, EmailBlock};
use super::escape::tidy;
use super::html::HtmlWriter;
use super::text::TextWriter;
use crate::render::RenderProblem;
use crate::render::marked::{Mark, read_mark};

/// The longest HTML of the rows, in bytes. Mail programs cut long before.
const MAX_HTML_BYTES: usize = 1024 * 1024;

/// What a button says.
const PAY: &str = "View and pay";

/// Both parts of a text.
pub(super) struct Parts {
    pub(super) html: String,
    pub(super) text: String,
}

/// Both parts of a letter's text.
pub(super) fn write(source: &str, letter: &Letter<'_>) -> Result<Parts, RenderProblem> {
    let mut writers = Writers {
        letter,
        html: HtmlWriter::new(letter),
        text: TextWriter::new(letter),
    };
    writers.markdown(&blocks::place(source))?;
    Ok(Parts {
        html: writers.html.finish(),
        text: writers.text.finish(),
    })
}

/// Markdown as we read it.
pub(super) fn events(source: &str) -> impl Iterator<Item = Event<'_>> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    TextMergeStream::new(Parser::new_ext(source, options))
}

struct Writers<'l> {
    letter: &'l Letter<'l>,
    html: HtmlWriter<'l>,
    text: TextWriter<'l>,
}

impl Writers<'_> {
    fn markdown(&mut self, source: &str) -> Result<(), RenderProblem> {
        let events: Vec<Event<'_>> = events(source).collect();
        let mut depth = 0_usize;
        let mut at = 0;
        while let Some(event) = events.get(at) {
            if depth == 0
                && let Some(block) = placed(&events[at..])
            {
                self.block(block)?;
                at += 3;
                continue;
            }
            match event {
                Event::Start(_) => depth += 1,
                Event::End(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.html.event(event);
            self.text.event(event);
            if self.html.len() > MAX_HTML_BYTES {
                return Err(RenderProblem::TooLong);
            }
            at += 1;
        }
        Ok(())
    }

    fn block(&mut self, block: EmailBlock) -> Result<(), RenderProblem> {
        let letter = self.letter;
        let document = letter.document();
        match block {
            EmailBlock::Details => {
                let lines = document.details();
                if !lines.is_empty() {
                    self.html.details(&lines);
                    self.text.lines(&lines);
                }
            }
            EmailBlock::Totals => {
                let lines = document.totals();
                if !lines.is_empty() {
                    self.html.sums(&lines);
                    self.text.lines(&lines);
                }
            }
            EmailBlock::Items => {
                let table = document.items();
                if !table.rows.is_empty() {
                    self.html.table(&table);
                    self.text.table(&table);
                }
            }
            EmailBlock::PayButton => {
                if let Some(page) = letter.own.pay_page()
                    && document.is_payable()
                {
                    self.html.button(PAY, page.as_str());
                    self.text.paragraph(&format!("{PAY}: {}", page.as_str()));
                }
            }
            EmailBlock::BankDetails => {
                if let Some(text) = letter.bank_details() {
                    self.html.framed(text);
                    self.text.paragraph(tidy(text).trim());
                }
            }
            EmailBlock::Signature => {
                let signature = letter.around.signature.trim();
                if !signature.is_empty() {
                    // A signature has neither fields nor blocks.
                    let plain: String = signature
                        .chars()
                        .filter(|c| !crate::render::marked::is_mark(*c))
                        .collect();
                    for event in events(&plain) {
                        self.html.event(&event);
                        self.text.event(&event);
                    }
                }
            }
        }
        if self.html.len() > MAX_HTML_BYTES {
            return Err(RenderProblem::TooLong);
        }
        Ok(())
    }
}

/// The block that a paragraph is.
fn placed(events: &[Event<'_>]) -> Option<EmailBlock> {
    let [
        Event::Start(Tag::Paragraph),
        Event::Text(text),
        Event::End(TagEnd::Paragraph),
        ..,
    ] = events
    else {
        return None;
    };
    let mut letters = text.chars();
    let (Some(only), None) = (letters.next(), letters.next()) else {
        return None;
    };
    match read_mark(only)? {
        Mark::Placed(index) => EmailBlock::of_index(index),
        Mark::Value(_) => None,
    }
}
