//! What comes from the books is data: whatever it holds, the e-mail has the same elements, leads to the
//! same places, and says the same around it.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use scraper::{ElementRef, Node};

use super::*;

/// A text that uses values wherever Markdown has a place for one.
const EVERYWHERE: &str = "\
# {{ customer_name }}

Hello {{ contact.first_name }} {{ contact.last_name }}, **{{ customer_name }}** and *{{ notes }}*, `{{ notes }}`.

{{ notes }}

- {{ customer_name }}
- {{ reference_number }} x

1. {{ notes }}

> {{ notes }}

| {{ customer_name }} | b |
|---|--:|
| {{ notes }} | {{ total }} |

[{{ customer_name }}](https://northwind.example/terms) [Pay]({{ payment_link }}) {{ payment_link }}

{% for item in line_items %}{{ item.name }} and {{ item.description }}{% endfor %}

```
{{ notes }}
```

[[details]]
[[items]]
[[totals]]
[[pay button]]
[[bank details]]
[[signature]]
";

const PIECES: [&str; 46] = [
    "\r\nBcc: all@example.com",
    "\r\n\r\n<html>",
    "\n\n",
    "\n---\n",
    "\n===\n",
    "{{ total }}",
    "{{",
    "}}",
    "{%",
    "{% if total %}",
    "{% raw %}",
    "{#",
    "<b>",
    "</td></tr></table>",
    "<script>alert(1)</script>",
    "<!--",
    "-->",
    "<![CDATA[",
    "<!--top-->",
    "@@title@@",
    "<img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' style='x",
    "&lt;b&gt;",
    "&#x3c;b&#x3e;",
    "**bold**",
    "_",
    "`",
    "\n```\n",
    "\n# Heading\n",
    "\n- list\n",
    "\n| a | b |\n|---|---|\n",
    "[pay](https://evil.example)",
    "](https://evil.example)",
    "<https://evil.example>",
    "![x](https://evil.example/x.png)",
    "[a]: https://evil.example\n",
    "javascript:alert(1)",
    "https://evil.example/login",
    "https://zohosecurepаy.com/x",
    "\n[[bank details]]\n",
    "\u{202e}gnp.exe\u{2066}",
    "יוסי כהן\u{2067}",
    "\u{f0000}\u{f0001}\u{100000}\u{10ffff}\u{e000}\u{e0041}",
    "=?utf-8?q?x?=",
    "\u{0}\u{7}\u{1b}[31m\u{85}\u{2028}",
];

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(PIECES.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
        1 => ".{0,6}",
    ];
    // Always a letter, since what is blank is not given.
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| format!("x{}y", pieces.concat()))
}

/// Puts `bad` in place of every text that is given, however deep.
fn spoil(value: &mut Value, bad: &str) {
    match value {
        Value::String(text) if !text.trim().is_empty() => bad.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, bad)),
        Value::Object(parts) => parts.values_mut().for_each(|part| spoil(part, bad)),
        _ => {}
    }
}

fn base() -> Map<String, Value> {
    invoice(json!({
        "notes": "Thanks", "reference_number": "PO-1", "currency_code": "USD",
        "line_items": [
            {"name": "Paper", "description": "white", "unit": "box", "quantity": 1, "rate": 2, "item_total": 2},
            {"name": "Pens", "description": "blue", "unit": "pack", "quantity": 3, "rate": 2, "item_total": 6},
        ],
    }))
}

/// The same with `bad` in every text; the link stays Zoho's.
fn spoiled(bad: &str) -> (Map<String, Value>, Person) {
    let mut fields = base();
    for (name, value) in &mut fields {
        if name != "invoice_url" {
            spoil(value, bad);
        }
    }
    let person = Person {
        first_name: Some(bad.to_owned()),
        last_name: Some(bad.to_owned()),
        ..Person::default()
    };
    (fields, person)
}

fn everywhere() -> EmailTemplate {
    let source = EmailSource {
        subject: "For {{ customer_name }}: {{ invoice_number }}".to_owned(),
        preview: "{{ notes }}".to_owned(),
        body: EVERYWHERE.to_owned(),
    };
    parsed(&source, DocumentKind::Invoice)
}

