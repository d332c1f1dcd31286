//! What strangers typed, in our own e-mails: names, replies, a provider's words.
//!
//! Mail programs make links of whatever looks like one, in the text and in the HTML part, so a company
//! called `evil.example/login` would have us send its link. Whatever could become one is broken where
//! everybody sees it, as in `evil[.]example`: invisible joiners would mislead readers as well, and would
//! not survive a copy.

/// How many characters of a name are shown.
pub const NAME_LENGTH: usize = 60;

/// A stranger's words within a sentence of ours: one line, in quotes that it cannot close, shortened,
/// without anything that becomes a link.
pub fn quoted(text: &str, longest: usize) -> String {
    format!("“{}”", bare(text, longest).replace(QUOTES, "'"))
}

/// The same without quotes, for words that stand alone on their line.
pub fn bare(text: &str, longest: usize) -> String {
    // Brackets are what we break links with.
    one_line(&text.replace('[', "(").replace(']', ")"), longest)
}

/// Lines that somebody wrote, each marked, so that none looks as if we had written it.
pub fn cited(text: &str, lines: usize, longest: usize) -> String {
    let cited = text.lines().take(lines).map(|line| {
        let line = bare(line, longest);
        format!("> {line}").trim_end().to_owned()
    });
    let mut cited: Vec<String> = cited.collect();
    if text.lines().nth(lines).is_some() {
        cited.push("> …".to_owned());
    }
    cited.join("\n")
}

/// A subject, whoever wrote what of it: none of ours bears an address.
pub(super) fn one_line(text: &str, longest: usize) -> String {
    let line = visible(text);
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(longest).collect();
    if short.len() < line.len() {
        short.truncate(short.trim_end().len());
        short.push('…');
    }
    unlinked(&short)
}

