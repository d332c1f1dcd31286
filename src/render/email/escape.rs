//! What comes from outside, made harmless: letters stay letters, in HTML, in lines and beside
//! writing that runs from right to left.

use std::borrow::Cow;

use crate::render::value::clean;

/// Begins and ends a piece whose direction is its own.
const ISOLATE: char = '\u{2068}';
const ISOLATE_END: char = '\u{2069}';

/// Appends text as HTML text or as the value of a quoted attribute. Braces are written as entities, so that
/// no provider's template language finds one.
pub(super) fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'', '{', '}']) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            b'{' => "&#123;",
            _ => "&#125;",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// Without control characters and marks of direction, and without what has no shape: private characters,
/// tags and annotations, in which a text can be hidden.
pub(super) fn tidy(text: &str) -> Cow<'_, str> {
    let text = clean(text);
    if !text.chars().any(is_shapeless) {
        return text;
    }
    Cow::Owned(text.chars().filter(|c| !is_shapeless(*c)).collect())
}

fn is_shapeless(letter: char) -> bool {
    matches!(letter, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{2060}'..='\u{2064}'
        | '\u{206a}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{10ffff}')
}

/// The same on one line, at most so many characters.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let text = tidy(text);
    let mut line = String::with_capacity(text.len().min(most * 4));
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > most * 4 {
            break;
        }
    }
    cut(line, most)
}

/// At most so many characters, the last of them `…` where some are missing.
pub(super) fn cut(mut text: String, most: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.pop();
        text.truncate(text.trim_end().len());
        text.push('…');
    }
    text
}

/// A value within a sentence: one that runs from right to left keeps that to itself, line by line.
pub(super) fn isolated(text: &str) -> Cow<'_, str> {
    if !text.chars().any(runs_right_to_left) {
        return Cow::Borrowed(text);
    }
    let lines = text.split('\n').map(|line| {
        if line.chars().any(runs_right_to_left) {
            format!("{ISOLATE}{line}{ISOLATE_END}")
        } else {
            line.to_owned()
        }
    });
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

fn runs_right_to_left(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stay_letters() {
        let mut out = String::new();
        escape(&mut out, "<a href=\"x\" b='y'>&{{z}}{% é");
        assert_eq!(
            out,
            "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;&#123;&#123;z&#125;&#125;&#123;% é"
        );
        assert_eq!(
            tidy("a\u{202e}b\u{e000}\u{f0001}\u{e0041}\u{0}c\r\nd"),
            "abc\nd"
        );
        assert_eq!(one_line(" a\r\nBcc: b\t\u{2028} c ", 99), "a Bcc: b c");
        assert_eq!(one_line(&"é".repeat(200_000), 5), "éééé…");
    }

    #[test]
    fn a_name_from_right_to_left_turns_no_sentence() {
        assert_eq!(isolated("Bowman & Co"), "Bowman & Co");
        assert_eq!(isolated("יוסי\nb"), "\u{2068}יוסי\u{2069}\nb");
    }
}
