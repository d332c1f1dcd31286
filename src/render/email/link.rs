//! Where a link may lead: where the clerk typed, or to Zoho's page for paying.

use url::Url;

use crate::domain::pay_page::PayPage;
use crate::domain::rule::{Fact, Facts};
use crate::render::marked::{Mark, is_mark, read_mark};

/// The links that an event brings, as far as they lead to Zoho's own pages.
#[derive(Debug, Default)]
pub(super) struct OwnLinks {
    links: Vec<(String, PayPage)>,
}

impl OwnLinks {
    pub(super) fn of(facts: &Facts<'_>, also: &[String]) -> Self {
        let links = ["payment_link", "invoice_url"]
            .into_iter()
            .filter_map(|name| {
                let Some(Fact::Text(text)) = facts.get(name) else {
                    return None;
                };
                let page = PayPage::parse(&text, also)?;
                Some((text.into_owned(), page))
            });
        Self {
            links: links.collect(),
        }
    }

    /// The page on which the document is paid.
    pub(super) fn pay_page(&self) -> Option<&PayPage> {
        self.links.first().map(|(_, page)| page)
    }

    /// The page that a value is the address of: only the whole of Zoho's own link is one, whatever a name
    /// or a note looks like.
    pub(super) fn page_of(&self, value: &str) -> Option<&PayPage> {
        let value = value.trim();
        let own = self.links.iter().find(|(text, _)| text.trim() == value);
        own.map(|(_, page)| page)
    }
}

/// Where a link leads; `None` for one that becomes plain text.
pub(super) fn target(
    to: &str,
    is_email: bool,
    values: &[String],
    own: &OwnLinks,
) -> Option<String> {
    if to.contains(is_mark) {
        let mut letters = to.chars();
        let (Some(only), None) = (letters.next(), letters.next()) else {
            return None;
        };
        let Some(Mark::Value(index)) = read_mark(only) else {
            return None;
        };
        let page = own.page_of(values.get(index)?)?;
        return Some(page.as_str().to_owned());
    }
    if is_email {
        return typed(&format!("mailto:{to}"));
    }
    typed(to)
}

/// An address that somebody typed into a text: of the web, of a mailbox or of a phone. A name of other
/// letters is written as mail programs ask for it (`xn--…`), so that it cannot pass for another.
pub(super) fn typed(to: &str) -> Option<String> {
    let url = Url::parse(to.trim()).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_taken = match url.scheme() {
        "https" | "http" => is_plain && url.host_str().is_some_and(|host| !host.is_empty()),
        "mailto" | "tel" => !url.path().is_empty(),
        _ => false,
    };
    is_taken.then(|| url.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_people_open_are_links() {
        for (typed_text, to) in [
            ("https://example.com/a?b=c&d", "https://example.com/a?b=c&d"),
            ("HTTP://Example.com", "http://example.com/"),
            ("mailto:a@example.com", "mailto:a@example.com"),
            ("tel:+447700900123", "tel:+447700900123"),
            ("https://аpple.com/", "https://xn--pple-43d.com/"),
        ] {
            assert_eq!(typed(typed_text).as_deref(), Some(to), "{typed_text}");
        }
        for refused in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "//evil.example",
            "/relative",
            "#top",
            "https://user:pass@example.com/",
            "https://bank.example@evil.example/",
            "mailto:",
            "",
        ] {
            assert_eq!(typed(refused), None, "{refused}");
        }
    }
}
