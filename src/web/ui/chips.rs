//! Filters that live in the URL: a chip is a link to the same list with one filter changed.

use maud::{Markup, html};

/// The address of a list with its filters, in a fixed order, blanks left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    path: String,
    filters: Vec<(&'static str, String)>,
}

impl Query {
    /// The list without filters.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            filters: Vec::new(),
        }
    }

    /// The list with a filter.
    #[must_use]
    pub fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.filters.push((name, value.into()));
        self
    }

    /// The value of a filter; empty when it is not set.
    pub fn get(&self, name: &str) -> &str {
        self.filters
            .iter()
            .find(|(n, _)| *n == name)
            .map_or("", |(_, value)| value)
    }

    /// Whether any filter is set.
    pub fn is_filtered(&self) -> bool {
        self.filters.iter().any(|(_, value)| !value.is_empty())
    }

    /// The address without filters.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The address with one filter changed, the others kept. An empty value takes it away.
    pub fn with(&self, name: &str, value: &str) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        let mut placed = false;
        for (key, old) in &self.filters {
            let new = if *key == name { value } else { old };
            placed |= *key == name;
            if !new.is_empty() {
                text.append_pair(key, new);
            }
        }
        if !placed && !value.is_empty() {
            text.append_pair(name, value);
        }
        let text = text.finish();
        if text.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{text}", self.path)
        }
    }
}

/// One row of chips: all values of one filter, the current one marked.
pub fn row(query: &Query, name: &'static str, label: &str, values: &[(String, String)]) -> Markup {
    let current = query.get(name);
    html! {
        nav class="chips" aria-label=(label) {
            span class="chips-label" aria-hidden="true" { (label) }
            (chip(&query.with(name, ""), "All", current.is_empty()))
            @for (value, words) in values {
                (chip(&query.with(name, value), words, current == value))
            }
        }
    }
}

fn chip(href: &str, words: &str, current: bool) -> Markup {
    html! { a class="chip" href=(href) aria-current=[current.then_some("true")] { (words) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_changes_one_filter_and_keeps_the_rest() {
        let query = Query::new("/h").set("state", "matched").set("type", "");
        assert_eq!(
            query.with("type", "invoice.sent"),
            "/h?state=matched&type=invoice.sent"
        );
        assert_eq!(query.with("state", ""), "/h");
        assert!(query.is_filtered());
    }
}
