//! *Newer* and *Older*: keyset pages have no numbers and no last one.

use maud::{Markup, html};

use crate::domain::page::{Cursor, Page};
use crate::web::ui::chips::Query;
use crate::web::ui::time::{self, Moment};

/// The way to newer and older rows, keeping the filters of `query`; how far a search has looked.
pub fn pager<T>(of: &Page<T>, query: &Query, moment: Moment) -> Markup {
    html! {
        @if of.newer.is_some() || of.older.is_some() {
            nav class="pager" aria-label="Pages" {
                span class="pager-note" {
                    @if let Some(at) = of.searched_to {
                        "Searched back to " (time::long(moment, at)) ". Older goes on from there."
                    }
                }
                (step(of.newer, query, "Newer", "prev"))
                (step(of.older, query, "Older", "next"))
            }
        }
    }
}

fn step(to: Option<Cursor>, query: &Query, word: &str, rel: &str) -> Markup {
    html! {
        @if let Some(cursor) = to {
            a class="button" rel=(rel) href=(query.with("at", &cursor.to_text())) { (word) }
        } @else {
            button class="button" disabled { (word) }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn filters_survive_the_turn_of_a_page() {
        let page = Page::<u8> {
            older: Some(Cursor::Before(Uuid::nil())),
            ..Page::whole(vec![])
        };
        let moment = Moment {
            zone: chrono_tz::Tz::UTC,
            now: chrono::DateTime::UNIX_EPOCH,
        };
        let query = Query::new("/t/acme/history").set("customer", "Bowman & Co");
        let html = pager(&page, &query, moment).into_string();
        assert!(
            html.contains("customer=Bowman+%26+Co&amp;at=b0000"),
            "{html}"
        );
        assert!(html.contains("disabled"));
    }
}
