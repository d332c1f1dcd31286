//! The text part, from the same events and blocks: what those read who see no HTML.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::Letter;
use super::document::{Column, Line, Table};
use super::escape::{isolated, tidy};
use crate::render::marked::{Mark, is_mark, read_mark};

/// Deeper lists and quotes are not indented further.
const MOST_DEPTH: usize = 12;

/// Writes paragraphs with an empty line between them.
pub(super) struct TextWriter<'l> {
    letter: &'l Letter<'l>,
    out: String,
    /// The words of the paragraph that is open.
    words: String,
    /// What each line begins with, a piece for each list and quote around it.
    margins: Vec<&'static str>,
    /// What the next line begins with instead of its last margin.
    bullet: Option<String>,
    /// Numbers of the lists around; `None` for one with dashes.
    lists: Vec<Option<u64>>,
    /// Where each open link leads, and where its words begin.
    links: Vec<(Option<String>, usize)>,
    /// A paragraph has ended, and a line is to be left out before the next.
    is_apart: bool,
    /// The margins that such a line begins with: those around both paragraphs.
    shared_margins: usize,
    /// The last word was an address, which a full stop would spoil.
    is_after_link: bool,
    rows: Vec<Vec<String>>,
    is_in_table: bool,
}

impl<'l> TextWriter<'l> {
    pub(super) fn new(letter: &'l Letter<'l>) -> Self {
        Self {
            letter,
            out: String::with_capacity(4 * 1024),
            words: String::new(),
            margins: Vec::new(),
            bullet: None,
            lists: Vec::new(),
            links: Vec::new(),
            is_apart: false,
            shared_margins: 0,
            is_after_link: false,
            rows: Vec::new(),
            is_in_table: false,
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.end_paragraph();
        self.out
    }

    pub(super) fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(*tag),
            Event::Text(text) | Event::Code(text) => self.text(text),
            Event::SoftBreak | Event::HardBreak => {
                self.words.push(if self.is_in_table { ' ' } else { '\n' });
                self.is_after_link = false;
            }
            Event::Rule => self.paragraph("-----"),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::Heading { .. } | Tag::CodeBlock(_) => self.flush(),
            Tag::BlockQuote(_) => {
                self.flush();
                self.margins.push("> ");
            }
            Tag::List(first) => {
                self.flush();
                self.lists.push(*first);
            }
            Tag::Item => {
                self.flush();
                let bullet = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let bullet = format!("{number}. ");
                        *number = number.saturating_add(1);
                        bullet
                    }
                    _ => "- ".to_owned(),
                };
                self.bullet = Some(bullet);
                self.margins.push("   ");
            }
            Tag::Table(_) => {
                self.flush();
                self.is_in_table = true;
            }
            Tag::TableHead | Tag::TableRow => self.rows.push(Vec::new()),
            Tag::Link {
                dest_url,
                link_type,
                ..
            } => {
                let is_email = *link_type == pulldown_cmark::LinkType::Email;
                let to = self.letter.target(dest_url, is_email);
                self.links.push((to, self.words.len()));
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::CodeBlock => self.end_paragraph(),
            TagEnd::BlockQuote(_) => {
                self.end_paragraph();
                self.leave();
            }
            TagEnd::Item => {
                self.flush();
                self.leave();
                self.bullet = None;
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.set_apart();
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.words);
                if let Some(row) = self.rows.last_mut() {
                    row.push(cell);
                }
            }
            TagEnd::Table => {
                self.is_in_table = false;
                let rows = std::mem::take(&mut self.rows);
                let lines: Vec<String> = rows.iter().map(|row| row.join(" | ")).collect();
                self.paragraph(&lines.join("\n"));
            }
            TagEnd::Link => {
                let Some((Some(to), begin)) = self.links.pop() else {
                    return;
                };
                let shown = self.words.get(begin..).unwrap_or_default().trim();
                let bare = to.strip_prefix("mailto:").or(to.strip_prefix("tel:"));
                if shown == to || bare == Some(shown) || format!("{shown}/") == to {
                    self.is_after_link = shown == to;
                    return;
                }
                if !shown.is_empty() {
                    self.words.push_str(": ");
                }
                self.words.push_str(&to);
                self.is_after_link = true;
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find(is_mark) {
            self.literal(&rest[..at]);
            let letter = rest[at..].chars().next();
            rest = &rest[at + letter.map_or(0, char::len_utf8)..];
            match letter.and_then(read_mark) {
                Some(Mark::Value(index)) => self.value(index),
                Some(Mark::Placed(index)) => self.words.push_str(&super::typed_block(index)),
                None => {}
            }
        }
        self.literal(rest);
    }

    fn literal(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.is_after_link && text.starts_with(['.', ',', ';', ':', '!', '?', ')']) {
            self.words.push(' ');
        }
        self.is_after_link = false;
        self.words.push_str(text);
    }

    fn value(&mut self, index: usize) {
        let Some(value) = self.letter.values.get(index) else {
            return;
        };
        if let Some(page) = self.letter.own.page_of(value) {
            self.words.push_str(page.as_str());
            self.is_after_link = true;
            return;
        }
        self.is_after_link = false;
        let tidied = tidy(value);
        let value = isolated(tidied.trim_end());
        if self.is_in_table {
            self.words.push_str(&value.replace('\n', " "));
        } else {
            self.words.push_str(&value);
        }
    }

    fn end_paragraph(&mut self) {
        self.flush();
        self.set_apart();
    }

    fn set_apart(&mut self) {
        self.is_apart = true;
        self.shared_margins = self.margins.len();
    }

    fn leave(&mut self) {
        self.margins.pop();
        self.shared_margins = self.shared_margins.min(self.margins.len());
    }

    /// Writes the open paragraph.
    fn flush(&mut self) {
        self.is_after_link = false;
        let words = std::mem::take(&mut self.words);
        if words.trim().is_empty() {
            return;
        }
        let margin = |margins: &[&str]| margins[..margins.len().min(MOST_DEPTH)].concat();
        if self.is_apart && !self.out.is_empty() {
            let shared = self.shared_margins.min(self.margins.len());
            self.out
                .push_str(margin(&self.margins[..shared]).trim_end());
            self.out.push('\n');
        }
        self.is_apart = false;
        for line in words.trim_matches('\n').lines() {
            match self.bullet.take() {
                Some(bullet) => {
                    let before = self.margins.len().saturating_sub(1);
                    self.out.push_str(&margin(&self.margins[..before]));
                    self.out.push_str(&bullet);
                }
                None => self.out.push_str(&margin(&self.margins)),
            }
            self.out.push_str(line.trim_end());
            self.out.push('\n');
        }
    }

    /// Lines that belong together.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.flush();
        self.words.push_str(text);
        self.set_apart();
        self.end_paragraph();
    }

    pub(super) fn lines(&mut self, lines: &[Line]) {
        let lines = lines
            .iter()
            .map(|line| format!("{}: {}", isolated(&line.label), isolated(&line.value)));
        self.paragraph(&lines.collect::<Vec<_>>().join("\n"));
    }

    /// An item is a line: `- A4 paper: 20 box at 35.00 = 700.00 GBP`.
    pub(super) fn table(&mut self, table: &Table) {
        let mut lines = Vec::with_capacity(table.rows.len());
        for row in &table.rows {
            let mut line = String::from("- ");
            let mut before = None;
            let cells = row.cells.iter().zip(&table.head).enumerate();
            for (index, (cell, (name, column))) in cells.filter(|(_, (cell, _))| !cell.is_empty()) {
                // "Amount, USD" of the head.
                let (name, unit) = name.split_once(", ").unwrap_or((name, ""));
                match (index, column, before) {
                    (0, ..) => {}
                    (_, Column::Quantity, _) => line.push_str(": "),
                    (_, Column::Rate, _) => line.push_str(" at "),
                    (_, Column::Amount, Some(Column::Rate)) => line.push_str(" = "),
                    (_, Column::Amount, Some(Column::Quantity)) => line.push_str(", "),
                    _ => {
                        line.push_str("; ");
                        line.push_str(&name.to_lowercase());
                        line.push(' ');
                    }
                }
                line.push_str(&isolated(cell));
                if !unit.is_empty() {
                    line.push(' ');
                    line.push_str(unit);
                }
                before = Some(*column);
            }
            if let Some(note) = &row.note {
                for more in note.lines() {
                    line.push_str("\n  ");
                    line.push_str(&isolated(more));
                }
            }
            lines.push(line);
        }
        if table.more > 0 {
            lines.push(format!("and {} more", table.more));
        }
        self.paragraph(&lines.join("\n"));
    }
}