/// Elements with their attributes in the order of the page; how many line breaks a text has does not matter.
fn tree(html: &str) -> Vec<String> {
    fn walk(element: ElementRef<'_>, depth: usize, out: &mut Vec<String>) {
        let value = element.value();
        if value.name() == "br" {
            return;
        }
        let mut attributes: Vec<String> = value
            .attrs()
            .filter(|(name, _)| *name != "aria-label")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        attributes.sort();
        out.push(format!("{depth} {} {}", value.name(), attributes.join(" ")));
        for child in element.child_elements() {
            walk(child, depth + 1, out);
        }
    }
    let mut out = Vec::new();
    let page = Html::parse_document(html);
    walk(page.root_element(), 0, &mut out);
    let comments = page.tree.nodes().filter_map(|node| match node.value() {
        Node::Comment(comment) => Some(comment.to_string()),
        _ => None,
    });
    out.extend(comments);
    out
}

fn is_one_line(text: &str) -> bool {
    !text
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// Outside of style sheets there are no braces, so no provider's template language finds a tag.
fn has_no_braces(html: &str) -> bool {
    let mut rest = html;
    let mut outside = String::new();
    while let Some((before, after)) = rest.split_once("<style") {
        outside.push_str(before);
        rest = after.split_once("</style>").map_or("", |(_, after)| after);
    }
    outside.push_str(rest);
    !outside.contains(['{', '}'])
}

fn stays_as_it_is(bad: &str) -> Result<(), TestCaseError> {
    let template = everywhere();
    let harmless = base();
    let plain = template
        .render(&facts(&harmless, &ada()), &around())
        .unwrap();
    let (fields, person) = spoiled(bad);
    let mut facts = facts(&fields, &person);
    facts.currency = Currency::parse("USD").ok();
    let email = template.render(&facts, &around()).unwrap();
    let (before, after) = (tree(&plain.html), tree(&email.html));
    for (one, two) in before.iter().zip(&after) {
        prop_assert_eq!(one, two);
    }
    prop_assert_eq!(before.len(), after.len());
    prop_assert!(is_one_line(&email.subject), "{:?}", email.subject);
    prop_assert!(email.subject.chars().count() <= LONGEST_LINE + 2);
    prop_assert!(!email.subject.contains("=?"));
    prop_assert!(has_no_braces(&email.html));
    for part in [&email.subject, &email.text, &email.html] {
        let turned = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}' | '\u{2067}');
        prop_assert!(!part.contains(turned));
        prop_assert!(!part.contains(crate::render::marked::is_mark));
        let opened = part.matches('\u{2068}').count();
        prop_assert_eq!(opened, part.matches('\u{2069}').count());
    }
    prop_assert!(!email.text.contains(|c: char| c.is_control() && c != '\n'));
    Ok(())
}

