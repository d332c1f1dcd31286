//! Names of companies and of people, as they type them.
//!
//! A name goes into letters to strangers, so one that is a web address would have us send its link.
//! Names such as *Booking.com* are names; letters show them without a link.

/// The longest name, in characters.
const LONGEST: usize = 100;

/// Why a name is refused, as the end of a sentence about what to type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    #[error("at most 100 characters")]
    Length,
    #[error("without characters that are not seen")]
    Hidden,
    #[error("without a web or e-mail address in it")]
    Address,
}

/// Reads a name; blanks around it do not count.
pub fn parse(text: &str) -> Result<&str, NameProblem> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > LONGEST {
        return Err(NameProblem::Length);
    }
    if name.chars().any(|c| c.is_control() || turns(c)) {
        return Err(NameProblem::Hidden);
    }
    if name.split_whitespace().any(is_address) {
        return Err(NameProblem::Address);
    }
    Ok(name)
}

/// Marks that change the direction of what follows, or the line.
pub const fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `https://a`, `www.a`, `a.example/path`, `ann@a.example`.
fn is_address(word: &str) -> bool {
    let word = word.to_lowercase();
    let host = |text: &str| {
        text.split_once('.').is_some_and(|(label, rest)| {
            label.ends_with(char::is_alphanumeric)
                && rest.chars().take_while(|c| c.is_alphanumeric()).count() > 1
        })
    };
    word.contains("://")
        || word.contains("www.")
        || word.split_once('/').is_some_and(|(left, _)| host(left))
        || word
            .split_once('@')
            .is_some_and(|(left, right)| !left.is_empty() && host(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_address_and_hides_nothing() {
        for name in [
            "Acme S.p.A.",
            "Booking.com",
            "A/S Norsk",
            " Ann @ Acme ",
            "Nr. 5/6 Ltd.",
        ] {
            assert_eq!(parse(name), Ok(name.trim()), "{name}");
        }
        for (name, problem) in [
            ("", NameProblem::Length),
            ("Co\r\nBcc: x", NameProblem::Hidden),
            ("a\u{202e}b", NameProblem::Hidden),
            ("Co … https://evil.example/login", NameProblem::Address),
            ("Go to WWW.evil.example", NameProblem::Address),
            ("evil.example/login", NameProblem::Address),
            ("ann@evil.example", NameProblem::Address),
        ] {
            assert_eq!(parse(name), Err(problem), "{name}");
        }
        assert_eq!(parse(&"x".repeat(101)), Err(NameProblem::Length));
    }
}
