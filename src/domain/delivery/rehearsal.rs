//! The mark before the text of a rehearsal, which names whom the message was meant for.

/// How much of a name stands in the mark.
const LONGEST_NAME: usize = 40;

/// What stands before the text of a rehearsal: `[would go to Bowman & Co, +447700900123] `.
pub fn rehearsal_mark(recipient: &str, address: &str) -> String {
    let is_plain = |c: &char| {
        // Nor marks of direction, which would turn the rest of the line around.
        !c.is_control()
            && !matches!(c, '[' | ']' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}')
    };
    let words = recipient.split_whitespace().flat_map(|word| [word, " "]);
    let letters = words.flat_map(str::chars).filter(is_plain);
    // Readers of headers decode what looks like an encoded word.
    let name = letters
        .take(LONGEST_NAME)
        .collect::<String>()
        .replace("=?", "= ");
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    // A fixed address has no name but its own number.
    if name.trim().is_empty() || digits(&name) == digits(address) {
        format!("[would go to {address}] ")
    } else {
        format!("[would go to {}, {address}] ", name.trim())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_mark_names_whom_it_was_meant_for() {
        let mark = |name| rehearsal_mark(name, "+447700900123");
        assert_eq!(
            mark("Bowman & Co"),
            "[would go to Bowman & Co, +447700900123] "
        );
        assert_eq!(mark("+44 7700 900123"), "[would go to +447700900123] ");
        assert_eq!(mark(""), "[would go to +447700900123] ");
        assert_eq!(mark("a]\u{2028}\n[b"), "[would go to a b, +447700900123] ");
    }

    proptest! {
        /// One pair of brackets, one line, and never longer than a segment: whatever a name holds.
        #[test]
        fn no_name_breaks_out_of_the_mark(name in ".{0,80}") {
            let mark = rehearsal_mark(&name, "+447700900123");
            prop_assert_eq!(mark.matches(['[', ']']).count(), 2);
            prop_assert!(!mark.chars().any(char::is_control));
            prop_assert!(mark.ends_with(", +447700900123] ") || mark == "[would go to +447700900123] ");
            prop_assert!(mark.chars().count() <= 13 + LONGEST_NAME + 17);
        }
    }
}
