//! What was typed into a form, to show it again with an error at each field.
//!
//! Secrets never return to the browser: [`FormState::typed`] drops them before anything is shown.

use std::collections::BTreeMap;

/// The values and errors of one form. Field names are free; repeated rows are numbered
/// (`condition.0.value`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormState {
    values: BTreeMap<String, String>,
    errors: BTreeMap<String, String>,
    refusal: Option<String>,
}

impl FormState {
    /// An empty form.
    pub fn new() -> Self {
        Self::default()
    }

    /// The values as posted, without those named in `secrets`. The first of equal names counts.
    pub fn typed<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        secrets: &[&str],
    ) -> Self {
        let mut values = BTreeMap::new();
        for (name, value) in pairs {
            if !secrets.contains(&name) {
                values
                    .entry(name.to_owned())
                    .or_insert_with(|| value.to_owned());
            }
        }
        Self {
            values,
            ..Self::default()
        }
    }

    /// The form with a value filled in, as when something stored is edited.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.insert(name.into(), value.into());
        self
    }

    /// Puts an error at a field, in words that say what to type. The first one stays.
    pub fn refuse(&mut self, name: impl Into<String>, why: impl Into<String>) {
        self.errors.entry(name.into()).or_insert_with(|| why.into());
    }

    /// Refuses the form as a whole, for what belongs to no field.
    pub fn refuse_all(&mut self, why: impl Into<String>) {
        self.refusal.get_or_insert_with(|| why.into());
    }

    /// Whether nothing was refused.
    pub fn is_valid(&self) -> bool {
        self.errors.is_empty() && self.refusal.is_none()
    }

    /// The value of a field; empty when there is none.
    pub fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Whether a box is ticked: it was posted at all, and not as an empty text or `0`.
    pub fn ticked(&self, name: &str) -> bool {
        !matches!(self.value(name), "" | "0")
    }

    /// The error of a field.
    pub fn error(&self, name: &str) -> Option<&str> {
        self.errors.get(name).map(String::as_str)
    }

    /// The fields that were refused, each with its error.
    pub fn errors(&self) -> impl Iterator<Item = (&str, &str)> {
        self.errors
            .iter()
            .map(|(name, why)| (name.as_str(), why.as_str()))
    }

    /// What is wrong with the form as a whole: its refusal, or how many fields need a look.
    pub fn summary(&self) -> Option<String> {
        if let Some(why) = &self.refusal {
            return Some(why.clone());
        }
        match self.errors.len() {
            0 => None,
            1 => Some("One field needs another look.".to_owned()),
            n => Some(format!("{n} fields need another look.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_returns() {
        let form = FormState::typed([("sid", "AC1"), ("token", "hush")], &["token"]);
        assert_eq!(form.value("sid"), "AC1");
        assert_eq!(form.value("token"), "");
        assert!(!format!("{form:?}").contains("hush"));
    }

    #[test]
    fn the_first_error_of_a_field_stays() {
        let mut form = FormState::new();
        assert!(form.is_valid());
        form.refuse("name", "Give the rule a name.");
        form.refuse("name", "Too long.");
        assert_eq!(form.error("name"), Some("Give the rule a name."));
        assert_eq!(
            form.summary().as_deref(),
            Some("One field needs another look.")
        );
    }

    #[test]
    fn the_first_of_equal_names_counts() {
        let form = FormState::typed([("a", "1"), ("a", "2"), ("on", "1"), ("off", "0")], &[]);
        assert_eq!(form.value("a"), "1");
        assert!(form.ticked("on"));
        assert!(!form.ticked("off") && !form.ticked("missing"));
    }
}
