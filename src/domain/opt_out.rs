//! What a recipient's text asks for, however they wrote it.
//!
//! The whole text is one of the words: done at once. A longer text that contains one: nobody knows, so
//! nothing goes out until a person has said. The words are those of the American rule of 2025 (47 CFR
//! 64.1200(a)(10): stop, quit, end, revoke, opt out, cancel, unsubscribe), Twilio's own (its page on opt-out
//! keywords), and *remove*.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::reply::Wish;

const STOP: [&str; 9] = [
    "stop",
    "stopall",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "revoke",
    "optout",
    "remove",
];
/// `YES` counts on some senders only, so it is not believed here.
const START: [&str; 2] = ["start", "unstop"];
const HELP: [&str; 2] = ["help", "info"];

/// What a text asks for.
pub fn wish(text: &str) -> Wish {
    let words = words(text);
    let whole = words.concat();
    let is_one_of = |list: &[&str]| list.contains(&whole.as_str());
    let are_all_stops = !words.is_empty() && words.iter().all(|w| STOP.contains(&w.as_str()));
    if is_one_of(&STOP) || are_all_stops {
        Wish::Stop
    } else if is_one_of(&START) {
        Wish::Start
    } else if is_one_of(&HELP) {
        Wish::Help
    } else if contains_stop(&words) {
        Wish::Unclear
    } else {
        Wish::Read
    }
}

fn contains_stop(words: &[String]) -> bool {
    let is_stop = |word: &String| STOP.contains(&word.as_str());
    words.iter().any(is_stop)
}

/// The words of a text without width, case, punctuation and invisible marks.
fn words(text: &str) -> Vec<String> {
    let folded: String = text
        .nfkd()
        .filter(|c| !is_invisible(*c) && !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    let mut words: Vec<String> = Vec::new();
    for word in folded.split_whitespace() {
        match words.last_mut() {
            // Two words for one.
            Some(last) if last == "opt" && word == "out" => last.push_str(word),
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// Marks that no reader sees: soft hyphens, joiners, directions, variations, tags.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
        || matches!(c, '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}')
        || (c.is_control() && !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_word_is_known_in_any_dress() {
        for text in [
            "stop",
            "Stop.",
            "\"stop\"",
            " STOP!! ",
            "ＳＴＯＰ",
            "s\u{200b}top",
            "STOP\u{feff}",
            "“Stop”",
            "opt out",
            "Opt-out",
            "OPT OUT.",
            "opt_out",
            "optout",
            "Unsubscribe",
            "remove",
            "Revoke",
            "stop stop",
            "sto\u{301}p",
            "STOP\u{3164}",
            "opt out, opt out",
            "stop. opt out",
            "STOP ALL",
            "end",
            "quit",
            "CANCEL\r\n",
            "st\u{ad}op",
            "*stop*",
        ] {
            assert_eq!(wish(text), Wish::Stop, "{text}");
        }
        for text in ["start", "Start.", "ＵＮＳＴＯＰ"] {
            assert_eq!(wish(text), Wish::Start, "{text}");
        }
        assert_eq!(wish("Help!"), Wish::Help);
        for text in [
            "please stop texting me",
            "I want to opt out of this",
            "remove me",
            "don’t stop",
            "STOP. Who is this?",
        ] {
            assert_eq!(wish(text), Wish::Unclear, "{text}");
        }
        for text in [
            "",
            "…",
            "yes",
            "Paid yesterday",
            "unstoppable",
            "I will spend it",
            "who is this?",
        ] {
            assert_eq!(wish(text), Wish::Read, "{text}");
        }
    }

    proptest! {
        /// However it is dressed, a word is that word.
        #[test]
        fn no_dress_hides_a_word(
            word in prop::sample::select(STOP.to_vec()),
            upper in prop::collection::vec(any::<bool>(), 12),
            wide in prop::collection::vec(any::<bool>(), 12),
            marks in prop::collection::vec("[\u{200b}\u{ad}\u{feff}\u{2060}\u{fe0f}\u{202a}\u{301}\u{3164}\u{fffa}]{0,2}", 12),
            before in "[ .,!\"'“”(*_\\-]{0,4}",
            after in "[ .,!?\"'“”)*_\r\n\\-]{0,4}",
        ) {
            let mut dressed = String::new();
            for (n, c) in word.chars().enumerate() {
                let c = if upper[n] { c.to_ascii_uppercase() } else { c };
                let c = if wide[n] { char::from_u32(u32::from(c) + 0xfee0).unwrap() } else { c };
                dressed.push(c);
                dressed.push_str(&marks[n]);
            }
            let text = format!("{before}{dressed}{after}");
            prop_assert_eq!(wish(&text), Wish::Stop, "{}", text);
        }

        /// No text without one of the words asks for anything.
        #[test]
        fn chat_is_chat(words in prop::collection::vec("[a-z]{1,9}", 0..8)) {
            let any = words.iter().any(|w| STOP.contains(&w.as_str()) || w == "opt" || w == "out");
            prop_assume!(!any);
            let text = words.join(" ");
            prop_assume!(!STOP.contains(&words.concat().as_str()));
            prop_assert!(!matches!(wish(&text), Wish::Stop | Wish::Unclear), "{}", text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _ = wish(&text);
        }
    }
}
