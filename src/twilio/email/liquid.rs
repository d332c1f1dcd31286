//! Text that Twilio's Liquid reads as nothing but text.
//!
//! Liquid runs over subject, text and HTML of every e-mail: what a customer called `{{ x }}` would be looked
//! up, and the e-mail refused or changed. A token begins with `{{` or `{%` and only with these, so none may
//! be left anywhere. What ends one, `}}` or `%}`, is plain text where none has begun: it is broken up where
//! that costs nothing, and left in style sheets, which end so (`@media … { … {} }`, minified).
//!
//! Readers see the same letters: in plain text an invisible word joiner parts the pair, in HTML a character
//! reference stands for one of the two. Style sheets know no references; there a blank parts the pair.

use std::borrow::Cow;

/// Joins what it stands between, and shows nothing.
const WORD_JOINER: char = '\u{2060}';

/// Whose content is read as it stands: no character references there.
const RAW: [&str; 6] = ["style", "script", "xmp", "iframe", "noembed", "noframes"];

/// Plain text: a subject, a name, a text part.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !is_touched(text) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 16);
    let mut before = None;
    for letter in text.chars() {
        if before.is_some_and(|before| begins(before, letter) || ends(before, letter)) {
            harmless.push(WORD_JOINER);
        }
        harmless.push(letter);
        before = Some(letter);
    }
    Cow::Owned(harmless)
}

/// An HTML document.
pub(super) fn html(document: &str) -> Cow<'_, str> {
    if !is_touched(document) {
        return Cow::Borrowed(document);
    }
    let mut harmless = String::with_capacity(document.len() + 64);
    let mut rest = document;
    while let Some((at, name)) = next_raw(rest) {
        let (marked_up, from) = rest.split_at(at);
        push_marked_up(&mut harmless, marked_up);
        let (raw, after) = from.split_at(end_of(from, name));
        push_raw(&mut harmless, raw);
        rest = after;
    }
    push_marked_up(&mut harmless, rest);
    Cow::Owned(harmless)
}

/// Whether Liquid would see a token begin.
pub(super) fn has_token(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

fn is_touched(text: &str) -> bool {
    has_token(text) || text.contains("}}") || text.contains("%}")
}

const fn begins(before: char, letter: char) -> bool {
    before == '{' && matches!(letter, '{' | '%')
}

const fn ends(before: char, letter: char) -> bool {
    matches!(before, '}' | '%') && letter == '}'
}

/// Text, tags, attribute values and comments: what is in a comment for Outlook is read by it as HTML, too.
fn push_marked_up(to: &mut String, part: &str) {
    let mut letters = part.chars().peekable();
    let mut before = None;
    while let Some(letter) = letters.next() {
        if letters.peek().is_some_and(|next| begins(letter, *next)) {
            to.push_str("&#123;");
        } else if before.is_some_and(|before| ends(before, letter)) {
            to.push_str("&#125;");
        } else {
            to.push(letter);
        }
        before = Some(letter);
    }
}

/// An element whose content is raw, up to its end.
fn push_raw(to: &mut String, part: &str) {
    let mut before = None;
    for letter in part.chars() {
        if before.is_some_and(|before| begins(before, letter)) {
            to.push(' ');
        }
        to.push(letter);
        before = Some(letter);
    }
}

/// Where the next element begins whose content is raw, and its name.
fn next_raw(document: &str) -> Option<(usize, &'static str)> {
    let bytes = document.as_bytes();
    let mut from = 0;
    while let Some(found) = document[from..].find('<') {
        let at = from + found;
        let named = |name: &&&str| is_named(&bytes[at + 1..], name);
        if let Some(name) = RAW.iter().find(named) {
            return Some((at, name));
        }
        from = at + 1;
    }
    None
}

/// How long the element is that this begins with; all of it, where it does not end.
fn end_of(element: &str, name: &str) -> usize {
    let bytes = element.as_bytes();
    let mut from = 1;
    while let Some(found) = element[from..].find("</") {
        let at = from + found;
        if is_named(&bytes[at + 2..], name) {
            return at;
        }
        from = at + 2;
    }
    element.len()
}

/// Whether a tag of this name begins here, right behind its `<` or `</`.
fn is_named(bytes: &[u8], name: &str) -> bool {
    let (Some(letters), after) = (bytes.get(..name.len()), bytes.get(name.len())) else {
        return false;
    };
    let is_over = after.is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'));
    letters.eq_ignore_ascii_case(name.as_bytes()) && is_over
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a reader's program makes of the references that are written here.
    fn read(html: &str) -> String {
        html.replace("&#123;", "{").replace("&#125;", "}")
    }

    #[test]
    fn what_bears_no_braces_is_not_copied() {
        assert!(matches!(plain("INV-7 {x}"), Cow::Borrowed(_)));
        assert!(matches!(html("<p>50 %</p>"), Cow::Borrowed(_)));
    }

    #[test]
    fn pairs_are_parted_and_read_the_same() {
        assert_eq!(plain("a{{b}}"), "a{\u{2060}{b}\u{2060}}");
        assert_eq!(plain("{%raw%}"), "{\u{2060}%raw%\u{2060}}");
        assert_eq!(
            html(r#"<a title="{{x}}">{% y %}</a>"#),
            r#"<a title="&#123;{x}&#125;">&#123;% y %&#125;</a>"#
        );
    }

    #[test]
    fn style_sheets_know_no_references() {
        let sheet = "<style>@media x{.a{color:red}}.b::after{content:'{{'}</STYLE><p>{{</p>";
        assert_eq!(
            html(sheet),
            "<style>@media x{.a{color:red}}.b::after{content:'{ {'}</STYLE><p>&#123;{</p>"
        );
        // A name that only begins alike is another element.
        assert_eq!(html("<styled>{{"), "<styled>&#123;{");
        // For Outlook: its style sheets stand in comments.
        assert_eq!(
            html("<!--[if mso]><style>a{%</style>{{<![endif]-->"),
            "<!--[if mso]><style>a{ %</style>&#123;{<![endif]-->"
        );
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[{}%]{1,4}",
            Just("<style>".to_owned()),
            Just("</style>".to_owned()),
            Just("<STYLE a='{{'>".to_owned()),
            Just("<!--".to_owned()),
            Just("-->".to_owned()),
            Just("<p title=\"".to_owned()),
            Just("\">".to_owned()),
            "\\PC{0,3}",
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_token_begins_in_plain_text(text in pieces()) {
            let harmless = plain(&text);
            prop_assert!(!has_token(&harmless));
            prop_assert!(["}}", "%}"].iter().all(|end| !harmless.contains(end)), "{}", harmless);
            let without = |text: &str| text.replace(WORD_JOINER, "");
            prop_assert_eq!(without(&harmless), without(&text));
        }

        #[test]
        fn no_token_begins_in_html(text in pieces()) {
            prop_assert!(!has_token(&html(&text)));
        }

        /// Outside style sheets not one letter is read otherwise, and none moves.
        #[test]
        fn html_is_read_the_same(text in "[{}%a<>&;# \"]{0,40}") {
            prop_assert_eq!(read(&html(&text)), read(&text));
        }

        /// In style sheets only blanks are added.
        #[test]
        fn style_sheets_keep_their_letters(sheet in "[{}%a:; ]{0,30}") {
            let document = format!("<style>{sheet}</style>");
            let without = |text: &str| text.replace(' ', "");
            prop_assert_eq!(without(&html(&document)), without(&document));
        }
    }
}
