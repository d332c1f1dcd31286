//! The HTML part: Markdown's events and the blocks as rows of the layout.

use pulldown_cmark::{Alignment, Event, HeadingLevel, Tag, TagEnd};

use super::Letter;
use super::document::{Column, Line, Table};
use super::escape::{escape, isolated, tidy};
use super::layout::{Layout, Slot};
use crate::render::marked::{Mark, is_mark, read_mark};

/// Deeper lists and quotes are written flat.
const MOST_DEPTH: usize = 12;

const BOX: &str = "margin:0 0 16px;padding:12px 16px;border:1px solid #e2dfd7;border-radius:8px;";

/// Writes rows; text that follows text shares one.
pub(super) struct HtmlWriter<'l> {
    letter: &'l Letter<'l>,
    out: String,
    is_in_words: bool,
    /// What ends each open element; `None` for one that is not written.
    open: Vec<Option<&'static str>>,
    /// Of the table that is open.
    columns: Vec<Alignment>,
    column: usize,
    is_in_head: bool,
    /// Where a line cannot break.
    is_one_line: bool,
    links: usize,
}

impl<'l> HtmlWriter<'l> {
    pub(super) fn new(letter: &'l Letter<'l>) -> Self {
        Self {
            letter,
            out: String::with_capacity(8 * 1024),
            is_in_words: false,
            open: Vec::new(),
            columns: Vec::new(),
            column: 0,
            is_in_head: false,
            is_one_line: false,
            links: 0,
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.end_words();
        self.out
    }

    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    pub(super) fn event(&mut self, event: &Event<'_>) {
        self.begin_words();
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(*tag),
            Event::Text(text) => self.text(text),
            Event::Code(text) => {
                self.out.push_str("<code>");
                self.text(text);
                self.out.push_str("</code>");
            }
            // What a clerk sees as the end of a line is one.
            Event::SoftBreak | Event::HardBreak => {
                self.out.push_str(if self.is_one_line { " " } else { "<br>" });
            }
            Event::Rule => self.out.push_str(
                "<hr class=\"rule\" style=\"border:0;border-top:1px solid #e2dfd7;margin:8px 0 20px\">",
            ),
            // Raw HTML is dropped; the rest is not switched on.
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        let end = match tag {
            Tag::Paragraph | Tag::CodeBlock(pulldown_cmark::CodeBlockKind::Indented) => {
                self.out
                    .push_str("<p dir=\"auto\" style=\"margin:0 0 16px\">");
                Some("</p>")
            }
            Tag::Heading { level, .. } => {
                self.is_one_line = true;
                let (html, end) = match level {
                    HeadingLevel::H1 => (
                        "<h1 dir=\"auto\" style=\"margin:0 0 16px;font-size:24px;line-height:30px;font-weight:600\">",
                        "</h1>",
                    ),
                    HeadingLevel::H2 => (
                        "<h2 dir=\"auto\" style=\"margin:8px 0 12px;font-size:20px;line-height:26px;font-weight:600\">",
                        "</h2>",
                    ),
                    _ => (
                        "<h3 dir=\"auto\" style=\"margin:8px 0 8px;font-size:16px;line-height:24px;font-weight:600\">",
                        "</h3>",
                    ),
                };
                self.out.push_str(html);
                Some(end)
            }
            _ if self.open.iter().flatten().count() >= MOST_DEPTH => None,
            Tag::BlockQuote(_) => {
                self.out.push_str(
                    "<blockquote class=\"rule\" style=\"margin:0 0 16px;padding:0 0 0 16px;border-left:3px solid #e2dfd7\">",
                );
                Some("</blockquote>")
            }
            Tag::CodeBlock(_) => {
                self.out.push_str(
                    "<pre style=\"margin:0 0 16px;white-space:pre-wrap;font-family:ui-monospace,Menlo,Consolas,monospace;font-size:14px\">",
                );
                Some("</pre>")
            }
            Tag::List(Some(first)) => {
                let first = first.to_string();
                self.out.push_str("<ol start=\"");
                self.out.push_str(&first);
                self.out
                    .push_str("\" style=\"margin:0 0 16px;padding:0 0 0 24px\">");
                Some("</ol>")
            }
            Tag::List(None) => {
                self.out
                    .push_str("<ul style=\"margin:0 0 16px;padding:0 0 0 24px\">");
                Some("</ul>")
            }
            Tag::Item => {
                self.out
                    .push_str("<li dir=\"auto\" style=\"margin:0 0 4px\">");
                Some("</li>")
            }
            Tag::Table(columns) => {
                self.columns.clone_from(columns);
                self.is_one_line = true;
                self.out
                    .push_str("<table class=\"data\" width=\"100%\" cellpadding=\"4\" style=\"margin:0 0 20px\">");
                Some("</tbody></table>")
            }
            Tag::TableHead => {
                self.column = 0;
                self.is_in_head = true;
                self.out.push_str("<thead><tr>");
                Some("</tr></thead><tbody>")
            }
            Tag::TableRow => {
                self.column = 0;
                self.out.push_str("<tr>");
                Some("</tr>")
            }
            Tag::TableCell => {
                let is_figures = matches!(self.columns.get(self.column), Some(Alignment::Right));
                self.column += 1;
                let class = if is_figures {
                    " class=\"figures\" align=\"right\""
                } else {
                    ""
                };
                let (html, end) = if self.is_in_head {
                    ("<th scope=\"col\"", "</th>")
                } else {
                    ("<td", "</td>")
                };
                self.out.push_str(html);
                self.out.push_str(class);
                self.out.push('>');
                Some(end)
            }
            Tag::Emphasis => {
                self.out.push_str("<em>");
                Some("</em>")
            }
            Tag::Strong => {
                self.out.push_str("<strong>");
                Some("</strong>")
            }
            Tag::Strikethrough => {
                self.out.push_str("<s>");
                Some("</s>")
            }
            Tag::Link {
                dest_url,
                link_type,
                ..
            } => {
                let is_email = *link_type == pulldown_cmark::LinkType::Email;
                self.letter.target(dest_url, is_email).map(|to| {
                    self.links += 1;
                    self.open_link(&to);
                    "</a>"
                })
            }
            _ => None,
        };
        self.open.push(end);
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) | TagEnd::Table => self.is_one_line = false,
            TagEnd::TableHead => self.is_in_head = false,
            _ => {}
        }
        if let Some(end) = self.open.pop().flatten() {
            if end == "</a>" {
                self.links -= 1;
            }
            self.out.push_str(end);
        }
    }

    /// Literal text, and the values that its marks stand for.
    fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find(is_mark) {
            self.literal(&rest[..at]);
            let letter = rest[at..].chars().next();
            rest = &rest[at + letter.map_or(0, char::len_utf8)..];
            match letter.and_then(read_mark) {
                Some(Mark::Value(index)) => self.value(index),
                Some(Mark::Placed(index)) => {
                    escape(&mut self.out, &super::typed_block(index));
                }
                None => {}
            }
        }
        self.literal(rest);
    }

    fn literal(&mut self, text: &str) {
        let is_broken = text.contains('\n') && !self.is_one_line;
        if !is_broken || self.open.last() == Some(&Some("</pre>")) {
            escape(&mut self.out, text);
            return;
        }
        // An indented paragraph comes with its line ends.
        for (index, line) in text.trim_end_matches('\n').split('\n').enumerate() {
            if index > 0 {
                self.out.push_str("<br>");
            }
            escape(&mut self.out, line);
        }
    }

    fn value(&mut self, index: usize) {
        let Some(value) = self.letter.values.get(index) else {
            return;
        };
        let own = (self.links == 0).then(|| self.letter.own.page_of(value));
        if let Some(page) = own.flatten() {
            self.open_link(page.as_str());
            escape(&mut self.out, page.as_str());
            self.out.push_str("</a>");
            return;
        }
        let tidied = tidy(value);
        push_lines(&mut self.out, &tidied, self.is_one_line);
    }

    fn open_link(&mut self, to: &str) {
        self.out.push_str("<a href=\"");
        escape(&mut self.out, to);
        self.out.push_str("\" style=\"color:");
        self.out.push_str(&self.letter.accent);
        self.out.push_str("\">");
    }

    fn begin_words(&mut self) {
        if !self.is_in_words {
            self.is_in_words = true;
            self.out.push_str(Layout::get().words.around().0);
        }
    }

    fn end_words(&mut self) {
        if self.is_in_words {
            self.is_in_words = false;
            self.out.push_str(Layout::get().words.around().1);
        }
    }

    /// A button of its own row.
    pub(super) fn button(&mut self, label: &str, to: &str) {
        self.end_words();
        let accent = &self.letter.accent;
        Layout::get()
            .button
            .write(&mut self.out, |out, slot| match slot {
                Slot::Accent => out.push_str(accent),
                Slot::Address => escape(out, to),
                Slot::Label => escape(out, label),
                _ => {}
            });
    }

    /// Names and values below each other, the values beside their names.
    pub(super) fn details(&mut self, lines: &[Line]) {
        self.lines("details", "align=\"left\"", lines);
    }

    /// Names and sums below each other, the sums below the amounts of the items.
    pub(super) fn sums(&mut self, lines: &[Line]) {
        self.lines("figures", "align=\"right\"", lines);
    }

    fn lines(&mut self, class: &str, align: &str, lines: &[Line]) {
        self.begin_words();
        self.out.push_str(
            "<table class=\"data lines\" width=\"100%\" cellpadding=\"4\" style=\"margin:0 0 20px\"><tbody>",
        );
        for line in lines {
            self.out.push_str(if line.is_main {
                "<tr class=\"main\"><th scope=\"row\" align=\"left\">"
            } else {
                "<tr><th scope=\"row\" align=\"left\">"
            });
            escape(&mut self.out, &isolated(&line.label));
            self.out.push_str("</th><td class=\"");
            self.out.push_str(class);
            self.out.push_str("\" ");
            self.out.push_str(align);
            self.out.push('>');
            escape(&mut self.out, &isolated(&line.value));
            self.out.push_str("</td></tr>");
        }
        self.out.push_str("</tbody></table>");
    }

    /// A table of items.
    pub(super) fn table(&mut self, table: &Table) {
        self.begin_words();
        self.out
            .push_str("<table class=\"data\" width=\"100%\" cellpadding=\"4\" style=\"margin:0 0 20px\"><thead><tr>");
        let begin = |out: &mut String, element: &str, column: Column| {
            out.push('<');
            out.push_str(element);
            out.push_str(match column {
                Column::Words => ">",
                _ => " class=\"figures\" align=\"right\">",
            });
        };
        for (name, column) in &table.head {
            begin(&mut self.out, "th scope=\"col\"", *column);
            escape(&mut self.out, name);
            self.out.push_str("</th>");
        }
        self.out.push_str("</tr></thead><tbody>");
        for row in &table.rows {
            self.out.push_str("<tr>");
            for (index, (cell, (_, column))) in row.cells.iter().zip(&table.head).enumerate() {
                begin(&mut self.out, "td", *column);
                escape(&mut self.out, &isolated(cell));
                if let (0, Some(note)) = (index, &row.note) {
                    self.out.push_str("<div class=\"note\">");
                    push_lines(&mut self.out, note, false);
                    self.out.push_str("</div>");
                }
                self.out.push_str("</td>");
            }
            self.out.push_str("</tr>");
        }
        self.out.push_str("</tbody></table>");
        if table.more > 0 {
            self.out
                .push_str("<p class=\"note\" style=\"margin:-8px 0 20px\">and ");
            self.out.push_str(&table.more.to_string());
            self.out.push_str(" more</p>");
        }
    }

    /// Lines as they were typed, in a frame.
    pub(super) fn framed(&mut self, text: &str) {
        self.begin_words();
        self.out
            .push_str("<div class=\"box\" dir=\"auto\" style=\"");
        self.out.push_str(BOX);
        self.out.push_str("\">");
        push_lines(&mut self.out, &tidy(text), false);
        self.out.push_str("</div>");
    }
}

/// Text with its line breaks, or without where a line cannot break.
pub(super) fn push_lines(out: &mut String, text: &str, is_one_line: bool) {
    let text = isolated(text.trim_end());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push_str(if is_one_line { " " } else { "<br>" });
        }
        escape(out, line);
    }
}
