//! An empty page: one line drawing, one sentence that says what will be here, one button that
//! makes it happen.

use maud::{Markup, html};

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawing {
    /// A ledger without lines.
    Ledger,
    /// A plug and a socket.
    Plug,
    /// A branch in the road.
    Fork,
    /// A quiet bell.
    Calm,
    /// A lens over nothing.
    Lens,
}

/// The empty state; `button` is its words and address.
pub fn empty(
    drawing: Drawing,
    title: &str,
    sentence: &str,
    button: Option<(&str, &str)>,
) -> Markup {
    html! {
        div class="empty" {
            (draw(drawing))
            h2 { (title) }
            p { (sentence) }
            @if let Some((words, href)) = button { a class="button primary" href=(href) { (words) } }
        }
    }
}

fn draw(drawing: Drawing) -> Markup {
    let (plain, accent) = match drawing {
        Drawing::Ledger => (
            "M22 10h52a4 4 0 0 1 4 4v48a4 4 0 0 1-4 4H22a4 4 0 0 1-4-4V14a4 4 0 0 1 4-4zm6 0v56m10-42h30m-30 12h30",
            "M38 48h14m6 0h2m6 0h2",
        ),
        Drawing::Plug => (
            "M6 38h20m0-14h8a14 14 0 0 1 0 28h-8zM64 22h8v32h-8zm8 16h18",
            "M47 32h9m-9 12h9",
        ),
        Drawing::Fork => (
            "M10 38h22m0 0c14 0 12-18 28-18h20m-48 18c14 0 12 18 28 18h20M73 13l7 7-7 7",
            "m73 49 7 7-7 7M26 38a6 6 0 1 0 12 0 6 6 0 1 0-12 0",
        ),
        Drawing::Calm => (
            "M24 56h48c-6-6-7-12-7-22a17 17 0 0 0-34 0c0 10-1 16-7 22zm24-39v-5",
            "M42 62a6.5 6.5 0 0 0 12 0",
        ),
        Drawing::Lens => (
            "M26 32a18 18 0 1 0 36 0 18 18 0 1 0-36 0M57.5 45 74 62",
            "M36 32h16",
        ),
    };
    html! {
        svg width="96" height="76" viewBox="0 0 96 76" fill="none" stroke="currentColor"
            stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" {
            path d=(plain) {}
            path class="empty-accent" d=(accent) {}
        }
    }
}
