//! What the query of a request asks for.

use actix_web::HttpRequest;

pub(super) fn query(request: &HttpRequest) -> Vec<(String, String)> {
    form_urlencoded::parse(request.query_string().as_bytes())
        .into_owned()
        .collect()
}

pub(super) fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// `PageSize`: 50 unless told, at most 1000.
pub(super) fn page_size(query: &[(String, String)]) -> usize {
    find(query, "PageSize")
        .and_then(|size| size.parse().ok())
        .unwrap_or(50)
        .clamp(1, 1_000)
}

pub(super) fn page_number(query: &[(String, String)]) -> usize {
    find(query, "Page")
        .and_then(|page| page.parse().ok())
        .unwrap_or(0)
}
