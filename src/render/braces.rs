//! The first look at a template's braces: a missing one is called that, and other products'
//! placeholders (`${INVOICE.TOTAL}`, `{total}`, `%InvoiceTotal%`) are refused with the right name.
//!
//! minijinja takes all of these for plain text or says "unexpected token", and then customers
//! read `${INVOICE.TOTAL}` in an SMS.

use super::problem::TemplateProblem;
use crate::domain::document::DocumentKind;
use crate::domain::rule::{OWN_FIELDS, is_known, known_fields, suggest};

/// The longest piece of a template that a problem repeats.
const MAX_SHOWN_CHARS: usize = 60;

/// Refuses what was meant as a tag and is none.
pub(super) fn check(source: &str, kind: DocumentKind) -> Result<(), TemplateProblem> {
    let mut at = 0;
    while let Some(step) = source.get(at..).and_then(|rest| rest.find(['{', '}', '%'])) {
        at += step;
        let rest = &source[at..];
        at += if rest.starts_with("{{") {
            value_tag(source, at)?
        } else if rest.starts_with("{%") {
            block_tag(source, at)?
        } else if let Some(inside) = rest.strip_prefix("{#") {
            let end = inside.find("#}").ok_or_else(|| {
                problem(
                    source,
                    at,
                    "a comment is not closed; end it with #}".to_owned(),
                )
            })?;
            // The sign of `{#}` is the beginning's, not the end's.
            end + 4
        } else if rest.starts_with('{') {
            single_brace(source, at, kind)?
        } else if rest.starts_with("}}") {
            let message = "}} has no {{ before it; write {{ and the name of a field in front";
            return Err(problem(source, at, message.to_owned()));
        } else if let Some(name) = rest.strip_prefix('%').and_then(percent_name) {
            if let Some(known) = known_name(kind, name) {
                return Err(placeholder(source, at, &format!("%{name}%"), Some(&known)));
            }
            1
        } else {
            1
        };
    }
    Ok(())
}

/// How long the `{{ … }}` at `at` is.
fn value_tag(source: &str, at: usize) -> Result<usize, TemplateProblem> {
    let rest = &source[at..];
    let inside = &rest[2..];
    let mut quote = None;
    for (offset, letter) in inside.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '}') if inside[offset..].starts_with("}}") => return Ok(2 + offset + 2),
            (None, '}') => return Err(missing_end(source, at, inside, offset, "}")),
            (None, '{')
                if inside[offset..].starts_with("{{") || inside[offset..].starts_with("{%") =>
            {
                return Err(missing_end(source, at, inside, offset, "}}"));
            }
            (Some(_) | None, _) => {}
        }
    }
    Err(missing_end(source, at, inside, inside.len(), "}}"))
}

fn missing_end(
    source: &str,
    at: usize,
    inside: &str,
    end: usize,
    missing: &str,
) -> TemplateProblem {
    // Where a tag is never closed, what follows its first words is the message's own text.
    let inside: String = inside[..end].split_whitespace().take(1).collect();
    let what = if missing == "}" {
        "a brace is missing"
    } else {
        "two braces are missing"
    };
    let message = format!("{what}: {missing}; write {{{{ {} }}}}", short(&inside));
    problem(source, at, message)
}

/// How long the `{% … %}` at `at` is; what `{% raw %}` holds is no tag.
fn block_tag(source: &str, at: usize) -> Result<usize, TemplateProblem> {
    let rest = &source[at..];
    let Some(end) = rest[2..].find("%}").map(|end| end + 2) else {
        let message = "a tag is not closed; end it with %}";
        return Err(problem(source, at, message.to_owned()));
    };
    let word = rest[2..end].trim_matches(|c: char| c == '-' || c.is_whitespace());
    if word != "raw" {
        return Ok(end + 2);
    }
    Ok(rest.find("endraw").map_or(rest.len(), |end| end))
}

