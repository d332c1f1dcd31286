//! Secrets out of what others answer, by value: whoever echoes our request, under whatever name.
//!
//! A secret is found in the forms in which JSON, forms, addresses and HTML would write it, also where
//! these are mixed; and from its sixteenth byte on, since some answers are cut.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What stands in a secret's place.
const HIDDEN: &[u8] = b"(hidden)";

/// What is shorter would be found in words that have nothing to do with it.
const SHORTEST: usize = 6;

/// A beginning of this length is enough.
const BEGINNING: usize = 16;

/// With which every form of a byte begins that is not the byte itself.
const MARKS: [u8; 3] = [b'%', b'\\', b'&'];

/// The secrets that one call bears.
#[derive(Clone, Default)]
pub struct Secrets(Vec<Vec<u8>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Adds a secret, in clear and in base64.
    #[must_use]
    pub fn with(mut self, secret: &str) -> Self {
        if secret.len() >= SHORTEST {
            self.0.push(secret.as_bytes().to_vec());
            self.encoded(secret);
        }
        self
    }

    /// Adds a secret, and what Basic authentication makes of it.
    #[must_use]
    pub fn with_basic(mut self, user: &str, secret: &str) -> Self {
        if secret.len() >= SHORTEST {
            self.encoded(&format!("{user}:{secret}"));
        }
        self.with(secret)
    }

    /// Adds a secret, and what SMTP's AUTH PLAIN makes of it.
    #[must_use]
    pub fn with_plain(mut self, user: &str, secret: &str) -> Self {
        if secret.len() >= SHORTEST {
            self.encoded(&format!("\0{user}\0{secret}"));
        }
        self.with(secret)
    }

    fn encoded(&mut self, secret: &str) {
        self.0.push(STANDARD_NO_PAD.encode(secret).into_bytes());
        self.0.push(URL_SAFE_NO_PAD.encode(secret).into_bytes());
    }

    /// The bytes without the secrets.
    pub fn clean<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let mut clean: Option<Vec<u8>> = None;
        let (mut at, mut kept) = (0, 0);
        let begins_one = self.beginnings();
        while at < text.len() {
            // Nearly everywhere none begins.
            if !begins_one[usize::from(text[at])] {
                at += 1;
                continue;
            }
            let Some(end) = self.end_of_one(text, at) else {
                at += 1;
                continue;
            };
            let clean = clean.get_or_insert_default();
            clean.extend_from_slice(&text[kept..at]);
            clean.extend_from_slice(HIDDEN);
            (at, kept) = (end, end);
        }
        match clean {
            None => Cow::Borrowed(text),
            Some(mut clean) => {
                clean.extend_from_slice(&text[kept..]);
                Cow::Owned(clean)
            }
        }
    }

    /// The same of text.
    pub fn clean_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.clean(text.as_bytes())).into_owned()
    }

    /// The bytes with which a secret may begin, in whatever form.
    fn beginnings(&self) -> [bool; 256] {
        let mut begins = [false; 256];
        for secret in &self.0 {
            begins[usize::from(secret[0])] = true;
            for mark in MARKS {
                begins[usize::from(mark)] = true;
            }
        }
        begins
    }

    /// Where the longest secret ends that begins here.
    fn end_of_one(&self, text: &[u8], at: usize) -> Option<usize> {
        let first = text[at];
        let ends = self
            .0
            .iter()
            .filter(|secret| secret[0] == first || MARKS.contains(&first))
            .filter_map(|secret| end_of(secret, text, at));
        ends.max()
    }
}

/// Where a secret, or enough of it, ends that begins here.
fn end_of(secret: &[u8], text: &[u8], at: usize) -> Option<usize> {
    let mut ends = vec![at];
    for (found, byte) in secret.iter().enumerate() {
        let mut next: Vec<usize> = Vec::new();
        for end in &ends {
            for length in lengths(*byte, &text[*end..]).into_iter().flatten() {
                if !next.contains(&(end + length)) {
                    next.push(end + length);
                }
            }
        }
        if next.is_empty() {
            let is_enough = found >= BEGINNING;
            return ends.into_iter().max().filter(|_| is_enough);
        }
        ends = next;
    }
    ends.into_iter().max()
}

