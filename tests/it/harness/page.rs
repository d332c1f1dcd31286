//! Pages as a person sees them: parsed, not grepped.

use scraper::{Html, Selector};

/// A page that was fetched.
pub(crate) struct Page {
    pub(crate) status: reqwest::StatusCode,
    pub(crate) url: String,
    html: Html,
}

impl Page {
    pub(crate) async fn of(answer: reqwest::Response) -> Self {
        let (status, url) = (answer.status(), answer.url().to_string());
        Self {
            status,
            url,
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

    /// Everything that can be read on the page.
    pub(crate) fn text(&self) -> String {
        self.texts("body").join(" ")
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
