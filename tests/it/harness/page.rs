//! Pages as a person sees them: parsed, not grepped.

use scraper::{Html, Selector};

/// A page that was fetched.
pub(crate) struct Page {
    pub(crate) status: reqwest::StatusCode,
    /// Where the visit ended, after redirects.
    pub(crate) path: String,
    html: Html,
}

impl Page {
    pub(crate) async fn of(answer: reqwest::Response) -> Self {
        let (status, path) = (answer.status(), answer.url().path().to_owned());
        Self {
            status,
            path,
            html: Html::parse_document(&answer.text().await.unwrap()),
        }
    }

    /// The text of everything that a selector finds, blanks folded.
    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        let selector = Selector::parse(selector).unwrap();
        self.html
            .select(&selector)
            .map(|e| {
                e.text()
                    .collect::<String>()
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect()
    }

    /// The page itself.
    pub(crate) fn source(&self) -> String {
        self.html.html()
    }

    /// Everything that can be read on the page.
    pub(crate) fn text(&self) -> String {
        self.texts("body").join(" ")
    }

    /// The same page, its last form going elsewhere: what somebody sends who has no such form before
    /// them, with a token that is right.
    pub(crate) fn with_form_to(&self, action: &str) -> Self {
        let token = self.attribute("main form input[name=csrf]", "value");
        let token = token.expect("a form with a token");
        let form =
            format!("<form action='{action}'><input type=hidden name=csrf value='{token}'></form>");
        Self {
            status: self.status,
            path: self.path.clone(),
            html: Html::parse_document(&form),
        }
    }

    /// The hidden fields of the form that goes to `action`.
    pub(crate) fn hidden(&self, action: &str) -> Vec<(String, String)> {
        let form = Selector::parse(&format!("form[action='{action}']")).unwrap();
        let field = Selector::parse("input[type=hidden]").unwrap();
        let form = self.html.select(&form).next();
        let form = form.unwrap_or_else(|| panic!("no form to {action}: {}", self.text()));
        form.select(&field)
            .map(|f| {
                let part = |name| f.attr(name).unwrap_or_default().to_owned();
                (part("name"), part("value"))
            })
            .collect()
    }

    /// The boxes that are ticked already, as a browser would post them.
    pub(crate) fn ticked(&self) -> Vec<(String, String)> {
        let names = self.attributes("input[type=checkbox][checked]", "name");
        names.into_iter().map(|n| (n, "1".to_owned())).collect()
    }

    /// What is said beneath a field.
    pub(crate) fn error(&self, field: &str) -> Option<String> {
        let described = self.attribute(&format!("[name='{field}']"), "aria-describedby")?;
        let errors = described.split(' ').filter(|id| id.ends_with("-error"));
        let texts = errors.flat_map(|id| self.texts(&format!("[id='{id}']")));
        texts.last()
    }

    /// An attribute of everything that a selector finds.
    pub(crate) fn attributes(&self, selector: &str, name: &str) -> Vec<String> {
        let selector = Selector::parse(selector).unwrap();
        let found = self.html.select(&selector);
        found
            .filter_map(|e| e.attr(name).map(str::to_owned))
            .collect()
    }

    /// An attribute of the first element that a selector finds.
    pub(crate) fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        let selector = Selector::parse(selector).unwrap();
        self.html
            .select(&selector)
            .next()?
            .value()
            .attr(name)
            .map(str::to_owned)
    }
}

/// Fields as they are typed into a form.
pub(crate) fn pairs(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect()
}