/// A `{` alone: the first brace of a tag whose other is missing, or a placeholder of another product.
fn single_brace(source: &str, at: usize, kind: DocumentKind) -> Result<usize, TemplateProblem> {
    let inside = &source[at + 1..];
    let Some(end) = inside.find(['}', '{', '\n']) else {
        return Ok(1);
    };
    let name = inside[..end].trim();
    if !inside[end..].starts_with('}') || !is_name(name) {
        return Ok(1);
    }
    let known = known_name(kind, name);
    if inside[end..].starts_with("}}") {
        let message = format!("a brace is missing: {{; write {{{{ {} }}}}", short(name));
        return Err(problem(source, at, message));
    }
    let dollar = source[..at].ends_with(['$', '#', '@']);
    // "{hello}" may be prose; what names a field, or has another product's form, is not.
    if !dollar && known.is_none() && !name.contains('.') {
        return Ok(1);
    }
    let start = if dollar { at - 1 } else { at };
    let written = &source[start..=at + 1 + end];
    Err(placeholder(source, start, written, known.as_deref()))
}

fn placeholder(source: &str, at: usize, written: &str, known: Option<&str>) -> TemplateProblem {
    let written = short(written);
    let message = match known {
        Some(name) => format!("{written} would be sent as it stands; write {{{{ {name} }}}}"),
        None => format!(
            "{written} would be sent as it stands; write {{{{ }}}} around a name from the list of \
             fields, as in {{{{ total }}}}"
        ),
    };
    problem(source, at, message)
}

/// `InvoiceTotal` of `%InvoiceTotal%`, after the first sign.
fn percent_name(rest: &str) -> Option<&str> {
    let name = rest.split_once('%')?.0;
    (name.starts_with(|c: char| c.is_ascii_alphabetic()) && is_name(name)).then_some(name)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | ' ' | '-'))
        && text.split_whitespace().count() <= 3
}

