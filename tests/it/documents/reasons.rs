//! The guide explains every sentence that the program has for why somebody was not written to.

use std::fs;

use ml_connector::domain::delivery::DeliveryState;
use ml_connector::domain::suppression::Source;
use ml_connector::twilio::transport::WORDS;
use ml_connector::web::chrome::Section;

use super::{document, root};

/// Where those sentences are made: the gate, the decisions, the recipients, the signatures.
const SOURCES: [&str; 9] = [
    "src/app/pipeline/addresses.rs",
    "src/app/pipeline/assess.rs",
    "src/app/pipeline/decide.rs",
    "src/app/pipeline/people.rs",
    "src/app/pipeline/recipients.rs",
    "src/domain/gate.rs",
    "src/domain/states.rs",
    "src/domain/transition.rs",
    "src/zoho/webhook.rs",
];

/// Shorter pieces are parts of other sentences.
const FEWEST_WORDS: usize = 4;

/// The texts of a source, without those of its tests and comments.
fn texts(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    // What is said to programmers is for nobody else.
    let is_ours = |line: &&str| {
        let is_comment = line.trim_start().starts_with("//");
        !is_comment && !line.contains("reason = ")
    };
    let lines = code.lines().filter(is_ours);
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut texts = Vec::new();
    let mut letters = code.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // A quote as a character begins no text.
            '\'' if letters.peek() == Some(&'"') => drop(letters.next()),
            '"' => {
                let mut text = String::new();
                while let Some(letter) = letters.next().filter(|letter| *letter != '"') {
                    text.push(letter);
                    if letter == '\\' {
                        let escaped = letters.next().unwrap();
                        if escaped == '\n' {
                            text.pop();
                            while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
                        } else {
                            text.push(escaped);
                        }
                    }
                }
                texts.push(text);
            }
            _ => {}
        }
    }
    texts
}

/// The pieces of a text between what is filled in.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut depth = 0;
    for letter in text.chars() {
        match letter {
            '{' if depth == 0 => {
                pieces.push(String::new());
                depth += 1;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            letter if depth == 0 => pieces.last_mut().unwrap().push(letter),
            _ => {}
        }
    }
    pieces
}

/// One way to write quotes and spaces.
fn plain(text: &str) -> String {
    let straight = text.replace(['“', '”'], "\"").replace('’', "'");
    let words: Vec<&str> = straight.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

fn is_sentence(piece: &str) -> bool {
    // Formats of dates, names of columns.
    piece.split(' ').count() >= FEWEST_WORDS && !piece.contains(['%', '_'])
}

#[test]
fn the_guide_has_every_reason() {
    let guide = plain(&document("docs/guide.md"));
    let mut found = 0;
    let mut missing = Vec::new();
    let own = [WORDS.connect, WORDS.no_sender].map(str::to_owned);
    let sources = SOURCES.iter().flat_map(|path| {
        let source = fs::read_to_string(root().join(path));
        texts(&source.unwrap_or_else(|_| panic!("{path} is gone: where are its sentences now?")))
    });
    for text in sources.chain(own) {
        for piece in pieces(&text) {
            let piece = plain(&piece);
            let piece = piece.trim_matches(|c: char| !c.is_alphanumeric());
            if is_sentence(piece) {
                found += 1;
                if !guide.contains(piece) {
                    missing.push(piece.to_owned());
                }
            }
        }
    }
    assert!(
        missing.is_empty(),
        "docs/guide.md does not explain: {missing:#?}"
    );
    assert!(found >= 50, "sentences are not found any more: {found}");
}

#[test]
fn the_guide_has_every_state_every_cause_and_every_page() {
    let guide = document("docs/guide.md");
    let states = DeliveryState::ALL.iter();
    let states = states.map(|state| format!("| {} |", state.label(&WORDS)));
    let causes = Source::ALL.iter();
    let causes = causes.map(|source| format!("| {} |", source.label(&WORDS)));
    let pages = Section::ALL.map(|section| format!("| **{}** |", section.label()));
    for row in states.chain(causes).chain(pages) {
        assert!(guide.contains(&row), "docs/guide.md has no row {row}");
    }
}