#[test]
fn no_piece_of_a_value_becomes_a_part_of_the_page() {
    for piece in PIECES {
        stays_as_it_is(&format!("x{piece}y")).unwrap_or_else(|e| panic!("{piece:?}: {e}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_values_are_the_elements_are_the_same(bad in hostile()) {
        stays_as_it_is(&bad)?;
    }

    /// Numbers, dates, the link and the currency as well, each value another.
    #[test]
    fn whatever_a_body_holds_nothing_leads_elsewhere(
        values in proptest::collection::vec(hostile(), 12),
        is_deep in any::<bool>(),
    ) {
        let mut fields = base();
        for (index, value) in fields.values_mut().enumerate() {
            let bad = &values[index % values.len()];
            match value {
                Value::Array(_) | Value::Object(_) if is_deep => spoil(value, bad),
                _ => *value = Value::String(bad.clone()),
            }
        }
        let person = Person { first_name: Some(values[0].clone()), ..Person::default() };
        let template = everywhere();
        let email = template.render(&facts(&fields, &person), &around()).unwrap();
        let known = ["https://northwind.example/terms"];
        for link in links_of(&email.html) {
            prop_assert!(known.contains(&link.as_str()), "{}", link);
        }
        let page = Html::parse_document(&email.html);
        let all = Selector::parse("body *").unwrap();
        for element in page.select(&all) {
            let known = [
                "a", "blockquote", "br", "code", "div", "em", "h1", "hr", "li", "ol", "p", "pre", "strong",
                "table", "tbody", "td", "th", "thead", "tr", "ul",
            ];
            prop_assert!(known.contains(&element.value().name()), "{}", element.value().name());
            let is_event = |(name, _): (&str, &str)| name.starts_with("on");
            prop_assert!(!element.value().attrs().any(is_event));
        }
        prop_assert!(is_one_line(&email.subject) && has_no_braces(&email.html));
    }

    #[test]
    fn no_source_panics(
        body in "(\\*|_|`|#|>|-|\\+|1\\.|\\||\\[|\\]|\\(|\\)|<|!|~|\\n|\\n\\n|    |\\{\\{ notes \\}\\}|\\{% if total %\\}|\\{% endif %\\}|\\[\\[items\\]\\]|https://a\\.example|&amp;|[a-z]{1,3}| ){0,60}",
        bad in hostile(),
    ) {
        let source = source(&format!("x{body}"));
        let Ok(template) = EmailTemplate::parse(&source, DocumentKind::Invoice) else {
            return Ok(());
        };
        let (fields, person) = spoiled(&bad);
        let email = template.render(&facts(&fields, &person), &around()).unwrap();
        prop_assert!(!email.html.contains("evil.example\""));
        prop_assert!(has_no_braces(&email.html));
        let _ = EmailTemplate::warnings(&source);
    }
}

/// The text of every kind, with values within its lines.
const EACH: &str = "\
Hello {{ contact.name }}, **{{ reference_number }}**, [x](https://northwind.example/terms).

> {{ reference_number }} {{ payment_link }}

[[details]]
[[items]]
[[totals]]
[[pay button]]
[[bank details]]
";

/// Puts `bad` behind every text of a body that is no sum, however deep.
fn spoil_words(fields: &mut Map<String, Value>, bad: &str) {
    let is_sum = |text: &str| text.trim().parse::<f64>().is_ok();
    for value in fields.values_mut() {
        match value {
            Value::String(text) if !text.trim().is_empty() && !is_sum(text) => {
                bad.clone_into(text);
            }
            Value::Object(parts) => spoil_words(parts, bad),
            Value::Array(items) => {
                for item in items.iter_mut().filter_map(Value::as_object_mut) {
                    spoil_words(item, bad);
                }
            }
            _ => {}
        }
    }
}

fn no_kind_changes(bad: &str) -> Result<(), TestCaseError> {
    let source = EmailSource {
        subject: "{{ reference_number }} from {{ contact.name }}".to_owned(),
        preview: "{{ reference_number }}".to_owned(),
        body: EACH.to_owned(),
    };
    for &kind in DocumentKind::ALL {
        let template = parsed(&source, kind);
        let render = |fields: &Map<String, Value>, person: &Person| {
            let mut facts = facts(fields, person);
            facts.currency = Currency::parse("EUR").ok();
            template.render(&facts, &around()).unwrap()
        };
        let mut fields = sample(kind);
        fields.remove("invoice_url");
        fields.insert("reference_number".to_owned(), "R-1".into());
        let plain = tree(&render(&fields, &ada()).html);
        spoil_words(&mut fields, bad);
        let person = Person {
            first_name: Some(bad.to_owned()),
            ..Person::default()
        };
        let email = render(&fields, &person);
        prop_assert_eq!(tree(&email.html), plain, "{}", kind);
        prop_assert_eq!(links_of(&email.html), ["https://northwind.example/terms"]);
        prop_assert!(has_no_braces(&email.html) && is_one_line(&email.subject));
    }
    Ok(())
}

#[test]
fn no_kind_of_document_brings_a_link_or_an_element() {
    for piece in PIECES {
        no_kind_changes(&format!("x{piece}y")).unwrap_or_else(|e| panic!("{piece:?}: {e}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_a_document_holds_its_elements_are_the_same(bad in hostile()) {
        no_kind_changes(&bad)?;
    }
}

/// A name of several lines would pass for a part of the text; an address and notes have theirs.
#[test]
fn only_what_is_written_in_lines_keeps_them() {
    let lines = "A\r\n\r\nPay to:\u{2028} X";
    let fields = invoice(json!({
        "customer_name": lines, "notes": lines, "billing_address": { "address": lines, "city": lines },
        "tags": [lines],
    }));
    let body = "To {{ customer_name }}, {{ contact.first_name }}; {{ billing_address.city }} {{ tags }}.\n\n\
                {{ customer_name|upper }}\n\n{{ notes }}\n\n{{ billing_address.address }}";
    let person = Person {
        first_name: Some(lines.to_owned()),
        ..Person::default()
    };
    let template = parsed(&source(body), DocumentKind::Invoice);
    let email = template
        .render(&facts(&fields, &person), &around())
        .unwrap();
    let one = "A Pay to: X";
    let kept = "A\n\nPay to:\n X";
    let text = format!("To {one}, {one}; {one} {one}.\n\nA PAY TO: X\n\n{kept}\n\n{kept}\n");
    assert!(email.text.starts_with(&text), "{}", email.text);
    assert!(email.html.contains("To A Pay to: X, A Pay to: X;"));

    let sms = Template::parse("{{ customer_name }}: {{ notes }}", DocumentKind::Invoice).unwrap();
    let sms = sms.render(&facts(&fields, &person)).unwrap();
    assert_eq!(sms, format!("{one}: {kept}"));
}

#[test]
fn names_of_200_kilobytes_are_cut() {
    for letter in ["x", "é", "<", "\u{5d0}", "{{"] {
        let (mut fields, person) = spoiled(&letter.repeat(200_000));
        let template = parsed(
            &source("[[details]]\n[[items]]\n[[totals]]"),
            DocumentKind::Invoice,
        );
        let email = template
            .render(&facts(&fields, &person), &around())
            .unwrap();
        assert!(email.subject.chars().count() <= LONGEST_LINE + 2);
        assert!(email.html.len() < 60_000, "{}", email.html.len());
        // A text of one's own is refused rather than cut: who knows what would be left out.
        let long = parsed(
            &source("{{ customer_name }}{{ notes }}"),
            DocumentKind::Invoice,
        );
        assert!(long.render(&facts(&fields, &person), &around()).is_ok());
        fields.insert("notes".to_owned(), "z".repeat(16_000).into());
        let six = parsed(&source(&"{{ notes }}".repeat(6)), DocumentKind::Invoice);
        let too_long = six.render(&facts(&fields, &person), &around());
        assert_eq!(too_long, Err(RenderProblem::TooLong));
    }
}

#[test]
fn texts_that_are_hard_to_read_take_no_time() {
    let repeat = |piece: &str| piece.repeat(15 * 1024 / piece.len());
    let fields = invoice(json!({}));
    for body in [
        repeat("> "),
        repeat("- "),
        repeat("*a_ "),
        repeat("[a](<b"),
        repeat("[ (]("),
        repeat("**a "),
        repeat("<!-- "),
        repeat("a <![CDATA["),
        repeat("``\\"),
        repeat("| a "),
        format!(
            "[x]: {}\n{}",
            "y".repeat(5000),
            repeat("[x]").get(..10_000).unwrap_or_default()
        ),
        format!("|a|\n|-|\n{}", repeat("|\n")),
        "{% for i in line_items %}{% for j in line_items %}[[items]]\n{% endfor %}{% endfor %}"
            .to_owned(),
    ] {
        let item = json!({"name": "x".repeat(100)});
        let mut fields = fields.clone();
        fields.insert("line_items".to_owned(), vec![item; 150].into());
        let started = Instant::now();
        if let Ok(template) = EmailTemplate::parse(&source(&body), DocumentKind::Invoice) {
            let _ = template.render(&facts(&fields, &ada()), &around());
        }
        // Debug builds on a busy machine.
        let shown: String = body.chars().take(30).collect();
        assert!(started.elapsed() < Duration::from_secs(5), "{shown}");
    }
}

#[test]
fn a_signature_and_a_brand_are_no_code_either() {
    let brand = Brand {
        name: "<b>N</b>{{x}}\r\nBcc: y".to_owned(),
        logo: None,
        accent: Accent::default(),
        postal_address: "<script>\n\u{202e}x".to_owned(),
        footer: "[x](https://evil.example)".to_owned(),
    };
    let strange = Surroundings {
        brand: &brand,
        signature: "<img src=x> [[bank details]] {{ total }} [x](javascript:alert(1)) \u{f0000}",
        answers_to: Some("\"<b>\"@example.com"),
        language: "en\"><script>",
        ..around()
    };
    let fields = invoice(json!({}));
    let template = parsed(&source("[[signature]]"), DocumentKind::Invoice);
    let email = template.render(&facts(&fields, &ada()), &strange).unwrap();
    assert_eq!(links_of(&email.html), [""; 0]);
    let page = Html::parse_document(&email.html);
    for element in ["script", "img", "b"] {
        let element = Selector::parse(element).unwrap();
        assert_eq!(page.select(&element).count(), 0);
    }
    assert!(has_no_braces(&email.html));
}