/// Our name for what another product calls `INVOICE.TOTAL`, `InvoiceTotal` or `Invoice Total`.
fn known_name(kind: DocumentKind, name: &str) -> Option<String> {
    let bare = |text: &str| -> String {
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let lower = name.to_lowercase();
    if is_known(kind, &lower) {
        return Some(lower);
    }
    let last = lower.rsplit('.').next().unwrap_or(&lower).to_owned();
    let whole = bare(name);
    let mut tries = vec![whole.clone(), bare(&last)];
    for prefix in [
        "invoice",
        "bill",
        "purchaseorder",
        "payment",
        "expense",
        "vendorpayment",
        "customer",
        "contact",
    ] {
        if let Some(rest) = whole.strip_prefix(prefix) {
            tries.push(rest.to_owned());
        }
    }
    for wanted in tries.iter().filter(|wanted| !wanted.is_empty()) {
        let wanted = match wanted.as_str() {
            "invoiceurl" | "url" | "paymentlink" | "paymenturl" | "link" => "paymentlink",
            "firstname" => "contactfirstname",
            "lastname" => "contactlastname",
            other => other,
        };
        let mut known = OWN_FIELDS.iter().chain(known_fields(kind));
        if let Some(found) = known.find(|known| bare(known) == wanted) {
            return Some((*found).to_owned());
        }
    }
    // A guess by likeness only where the form is another product's.
    name.contains('.')
        .then(|| suggest(kind, &last).map(str::to_owned))
        .flatten()
}

fn short(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(MAX_SHOWN_CHARS).map(clean).collect()
}

fn problem(source: &str, at: usize, message: String) -> TemplateProblem {
    let before = &source[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    TemplateProblem {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).ok(),
        message,
    }
}

/// What is allowed but goes wrong on many phones: a link that punctuation follows at once.
pub(super) fn link_warning(source: &str) -> Option<String> {
    const TAKEN: &[char] = &['.', ',', ';', ':', '!', '?', ')', '\'', '"'];
    let warn = |sign: char, link: &str| {
        Some(format!(
            "The link {link} is followed by “{sign}”, which many phones take for a part of the \
             address, and then the page is not found. Put a space or a new line after the link."
        ))
    };
    let is_end = |rest: &str| {
        let after = rest.trim_start_matches(TAKEN);
        after.is_empty() || after.starts_with(char::is_whitespace) || after.starts_with('{')
    };
    for (at, _) in source.match_indices("{{") {
        let Some(end) = source[at..].find("}}") else {
            break;
        };
        let name = source[at + 2..at + end].trim().trim_matches('-').trim();
        let name = name.split('|').next().unwrap_or(name).trim();
        let rest = &source[at + end + 2..];
        if matches!(name, "payment_link" | "invoice_url")
            && let Some(sign) = rest.chars().next().filter(|c| TAKEN.contains(c))
            && is_end(rest)
        {
            return warn(sign, &format!("{{{{ {name} }}}}"));
        }
    }
    for scheme in ["https://", "http://"] {
        for (at, _) in source.match_indices(scheme) {
            let link = &source[at..];
            let link = &link[..link.find(char::is_whitespace).unwrap_or(link.len())];
            if let Some(sign) = link.chars().next_back().filter(|c| TAKEN.contains(c)) {
                return warn(sign, &short(link.trim_end_matches(TAKEN)));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Template;

    fn refused(source: &str) -> String {
        Template::parse(source, DocumentKind::Invoice)
            .map_or_else(|problem| problem.to_string(), |_| String::new())
    }

    #[test]
    fn other_products_placeholders_are_refused_with_the_right_name() {
        for (source, name) in [
            ("Pay ${INVOICE.TOTAL} now", "total"),
            ("Pay {INVOICE.TOTAL} now", "total"),
            ("Pay %InvoiceTotal% now", "total"),
            ("Pay {total} now", "total"),
            ("Pay {Invoice Total} now", "total"),
            ("No ${INVOICE.INVOICE_NUMBER}", "invoice_number"),
            ("No ${INVOICE.NUMBER}", "invoice_number"),
            ("Hi ${CUSTOMER.NAME}", "customer_name"),
            ("Hi ${CONTACT.FIRSTNAME}", "contact.first_name"),
            ("Due %DueDate%", "due_date"),
            ("At ${INVOICE.URL}", "payment_link"),
        ] {
            let said = refused(source);
            assert!(
                said.contains(&format!("write {{{{ {name} }}}}")),
                "{source}: {said}"
            );
            assert!(said.starts_with("line 1, column "), "{said}");
        }
        assert!(refused("x ${SOMETHING.STRANGE} y").contains("list of fields"));
    }

    #[test]
    fn a_missing_brace_is_called_that_with_its_place() {
        assert_eq!(
            refused("Hello\nyou owe {{ total }"),
            "line 2, column 9: a brace is missing: }; write {{ total }}"
        );
        assert_eq!(
            refused("{ total }} is due"),
            "line 1, column 1: a brace is missing: {; write {{ total }}"
        );
        assert_eq!(
            refused("Pay {{ total"),
            "line 1, column 5: two braces are missing: }}; write {{ total }}"
        );
        assert!(refused("Pay {{ total {{ balance }}").contains("two braces are missing"));
        assert!(refused("Pay total }}").contains("}} has no {{"));
        assert!(refused("{% if total").contains("end it with %}"));
    }

    #[test]
    fn prose_and_proper_tags_pass() {
        for source in [
            "10% off, 20% later",
            "{hello} :-{",
            "{{ notes|default('}') }}",
            "{% raw %}{{ x {y} ${A.B}{% endraw %}",
            "{# {{ #}x",
            "100% of {{ total }}",
        ] {
            assert_eq!(refused(source), "", "{source}");
        }
    }

    #[test]
    fn a_link_that_punctuation_follows_is_warned_of() {
        for source in [
            "Pay at {{ payment_link }}.",
            "Pay ({{ payment_link }}) now",
            "See https://pay.example/1. Thanks",
            "See {{ invoice_url|trim }}!",
        ] {
            assert!(link_warning(source).is_some(), "{source}");
        }
        for source in [
            "Pay at {{ payment_link }} .",
            "{{ payment_link }}\nThanks.",
            "{{ payment_link }}?ref=sms",
            "{{ total }}. See https://pay.example/1 today",
        ] {
            assert_eq!(link_warning(source), None, "{source}");
        }
    }
}
