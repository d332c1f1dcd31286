//! Users' templates, sandboxed; SMS segments.
//!
//! The surprising fact: minijinja only *reads* templates here. Its lexer and parser give the
//! syntax tree, which is lowered into a small language of our own ([`Template`]) and run by an
//! evaluator of ours. What the language lacks cannot be abused:
//!
//! ```text
//!  source ──scan──► tokens counted, nesting bounded ──parse──► minijinja tree ──lower──► Template
//!                                                                                          │ render
//!  facts of the event ─────────────────────────────────────────────────────────────────► text
//! ```
//!
//! There is `{{ field }}`, `{{ field|filter("x") }}`, `{% if %}`/`{% elif %}`/`{% else %}`,
//! `{% for item in list %}`, comparisons, `and`/`or`/`not`/`in`, `is defined`, `a if b else c`,
//! literals, `{# comments #}` and `{% raw %}`. There is no arithmetic, no `~`, no `set`, no
//! call, no macro, no include, no range: nothing that makes a text longer than what it is made of,
//! other than `replace`, whose output is bounded. Every text, at any moment, is at most
//! [`MAX_TEXT_BYTES`] long, and a budget of steps bounds the time.
//!
//! minijinja's own engine (an empty environment, fuel, a bounded writer, amounts as objects) was tried in
//! place of the evaluator, and left. It compares an object with a number by their kinds, not their size:
//! `{% if total > 1000000 %}` holds for every amount, and amounts as plain numbers would be floats. Its fuel
//! counts instructions, not the bytes they touch. The unstable parser would stay, since only its tree says
//! on which line an unknown field or a tag outside the language stands. It is quicker (134,000 instructions
//! against 244,000 for a typical SMS, 706,000 against 880,000 for a text with eight lines, without
//! optimisation and without the cleaning of values), but by microseconds a message, and would spare an
//! estimated 250 lines.

mod advertising;
mod braces;
mod compare;
pub mod email;
mod eval;
mod filters;
pub mod logo;
mod lower;
mod marked;
mod problem;
mod scan;
pub mod segments;
mod syntax;
mod template;
mod value;

pub use self::problem::{MAX_TEXT_BYTES, RenderProblem, TemplateProblem};
pub use self::segments::{Encoding, Segments};
pub use self::template::Template;

#[cfg(test)]
mod hostile_tests {
    use std::sync::LazyLock;
    use std::time::{Duration, Instant};

    use chrono::NaiveDate;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::domain::document::DocumentKind;
    use crate::domain::rule::Facts;