/// The last door, for every line of every e-mail: whatever wrote it, only addresses of ours stay
/// addresses.
pub(super) fn only_ours(line: &str, origin: &str) -> String {
    let line = visible(line);
    let words = line.split(' ').map(|word| {
        if is_ours(word, origin) {
            word.to_owned()
        } else {
            unlinked(word)
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a word is an address under `origin`, and nothing of it lies outside.
pub(super) fn is_ours(word: &str, origin: &str) -> bool {
    let Some(rest) = word.strip_prefix(origin) else {
        return false;
    };
    let rest = rest.trim_end_matches(['.', ',', ':', ';', ')']);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~?#=&%+".contains(c);
    rest.is_empty() || (rest.starts_with('/') && rest.chars().all(is_plain) && !rest.contains("//"))
}

const QUOTES: [char; 12] = [
    '"', '“', '”', '„', '‟', '«', '»', '‹', '›', '〝', '〞', '＂',
];

/// Without what is not seen: breaks become blanks; marks that turn, join or hide text are left out.
fn visible(text: &str) -> String {
    text.chars()
        .filter(|c| !is_hidden(*c))
        .map(|c| {
            if c.is_control() || c.is_whitespace() {
                ' '
            } else {
                c
            }
        })
        .collect()
}

/// Format characters, and e-mails that have no shape.
const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Breaks what mail programs make links of: schemes, host names, mail addresses, IPv4 addresses,
/// paths of Windows; and the marks of encoded words, which readers of a header would decode.
fn unlinked(text: &str) -> String {
    let text: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    let mut at = 0;
    while let Some(c) = text.get(at).copied() {
        let (before, after) = (&text[..at], &text[at + 1..]);
        let taken = match c {
            ':' if after.starts_with(&['/', '/']) && touches(after.get(2)) => "://",
            ':' if is_scheme(before) && touches(after.first()) => ":",
            '/' if after.first() == Some(&'/') && touches(after.get(1)) => "//",
            '\\' if after.first() == Some(&'\\') && touches(after.get(1)) => "\\\\",
            '@' if touches(before.last()) && touches(after.first()) => "@",
            '?' if before.last() == Some(&'=') => "?",
            _ if is_dot(c) && joins_labels(c, before, after) => {
                out.extend(['[', c, ']']);
                at += 1;
                continue;
            }
            _ => {
                out.push(c);
                at += 1;
                continue;
            }
        };
        out.push('[');
        out.push_str(taken);
        out.push(']');
        at += taken.chars().count();
    }
    out
}

/// Whether a neighbour could belong to the same address. What was broken before has brackets there.
fn touches(neighbour: Option<&char>) -> bool {
    neighbour.is_some_and(|c| !c.is_whitespace() && !matches!(c, '[' | ']'))
}

/// `mailto`, `tel`, a host before its port; not the hours of a time.
fn is_scheme(before: &[char]) -> bool {
    let word = before.iter().rev();
    let mut word = word.take_while(|c| c.is_alphanumeric() || matches!(c, '+' | '-' | '.' | ']'));
    touches(before.last()) && word.any(|c| c.is_alphabetic())
}

/// The full stop, and those that resolvers and mail programs read like it.
const fn is_dot(c: char) -> bool {
    matches!(
        c,
        '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}' | '\u{2024}' | '\u{fe52}'
    )
}

/// Whether a dot may stand between the labels of a host's name. No last label has one letter only,
/// so `S.p.A.` stays; nor digits only, so `1.50` does, unless it is the end of an IPv4 address.
fn joins_labels(dot: char, before: &[char], after: &[char]) -> bool {
    let (Some(last), Some(first)) = (before.last(), after.first()) else {
        return false;
    };
    let is_label = |c: &char| {
        c.is_alphanumeric()
            || matches!(c, '-' | '_')
            || (!c.is_ascii() && !c.is_whitespace() && !is_dot(*c) && !is_mark(*c))
    };
    // Where sentences have no blanks between them, it ends one.
    let is_latin = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '\u{ff10}'..='\u{ff5a}');
    if dot == '\u{3002}' && !is_latin(last) && !is_latin(first) {
        return false;
    }
    if !is_label(last) || !is_label(first) || *first == '-' {
        return false;
    }
    let label: Vec<_> = after.iter().take_while(|c| is_label(c)).collect();
    if label.iter().all(|c| c.is_ascii_digit()) {
        let address = before.iter().rev();
        let address = address.take_while(|c| c.is_ascii_digit() || is_dot(**c));
        return address.filter(|c| is_dot(**c)).count() >= 2;
    }
    label.len() > 1 || !first.is_ascii()
}

/// Quotes, dashes and dots of prose.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '«' | '»' | '\u{3001}'..='\u{301f}')
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_link_is_broken_where_everybody_sees_it() {
        for (typed, shown) in [
            ("evil.example", "evil[.]example"),
            (
                "Co … https://evil.example/login",
                "Co … https[://]evil[.]example/login",
            ),
            ("www.evil.example", "www[.]evil[.]example"),
            ("http://2130706433/", "http[://]2130706433/"),
            ("http:/\u{200b}/evil", "http[://]evil"),
            ("HTTPS:\u{ad}//EVIL.EXAMPLE", "HTTPS[://]EVIL[.]EXAMPLE"),
            ("//evil", "[//]evil"),
            ("\\\\evil\\share", "[\\\\]evil\\share"),
            ("mailto:x", "mailto[:]x"),
            ("evil:8080/x", "evil[:]8080/x"),
            ("ann@evil.example", "ann[@]evil[.]example"),
            ("192.0.2.1/x", "192.0.2[.]1/x"),
            ("evil\u{3002}example", "evil[\u{3002}]example"),
            ("ｅｖｉｌ．ｃｏｍ", "ｅｖｉｌ[．]ｃｏｍ"),
            ("пример.рф", "пример[.]рф"),
            ("a.b.com", "a.b[.]com"),
            ("=?utf-8?q?=68ttp?=", "=[?]utf-8?q?=68ttp?="),
        ] {
            assert_eq!(bare(typed, 100), shown);
        }
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in [
            "Acme S.p.A.",
            "Bowman & Co. Ltd.",
            "J.R. Smith (U.S.-based), Inc.",
            "Müller GmbH & Co. KG",
            "株式会社さくら。次の行",
            "Total: 1.234,50 at 10:30, on 22.11.2026",
            "50% off / now",
            "@handle",
        ] {
            assert_eq!(bare(name, 100), name);
        }
    }

    #[test]
    fn a_stranger_cannot_leave_the_quotes_turn_the_text_or_go_on_for_ever() {
        assert_eq!(
            quoted("Co” is closed. “\r\nBcc: \u{202e}x\u{0}", 60),
            "“Co' is closed. ' Bcc: x”"
        );
        assert_eq!(quoted(&"ab ".repeat(50), 7), "“ab ab a…”");
        assert_eq!(quoted("", 7), "“”");
    }

    #[test]
    fn each_line_of_what_somebody_wrote_is_marked() {
        assert_eq!(
            cited("Hi\n\nsee x.example", 5, 100),
            "> Hi\n>\n> see x[.]example"
        );
        assert_eq!(cited("1\n2\n3", 2, 100), "> 1\n> 2\n> …");
    }

    #[test]
    fn only_an_address_under_our_origin_is_ours() {
        let origin = "https://sms.example.com";
        for ours in [
            "/reset/x",
            "/reset.",
            "",
            ".",
            "/t/a/history?result=failed#x",
        ] {
            let line = format!("go to {origin}{ours} now");
            assert_eq!(only_ours(&line, origin), line);
        }
        for theirs in [
            ".evil.example/",
            "@evil.example/",
            ":81/",
            "/\u{3000}x.evil",
            "/<http://x",
            "//evil",
            "/@x.evil",
        ] {
            let line = only_ours(&format!("{origin}{theirs}"), origin);
            assert!(!line.contains(theirs), "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_was_broken_once_is_not_broken_again(text in hostile()) {
            let once = bare(&text, 300);
            prop_assert_eq!(only_ours(&once, "https://sms.example.com"), once);
        }
    }

    /// Pieces of links, odd marks and any text.
    pub(crate) fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("https://evil.example/login".to_owned()),
            Just("www.evil.example".to_owned()),
            Just("evil.example".to_owned()),
            Just("ann@evil.example".to_owned()),
            Just("mailto:ann@evil.example".to_owned()),
            Just("https://sms.example.com".to_owned()),
            Just("=?utf-8?q?=68ttp?=".to_owned()),
            Just("\r\nBcc: all@evil.example\r\n".to_owned()),
            "[a-z.:/@\\\\?=# \\[\\]\u{200b}\u{202e}\u{ad}\u{3002}\r\n\t“”<>&%0-9]{0,12}",
            "\\PC{0,6}",
        ];
        prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
    }
}
