//! Lists of an account's e-mails, read leniently: neither the name of the array nor that of the link to the next
//! page is confirmed.
//!
//! The surprise: a page without a link may be the last one, or one whose link we do not know. Only a page that
//! is not full proves the end.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::super::error::{CallError, CallFailure, Doubt};
use super::{Emails, OperationId, is_id};

/// Longest page of a list, in bytes.
pub(super) const LONGEST_PAGE: usize = 2 * 1024 * 1024;
/// E-mails on a page.
const PAGE: usize = 100;
/// Pages of one list.
const PAGES: usize = 10;

/// An e-mail as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: EmailId,
    pub(super) operation: Option<OperationId>,
    pub(super) to: Vec<String>,
    /// Our own names, where they are shown.
    pub(super) delivery: Option<String>,
    pub(super) attempt: Option<String>,
    pub(super) created_at: Option<DateTime<Utc>>,
}

/// What was listed.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) emails: Vec<Listed>,
    /// Whether the end was seen.
    pub(super) is_whole: bool,
}

/// What Twilio calls an e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EmailId(String);

impl EmailId {
    /// Reads one; it stands in addresses.
    pub(super) fn parse(text: &str) -> Option<Self> {
        is_id(text, "comms_email_").then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for EmailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Listed {
    /// What a delivery is called by that turns out to be this one.
    pub(super) fn name(&self) -> String {
        match &self.operation {
            Some(operation) => operation.to_string(),
            None => self.id.to_string(),
        }
    }
}

impl Emails {
    /// The e-mails that a filter shows, page by page.
    pub(super) async fn list(&self, filter: &[(&str, &str)]) -> Result<Listing, CallError> {
        let mut listing = Listing::default();
        let mut token: Option<String> = None;
        for _ in 0..PAGES {
            let body = self.read(&query(filter, token.as_deref())).await?;
            let json: Value = serde_json::from_slice(&body).map_err(|_| garbage())?;
            let page = page_of(&json).ok_or_else(garbage)?;
            let emails: Option<Vec<Listed>> = page.iter().map(listed).collect();
            // One that cannot be read might be the one that is looked for.
            listing.emails.extend(emails.ok_or_else(garbage)?);
            let next = next_token(&json);
            if next.is_none() || next == token {
                listing.is_whole = page.len() < PAGE && next.is_none();
                break;
            }
            token = next;
        }
        Ok(listing)
    }
}

fn query(filter: &[(&str, &str)], token: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
    query.extend_pairs(filter);
    query.append_pair("pageSize", &PAGE.to_string());
    query.extend_pairs(token.map(|token| ("pageToken", token)));
    query.finish()
}

fn garbage() -> CallError {
    CallError {
        kind: CallFailure::Unavailable(Doubt::Garbage),
        date: None,
    }
}

fn page_of(json: &Value) -> Option<&Vec<Value>> {
    let mut named = ["emails", "data", "items"].into_iter();
    json.as_array()
        .or_else(|| named.find_map(|name| json[name].as_array()))
}

/// What asks for the next page. A link is never followed, since our secret would go along: only its token is
/// taken.
fn next_token(json: &Value) -> Option<String> {
    let inside = ["meta", "pagination", "paging", "links"].map(|name| &json[name]);
    for place in std::iter::once(json).chain(inside) {
        for name in ["nextPageToken", "next_page_token", "nextToken", "pageToken"] {
            if let Some(token) = place[name].as_str().filter(|token| !token.is_empty()) {
                return Some(token.to_owned());
            }
        }
        for name in ["next", "nextPageUrl", "next_page_url", "nextPageUri"] {
            let query = place[name].as_str().and_then(|link| link.split_once('?'));
            let Some((_, query)) = query else { continue };
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            if let Some((_, token)) = pairs.find(|(name, _)| name == "pageToken") {
                return Some(token.into_owned());
            }
        }
    }
    None
}

/// `None` without a valid id.
fn listed(json: &Value) -> Option<Listed> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let addresses = match &json["to"] {
        Value::Array(all) => all.iter().filter_map(|to| text(&to["address"])).collect(),
        one => text(&one["address"]).into_iter().collect(),
    };
    let related = json["related"].as_array().map_or(&[][..], Vec::as_slice);
    let mut operations = related
        .iter()
        .filter_map(|of| OperationId::parse(of["id"].as_str()?));
    let created = json["createdAt"].as_str();
    Some(Listed {
        id: EmailId::parse(json["id"].as_str()?)?,
        operation: operations.next(),
        to: addresses,
        delivery: text(&json["tags"]["delivery"]),
        attempt: text(&json["tags"]["attempt"]),
        created_at: created
            .and_then(|at| DateTime::parse_from_rfc3339(at).ok())
            .map(|at| at.to_utc()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_array_is_found_by_whatever_name() {
        for name in ["emails", "data", "items"] {
            assert_eq!(page_of(&json!({ name: [1] })).unwrap().len(), 1);
        }
        assert_eq!(page_of(&json!([1, 2])).unwrap().len(), 2);
        assert!(page_of(&json!({ "messages": [] })).is_none());
    }

    #[test]
    fn of_a_link_only_the_token_is_taken() {
        for (json, token) in [
            (json!({ "nextPageToken": "a" }), Some("a")),
            (json!({ "meta": { "nextPageToken": "b" } }), Some("b")),
            (
                json!({ "meta": { "next": "https://evil.example/x?pageSize=1&pageToken=c%20d" } }),
                Some("c d"),
            ),
            (json!({ "nextPageToken": null, "next": "/v1/Emails" }), None),
            (json!([]), None),
        ] {
            assert_eq!(next_token(&json).as_deref(), token, "{json}");
        }
    }

    #[test]
    fn what_is_listed_may_lack_all_but_its_id() {
        let bare = listed(&json!({ "id": "comms_email_1" })).unwrap();
        assert_eq!(bare.name(), "comms_email_1");
        assert!(bare.to.is_empty() && bare.delivery.is_none());
        assert_eq!(listed(&json!({ "id": "../x" })), None);
        let whole = listed(&json!({
            "id": "comms_email_1", "to": [{ "address": "ann@example.net" }],
            "tags": { "delivery": "dlv_1", "attempt": "2" }, "createdAt": "2026-04-05T06:20:00Z",
            "related": [{ "name": "Other", "id": "x" }, { "name": "Operation", "id": "comms_operation_2" }],
        }))
        .unwrap();
        assert_eq!(whole.name(), "comms_operation_2");
        assert_eq!(whole.attempt.as_deref(), Some("2"));
        assert!(whole.created_at.is_some());
    }
}