    /// A body at its worst: long lists, long texts.
    static BIG_FIELDS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        let lines = vec![json!({"name": "x".repeat(100), "tags": vec!["y"; 500]}); 1000];
        let body =
            json!({"line_items": lines, "notes": "z".repeat(500_000), "terms": "a".repeat(16_000)});
        serde_json::from_value(body).unwrap()
    });

    fn run(source: &str) -> Result<Result<String, RenderProblem>, TemplateProblem> {
        let fields = &*BIG_FIELDS;
        let started = Instant::now();
        let result = Template::parse(source, DocumentKind::Invoice).map(|template| {
            template.render(&Facts {
                fields,
                payment_link: None,
                contact: None,
                label: None,
                currency: None,
                today: NaiveDate::from_ymd_opt(2026, 5, 12).unwrap(),
            })
        });
        // Debug builds on a busy machine; a release build needs a few milliseconds.
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "slow: {}",
            source.get(..80).unwrap_or(source)
        );
        if let Ok(Ok(text)) = &result {
            assert!(text.len() <= MAX_TEXT_BYTES);
        }
        result
    }

    #[test]
    fn whatever_could_grow_without_end_is_refused_when_saved() {
        for source in [
            "{% set a = 'x' %}",
            "{% set a %}x{% endset %}",
            "{% with a = 'x' %}{{ a }}{% endwith %}",
            "{% set ns = namespace(a='x') %}",
            "{{ namespace() }}",
            "{% macro m() %}{{ m() }}{% endmacro %}",
            "{% call m() %}{% endcall %}",
            "{% include 'x' %}",
            "{% extends 'x' %}",
            "{% import 'x' as y %}",
            "{% from 'x' import y %}",
            "{% block x %}{% endblock %}",
            "{% filter upper %}x{% endfilter %}",
            "{% autoescape false %}x{% endautoescape %}",
            "{% do notes.x() %}",
            "{% for i in range(1000000000) %}x{% endfor %}",
            "{% for i in line_items recursive %}{{ loop(line_items) }}{% endfor %}",
            "{{ range(10) }}",
            "{{ 'x' * 1000000000 }}",
            "{{ [1] * 1000000000 }}",
            "{{ 9 ** 9 ** 9 }}",
            "{{ 'a' ~ 'b' }}",
            "{{ 'a' + 'b' }}",
            "{{ 2 / 1 }}",
            "{{ 2 // 1 }}",
            "{{ 2 % 1 }}",
            "{{ 2 - 1 }}",
            "{{ notes[0:5] }}",
            "{{ {'a': 1} }}",
            "{{ notes, terms }}",
            "{{ '%s%s'|format(notes, notes) }}",
            "{{ notes|indent(1000000) }}",
            "{{ notes|center(1000000) }}",
            "{{ notes|join(notes) }}",
            "{{ notes|list }}",
            "{{ notes|tojson }}",
            "{{ notes|safe }}",
            "{{ notes.upper() }}",
            "{{ notes.__class__.__mro__() }}",
            "{{ self }}",
            "{{ debug() }}",
            "{{ total|replace('', 'xx') }}",
            "{{ total|truncate(999999999999) }}",
            "{{ total|round(99) }}",
        ] {
            assert!(run(source).is_err(), "{source}");
        }
        assert!(run(&"x".repeat(16 * 1024 + 1)).is_err());
    }

    #[test]
    fn deep_nesting_is_refused_before_it_can_overflow_a_stack() {
        let repeat = |head: &str, part: &str, tail: &str| {
            format!("{head}{}{tail}", part.repeat((16 * 1024 - 40) / part.len()))
        };
        let small_stack = std::thread::Builder::new().stack_size(1024 * 1024);
        let thread = small_stack.spawn(move || {
            for source in [
                repeat("{{ ", "(", ""),
                repeat("{{ ", "[", ""),
                repeat("{{ ", "not ", "total }}"),
                repeat("{{ ", "- ", "1 }}"),
                repeat("{{ ", "-", "1 }}"),
                repeat("{{ total", ".a", " }}"),
                repeat("{{ total", "|trim", " }}"),
                repeat("{{ total", "[0]", " }}"),
                repeat("{{ 1", " or 1", " }}"),
                repeat("{{ 1", " < 1", " }}"),
                repeat("{{ 1", " if 1 else 1", " }}"),
                repeat("{{ 1", " is defined", " }}"),
                repeat("{{ ['a'", ",'a'", "] }}"),
                repeat("", "{% if 1 %}", ""),
                repeat("", "{% for i in line_items %}", ""),
                repeat("{% if 1 %}", "{% elif 1 %}", "{% endif %}"),
                repeat("", "{% else %}", ""),
                repeat("", "{{ 1 }}", ""),
                repeat("", "{{", ""),
                repeat("", "{%", ""),
            ] {
                assert!(run(&source).is_err(), "{}", &source[..60]);
            }
            // The deepest that is allowed fits into a small stack.
            let deep = format!(
                "{}{{{{ {}notes{} }}}}{}",
                "{% for i in ['a'] %}".repeat(8),
                "(".repeat(8),
                ")".repeat(8),
                "{% endfor %}".repeat(8)
            );
            assert_eq!(run(&deep).unwrap().unwrap().len(), MAX_TEXT_BYTES);
        });
        thread.unwrap().join().unwrap();
    }

    #[test]
    fn nested_loops_end_within_their_budget() {
        let nested = |body: &str| {
            let open: Vec<String> = (0..8)
                .map(|level| format!("{{% for i{level} in line_items %}}"))
                .collect();
            let open = open.concat();
            format!("{open}{body}{}", "{% endfor %}".repeat(8))
        };
        assert_eq!(run(&nested("")), Ok(Err(RenderProblem::TooMuchWork)));
        assert_eq!(run(&nested("{{ notes }}")), Ok(Err(RenderProblem::TooLong)));
        assert_eq!(
            run(&nested("{{ notes|upper|length }}")),
            Ok(Err(RenderProblem::TooMuchWork))
        );
        let tags = "{% for i in line_items %}{% for t in i.tags %}{{ t }}{% endfor %}{% endfor %}";
        assert!(run(tags).unwrap().is_err());
    }

    #[test]
    fn texts_that_filters_make_stay_bounded() {
        assert_eq!(
            run("{{ terms|replace('a', 'bbbbbbbbbb') }}"),
            Ok(Err(RenderProblem::TooLong))
        );
        assert_eq!(run("{{ terms|upper }}").unwrap().unwrap().len(), 16_000);
        assert_eq!(
            run("{{ terms|truncate(10) }}").unwrap().unwrap(),
            "aaaaaaa..."
        );
        let chain = format!("{{{{ notes{} }}}}", "|replace('z', 'zz')".repeat(8));
        assert_eq!(run(&chain), Ok(Err(RenderProblem::TooLong)));
        assert_eq!(run("{{ line_items }}"), Ok(Err(RenderProblem::TooLong)));
        assert_eq!(run("{{ notes == terms }}").unwrap().unwrap(), "false");
    }

    proptest! {
        #[test]
        fn no_source_panics(source in "(\\{\\{|\\}\\}|\\{%|%\\}| |total|notes|\\||if|for i in line_items|endif|endfor|else|[a-z]{1,4}|[0-9]|\\(|\\)|'|\\.|==|-|\\n|é){0,40}") {
            let _ = run(&source);
        }

        #[test]
        fn text_without_tags_is_rendered_as_it_stands(source in "[^{}\\p{C}]{0,200}") {
            prop_assert_eq!(run(&source).unwrap().unwrap(), clean_edges(&source));
        }
    }

    fn clean_edges(text: &str) -> String {
        text.chars()
            .map(|letter| {
                if matches!(letter, '\u{2028}' | '\u{2029}') {
                    '\n'
                } else {
                    letter
                }
            })
            .collect::<String>()
            .trim()
            .to_owned()
    }
}
