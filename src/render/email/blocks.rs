//! Blocks: `[[items]]` on a line of its own stands for a table of the document's items.

use super::problem::EmailProblem;
use crate::domain::rule::{EmailPart, distance};
use crate::render::marked::placed_mark;
use strum::VariantArray as _;

/// What a text may place.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum EmailBlock {
    /// Number, dates, total and balance.
    Details,
    /// The table of items; of a payment, of what it pays.
    Items,
    /// From the subtotal to the balance.
    Totals,
    /// Zoho's own page for seeing and paying an invoice.
    #[strum(serialize = "pay button")]
    PayButton,
    /// The company's text for the document's currency.
    #[strum(serialize = "bank details")]
    BankDetails,
    Signature,
}

impl EmailBlock {
    /// All of them, in the order in which an e-mail usually has them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// What is typed between `[[` and `]]`.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// What it shows, for the editor's list.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Details => "number, dates, total and balance of the document",
            Self::Items => "table of its items",
            Self::Totals => "subtotal, discount, taxes, total and what is still owed",
            Self::PayButton => "button to Zoho's page for seeing and paying the invoice",
            Self::BankDetails => "your bank details for the document's currency",
            Self::Signature => "your signature",
        }
    }

    /// The block of this index in [`EmailBlock::ALL`].
    pub(super) fn of_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }

    fn parse(name: &str) -> Option<Self> {
        plain(name).parse().ok()
    }

    fn nearest(name: &str) -> Option<Self> {
        let name = plain(name);
        if name.is_empty() || name.len() > 40 {
            return None;
        }
        // "table of items", "pay".
        let by_word = Self::ALL.iter().copied().find(|block| {
            let words = block.name().split(' ');
            words.clone().any(|word| name.split(' ').any(|w| w == word))
        });
        let near = |block: &Self| distance(&name, block.name());
        let by_letters = Self::ALL.iter().copied().min_by_key(near);
        by_letters
            .filter(|block| near(block) <= (name.chars().count() / 2).clamp(1, 4))
            .or(by_word)
    }
}

/// `Pay_Button` is typed for `pay button`.
fn plain(name: &str) -> String {
    let name = name.to_lowercase().replace(['_', '-'], " ");
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The blocks that a line consists of, where it holds nothing else.
fn of_line(line: &str) -> Vec<EmailBlock> {
    let mut blocks = Vec::new();
    let mut rest = line.trim();
    while let Some((name, after)) = rest.strip_prefix("[[").and_then(|r| r.split_once("]]")) {
        let Some(block) = EmailBlock::parse(name) else {
            return Vec::new();
        };
        blocks.push(block);
        rest = after.trim_start();
    }
    if rest.is_empty() { blocks } else { Vec::new() }
}

/// Puts a mark in place of each block, as a paragraph of its own. A line of dashes is a line, never what
/// makes a heading of the words above it.
pub(super) fn place(text: &str) -> String {
    let mut placed = String::with_capacity(text.len() + 32);
    for line in text.lines() {
        let marks = of_line(line);
        let marks = marks.iter().filter_map(|block| placed_mark(*block as u8));
        let before = placed.len();
        for mark in marks {
            placed.push('\n');
            placed.push(mark);
            placed.push_str("\n\n");
        }
        if placed.len() > before {
            continue;
        }
        let trimmed = line.trim();
        if trimmed.len() >= 2 && trimmed.bytes().all(|b| b == b'-') {
            placed.push('\n');
        }
        placed.push_str(line);
        placed.push('\n');
    }
    placed
}

/// Refuses blocks that are not known, and those that do not stand on a line of their own.
pub(super) fn check(source: &str) -> Result<(), EmailProblem> {
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        let mut searched = 0;
        while let Some(begin) = line[searched..].find("[[").map(|step| searched + step) {
            let inside = &line[begin + 2..];
            let Some(end) = inside.find("]]") else {
                break;
            };
            let name = &inside[..end];
            searched = begin + 2 + end + 2;
            // Brackets around a field are brackets.
            if name.contains(['{', '}', '[', ']', '(']) {
                continue;
            }
            let problem =
                |words: String| EmailProblem::at(EmailPart::Body, source, at + begin, words);
            if EmailBlock::parse(name).is_none() {
                return Err(problem(unknown(name)));
            }
            if of_line(&without_tags(line)).is_empty() {
                let words = format!("[[{}]] must stand on a line of its own", plain(name));
                return Err(problem(words));
            }
        }
        at += line.len();
    }
    Ok(())
}

fn unknown(name: &str) -> String {
    let shown: String = name.trim().chars().take(40).collect();
    let names = EmailBlock::ALL.iter();
    let names: Vec<_> = names.map(|block| format!("[[{}]]", block.name())).collect();
    match EmailBlock::nearest(name) {
        Some(block) => format!("no block [[{shown}]]; did you mean [[{}]]?", block.name()),
        None => format!("no block [[{shown}]]; there are {}", names.join(", ")),
    }
}

/// A line without its `{% … %}`, which leave nothing.
fn without_tags(line: &str) -> String {
    let mut rest = line;
    let mut left = String::new();
    while let Some((before, after)) = rest.split_once("{%") {
        left.push_str(before);
        rest = after.split_once("%}").map_or("", |(_, after)| after);
    }
    left + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_block_is_refused_with_the_nearest_one() {
        let refused = |source: &str| check(source).map_err(|problem| problem.to_string());
        assert_eq!(
            refused("Hello\n[[itmes]]").unwrap_err(),
            "text, line 2, column 1: no block [[itmes]]; did you mean [[items]]?"
        );
        assert!(refused("[[pay]]").unwrap_err().contains("[[pay button]]"));
        assert!(
            refused("[[table of items]]")
                .unwrap_err()
                .contains("mean [[items]]")
        );
        assert!(
            refused("[[logo]]")
                .unwrap_err()
                .contains("there are [[details]], ")
        );
        for source in [
            "See [[items]] below",
            "- [[items]]",
            "> [[details]]",
            "{% if total %}[[items]]{% endif %} and more",
        ] {
            assert!(
                refused(source).unwrap_err().contains("line of its own"),
                "{source}"
            );
        }
        for source in [
            "[[items]]",
            "  [[ Pay_Button ]] \r\n",
            "{% if balance > 0 %}[[pay button]]{% endif %}",
            "{% if total > 1 %}[[details]]{% else %}[[items]]{% endif %} [[totals]]",
            "[[{{ total }}]]",
            "[[1](https://example.com)]",
            "[[",
        ] {
            assert_eq!(refused(source), Ok(()), "{source}");
        }
    }

    #[test]
    fn a_block_becomes_a_paragraph_of_its_own() {
        assert_eq!(place("a\n[[items]]\nb"), "a\n\n\u{100001}\n\nb\n");
        assert_eq!(
            place("[[items]][[details]]"),
            "\n\u{100001}\n\n\n\u{100000}\n\n"
        );
        assert_eq!(place("a\n---\nb"), "a\n\n---\nb\n");
    }
}
