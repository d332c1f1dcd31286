//! What was received, as it was received, up to a bound.
//!
//! Secrets of the `Authorization` header are not kept: the log is printed by tests and pages.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::HttpRequest;
use actix_web::http::header;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// One request to a provider's address, with its body as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggedRequest {
    /// When it arrived, by the sandbox's clock.
    pub at: DateTime<Utc>,
    /// `GET`, `POST` ...
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The raw query, empty when there is none.
    pub query: String,
    /// The `Content-Type` header, empty when there is none.
    pub content_type: String,
    /// The scheme of the `Authorization` header and, for Basic, the user name.
    pub authorization: String,
    /// The body, bytes outside UTF-8 replaced.
    pub body: String,
}

impl LoggedRequest {
    pub(super) fn of(request: &HttpRequest, body: &[u8], at: DateTime<Utc>) -> Self {
        let header = |name| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        Self {
            at,
            method: request.method().to_string(),
            path: request.path().to_owned(),
            query: request.query_string().to_owned(),
            content_type: header(header::CONTENT_TYPE).to_owned(),
            authorization: without_secret(header(header::AUTHORIZATION)),
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }
}

fn without_secret(header: &str) -> String {
    let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
    match basic_pair(rest) {
        Some((user, _)) if scheme.eq_ignore_ascii_case("basic") => format!("{scheme} {user}"),
        _ => scheme.to_owned(),
    }
}

/// The user name and password of a Basic header's second word.
pub(super) fn basic_pair(encoded: &str) -> Option<(String, String)> {
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':')
        .map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// A list that forgets its oldest entry when it is full.
#[derive(Debug)]
pub(super) struct Bounded<T> {
    cap: usize,
    entries: Mutex<VecDeque<T>>,
}

impl<T: Clone> Bounded<T> {
    pub(super) fn new(cap: usize) -> Self {
        Self {
            cap,
            entries: Mutex::default(),
        }
    }

    pub(super) fn push(&self, entry: T) {
        let mut entries = lock(&self.entries);
        while entries.len() >= self.cap.max(1) {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// All entries, oldest first.
    pub(super) fn all(&self) -> Vec<T> {
        lock(&self.entries).iter().cloned().collect()
    }

    pub(super) fn clear(&self) {
        lock(&self.entries).clear();
    }
}

/// Locks, also after a panic elsewhere: the sandbox's state is only ever replaced whole.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_list_forgets_its_oldest_entry() {
        let list = Bounded::new(2);
        for n in 1..=3 {
            list.push(n);
        }
        assert_eq!(list.all(), [2, 3]);
    }

    #[test]
    fn the_log_keeps_the_user_name_and_never_the_password() {
        let header = format!("Basic {}", BASE64_STANDARD.encode("AC1:secret"));
        assert_eq!(without_secret(&header), "Basic AC1");
        assert_eq!(
            without_secret("Zoho-oauthtoken 1000.abc"),
            "Zoho-oauthtoken"
        );
    }
}
