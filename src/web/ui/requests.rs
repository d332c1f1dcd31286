//! The last requests to the hook, each with its verdict. A script fetches the list again; the list
//! says in one sentence what is newest, and that sentence is what a screen reader is told.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::domain::ids::EventId;
use crate::web::ui::badge;
use crate::web::ui::time::{self, Moment};
use crate::web::ui::tone::Tone;

/// The id of the list, and of its place on a page.
pub const REQUESTS: &str = "requests";

/// One request.
#[derive(Debug, Clone)]
pub struct RequestLine {
    pub at: DateTime<Utc>,
    pub tone: Tone,
    /// "Accepted", "Refused".
    pub verdict: String,
    /// What it was, what became of it, and what to do.
    pub sentence: String,
    /// The page of what was kept.
    pub event: Option<EventId>,
}

/// The list. `home` is the tenant's path, `from` where a script finds it anew.
pub fn requests(lines: &[RequestLine], moment: Moment, home: &str, from: &str) -> Markup {
    html! {
        div id=(REQUESTS) data-live data-live-from=(from) data-live-every="2000"
            data-live-said=(newest(lines)) {
            @if lines.is_empty() {
                div class="sheet-body waiting-note" {
                    (badge::state(Tone::Queued, "Waiting for the first request"))
                    p class="muted small" {
                        "Zoho Books posts some seconds after a document is saved. Change one there, such as "
                        "the notes of an invoice, and it is listed here."
                    }
                }
            } @else {
                ul class="list" {
                    @for line in lines {
                        li {
                            (badge::state(line.tone, &line.verdict))
                            div class="list-main" { p { (line.sentence) } }
                            span class="muted small" { (time::short(moment, line.at)) }
                            @if let Some(event) = line.event {
                                a class="small" href={ (home) "/events/" (event) } {
                                    "Open" span class="visually-hidden" { ": " (line.sentence) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the place beside the list says to those who cannot see it change.
pub fn newest(lines: &[RequestLine]) -> String {
    lines.first().map_or_else(
        || "No request yet.".to_owned(),
        |line| format!("Newest request: {}. {}", line.verdict, line.sentence),
    )
}
