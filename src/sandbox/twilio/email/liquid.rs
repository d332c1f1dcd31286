//! As much of Liquid as tells whether data was taken for a template: variables are filled in, and what is left
//! over is refused.

use serde_json::{Map, Value};

/// Fills a template in; what is wrong with it otherwise.
pub(super) fn render(template: &str, variables: &Map<String, Value>) -> Result<String, String> {
    let mut rendered = String::with_capacity(template.len());
    let mut rest = template;
    loop {
        let (variable, tag) = (rest.find("{{"), rest.find("{%"));
        let Some(at) = variable.into_iter().chain(tag).min() else {
            rendered.push_str(rest);
            return Ok(rendered);
        };
        let (before, from) = rest.split_at(at);
        rendered.push_str(before);
        let from = &from[2..];
        if tag == Some(at) {
            let end = from
                .find("%}")
                .ok_or("Tag '{%' was not properly terminated")?;
            let name = from[..end].trim_matches('-').trim();
            return Err(format!("Unknown tag '{name}'"));
        }
        let end = from
            .find("}}")
            .ok_or("Variable '{{' was not properly terminated")?;
        let (expression, after) = (&from[..end], &from[end + 2..]);
        rendered.push_str(&value(expression, variables)?);
        rest = after;
    }
}

fn value(expression: &str, variables: &Map<String, Value>) -> Result<String, String> {
    let name = expression.split('|').next().unwrap_or_default();
    let name = name.trim_matches('-').trim();
    match variables.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value) => Ok(value.to_string()),
        None => Err(format!("Variable '{name}' is missing")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_filled_in_and_whatever_else_is_refused() {
        let variables = json!({ "invoice": "INV-7", "total": 12 });
        let variables = variables.as_object().unwrap();
        let render = |template: &str| render(template, variables);
        assert_eq!(
            render("{{ invoice }}: {{-total-}} }}").unwrap(),
            "INV-7: 12 }}"
        );
        assert_eq!(render("a{b}%}").unwrap(), "a{b}%}");
        for (template, why) in [
            ("{{ name }}", "'name' is missing"),
            ("a {{ invoice", "not properly terminated"),
            ("{% if x %}", "Unknown tag 'if x'"),
            ("{%", "not properly terminated"),
        ] {
            assert!(render(template).unwrap_err().contains(why), "{template}");
        }
    }
}