/// How long each form of a byte is that stands at the beginning of the text.
fn lengths(byte: u8, text: &[u8]) -> [Option<usize>; 6] {
    let first = text.first().copied();
    if first.is_none_or(|first| !MARKS.contains(&first)) {
        let plain = (first == Some(byte)).then_some(1);
        return [plain, None, None, None, None, None];
    }
    let hex = |from: usize, length: usize| {
        let digits = std::str::from_utf8(text.get(from..from + length)?).ok()?;
        u32::from_str_radix(digits, 16).ok()
    };
    let is = |code: Option<u32>| code == Some(u32::from(byte));
    let starts = |prefix: &[u8]| text.starts_with(prefix);
    let escaped = |prefix: &[u8], digits: usize| {
        (starts(prefix) && is(hex(prefix.len(), digits))).then_some(prefix.len() + digits)
    };
    [
        (first == Some(byte)).then_some(1),
        (starts(b"\\") && text.get(1) == Some(&byte) && !byte.is_ascii_alphanumeric()).then_some(2),
        escaped(b"\\u", 4),
        escaped(b"%", 2),
        // Escaped twice.
        escaped(b"%25", 2),
        entity(byte, text),
    ]
}

/// The length of an HTML entity that stands for the byte.
fn entity(byte: u8, text: &[u8]) -> Option<usize> {
    let body = text.strip_prefix(b"&")?;
    let end = body.iter().take(8).position(|b| *b == b';')?;
    let name = std::str::from_utf8(&body[..end]).ok()?;
    let code = match name {
        "amp" => Some(u32::from(b'&')),
        "lt" => Some(u32::from(b'<')),
        "gt" => Some(u32::from(b'>')),
        "quot" => Some(u32::from(b'"')),
        "apos" => Some(u32::from(b'\'')),
        _ => match name.strip_prefix('#')? {
            digits if digits.starts_with(['x', 'X']) => u32::from_str_radix(&digits[1..], 16).ok(),
            digits => digits.parse().ok(),
        },
    };
    (code == Some(u32::from(byte))).then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn clean(secrets: &Secrets, text: &str) -> String {
        secrets.clean_text(text)
    }

    #[test]
    fn a_secret_is_hidden_in_every_form_in_which_it_may_come_back() {
        let secret = "pa/ss+wo\"rd=&7";
        let basic = STANDARD.encode(format!("AC1:{secret}"));
        let secrets = Secrets::default().with_basic("AC1", secret);
        for echoed in [
            secret.to_owned(),
            serde_json::to_string(secret)
                .unwrap()
                .trim_matches('"')
                .to_owned(),
            "pa\\/ss+wo\\u0022rd\\u003D\\u00267".to_owned(),
            form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            "pa%252Fss%252Bwo%2522rd%253D%25267".to_owned(),
            "pa&#47;ss&#x2b;wo&quot;rd=&amp;7".to_owned(),
            basic.clone(),
            basic.replace('=', "%3d"),
            URL_SAFE_NO_PAD.encode(format!("AC1:{secret}")),
            STANDARD.encode(secret),
        ] {
            let text = clean(&secrets, &format!("You sent <{echoed}>, it says"));
            let rest = text.replace("%3d", "").replace('=', "");
            assert_eq!(rest, "You sent <(hidden)>, it says", "{echoed}");
        }
    }

    #[test]
    fn a_secret_that_was_cut_is_hidden_and_words_are_not() {
        let secrets = Secrets::default().with("0123456789abcdef0123456789abcdef");
        let cut = clean(&secrets, "token 0123456789abcdef0123");
        assert_eq!(cut, "token (hidden)");
        let id = "error 0123456789 of 012345";
        assert_eq!(clean(&secrets, id), id);
        let short = Secrets::default().with("a").with("");
        assert_eq!(clean(&short, "a banana"), "a banana");
        // Many ways to read it take no longer.
        let slashes = Secrets::default().with(&"\\".repeat(40));
        assert_eq!(clean(&slashes, &"\\".repeat(79)), "(hidden)");
    }

    proptest! {
        #[test]
        fn no_mixture_of_escapes_hides_a_secret_from_us(
            secret in "[!-~]{6,40}",
            forms in prop::collection::vec(0_usize..5, 40),
            before in "[ -~]{0,20}",
        ) {
            let mixed: String = secret.bytes().zip(forms).map(|(b, form)| match form {
                0 => format!("%{b:02x}"),
                1 => format!("\\u{b:04X}"),
                2 => format!("&#{b};"),
                3 => format!("%25{b:02X}"),
                _ => char::from(b).to_string(),
            }).collect();
            let secrets = Secrets::default().with(&secret);
            let text = clean(&secrets, &format!("{before} {mixed}"));
            prop_assert!(text.contains("(hidden)"), "{text}");
            prop_assert!(!text.contains(&mixed), "{text}");
        }
    }
}
