//! The page for a request that could not be served. It never shows an error's own text.

use std::borrow::Cow;

use askama::Template;

use crate::web::ui::{filters, icon};

/// The answer with status 4xx or 5xx.
#[derive(Debug, Clone, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    pub status: u16,
    pub title: &'static str,
    pub sentence: Cow<'static, str>,
    /// What the log calls this request; empty when there is none.
    pub request_id: String,
}

impl ErrorPage {
    /// The page of a status; unknown ones read as 500.
    pub fn of(status: u16, request_id: impl Into<String>) -> Self {
        let (title, sentence) = match status {
            400 => (
                "This request could not be read",
                "Go back and try once more.",
            ),
            401 => (
                "Please sign in",
                "Your session has ended. Nothing was changed.",
            ),
            403 => (
                "Your role does not allow this",
                "Nothing was changed. An owner or admin of your company can do it, or give you the role.",
            ),
            404 => (
                "There is nothing at this address",
                "It may have been deleted, or it belongs to a company that you are not in.",
            ),
            409 => (
                "Something changed meanwhile",
                "Nothing was done. Go back, look at the page as it is now, and decide again.",
            ),
            413 => (
                "This is too large",
                "Nothing was stored. Shorten it and try once more.",
            ),
            422 => (
                "This form is too old or incomplete",
                "Nothing was changed. Go back, load the page again and repeat what you did.",
            ),
            429 => (
                "Too many attempts",
                "Wait a quarter of an hour, then try once more.",
            ),
            503 => (
                "Not able to answer right now",
                "The database cannot be reached. What Zoho Books sends meanwhile is refused, so that \
                 it is sent again. Try once more in a minute.",
            ),
            _ => (
                "Something went wrong on our side",
                "It is in the log. Messages that were under way are safe. Try once more; if it \
                 happens again, give your operator the number below.",
            ),
        };
        Self {
            status,
            title,
            sentence: sentence.into(),
            request_id: request_id.into(),
        }
    }

    /// The answer to one request too many at once.
    pub fn busy(request_id: impl Into<String>) -> Self {
        Self {
            title: "Too many people at once",
            sentence: "Nothing was changed. Wait a few seconds, go back and try once more.".into(),
            ..Self::of(503, request_id)
        }
    }
}
