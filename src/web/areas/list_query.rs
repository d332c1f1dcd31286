//! What the address of a list asks for: a search, and where its page begins.

use crate::domain::page::Cursor;
use crate::domain::suppression::Source;
use crate::web::extract::tenant::TenantContext;

/// The longest search, in characters.
const LONGEST: usize = 100;

/// What is asked for, as far as it can be read.
pub(in crate::web) struct ListQuery {
    pub(in crate::web) text: String,
    pub(in crate::web) source: Option<Source>,
    pub(in crate::web) cursor: Cursor,
}

impl ListQuery {
    pub(in crate::web) fn of(request: &TenantContext) -> Self {
        let query = request.query();
        let get = |name: &str| {
            let found = query.iter().find(|(n, _)| n == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        Self {
            text: get("q").chars().take(LONGEST).collect(),
            source: Source::parse(get("source")),
            cursor: Cursor::parse(get("at")).unwrap_or(Cursor::Newest),
        }
    }
}
