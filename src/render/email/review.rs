//! A second look at a source before it is saved: links that would not work, what will be left out, and
//! what reads like advertising.

use pulldown_cmark::{Event, LinkType, Tag};

use super::problem::EmailProblem;
use super::{body, link};
use crate::domain::rule::{EmailPart, EmailSource};
use crate::render::advertising;

/// Stands for a field while only the text around it is looked at.
const FIELD: &str = "\u{f0000}";

/// Refuses links that lead nowhere a person can go, such as `javascript:` and relative ones.
pub(super) fn check_links(source: &str) -> Result<(), EmailProblem> {
    let (plain, fields) = without_tags(source);
    for event in body::events(&plain) {
        let Event::Start(Tag::Link {
            dest_url,
            link_type,
            ..
        }) = event
        else {
            continue;
        };
        let to = if link_type == LinkType::Email {
            format!("mailto:{dest_url}")
        } else {
            dest_url.to_string()
        };
        let refuse = |words: String| {
            let shown = to.replace(FIELD, "{{");
            let at = source
                .find(shown.split("{{").next().unwrap_or(&shown))
                .unwrap_or(0);
            Err(EmailProblem::at(EmailPart::Body, source, at, words))
        };
        if to == FIELD {
            // Which of them it is does not matter where all are Zoho's own links.
            if fields
                .iter()
                .any(|name| matches!(*name, "payment_link" | "invoice_url"))
            {
                continue;
            }
            let words = "a link may lead to {{ payment_link }}, to no other field";
            return refuse(words.to_owned());
        }
        if to.contains(FIELD) {
            let words = "a link to {{ payment_link }} has nothing before or behind it";
            return refuse(words.to_owned());
        }
        if link::typed(&to).is_none() {
            let shown: String = to.chars().take(60).collect();
            return refuse(format!(
                "the link to {shown} would not work; begin it with https://, mailto: or tel:"
            ));
        }
    }
    Ok(())
}

/// What is left out, and what needs another permission than a business relation.
pub(super) fn warnings(source: &EmailSource) -> Vec<String> {
    let (plain, _) = without_tags(&source.body);
    let (mut has_image, mut has_html) = (false, false);
    for event in body::events(&plain) {
        match event {
            Event::Start(Tag::Image { .. }) => has_image = true,
            Event::Html(_) | Event::InlineHtml(_) => has_html = true,
            _ => {}
        }
    }
    let mut warnings = Vec::new();
    if has_image {
        warnings.push("Pictures in the text are left out; only your logo is shown.".to_owned());
    }
    if has_html {
        warnings.push(
            "HTML in the text is left out. Write **bold**, *italic*, # heading, - list and \
             [words](https://…) for a link."
                .to_owned(),
        );
    }
    let text = format!("{}\n{}\n{plain}", source.subject, source.preview);
    warnings.extend(advertising::warning(&text));
    warnings
}

/// The text with a mark for each `{{ … }}` and nothing for the other tags, and the fields' names.
fn without_tags(source: &str) -> (String, Vec<&str>) {
    let mut plain = String::with_capacity(source.len());
    let mut fields = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find('{') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let (close, is_field) = match rest.as_bytes().get(1) {
            Some(b'{') => ("}}", true),
            Some(b'%') => ("%}", false),
            Some(b'#') => ("#}", false),
            _ => {
                plain.push('{');
                rest = &rest[1..];
                continue;
            }
        };
        let Some(end) = rest.find(close) else {
            break;
        };
        if is_field {
            plain.push_str(FIELD);
            let name = rest[2..end].trim_matches(['-', ' ']);
            fields.push(name.split('|').next().unwrap_or(name).trim());
        }
        rest = &rest[end + 2..];
    }
    plain.push_str(rest);
    (plain, fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(body: &str) -> EmailSource {
        EmailSource {
            subject: "Invoice".to_owned(),
            preview: String::new(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn links_that_lead_nowhere_are_refused() {
        let refused = |body: &str| check_links(body).map_err(|problem| problem.to_string());
        for body in [
            "[Pay]({{ payment_link }})",
            "[Pay]({{ payment_link|trim }}) or [see](https://example.com)",
            "<https://example.com> <a@example.com> [call](tel:+44)",
            "[not a link] {% if total > 1 %}[x](mailto:a@example.com){% endif %}",
        ] {
            assert_eq!(refused(body), Ok(()), "{body}");
        }
        assert_eq!(
            refused("a\n[x](javascript:alert(1))").unwrap_err(),
            "text, line 2, column 5: the link to javascript:alert(1) would not work; begin it with \
             https://, mailto: or tel:"
        );
        assert!(
            refused("[x](example.com)")
                .unwrap_err()
                .contains("https://")
        );
        assert!(
            refused("[x]({{ customer_name }})")
                .unwrap_err()
                .contains("no other field")
        );
        assert!(
            refused("[x](https://a.example/{{ total }})")
                .unwrap_err()
                .contains("nothing before")
        );
    }

    #[test]
    fn what_is_left_out_is_told() {
        let told = |body: &str| warnings(&source(body)).concat();
        assert!(told("![logo](https://example.com/x.png)").contains("Pictures"));
        assert!(told("a <b>x</b>").contains("HTML"));
        assert!(told("Now 20% off everything").contains("advertising"));
        assert_eq!(
            told("Hello {{ contact.first_name }}, **thanks** & a < b"),
            ""
        );
    }
}
