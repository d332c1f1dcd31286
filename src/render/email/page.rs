//! A whole e-mail around its text: subject and preview line, the layout, and the footer.

use super::escape::{cut, escape, isolated, one_line, tidy};
use super::html::push_lines;
use super::layout::{Layout, Slot};
use super::{Reader, Surroundings};
use crate::domain::brand::Brand;
use crate::domain::content::MARK_PLACE;
use crate::render::marked::{Mark, Marked, read_mark};

/// Keeps what follows the preview line out of the list of a mailbox.
const PADDING: &str = "&#847;&zwnj;&nbsp;";
const PADDED_TO: usize = 90;
const LONGEST_VALUE: usize = 200;

/// A subject or preview line: one line, whatever its values hold.
pub(super) fn line(marked: &Marked, most: usize) -> String {
    let mut line = String::with_capacity(marked.text.len() + 32);
    for letter in marked.text.chars() {
        match read_mark(letter) {
            Some(Mark::Value(index)) => {
                let value = marked.values.get(index).map_or("", String::as_str);
                // Readers of headers decode what looks like an encoded word.
                let value = one_line(value, LONGEST_VALUE).replace("=?", "= ?");
                line.push_str(&isolated(&value));
            }
            Some(Mark::Placed(_)) => {}
            None => line.push(letter),
        }
    }
    let line: Vec<&str> = line.split_whitespace().collect();
    let line = cut(line.join(" "), most);
    let opened = line.matches('\u{2068}').count();
    let closed = line.matches('\u{2069}').count();
    // What was cut off may have ended a piece.
    line + &"\u{2069}".repeat(opened.saturating_sub(closed))
}

/// The HTML part.
pub(super) fn html(subject: &str, preview: &str, rows: &str, around: &Surroundings<'_>) -> String {
    let layout = Layout::get();
    let mut out = String::with_capacity(rows.len() + 8 * 1024);
    let brand = around.brand;
    let mut fill = |out: &mut String, slot: Slot| match slot {
        Slot::Language => escape(out, around.language),
        Slot::Direction => out.push_str(direction(around.language)),
        Slot::Title => escape(out, subject),
        Slot::Preview => {
            if !preview.is_empty() {
                escape(out, preview);
                let padding = PADDED_TO.saturating_sub(preview.chars().count());
                out.push_str(&PADDING.repeat(padding));
            }
        }
        Slot::Top => out.push_str(MARK_PLACE),
        Slot::Brand => push_brand(out, around),
        Slot::Footer => push_footer(out, around),
        Slot::Accent => out.push_str(&brand.accent.light.to_string()),
        Slot::NightAccent => out.push_str(&brand.accent.dark.to_string()),
        Slot::Words | Slot::Address | Slot::Label => {}
    };
    layout.head.write(&mut out, &mut fill);
    out.push_str(rows);
    layout.tail.write(&mut out, &mut fill);
    out
}

/// What stands in the place of a subject whose fields are all blank.
pub(super) fn subject_of(brand: &Brand) -> String {
    let name = one_line(&brand.name, LONGEST_VALUE);
    format!("Message from {}", isolated(&name))
}

/// The text part; empty where there are no words for it.
pub(super) fn text(words: &str, around: &Surroundings<'_>) -> String {
    let mut out = words.trim_end().to_owned();
    if out.is_empty() {
        return out;
    }
    out.push_str("\n\n-- \n");
    for (line, link) in footer(around) {
        out.push_str(&isolated(&line));
        if let Some(link) = link {
            out.push_str(": ");
            out.push_str(&link);
        }
        out.push('\n');
    }
    out
}

fn push_brand(out: &mut String, around: &Surroundings<'_>) {
    let brand = around.brand;
    let name = one_line(&brand.name, LONGEST_VALUE);
    let Some(logo) = &brand.logo else {
        escape(out, &isolated(&name));
        return;
    };
    let alt = one_line(&logo.alt, LONGEST_VALUE);
    let alt = if alt.is_empty() { name } else { alt };
    out.push_str("<img class=\"logo\" src=\"");
    escape(out, &logo.url);
    out.push_str("\" width=\"");
    out.push_str(&logo.width.to_string());
    out.push_str("\" height=\"");
    out.push_str(&logo.height.to_string());
    out.push_str("\" alt=\"");
    escape(out, &alt);
    out.push_str("\" style=\"display:block;max-width:100%;height:auto\">");
}

fn push_footer(out: &mut String, around: &Surroundings<'_>) {
    for (index, (line, link)) in footer(around).into_iter().enumerate() {
        if index > 0 {
            out.push_str("<br>");
        }
        let Some(link) = link else {
            push_lines(out, &line, true);
            continue;
        };
        out.push_str("<a href=\"");
        escape(out, &link);
        out.push_str("\" style=\"color:#5a606a\">");
        escape(out, &line);
        out.push_str("</a>");
    }
}

/// The lines of the footer, one of which may be a link.
fn footer(around: &Surroundings<'_>) -> Vec<(String, Option<String>)> {
    let brand = around.brand;
    let name = one_line(&brand.name, LONGEST_VALUE);
    let mut lines = vec![(name.clone(), None)];
    for text in [&brand.postal_address, &brand.footer] {
        let tidied = tidy(text);
        let given = tidied
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        lines.extend(given.map(|line| (line.to_owned(), None)));
    }
    if let Some(address) = around.answers_to {
        let address = one_line(address, LONGEST_VALUE);
        lines.push((format!("Answers go to {address}"), None));
    }
    let why = match around.reader {
        Reader::Contact => format!("You get this because {name} does business with you."),
        Reader::Named => format!("You get this because {name} chose you to be told of this."),
    };
    lines.push((why, None));
    if let Some(link) = around.stop_link {
        lines.push((
            "Stop reminders here".to_owned(),
            Some(link.as_str().to_owned()),
        ));
    }
    lines
}

/// Which way a language is written.
fn direction(language: &str) -> &'static str {
    let primary = language.split('-').next().unwrap_or(language);
    match primary.to_ascii_lowercase().as_str() {
        "ar" | "dv" | "fa" | "he" | "ps" | "sd" | "ug" | "ur" | "yi" => "rtl",
        _ => "ltr",
    }
}
