//! A template: parsed once, rendered often.

use minijinja::machinery::parse;
use minijinja::syntax::SyntaxConfig;

use super::lower::Lowering;
use super::marked::Marked;
use super::problem::{RenderProblem, TemplateProblem};
use super::scan::scan;
use super::syntax::Node;
use super::{advertising, braces, eval};
use crate::domain::document::DocumentKind;
use crate::domain::rule::{Facts, MAX_TEMPLATE_BYTES};

/// A user's template, checked and lowered; immutable, so it can be cached behind an `Arc`.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    nodes: Vec<Node>,
}

impl Template {
    /// Checks a source for documents of one kind: syntax, names, filters, size and depth.
    pub fn parse(source: &str, kind: DocumentKind) -> Result<Self, TemplateProblem> {
        if source.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateProblem {
                line: 1,
                column: None,
                message: "is too long; 16 KB at the most".into(),
            });
        }
        // Forms post CRLF, and each CR would be paid for.
        let source = source.replace("\r\n", "\n").replace('\r', "\n");
        braces::check(&source, kind)?;
        let alone = scan(&source)?;
        let tree = parse(&source, "message", SyntaxConfig::default())
            .map_err(|error| TemplateProblem::from_parser(&error))?;
        let nodes = Lowering::new(kind, alone).template(&tree)?;
        Ok(Self { nodes })
    }

    /// What is allowed in a source but goes wrong on many phones, or needs a permission of its own, in words.
    pub fn warning(source: &str) -> Option<String> {
        braces::link_warning(source).or_else(|| advertising::warning(source))
    }

    /// Fills the template in. Control characters but line breaks are dropped, and blank edges cut.
    pub fn render(&self, facts: &Facts<'_>) -> Result<String, RenderProblem> {
        eval::render(&self.nodes, facts)
    }

    /// Fills the template in with marks in place of the values.
    pub(super) fn render_marked(&self, facts: &Facts<'_>) -> Result<Marked, RenderProblem> {
        eval::render_marked(&self.nodes, facts)
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::domain::currency::Currency;
    use crate::domain::document::Person;

    fn fields() -> Map<String, Value> {
        let body = r#"{
            "invoice_number": "INV-00003", "customer_name": "Bowman & Co", "total": 1350.00,
            "balance": 1350.10, "due_date": "2026-05-12", "date": "2026-04-12T00:00:00.000Z",
            "notes": " ", "status": "overdue", "is_emailed": true, "exchange_rate": 0.30000000000000004,
            "terms": "Line 1\r\nLine\t2\u0007\u202egnp.exe", "total_formatted": "$1,350.00",
            "line_items": [
                {"name": "Hours", "quantity": 10, "item_total": 1000},
                {"name": "Travel", "quantity": 1, "item_total": 350.5}
            ],
            "tags": [], "billing_address": {"city": "Leeds", "zip": ""}
        }"#;
        serde_json::from_str(body).unwrap()
    }

    fn rendered(source: &str) -> String {
        let template = Template::parse(source, DocumentKind::Invoice)
            .unwrap_or_else(|problem| panic!("{source}: {problem}"));
        let fields = fields();
        let person = Person {
            first_name: Some("Ada".into()),
            last_name: Some("Bowman".into()),
            mobile: Some("+447700900456".into()),
            ..Person::default()
        };
        let facts = Facts {
            fields: &fields,
            payment_link: Some("https://pay.example/1 "),
            contact: Some(&person),
            label: Some("14d"),
            currency: Currency::parse("USD").ok(),
            today: NaiveDate::from_ymd_opt(2026, 5, 12).unwrap(),
        };
        template.render(&facts).unwrap()
    }

    fn refused(source: &str) -> String {
        Template::parse(source, DocumentKind::Invoice)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn fields_are_filled_in_raw() {
        assert_eq!(
            rendered(
                "Hi {{ contact.first_name }}, {{ invoice_number }} over {{ total }} {{ payment_link }}!"
            ),
            "Hi Ada, INV-00003 over 1350.00 https://pay.example/1!"
        );
        // No float stands between the body and the text.
        assert_eq!(
            rendered("{{ balance }} {{ exchange_rate }}"),
            "1350.10 0.30000000000000004"
        );
        assert_eq!(
            rendered("{{ customer_name }} {{ is_emailed }} {{ label }}"),
            "Bowman & Co true 14d"
        );
    }

    #[test]
    fn blank_and_missing_fields_render_empty() {
        assert_eq!(
            rendered("[{{ notes }}{{ cf_colour }}{{ tags }}{{ reference_number|upper }}]"),
            "[]"
        );
        assert_eq!(
            rendered("[{{ contact.phone }}{{ billing_address.zip }}{{ line_items[7].name }}]"),
            "[]"
        );
    }

    #[test]
    fn filters_shape_values() {
        for (source, expected) in [
            ("{{ total|money }}", "$1,350.00"),
            ("{{ total|money('code') }}", "1,350.00 USD"),
            ("{{ total|money('bare') }}", "1,350.00"),
            ("{{ total_formatted|money }}", "$1,350.00"),
            ("{{ notes|money }}", ""),
            ("{{ due_date|date }}", "12 May 2026"),
            ("{{ date|date('short') }}", "12 Apr"),
            ("{{ due_date|date('long') }}", "Tuesday, 12 May 2026"),
            ("{{ date|date('iso') }}", "2026-04-12"),
            ("{{ status|date }}", "overdue"),
            ("{{ status|upper }}", "OVERDUE"),
            ("{{ 'ABC'|lower }}", "abc"),
            ("{{ '  x '|trim }}", "x"),
            ("{{ notes|default('none') }}", "none"),
            ("{{ notes|default(customer_name) }}", "Bowman & Co"),
            ("{{ customer_name|truncate(9) }}", "Bowman..."),
            ("{{ customer_name|truncate(2) }}", "Bo"),
            ("{{ customer_name|truncate(11) }}", "Bowman & Co"),
            ("{{ customer_name|first }}{{ customer_name|last }}", "Bo"),
            ("{{ (line_items|last).name }}", "Travel"),
            ("{{ customer_name|replace('&', 'and') }}", "Bowman and Co"),
            ("{{ balance|round(1) }} {{ balance|round }}", "1350.1 1350"),
            ("{{ line_items|length }} {{ status|length }}", "2 7"),
            ("{{ line_items }}", "Hours, Travel"),
        ] {
            assert_eq!(rendered(source), expected, "{source}");
        }
    }

    #[test]
    fn conditions_compare_exactly() {
        let truth = |test: &str| rendered(&format!("{{% if {test} %}}y{{% else %}}n{{% endif %}}"));
        for test in [
            "total > 1000",
            "balance == 1350.10",
            "balance >= '1350.1'",
            "-1 < total",
            "status == 'overdue' and not notes",
            "notes == ''",
            "notes is undefined",
            "total is defined",
            "status in ['sent', 'overdue']",
            "'due' in status",
            "status not in 'paid'",
            "'INV' in invoice_number or 1 == 2",
            "1 < total < 2000",
            "is_emailed == true",
            "contact.mobile",
        ] {
            assert_eq!(truth(test), "y", "{test}");
        }
        for test in [
            "notes",
            "total < 1000",
            "notes > 1",
            "status > 5",
            "tags",
            "0",
            "'' in status",
        ] {
            assert_eq!(truth(test), "n", "{test}");
        }
        assert_eq!(
            rendered("{{ 'late' if status == 'overdue' else 'fine' }}"),
            "late"
        );
        assert_eq!(
            rendered("{% if status == 'paid' %}a{% elif total > 1 %}b{% else %}c{% endif %}"),
            "b"
        );
    }

    #[test]
    fn loops_run_over_lists_of_the_document() {
        assert_eq!(
            rendered(
                "{% for item in line_items %}{{ loop.index }}. {{ item.name }} \
                 {{ item.item_total|money }}{% if not loop.last %}; {% endif %}{% endfor %}"
            ),
            "1. Hours $1,000.00; 2. Travel $350.50"
        );
        assert_eq!(
            rendered("{% for tag in tags %}x{% else %}none{% endfor %}"),
            "none"
        );
        assert_eq!(
            rendered(
                "{% for i in line_items if i.quantity > 5 %}{{ i.name }}{{ loop.length }}{% endfor %}"
            ),
            "Hours1"
        );
        assert_eq!(
            rendered("{% for x in ['a', 'b'] %}{{ x }}{% endfor %}"),
            "ab"
        );
        assert_eq!(rendered("{% for x in status %}{{ x }}{% endfor %}"), "");
    }

    #[test]
    fn a_tag_alone_on_its_line_leaves_no_blank_line() {
        let source = "Hello\r\n{% if total > 1 %}\r\n  A\r\n{% endif %}\r\n\r\nB {% if 1 %}C{% endif %}\r\nD";
        assert_eq!(rendered(source), "Hello\n  A\n\nB C\nD");
        assert_eq!(
            rendered("{% raw %}{{ x }}{% endraw %}{# not shown #}"),
            "{{ x }}"
        );
    }

    #[test]
    fn control_characters_and_direction_marks_of_values_are_dropped() {
        assert_eq!(rendered("{{ terms }}"), "Line 1\nLine 2gnp.exe");
    }

    #[test]
    fn unknown_names_are_refused_with_a_suggestion() {
        assert_eq!(
            refused("Hi\n{{ custmer_name }}"),
            "line 2: unknown field `custmer_name`; did you mean `customer_name`?"
        );
        assert_eq!(
            refused("{{ xyzzy }}"),
            "line 1: unknown field `xyzzy` of an invoice"
        );
        assert!(refused("{{ contact.nam }}").contains("did you mean `contact.name`?"));
        assert!(refused("{{ contact }}").contains("contact.first_name"));
        assert!(refused("{% for i in line_items %}{% endfor %}{{ i.name }}").contains("`i`"));
        assert!(refused("{{ loop.index }}").contains("`loop`"));
        assert!(
            refused("{% if total > 1 %}{{ custmer_name }}{% endif %}").contains("did you mean")
        );
        assert!(Template::parse("{{ vendor_name }}", DocumentKind::Bill).is_ok());
        assert_eq!(
            Template::parse("{{ nonsense }}", DocumentKind::Bill)
                .unwrap_err()
                .to_string(),
            "line 1: unknown field `nonsense` of a bill"
        );
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        assert!(
            refused("a\nb {{ total ").starts_with("line 2, column 3: "),
            "{}",
            refused("a\nb {{ total ")
        );
        assert!(refused("{% if total %}").starts_with("line 1: "));
        assert!(refused("x\n\n{{ total|shout }}").starts_with("line 3: no filter `shout`"));
        assert!(refused("{{ total|money('x') }}").contains("\"code\""));
        assert!(refused("{{ total|truncate }}").contains("1 to 1600"));
        assert!(refused("{{ total|default(x='a') }}").contains("plain arguments"));
        assert!(refused("{{ total|upper(1) }}").contains("too many arguments"));
    }

    #[test]
    fn amounts_have_their_currencys_places_and_keep_their_value() {
        let fields: Map<String, Value> = serde_json::from_str(
            r#"{"total": 135.0, "balance": "90.5", "sub_total": "1,350.00", "tax_total": 0.1,
                "adjustment": -5, "exchange_rate": 1.5, "line_items":
                [{"name": "Hours", "quantity": 2.0, "rate": 0.125, "item_total": 0.25}]}"#,
        )
        .unwrap();
        let of = |code: &str, source: &str| {
            let facts = Facts {
                fields: &fields,
                payment_link: None,
                contact: None,
                label: None,
                currency: Currency::parse(code).ok(),
                today: NaiveDate::from_ymd_opt(2026, 5, 12).unwrap(),
            };
            let template = Template::parse(source, DocumentKind::Invoice).unwrap();
            template.render(&facts).unwrap()
        };
        for (code, total) in [
            ("USD", "135.00"),
            ("JPY", "135"),
            ("KWD", "135.000"),
            ("", "135.00"),
        ] {
            assert_eq!(of(code, "{{ total }}"), total, "{code}");
        }
        assert_eq!(
            of(
                "EUR",
                "{{ balance }} {{ sub_total }} {{ tax_total }} {{ adjustment }}"
            ),
            "90.50 1,350.00 0.10 -5.00"
        );
        let items = "{% for i in line_items %}{{ i.quantity }} x {{ i.rate }} = {{ i.item_total }}{% endfor %}";
        assert_eq!(of("USD", items), "2.0 x 0.125 = 0.25");
        assert_eq!(of("USD", "{{ line_items[0].item_total }}"), "0.25");
        // No money, no places.
        assert_eq!(of("USD", "{{ exchange_rate }}"), "1.5");
        // The value is what it was: comparisons and filters go by it.
        assert_eq!(
            of(
                "USD",
                "{{ total == 135 }} {{ total > 134.9 }} {{ balance < total }}"
            ),
            "true true true"
        );
        assert_eq!(
            of(
                "USD",
                "{{ total|money }} {{ total|round }} {{ total|default('x') }} {{ total|replace('.', ',') }}"
            ),
            "$135.00 135 135.00 135,00"
        );
        assert_eq!(
            of("USD", "{% if total %}yes{% endif %}{{ total in [135] }}"),
            "yestrue"
        );
    }

    #[test]
    fn a_template_is_shared_between_threads_and_a_long_result_is_refused() {
        fn is_shared<T: Send + Sync>() {}
        is_shared::<Template>();
        let fields: Map<String, Value> =
            serde_json::from_value(json!({"notes": "x".repeat(10_000)})).unwrap();
        let facts = Facts {
            fields: &fields,
            payment_link: None,
            contact: None,
            label: None,
            currency: None,
            today: NaiveDate::from_ymd_opt(2026, 5, 12).unwrap(),
        };
        let twice = Template::parse("{{ notes }}{{ notes }}", DocumentKind::Invoice).unwrap();
        assert_eq!(twice.render(&facts), Err(RenderProblem::TooLong));
    }
}
